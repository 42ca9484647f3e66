use super::*;
use crate::domain::fixture::{bare, of, veiled, with_header};
use crate::domain::fixture::{id, key, marker};
use crate::domain::secret::ReceiverUrl;

fn through() -> ConnectionRef {
    ConnectionRef { kind: crate::api::project_webhook::ConnectionKind::Connection, name: "app-maker".into() }
}

fn path() -> ProjectPath {
    ProjectPath {
        organization: format!("{:024x}", 1).parse().unwrap(),
        project: format!("{:024x}", 2).parse().unwrap(),
    }
}

fn import(webhook: &Webhook) -> Result<Imported<ProjectWebhookSpec>, Refused> {
    project_webhook(webhook, &through(), &path(), &mut Names::default())
}

fn refused(webhook: &Webhook) -> Refused {
    import(webhook).unwrap_err()
}

#[test]
fn what_is_written_names_the_webhook_and_everything_secret_is_in_the_secret() {
    let imported = import(&with_header(bare(1), "X-Other")).unwrap();
    assert_eq!((imported.name.as_str(), imported.secret_name.as_str()), ("builds", "builds-webhook"));
    let keys: Vec<_> = imported.secret.keys().map(String::as_str).collect();
    assert_eq!(keys, ["header.X-Other", "header.X-Team", "url"]);
    let spec = serde_json::to_string(&imported.spec).unwrap();
    assert!(!spec.contains("canary"), "{spec}");
    let ProjectWebhookSpec { name, webhook_id, deletion_policy, adoption_policy, active, .. } = imported.spec;
    assert_eq!((name.as_deref(), webhook_id), (Some("Builds"), Some(id(1).to_string())));
    assert_eq!((deletion_policy, adoption_policy, active), (None, AdoptionPolicy::Refuse, true));
}

#[test]
fn a_name_that_is_that_of_the_object_is_said_once() {
    let imported = import(&Webhook { name: Some("builds".into()), ..bare(1) }).unwrap();
    assert_eq!((imported.name.as_str(), imported.spec.name), ("builds", None));
}

#[test]
fn header_names_that_make_one_key_have_keys_of_their_own() {
    let imported = import(&with_header(with_header(bare(1), "X!A"), "X*A")).unwrap();
    let keys: BTreeSet<_> =
        imported.spec.headers.iter().filter_map(|h| Some(&h.value_from.as_ref()?.secret_key_ref.key)).collect();
    assert_eq!(keys.len(), 3, "{keys:?}");
    assert_eq!(imported.secret.len(), 4);
}

#[test]
fn an_event_that_is_there_twice_is_declared_once() {
    let imported = import(&Webhook { events: Some(vec!["a".into(), "b".into(), "a".into()]), ..bare(1) }).unwrap();
    assert_eq!(imported.spec.events, ["a", "b"]);
}

#[test]
fn what_the_remote_hides_is_refused_with_the_id_to_declare_it_by() {
    for (webhook, what) in [
        (Webhook { marker: SeenMarker::Absent, ..veiled(1) }, "masks the value of header X-Team"),
        (Webhook { name: None, ..bare(1) }, "does not show its name"),
        (Webhook { url: None, ..bare(1) }, "does not show its URL"),
        (Webhook { active: None, ..bare(1) }, "does not show its active"),
        (Webhook { events: None, ..bare(1) }, "does not show its events"),
    ] {
        let text = refused(&webhook).to_string();
        assert!(text.contains(what) && text.contains(&format!("spec.webhookId: {}", id(1))), "{text}");
    }
}

#[test]
fn what_a_spec_cant_say_is_refused_and_not_shown() {
    let with_value = |value: &str| {
        let mut webhook = bare(1);
        webhook.headers.insert(HeaderName::new("X-A"), SeenValue::Plain(SecretText::new(value)));
        webhook
    };
    let events =
        |events: &[&str]| Webhook { events: Some(events.iter().map(|e| (*e).to_owned()).collect()), ..bare(1) };
    let url = |url: &str| Webhook { url: Some(ReceiverUrl::new(url)), ..bare(1) };
    let name = |name: &str| Webhook { name: Some(name.to_owned()), ..bare(1) };
    let many = (0..64).fold(bare(1), |webhook, n| with_header(webhook, &format!("X-{n}")));
    let long = "a".repeat(2100);
    for (webhook, what) in [
        (with_value("canary\nvalue"), "control character"),
        (with_value(&format!("canary{long}")), "at most 2048"),
        (with_header(bare(1), "X-Hookwright-Canary"), "reserved"),
        (with_header(bare(1), "X A"), "no RFC 9110 token"),
        (with_header(bare(1), &"X".repeat(129)), "at most 128"),
        (many, "at most 64"),
        (events(&[]), "no events"),
        (events(&["a b"]), "blank"),
        (events(&[""]), "empty"),
        (events(&["a".repeat(129).as_str()]), "128"),
        (url("ftp://h.example.com/canary"), "no"),
        (url(&format!("https://h.example.com/canary{long}")), "at most 2048"),
        (name(""), "empty"),
        (name(" canary"), "blanks"),
        (name(&"a".repeat(254)), "longer"),
    ] {
        let text = refused(&webhook).to_string();
        let value = text.to_lowercase().replace("x-hookwright-canary", "");
        assert!(text.contains(what) && !value.contains("canary"), "{what}: {text}");
    }
    let many: Vec<String> = (0..101).map(|n| n.to_string()).collect();
    assert_eq!(refused(&Webhook { events: Some(many), ..bare(1) }), Refused::Events("it has more than 100 events"));
}

struct Held;

impl Rivals for Held {
    fn claimants(&self, webhook: crate::domain::ids::WebhookId) -> Vec<crate::domain::claim::Claimant> {
        use crate::domain::case::Age;
        use crate::domain::claim::{Claimant, Strength};
        let age = Age { created: 1, uid: "u".into() };
        let claimed = (webhook == id(7)).then(|| Claimant { key: key("other"), age, strength: Strength::Pinned });
        claimed.into_iter().collect()
    }

    fn owner_of(&self, shown: &crate::domain::marker::Marker) -> Option<ObjectKey> {
        (*shown == marker("me")).then(|| key("me"))
    }

    fn creating(&self, _: &str) -> Option<ObjectKey> {
        None
    }

    fn older_wish(&self, _: &str) -> Option<ObjectKey> {
        None
    }
}

#[test]
fn what_somebody_has_is_left_to_him_by_name() {
    assert_eq!(owner(&of("me", 1), &Held), Some(Owner::Marked(key("me"))));
    assert_eq!(owner(&of("stranger", 1), &Held), Some(Owner::Elsewhere));
    assert_eq!(owner(&veiled(1), &Held), Some(Owner::Masked));
    assert_eq!(owner(&bare(7), &Held), Some(Owner::Claimed(key("other"))));
    assert_eq!(owner(&bare(1), &Held), None);
}
