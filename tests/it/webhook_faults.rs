//! Each fault on each call, once: whatever the answer was, and whether or not the request was carried out, the end is one
//! webhook that equals the spec, or none where it was to go.

use hookwright::api::project_webhook::ProjectWebhook;
use serde_json::{Value, json};
use simulator::app_maker::Masking;
use simulator::{Behaviour, Fault, FaultKind, NewWebhook, ProjectRef, RetryAfter, Shape, Silence, WebhookEdit};

use crate::support::{World, condition, is_ready, message, of_project, ready_reason, render, status};

/// Everything that can go wrong with one call, but for 401, which stops all users of a connection, and for lies that no
/// client can see through.
fn faults() -> Vec<(String, FaultKind)> {
    let status = |code: u16, retry_after: Option<RetryAfter>, applied: bool| {
        let name = format!(
            "s{code}{}{}",
            if retry_after.is_some() { "-after" } else { "" },
            if applied { "-done" } else { "" }
        );
        (name, FaultKind::Status { code, body: None, retry_after, applied })
    };
    let mut all: Vec<_> =
        [400, 403, 408, 409, 422, 429, 500, 502, 503, 504].map(|code| status(code, None, false)).into();
    all.extend([408, 500, 502, 503, 504].map(|code| status(code, None, true)));
    all.push(status(429, Some(RetryAfter::Seconds(1)), false));
    all.push(status(503, Some(RetryAfter::DateInSeconds(1)), true));
    for applied in [true, false] {
        let done = if applied { "-done" } else { "" };
        all.push((format!("reset{done}"), FaultKind::Reset { applied }));
        all.push((format!("timeout{done}"), FaultKind::Timeout { applied, hold_ms: None }));
        all.push((format!("slow{done}"), FaultKind::Latency { ms: 500, applied }));
    }
    // It lands after the first look and within the settle time.
    all.push(("late-held".into(), FaultKind::LateEffect { after_ms: Some(1500), silence: Silence::Held }));
    all.push(("late-reset".into(), FaultKind::LateEffect { after_ms: Some(1500), silence: Silence::Reset }));
    all.push(("truncated".into(), FaultKind::TruncatedBody));
    all.push(("not-json".into(), FaultKind::NotJson));
    for (name, shape) in
        [("data", Shape::Data), ("object", Shape::Object), ("strings", Shape::Strings), ("null", Shape::Null)]
    {
        all.push((format!("shape-{name}"), FaultKind::WrongShape { shape }));
    }
    all.push(("endless".into(), FaultKind::EndlessBody));
    all.push(("byte-by-byte".into(), FaultKind::SlowBody { ms_per_byte: 1000 }));
    for code in [302, 307] {
        let location = "https://elsewhere.example.com/".to_owned();
        all.push((format!("redirect-{code}"), FaultKind::Redirect { location, code }));
    }
    all
}

/// What the remote shows of headers, and so of the marker.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Headers {
    Shown,
    Masked,
    Dropped,
}

impl Headers {
    fn behaviour(self) -> Behaviour {
        match self {
            Self::Shown => Behaviour::default(),
            Self::Masked => Behaviour { masking: Masking::HeaderValues, ..Behaviour::default() },
            Self::Dropped => Behaviour { drop_headers: vec!["*".into()], ..Behaviour::default() },
        }
    }
}

/// One webhook in a project of its own, and the fault that it is to meet.
struct Case {
    name: String,
    project: ProjectRef,
    fault: FaultKind,
    headers: Headers,
    connection: String,
}

impl Case {
    fn spec(&self) -> Value {
        let mut spec = of_project(&self.project);
        spec["connectionRef"] = json!({ "name": self.connection });
        spec
    }

    fn webhooks(&self, world: &World) -> Vec<simulator::Webhook> {
        world.sim.webhooks(&self.project.id)
    }

    fn calls(&self, world: &World) -> Vec<String> {
        world.sim.calls_for(&self.project.id).iter().map(render).collect()
    }

    /// The one webhook that there is to be.
    #[track_caller]
    fn only(&self, world: &World) -> simulator::Webhook {
        let mut all = self.webhooks(world);
        assert_eq!(all.len(), 1, "{}: {all:#?}\n{:?}", self.name, self.calls(world));
        all.remove(0)
    }

    /// Arms the fault: the next call of this operation meets it, after so many that do not.
    fn arm(&self, world: &World, operation: &str, skip: u64) {
        let fault = Fault::new(self.fault.clone()).operations([operation]).project(&*self.project.id);
        world.sim.add_fault(fault.id(&*self.name).skip(skip).once());
    }
}

/// How many connections share the cases: what times out slows a connection down, and that is not what is tested here.
const CONNECTIONS: usize = 6;

async fn start(marker: &str) -> World {
    let world =
        World::with(|setup| setup.flag("--settle-time", "3s").flag("--ownership-marker", marker).no_connection()).await;
    world.secret("app-maker", &[("token", crate::support::TOKEN)]).await;
    for n in 0..CONNECTIONS {
        world.connection(&format!("app-maker-{n}"), json!({ "timeoutSeconds": 2 })).await;
    }
    world
}

/// Every usable fault with these headers.
fn cases(world: &World, headers: Headers, usable: impl Fn(&FaultKind) -> bool) -> Vec<Case> {
    let usable = faults().into_iter().filter(|(_, fault)| usable(fault));
    let case = |(at, (fault_name, fault)): (usize, (String, FaultKind))| {
        let project = world.sim.new_project();
        world.sim.set_project_behaviour(&project.id, Some(headers.behaviour())).unwrap();
        let name = format!("{headers:?}-{fault_name}").to_lowercase();
        Case { name, project, fault, headers, connection: format!("app-maker-{}", at % CONNECTIONS) }
    };
    usable.enumerate().map(case).collect()
}

fn any(_: &FaultKind) -> bool {
    true
}

/// After which a client can't know whether the request was carried out.
fn is_unclear(fault: &FaultKind) -> bool {
    match fault {
        FaultKind::Status { code, .. } => *code == 408 || *code >= 500,
        FaultKind::Latency { .. } => false,
        _ => true,
    }
}

fn is_stalled(object: &ProjectWebhook) -> bool {
    condition(&status(object).conditions, "Stalled").is_some()
}

/// Waits until each is Ready; what a person has to look at is asked for again, once, as he would.
async fn all_ready(world: &World, cases: &[Case]) {
    for case in cases {
        let settled =
            |object: &ProjectWebhook| is_ready(object) || (ready_reason(object).is_some() && is_stalled(object));
        let object = world.wait_until(&case.name, "Ready or Stalled", settled).await;
        if is_ready(&object) {
            continue;
        }
        let object = world.pass(&case.name).await;
        let told = (ready_reason(&object), message(&object));
        let waits = condition(&status(&object).conditions, "Reconciling").is_some();
        assert!(is_ready(&object) || waits, "{}: {told:?}\n{:?}", case.name, case.calls(world));
        world.wait_ready(&case.name).await;
    }
}

/// The fault was met, by each.
fn assert_struck(world: &World, cases: &[Case]) {
    let injected = world.sim.injected();
    let missed: Vec<_> =
        cases.iter().filter(|case| injected.get(&case.name) != Some(&1)).map(|case| &case.name).collect();
    assert!(missed.is_empty(), "these faults met no call: {missed:?}");
}

async fn create(world: &World, cases: &[Case]) {
    world.create_all(cases.iter().map(|case| (case.name.clone(), case.spec()))).await;
}

async fn post(world: &World, cases: &[Case]) {
    cases.iter().for_each(|case| case.arm(world, "create", 0));
    create(world, cases).await;
    all_ready(world, cases).await;
    assert_struck(world, cases);
    for case in cases {
        let there = case.only(world);
        assert_eq!(status(&world.get(&case.name).await).webhook_id, Some(there.id), "{}", case.name);
    }
}

#[tokio::test]
async fn whatever_becomes_of_a_post_there_is_one_webhook() {
    let world = start("on").await;
    post(&world, &cases(&world, Headers::Shown, any)).await;
}

#[tokio::test]
async fn whatever_becomes_of_a_post_there_is_one_webhook_where_no_marker_can_be_seen() {
    let world = start("on").await;
    let mut all = cases(&world, Headers::Masked, is_unclear);
    all.extend(cases(&world, Headers::Dropped, is_unclear));
    post(&world, &all).await;
}

#[tokio::test]
async fn whatever_becomes_of_a_post_there_is_one_webhook_with_the_marker_off() {
    let world = start("off").await;
    post(&world, &cases(&world, Headers::Shown, is_unclear)).await;
}

#[tokio::test]
async fn whatever_becomes_of_the_first_list_nothing_is_created_beside_what_is_there() {
    let world = start("on").await;
    let cases = cases(&world, Headers::Shown, any);
    for case in &cases {
        let there = NewWebhook::new(&*case.name, format!("https://hooks.example.com/{}", case.name));
        world.sim.console_create(&case.project.id, there).unwrap();
        case.arm(&world, "list", 0);
    }
    create(&world, &cases).await;
    for case in &cases {
        let object = world.wait_until(&case.name, "Stalled", is_stalled).await;
        if ready_reason(&object) != Some("AdoptionRequired") {
            world.pass(&case.name).await;
        }
        world.wait_reason(&case.name, "AdoptionRequired").await;
        let calls = case.calls(&world);
        assert!(calls.iter().all(|call| call == "GET list"), "{}: {calls:?}", case.name);
    }
    assert_struck(&world, &cases);
}

#[tokio::test]
async fn whatever_becomes_of_the_list_after_a_post_there_is_one_post() {
    let world = start("on").await;
    let cases = cases(&world, Headers::Dropped, any);
    cases.iter().for_each(|case| case.arm(&world, "list", 1));
    create(&world, &cases).await;
    all_ready(&world, &cases).await;
    assert_struck(&world, &cases);
    for case in &cases {
        case.only(&world);
        let posts = case.calls(&world).iter().filter(|call| *call == "POST").count();
        assert_eq!(posts, 1, "{}: {:?}", case.name, case.calls(&world));
    }
}

#[tokio::test]
async fn whatever_becomes_of_a_patch_the_webhook_equals_the_spec() {
    let world = start("on").await;
    let cases = cases(&world, Headers::Masked, any);
    create(&world, &cases).await;
    all_ready(&world, &cases).await;
    let mut ids = vec![];
    for case in &cases {
        ids.push(case.only(&world).id);
        case.arm(&world, "update", 0);
        let mut spec = case.spec();
        spec["active"] = json!(false);
        world.webhook(&case.name, spec).await;
    }
    all_ready(&world, &cases).await;
    assert_struck(&world, &cases);
    for (case, id) in cases.iter().zip(ids) {
        let there = case.only(&world);
        assert_eq!((there.id, there.active), (id, false), "{}: {:?}", case.name, case.calls(&world));
    }
}

#[tokio::test]
async fn whatever_becomes_of_a_delete_nothing_is_left() {
    let world = start("on").await;
    let cases = cases(&world, Headers::Shown, any);
    create(&world, &cases).await;
    all_ready(&world, &cases).await;
    for case in &cases {
        case.arm(&world, "delete", 0);
        world.delete(&case.name).await;
    }
    for case in &cases {
        let refused = matches!(case.fault, FaultKind::Status { code: 400..=407 | 409..=428, .. });
        if refused {
            world.wait_reason(&case.name, "DeletionBlocked").await;
            world.annotate(&case.name, "hookwright.dev/reconcile-requested-at", "again").await;
        }
        world.wait_gone(&case.name).await;
        assert_eq!(case.webhooks(&world).len(), 0, "{}: {:?}", case.name, case.calls(&world));
    }
    assert_struck(&world, &cases);
}

#[tokio::test]
async fn whatever_becomes_of_the_get_a_webhook_that_the_list_does_not_show_is_not_created_again() {
    let world = start("on").await;
    let cases = cases(&world, Headers::Dropped, any);
    create(&world, &cases).await;
    all_ready(&world, &cases).await;
    for case in &cases {
        let hiding = Behaviour { list_cap: Some(0), ..case.headers.behaviour() };
        world.sim.set_project_behaviour(&case.project.id, Some(hiding)).unwrap();
        let id = case.only(&world).id;
        let edit = WebhookEdit { active: Some(false), ..WebhookEdit::default() };
        world.sim.console_edit(&case.project.id, &id, edit).unwrap();
        case.arm(&world, "get", 0);
        world.annotate(&case.name, "hookwright.dev/reconcile-requested-at", "look").await;
    }
    for case in &cases {
        let corrected =
            |state: &simulator::State| state.webhooks(&case.project.id).iter().all(|webhook| webhook.active);
        let met = |object: &ProjectWebhook| status(object).last_handled_reconcile_at.as_deref() == Some("look");
        world.wait_until(&case.name, "looked", met).await;
        world.pass(&case.name).await;
        world.wait_remote(&format!("{} is corrected", case.name), corrected).await;
    }
    assert_struck(&world, &cases);
    for case in &cases {
        case.only(&world);
        let writes: Vec<_> = case.calls(&world).into_iter().filter(|call| !call.starts_with("GET")).collect();
        assert_eq!(writes, ["POST", "PATCH active"], "{}: {:?}", case.name, case.calls(&world));
    }
}
