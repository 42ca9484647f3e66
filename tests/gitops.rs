//! What GitOps tools make of our objects: the real kstatus library, which Flux has built in, and the health scripts of
//! `examples/argocd` in the interpreter that Argo CD has built in. The program in `tools/gitops` runs both.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that unwraps fails, which is what it should do")]
#![allow(missing_docs, reason = "the names of tests are sentences")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hookwright::api::condition::Reason;
use hookwright::domain::status::conditions;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Deserialize;
use serde_json::{Value, json};

/// What a tool says of an object.
#[derive(Debug, Deserialize)]
struct Verdict {
    status: String,
    message: String,
}

/// What both say of an object.
#[derive(Debug, Deserialize)]
struct Line {
    kstatus: Verdict,
    health: Verdict,
}

/// Asks the tools about objects, in order.
fn judge(objects: &[Value]) -> Vec<Line> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut go = Command::new("go")
        .args(["run", "-trimpath", ".", "-scripts"])
        .arg(root.join("examples/argocd/resource_customizations"))
        .current_dir(root.join("tools/gitops"))
        .env("CGO_ENABLED", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Go 1.26 or newer is installed");
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
    let mut stdin = go.stdin.take().unwrap();
    let write = std::thread::spawn(move || stdin.write_all(list.to_string().as_bytes()));
    let output = go.wait_with_output().unwrap();
    assert!(output.status.success(), "tools/gitops failed; what it said is above");
    write.join().unwrap().unwrap();
    let lines: Vec<Line> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(lines.len(), objects.len(), "one line for each object");
    lines
}

/// What an object's conditions mean to somebody who waits for it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Meaning {
    /// It is as declared.
    Ready,
    /// It mends itself.
    Mending,
    /// A person is needed, and something is broken.
    Broken,
    /// A person is needed, to decide or to do at the console what no API does: nothing is broken.
    Person,
    /// The deletion needs a person.
    Blocked,
}

/// What design and documentation say of each reason, written out a second time. A new reason has to be added here.
const MEANINGS: &[(Meaning, &[&str])] = &[
    (Meaning::Ready, &["Synced", "Observed", "Configured"]),
    (
        Meaning::Mending,
        &[
            "Progressing",
            "SecretNotFound",
            "ConfigMapNotFound",
            "ConnectionNotFound",
            "ConnectionNotReady",
            "RateLimited",
            "RemoteUnavailable",
        ],
    ),
    (
        Meaning::Broken,
        &[
            "InvalidSpec",
            "ConnectionNotAllowed",
            "EndpointNotAllowed",
            "ReceiverNotAllowed",
            "CredentialsRejected",
            "Forbidden",
            "ProjectNotFound",
            "TaskNotFound",
            "WebhookNotFound",
            "RemoteRejected",
            "AdoptionRequired",
            "Conflict",
            "NotConverging",
        ],
    ),
    (Meaning::Person, &["Drifted", "ManualChangeRequired"]),
    (Meaning::Blocked, &["DeletionBlocked"]),
];

fn meaning(reason: &str) -> Meaning {
    let found = MEANINGS.iter().find(|(_, reasons)| reasons.contains(&reason));
    found.unwrap_or_else(|| panic!("{reason}: say in MEANINGS what it means, and in docs/gitops.md")).0
}

/// An object's state, as far as it matters.
#[derive(Clone, Copy, Debug)]
struct State {
    meaning: Option<Meaning>,
    going: bool,
    suspended: bool,
    current: bool,
}

impl State {
    /// What kstatus and Argo CD have to say.
    fn expected(self) -> (&'static str, &'static str) {
        let Self { meaning, going, suspended, current } = self;
        let meaning = meaning.filter(|_| current);
        if going {
            return ("Terminating", if meaning == Some(Meaning::Blocked) { "Degraded" } else { "Progressing" });
        }
        let (kstatus, health) = match meaning {
            Some(Meaning::Ready) => ("Current", "Healthy"),
            Some(Meaning::Mending) | None => ("InProgress", "Progressing"),
            Some(Meaning::Person) => ("Failed", "Suspended"),
            Some(Meaning::Broken | Meaning::Blocked) => ("Failed", "Degraded"),
        };
        (kstatus, if suspended { "Suspended" } else { health })
    }
}

/// The condition of a type.
fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array().into_iter().flatten().find(|condition| condition["type"] == type_)
}

/// Both tools say of each object what they have to, in the words of the object where those speak of the present.
fn assert_told(objects: &[(Value, State)]) {
    let values: Vec<_> = objects.iter().map(|(object, _)| object.clone()).collect();
    let mut wrong = vec![];
    for ((object, state), told) in objects.iter().zip(judge(&values)) {
        let (kstatus, health) = state.expected();
        let ready = condition(object, "Ready").filter(|_| state.current);
        let message = ready.and_then(|ready| ready["message"].as_str());
        let says = &told.health.message;
        let well_said = message.map_or(!says.is_empty(), |message| says == message);
        // Of what is well or going kstatus has words of its own.
        let relays = state.current && ["InProgress", "Failed"].contains(&kstatus);
        let well_relayed = !relays || Some(told.kstatus.message.as_str()) == message;
        if (told.kstatus.status.as_str(), told.health.status.as_str()) != (kstatus, health)
            || !well_said
            || !well_relayed
        {
            wrong.push(format!("{state:?} has to be {kstatus} and {health}: {told:?}\n{object:#}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} are told wrongly: {}", wrong.len(), objects.len(), wrong.join("\n"));
}

/// An object with the conditions that our own code gives for a reason, at generation 2.
fn synthetic(kind: &str, reason: Option<Reason>, state: State) -> Value {
    let observed = if state.current { 2 } else { 1 };
    let now = Time(k8s_openapi::jiff::Timestamp::UNIX_EPOCH);
    let conditions = reason.map(|reason| conditions(&[], reason, &format!("because of {reason}"), observed, &now));
    let mut object = json!({
        "apiVersion": "hookwright.dev/v1alpha1",
        "kind": kind,
        "metadata": { "name": "builds", "namespace": "shop", "generation": 2 },
        "spec": { "suspend": state.suspended },
        // The schema's default, as the API server fills it in.
        "status": { "observedGeneration": -1 },
    });
    if let Some(conditions) = conditions {
        object["status"] = json!({ "observedGeneration": observed, "conditions": conditions });
    }
    if state.going {
        object["metadata"]["deletionTimestamp"] = "2026-11-25T08:00:00Z".into();
    }
    object
}

#[test]
fn whatever_the_operator_says_of_whatever_kind_both_tools_take_it_as_it_is_meant() {
    let mut objects = vec![];
    for kind in ["Connection", "ClusterConnection", "ProjectWebhook", "TaskNotification"] {
        for (going, suspended) in [(false, false), (false, true), (true, false), (true, true)] {
            for reason in Reason::ALL {
                for current in [true, false] {
                    let meaning = Some(meaning(reason.as_str()));
                    let state = State { meaning, going, suspended, current };
                    objects.push((synthetic(kind, Some(*reason), state), state));
                }
            }
            let state = State { meaning: None, going, suspended, current: false };
            objects.push((synthetic(kind, None, state), state));
        }
    }
    assert_eq!(objects.len(), 4 * 4 * (Reason::ALL.len() * 2 + 1));
    assert_told(&objects);
}

/// Every state that the tests saw.
fn seen() -> Vec<Value> {
    let directory = std::env::var_os("HOOKWRIGHT_TEST_STATES").map(PathBuf::from);
    let directory = directory.expect("HOOKWRIGHT_TEST_STATES is set: `cargo xtask test` does, and runs this last");
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    files.map(|path| serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()).collect()
}

/// The state of an object, by the rules that kstatus has for conditions.
fn state(object: &Value) -> State {
    let given = |type_| condition(object, type_).map(|condition| condition["status"].as_str().unwrap());
    let given = [given("Ready"), given("Reconciling"), given("Stalled")];
    let reason = condition(object, "Ready").map(|ready| ready["reason"].as_str().unwrap());
    let meant = match given {
        [None, None, None] => None,
        [Some("True"), None, None] => Some(Meaning::Ready),
        [Some("False"), Some("True"), None] => Some(Meaning::Mending),
        [Some("False"), None, Some("True")] => match reason {
            Some("Drifted" | "ManualChangeRequired") => Some(Meaning::Person),
            Some("DeletionBlocked") => Some(Meaning::Blocked),
            _ => Some(Meaning::Broken),
        },
        _ => panic!("Ready, Reconciling and Stalled are {given:?}, which says nothing:\n{object:#}"),
    };
    let all = object["status"]["conditions"].as_array().map_or(0, Vec::len);
    assert_eq!(all, given.iter().flatten().count(), "conditions of other types:\n{object:#}");
    assert_eq!(reason.map(meaning), meant, "the reason contradicts the conditions:\n{object:#}");
    State {
        meaning: meant,
        going: object["metadata"]["deletionTimestamp"].is_string(),
        suspended: object["spec"]["suspend"] == true,
        current: object["metadata"]["generation"] == object["status"]["observedGeneration"],
    }
}

#[test]
#[ignore = "needs what all other tests saw: `cargo xtask test` runs it last"]
fn whatever_state_the_tests_saw_both_tools_take_it_as_it_is_meant() {
    let objects: Vec<_> = seen().into_iter().map(|object| (object.clone(), state(&object))).collect();
    assert!(!objects.is_empty(), "no test saw a state");
    let mut kinds = BTreeMap::<_, usize>::new();
    for (object, _) in &objects {
        *kinds.entry(object["kind"].as_str().unwrap()).or_default() += 1;
    }
    println!("states that the tests saw: {kinds:?}");
    assert_told(&objects);
}

#[test]
#[ignore = "needs what all other tests saw: `cargo xtask test` runs it last"]
fn the_tests_saw_every_reason_and_everything_that_a_tool_can_say() {
    let objects = seen();
    let reason = |object| condition(object, "Ready").and_then(|ready| ready["reason"].as_str()).map(str::to_owned);
    let reasons: BTreeSet<_> = objects.iter().filter_map(reason).collect();
    let missing: Vec<_> = Reason::ALL.iter().filter(|reason| !reasons.contains(reason.as_str())).collect();
    assert!(missing.is_empty(), "no test reaches {missing:?}");
    let said: BTreeSet<_> = objects.iter().map(|object| state(object).expected()).collect();
    // A suspended object stays at the generation from before: it is never Current.
    let all = [
        ("Current", "Healthy"),
        ("Failed", "Degraded"),
        ("Failed", "Suspended"),
        ("InProgress", "Progressing"),
        ("InProgress", "Suspended"),
        ("Terminating", "Degraded"),
        ("Terminating", "Progressing"),
    ];
    assert_eq!(said, all.into(), "what the tools say of the states that the tests saw");
}
