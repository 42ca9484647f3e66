use super::*;
use crate::domain::fixture::*;
use crate::domain::observed::SeenHeaders;
use crate::domain::secret::{ReceiverUrl, SecretText};

fn fields(seen: &Webhook, masked: Masked) -> Vec<String> {
    differences(&desired(), seen, masked).into_iter().map(|difference| difference.field.to_string()).collect()
}

#[test]
fn a_webhook_equals_its_spec_whatever_the_case_and_order_of_events_and_header_names() {
    let mut seen = ours(1);
    seen.events = Some(vec!["BUILD.failed".into(), "build.Created".into()]);
    let value = seen.headers.remove(&HeaderName::new("X-Team")).unwrap();
    seen.headers.insert(HeaderName::new("x-team"), value);
    seen.url = Some(ReceiverUrl::new("HTTPS://Hooks.example.com:443/canary"));
    assert_eq!(fields(&seen, Masked::Unknown), Vec::<String>::new());
}

#[test]
fn every_field_that_differs_is_named_and_no_url_or_header_value_is_shown() {
    let mut seen = with_header(ours(1), "X-Old");
    seen.name = Some("Edited".into());
    seen.url = Some(ReceiverUrl::new("https://hooks.example.com/canary-2"));
    seen.active = Some(false);
    seen.events = Some(vec!["b".into(), "a".into()]);
    seen.headers.insert(HeaderName::new("X-Team"), SeenValue::Plain(SecretText::new("canary-3")));
    let found = differences(&desired(), &seen, Masked::Accepted);
    let text = |d: &Difference| format!("{}: {} / {}", d.field, d.desired, d.actual);
    let texts: Vec<_> = found.iter().map(text).collect();
    assert_eq!(
        texts,
        [
            "name: Builds / Edited",
            "url: (differs) / (differs)",
            "active: true / false",
            "events: [build.created,build.failed] / [a,b]",
            "headers[X-Team]: (differs) / (differs)",
            "headers[X-Old]: (absent) / (present)",
        ]
    );
    assert!(!format!("{found:?}").contains("canary"));
}

#[test]
fn a_missing_header_and_a_masked_one_are_told_apart_from_an_accepted_one() {
    let bare = Webhook { headers: SeenHeaders::new(), ..ours(1) };
    assert_eq!(differences(&desired(), &bare, Masked::Accepted)[0].actual, "(absent)");
    assert_eq!(differences(&desired(), &veiled(1), Masked::Unknown)[0].actual, "(masked)");
    assert_eq!(fields(&veiled(1), Masked::Accepted), Vec::<String>::new());
}

#[test]
fn a_field_that_is_not_shown_differs_unless_it_was_accepted() {
    let seen = Webhook { name: None, url: None, active: None, events: None, ..ours(1) };
    assert_eq!(fields(&seen, Masked::Accepted), Vec::<String>::new());
    let found = differences(&desired(), &seen, Masked::Unknown);
    let texts: Vec<_> = found.iter().map(|d| format!("{}: {} / {}", d.field, d.desired, d.actual)).collect();
    assert_eq!(
        texts,
        [
            "name: Builds / (not shown)",
            "url: (present) / (not shown)",
            "active: true / (not shown)",
            "events: [build.created,build.failed] / (not shown)",
        ]
    );
}

#[test]
fn a_missing_marker_is_no_drift() {
    assert_eq!(fields(&bare(1), Masked::Unknown), Vec::<String>::new());
}

#[test]
fn fields_are_read_as_they_are_written() {
    let header = Field::Header(HeaderName::new("X-A"));
    for field in [Field::Name, Field::Url, Field::Active, Field::Events, header, Field::Webhook] {
        assert_eq!(Field::parse(&field.to_string()), Some(field));
    }
    assert_eq!(Field::parse("headers"), None);
}

#[test]
fn a_remotes_text_is_bounded_and_has_no_control_characters() {
    assert_eq!(bounded("a\nb"), "a b");
    assert_eq!(bounded(&"a".repeat(300)).chars().count(), 257);
    assert_eq!(bounded(&"a".repeat(256)).len(), 256);
    // Bytes, and no half a character.
    assert_eq!(bounded(&"\u{1f980}".repeat(300)).chars().count(), 65);
    assert_eq!(bounded(&("a".to_owned() + &"é".repeat(300))), "a".to_owned() + &"é".repeat(127) + "…");
}
