//! Tasks of CodeArts Check, imported and planned.

use serde_json::{Value, json};
use simulator::codearts::NewChannel;

use super::{Said, hookwright, kubectl_apply, plan};
use crate::support::{World, condition};

async fn import(world: &World, tasks: &[&str]) -> Said {
    let connection = format!("{}/codearts", world.namespace);
    let mut args = vec!["import", "--connection", &connection];
    tasks.iter().for_each(|task| args.extend(["--task", *task]));
    hookwright(world, &args).await
}

async fn with_check() -> World {
    let world = World::start().await;
    world.check_sources().await;
    world.check_connection("codearts", json!({})).await;
    world
}

const URL: &str = "https://robots.example.com/canary-path?key=canary-query";

/// What `Ready` says of a TaskNotification once it says something of the present generation.
async fn ready(world: &World, name: &str) -> String {
    use hookwright::api::task_notification::TaskNotification;
    use kube::Api;
    let api = Api::<TaskNotification>::namespaced(world.client.clone(), &world.namespace);
    let told = |object: &TaskNotification| {
        object.status.as_ref().is_some_and(|status| Some(status.observed_generation) == object.metadata.generation)
    };
    let object = world.wait_for(api, name, "told", told).await;
    condition(&object.status.unwrap().conditions, "Ready").unwrap().reason.clone()
}

#[tokio::test]
async fn a_task_that_is_imported_and_applied_is_ready_as_it_is() {
    let world = with_check().await;
    let (full, masked, empty) = (world.sim.new_task(), world.sim.new_task(), world.sim.new_task());
    let set = |task: &str, channel: NewChannel| drop(world.sim.console_set_channel(task, channel).unwrap());
    let wecom =
        NewChannel::new("wecom", URL).notify(["jobResult", "issues"]).secret("canary-sign").user_ids(["u1", "u2"]);
    set(&full, wecom);
    set(&full, NewChannel { enabled: false, ..NewChannel::new("dingtalk", URL) });
    set(&full, NewChannel::blank("lark"));
    set(&masked, NewChannel::new("lark", URL).secret("********"));
    let said = import(&world, &[&full, &masked, &empty]).await.with_code(0);
    assert!(!said.err.contains("canary"), "{}", said.err);
    assert_eq!(said.lines("masks the signing secret of channel lark").len(), 1, "{}", said.err);
    assert_eq!(said.lines("it has no notification channel to declare").len(), 1, "{}", said.err);
    for document in serde_yaml::from_multiple::<Value>(&said.out).unwrap() {
        assert!(document["kind"] == "Secret" || !document.to_string().contains("canary"), "{document}");
    }
    let planned = plan(&world, &said.out, &[]).await.with_code(0);
    assert!(planned.out.contains("2 without change, 0 in error") && !planned.out.contains("canary"), "{}", planned.out);
    kubectl_apply(&world, &said.out).await;
    for task in [&full, &masked] {
        assert_eq!(ready(&world, &format!("task-{}", task.to_lowercase())).await, "Synced");
        assert!(world.sim.calls_for(task).iter().all(|call| call.method == "GET"));
    }
    let again = import(&world, &[&full, &masked]).await.with_code(0);
    assert_eq!((again.out.as_str(), again.lines("declares it").len()), ("", 2), "{}", again.err);
}

#[tokio::test]
async fn a_task_that_no_spec_can_say_is_refused_and_the_others_are_written() {
    let world = with_check().await;
    let (good, bad) = (world.sim.new_task(), world.sim.new_task());
    world.sim.console_set_channel(&good, NewChannel::new("wecom", URL)).unwrap();
    world.sim.console_set_channel(&bad, NewChannel::new("smoke-signal", URL)).unwrap();
    let said = import(&world, &[&bad, &good]).await.with_code(1);
    let line = said.lines("refused: ")[0];
    assert!(line.contains(&bad) && line.contains("none of wecom, dingtalk and lark"), "{line}");
    assert!(
        said.out.contains(&format!("taskId: {good}")) || said.out.contains(&format!("taskId: '{good}'")),
        "{}",
        said.out
    );
    let app_maker = format!("{}/app-maker", world.namespace);
    let wrong = hookwright(&world, &["import", "--connection", &app_maker, "--task", &good]).await.with_code(1);
    assert!(wrong.err.contains("needs one with codeArts"), "{}", wrong.err);
}

#[tokio::test]
async fn a_task_that_cannot_be_read_keeps_no_other_one_from_being_written() {
    let world = with_check().await;
    let task = world.sim.new_task();
    world.sim.console_set_channel(&task, NewChannel::new("wecom", URL)).unwrap();
    let said = import(&world, &["nobody-knows-it", &task]).await.with_code(1);
    assert_eq!(said.lines("refused: task nobody-knows-it: ").len(), 1, "{}", said.err);
    assert_eq!(said.lines("1 written, 0 left out, 1 refused").len(), 1, "{}", said.err);
    assert!(said.out.contains(&format!("name: task-{}", task.to_lowercase())), "{}", said.out);
}

#[tokio::test]
async fn what_a_person_has_to_change_at_the_console_is_a_change_that_is_due() {
    let world = with_check().await;
    let task = world.sim.new_task();
    world.sim.console_set_channel(&task, NewChannel::new("wecom", URL).notify(["jobResult"])).unwrap();
    let manifest = json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "TaskNotification", "metadata": { "name": "nightly" },
        "spec": {
            "connectionRef": { "name": "codearts" }, "taskId": task,
            "channels": [{ "type": "wecom", "url": "https://robots.example.com/canary-new", "notify": ["issues"] }],
        },
    });
    let said = plan(&world, &manifest.to_string(), &[]).await.with_code(2);
    assert!(said.out.contains("nightly: differs: ManualChangeRequired: "), "{}", said.out);
    assert!(said.out.contains("  channels[wecom].notify: desired [issues], actual [jobResult]\n"), "{}", said.out);
    assert!(said.out.contains("  channels[wecom].url: desired (differs), actual (differs)\n"), "{}", said.out);
    assert!(!(said.out + &said.err).contains("canary"));
}
