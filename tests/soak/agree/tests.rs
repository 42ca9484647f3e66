use serde_json::json;

use super::*;
use crate::declaration::PLACES;

/// One live object, whose webhook is as declared, and one bystander.
struct Books {
    ledger: Ledger,
    cluster: BTreeMap<(String, String), ProjectWebhook>,
    connections: BTreeMap<(String, String), Held>,
    recorded: BTreeMap<String, Option<Ownership>>,
    hidden: Vec<Spell>,
    remote: [Vec<Webhook>; PROJECTS],
    bystanders: [Vec<Webhook>; PROJECTS],
    warned: BTreeSet<String>,
}

fn declaration() -> Declaration {
    Declaration {
        object: 7,
        life: 1,
        place: 0,
        name: None,
        url: 0,
        secret_url: false,
        headers: BTreeMap::new(),
        active: true,
        events: BTreeSet::from(["distribution.Failed"]),
        adoption: "Refuse",
        deletion: None,
    }
}

fn webhook(id: &str, declaration: &Declaration) -> Webhook {
    let Wanted { name, url, mut headers, active, events } = declaration.wanted(&Ledger::new().versions);
    let key = ObjectKey { namespace: declaration.namespace().into(), name: object_name(declaration.object).into() };
    headers.insert(MARKER_HEADER.into(), Marker::of(&ClusterId(CLUSTER.into()), &key).as_str().into());
    let (created_at, updated_at) = (jiff::Timestamp::UNIX_EPOCH, jiff::Timestamp::UNIX_EPOCH);
    Webhook { id: id.into(), name, url, headers, active, events: events.into_iter().collect(), created_at, updated_at }
}

fn stranger(id: &str) -> Webhook {
    Webhook { url: "https://other.example.com/".into(), headers: BTreeMap::new(), ..webhook(id, &declaration()) }
}

fn condition(type_: &str, reason: &str) -> Condition {
    let since = "2026-01-01T00:00:00Z";
    let condition =
        json!({ "type": type_, "status": "True", "reason": reason, "message": "", "lastTransitionTime": since });
    serde_json::from_value(condition).unwrap()
}

fn books() -> Books {
    let declaration = declaration();
    let none = std::array::from_fn(|_| (String::new(), String::new()));
    let mut object = declaration.manifest(&none);
    object["metadata"]["generation"] = json!(2);
    object["metadata"]["finalizers"] = json!([FINALIZER]);
    object["status"] = json!({
        "observedGeneration": 2, "webhookId": "a", "ownership": "Created", "applied": { "generation": 2 },
        "conditions": [condition("Ready", "Synced")],
    });
    let connection = |name: &str, finalizers: &[&str]| {
        let finalizers = finalizers.iter().map(|finalizer| (*finalizer).to_owned()).collect();
        let conditions = vec![condition("Ready", "Configured")];
        (("Connection".to_owned(), name.to_owned()), Held { finalizers, conditions, version: String::new() })
    };
    let key = (declaration.namespace().to_owned(), object_name(declaration.object));
    let mut books = Books {
        ledger: Ledger::new(),
        cluster: BTreeMap::from([(key, serde_json::from_value(object).unwrap())]),
        connections: BTreeMap::from([connection(PLACES[0].connection, &[FINALIZER]), connection("second", &[])]),
        recorded: BTreeMap::from([("a".into(), Some(Ownership::Created))]),
        hidden: vec![],
        remote: Default::default(),
        bystanders: Default::default(),
        warned: BTreeSet::new(),
    };
    books.remote[PLACES[0].project] = vec![stranger("s"), webhook("a", &declaration)];
    books.bystanders[PLACES[0].project] = vec![stranger("s")];
    books.ledger.created(declaration);
    books
}

impl Books {
    fn object(&mut self) -> &mut ProjectWebhook {
        self.cluster.values_mut().next().unwrap()
    }

    fn own(&mut self) -> &mut Vec<Webhook> {
        &mut self.remote[PLACES[0].project]
    }

    /// The object is deleted, and its webhook stays.
    fn orphan(mut self, policy: Option<&'static str>) -> Self {
        self.ledger.entries.get_mut(&7).unwrap().declaration.deletion = policy;
        assert!(self.ledger.deleted(7, None));
        self.cluster.clear();
        self.connections.clear();
        self
    }

    fn scene(&self) -> Scene<'_> {
        let Self { ledger, cluster, connections, remote, recorded, hidden, bystanders, warned } = self;
        Scene { ledger, cluster, connections, remote, recorded, hidden, bystanders, warned }
    }

    #[track_caller]
    fn says(&self, part: &str) {
        let texts: Vec<_> = disagreements(&self.scene()).into_iter().map(|one| one.text).collect();
        assert!(texts.len() == 1 && texts[0].contains(part), "{texts:?}");
    }
}

#[test]
fn what_is_as_declared_agrees() {
    let mut books = books();
    assert_eq!(disagreements(&books.scene()), []);
    // In which case the remote keeps them is its own affair.
    books.own()[1].events = vec!["distribution.failed".into()];
    assert_eq!(disagreements(&books.scene()), []);
}

#[test]
fn a_second_webhook_is_seen_whether_it_is_marked_or_not() {
    let mut books = books();
    books.own().push(webhook("b", &declaration()));
    books.says("2 webhooks are its own");
    books.own()[2].headers.clear();
    books.says("2 webhooks are its own");
    books.own()[2] = Webhook { url: "https://hooks.example.com/o007/0/".into(), ..webhook("b", &declaration()) };
    books.says("2 webhooks are its own");
}

#[test]
fn every_field_is_compared() {
    let changes: [fn(&mut Webhook); 5] = [
        |webhook| webhook.name.push('x'),
        |webhook| webhook.url.push('x'),
        |webhook| webhook.active = false,
        |webhook| webhook.events.push("x".into()),
        |webhook| drop(webhook.headers.insert("X-A".into(), String::new())),
    ];
    for change in changes {
        let mut books = books();
        change(&mut books.own()[1]);
        books.says("the remote is not as declared");
    }
}

#[test]
fn status_has_to_speak_of_the_present_spec_and_to_name_the_webhook() {
    let mut stale = books();
    stale.object().metadata.generation = Some(3);
    stale.says("status is behind");
    let mut unapplied = books();
    unapplied.object().status.as_mut().unwrap().applied.as_mut().unwrap().generation = 1;
    unapplied.says("generation Some(1) is said to be applied");
    let mut nameless = books();
    nameless.object().status.as_mut().unwrap().webhook_id = None;
    nameless.says("status names no webhook");
    let mut unmarked = books();
    unmarked.own()[1].headers.clear();
    unmarked.says("it is not marked");
}

type Change = fn(&mut ProjectWebhook);

#[test]
fn nothing_may_be_left_over_on_an_object() {
    let changes: [(Change, &str); 5] = [
        (|object| object.metadata.finalizers = None, "its finalizers are []"),
        (|object| object.metadata.finalizers.as_mut().unwrap().push(FINALIZER.into()), "its finalizers are"),
        (|object| status_of(object).conditions.push(condition("Stalled", "Conflict")), "it is not Ready alone"),
        (|object| status_of(object).drift = serde_json::from_value(drift()).unwrap(), "status tells of drift"),
        (|object| status_of(object).conditions[0].reason = "Observed".into(), "it is not Ready alone"),
    ];
    for (change, says) in changes {
        let mut books = books();
        change(books.object());
        books.says(says);
    }
}

fn status_of(object: &mut ProjectWebhook) -> &mut hookwright::api::project_webhook::ProjectWebhookStatus {
    object.status.as_mut().unwrap()
}

fn drift() -> serde_json::Value {
    json!([{ "field": "active", "desired": "true", "actual": "false" }])
}

#[test]
fn a_connection_is_held_while_it_is_used_and_only_then() {
    let key = |name: &str| ("Connection".to_owned(), name.to_owned());
    let mut unheld = books();
    unheld.connections.get_mut(&key(PLACES[0].connection)).unwrap().finalizers.clear();
    unheld.says("its finalizers are [], not");
    let mut held = books();
    held.connections.get_mut(&key("second")).unwrap().finalizers.push(FINALIZER.into());
    held.says("not []");
    let mut rejected = books();
    rejected.connections.get_mut(&key("second")).unwrap().conditions = vec![condition("Ready", "CredentialsRejected")];
    rejected.says("CredentialsRejected");
}

#[test]
fn what_is_nobodys_business_must_not_be_touched_and_nothing_may_come_from_nowhere() {
    let mut touched = books();
    touched.own()[0].active = false;
    touched.says("was touched");
    let mut more = books();
    more.own().push(stranger("t"));
    more.says("t is nobody's");
}

#[test]
fn what_was_deleted_is_gone_and_what_is_left_was_told() {
    let mut stuck = books().orphan(None);
    stuck.own().pop();
    assert_eq!(disagreements(&stuck.scene()), []);
    stuck.cluster = books().cluster;
    stuck.says("was deleted and is still there");
    books().orphan(Some("Orphan")).says("left without a word");
    let mut told = books().orphan(Some("Orphan"));
    told.warned.insert("a".into());
    assert_eq!(disagreements(&told.scene()), []);
    told.own().push(webhook("b", &declaration()));
    told.warned.insert("b".into());
    told.says("are more than one");
}

#[test]
fn what_was_adopted_stays_and_was_told_unless_it_was_to_go() {
    let adopted = |policy| {
        let mut books = books().orphan(policy);
        books.ledger.found.insert("a".into(), (7, 1));
        books.recorded.insert("a".into(), Some(Ownership::Adopted));
        books.own()[1].headers.clear();
        books
    };
    for policy in [None, Some("Orphan")] {
        adopted(policy).says("left without a word");
        let mut told = adopted(policy);
        told.warned.insert("a".into());
        assert_eq!(disagreements(&told.scene()), []);
        told.own().pop();
        told.says("was not the operator's to delete");
        told.ledger.removed.insert("a".into());
        assert_eq!(disagreements(&told.scene()), []);
    }
    let mut deleted = adopted(Some("Delete"));
    deleted.says("should be deleted");
    deleted.own().pop();
    assert_eq!(disagreements(&deleted.scene()), []);
    let mut never = adopted(Some("Delete"));
    never.recorded.clear();
    assert_eq!(disagreements(&never.scene()), [], "it was never adopted");
}

#[test]
fn only_what_was_hidden_and_never_recorded_is_left_on_suspicion() {
    let left = || {
        let mut left = books().orphan(None);
        left.warned.insert("a".into());
        left.recorded.clear();
        left
    };
    left().says("should be deleted");
    let spell = |project, until| Spell::for_test(project, until);
    let mut hidden = left();
    hidden.hidden.push(spell(PLACES[0].project, None));
    assert_eq!((disagreements(&hidden.scene()), suspects(&hidden.scene())), (vec![], vec!["a".to_owned()]));
    hidden.recorded.insert("a".into(), Some(Ownership::Created));
    hidden.says("should be deleted");
    let mut elsewhere = left();
    elsewhere.hidden.push(spell(PLACES[0].project + 1, None));
    elsewhere.says("should be deleted");
    let mut before = left();
    before.hidden.push(spell(PLACES[0].project, Some(jiff::Timestamp::MIN)));
    before.says("should be deleted");
    before.ledger.suspected.insert("a".into());
    assert_eq!(disagreements(&before.scene()), []);
}
