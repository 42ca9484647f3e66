use super::*;
use crate::api::project_webhook::ConnectionKind;

fn at(second: u64) -> Moment {
    Moment::since_start(Duration::from_secs(second))
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn key(name: &str) -> ObjectKey {
    ObjectKey { namespace: "shop".into(), name: name.into() }
}

fn path() -> ProjectPath {
    let id = "64b0c0ffee00000000000001";
    ProjectPath { organization: id.parse().unwrap(), project: id.parse().unwrap() }
}

/// A periodic look, where the rate allows every interval.
fn due(project: &Project, name: &str, interval: u64, now: u64) -> Option<Moment> {
    project.due(&key(name), seconds(interval), at(now), || Duration::ZERO, &Metrics::new())
}

/// Within the interval and the tenth more by which it is jittered.
fn is_wound(project: &Project, now: u64, interval: u64) -> bool {
    (seconds(interval)..=seconds(interval).mul_f64(1.1001)).contains(&project.until_due(at(now)))
}

#[test]
fn the_first_look_is_due_and_winds_the_timer_for_all() {
    let project = Project::default();
    assert_eq!(due(&project, "a", 600, 10), Some(at(10)));
    assert!(is_wound(&project, 10, 600));
    assert_eq!(due(&project, "a", 600, 20), None);
    assert_eq!(due(&project, "b", 600, 20), None, "they come due together");
}

#[test]
fn the_shortest_interval_decides_from_the_moment_it_comes_in_and_until_its_object_is_gone() {
    let projects = Snapshots::default();
    let connection = ConnectionKey { kind: ConnectionKind::Connection, key: key("app-maker") };
    let project = projects.project(&connection, path());
    due(&project, "slow", 3600, 0);
    assert!(is_wound(&project, 0, 3600));
    assert_eq!(due(&project, "quick", 30, 100), None);
    assert!(is_wound(&project, 100, 30), "it does not wait for the hour");
    let then = project.until_due(at(100));
    assert_eq!(due(&project, "slow", 3600, 200), Some(at(100).after(then)), "the moment since when it was due");
    assert!(is_wound(&project, 200, 30), "and the shortest goes on to decide, whoever looks");
    projects.forget(&key("quick"));
    due(&project, "slow", 3600, 300);
    assert!(is_wound(&project, 300, 3600));
}

#[test]
fn an_interval_that_the_rate_does_not_allow_is_stretched_and_told() {
    let (project, metrics) = (Project::default(), Metrics::new());
    project.due(&key("a"), seconds(30), at(0), || seconds(120), &metrics);
    assert!(is_wound(&project, 0, 120));
    let stretch = r#"hookwright_resync_stretch{kind="ProjectWebhook"} 4.0"#;
    assert!(metrics.encode().lines().any(|line| line == stretch), "{}", metrics.encode());
    project.due(&key("a"), seconds(30), at(200), || seconds(10), &metrics);
    assert!(is_wound(&project, 200, 30), "what the rate allows is no reason to look more often than was asked for");
}

/// Whoever holds one of the two locks and waits for the other would hang everything.
#[test]
fn projects_are_counted_while_nobody_is_kept_from_forgetting() {
    let projects = Snapshots::default();
    let connection = ConnectionKey { kind: ConnectionKind::Connection, key: key("app-maker") };
    let project = projects.project(&connection, path());
    let least = || {
        projects.forget(&key("gone"));
        Duration::ZERO
    };
    assert!(project.due(&key("a"), seconds(30), at(0), least, &Metrics::new()).is_some());
}

#[test]
fn how_late_a_look_comes_is_counted() {
    let (project, metrics) = (Project::default(), Metrics::new());
    let look = |now| project.due(&key("a"), seconds(30), at(now), || Duration::ZERO, &metrics);
    look(0);
    assert!(!metrics.encode().contains("resync_lag_seconds_sum"), "the first is not late");
    let due = at(0).after(project.until_due(at(0)));
    assert_eq!(look(100), Some(due));
    let sum =
        format!(r#"hookwright_resync_lag_seconds_sum{{kind="ProjectWebhook"}} {:?}"#, at(100).since(due).as_secs_f64());
    assert!(metrics.encode().lines().any(|line| line == sum), "{sum}: {}", metrics.encode());
}

#[test]
fn a_list_is_kept_until_all_objects_of_the_project_have_used_it_but_not_for_ever() {
    let projects = Snapshots::default();
    let connection = ConnectionKey { kind: ConnectionKind::Connection, key: key("app-maker") };
    let project = projects.project(&connection, path());
    let is_kept = |users: &[&str], members, now| {
        let latest = Some(Arc::new(Snapshot { webhooks: vec![], begun: at(100) }));
        let used_by = users.iter().map(|name| key(name)).collect();
        *project.state.try_lock().unwrap() = State { latest, used_by, ..State::default() };
        projects.sweep(at(now), |of, id| if (of, id) == (&connection, path().project) { members } else { 0 });
        project.state.try_lock().unwrap().latest.is_some()
    };
    assert!(is_kept(&["a", "b"], 2, 104), "who is applied a moment later shares it");
    assert!(!is_kept(&["a", "b"], 2, 106));
    assert!(is_kept(&["a", "a"], 2, 106), "the other one has not come yet");
    assert!(!is_kept(&["a"], 2, 136), "and will not: it asks for a new one");
}
