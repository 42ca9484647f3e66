//! Pure: the API server's words without the values that it repeats.

use kube::core::Status;
use serde_json::Value;

use crate::domain::refusal::reveal;
use crate::domain::secret::{SecretText, hidden_parts};

/// Says it in place of what can't be shown.
const HIDDEN: &str =
    "it is not valid, and what the API server says of it repeats a secret; `kubectl apply --dry-run=server` shows it";

/// Everything in a manifest of ours that must not be shown: values of headers, and of URLs all but the host.
pub(super) fn values(manifest: &Value) -> Vec<SecretText> {
    let mut found = vec![];
    collect(manifest.get("spec").unwrap_or(&Value::Null), None, &mut found);
    found
}

/// `field` is where it stands. A field that nobody knows may hold anything, so only what is known to be none is no secret.
fn collect(value: &Value, field: Option<&str>, found: &mut Vec<SecretText>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| collect(value, Some(name), found)),
        Value::Array(items) => items.iter().for_each(|item| collect(item, field, found)),
        Value::String(text) if text.contains("://") => found.extend(hidden_parts(text)),
        Value::String(text) if !field.is_some_and(|field| OPEN.contains(&field)) => found.push(SecretText::new(text)),
        _ => {}
    }
}

/// Fields of our specs whose values may be shown.
const OPEN: [&str; 27] = [
    "name",
    "kind",
    "key",
    "organizationId",
    "projectId",
    "taskId",
    "webhookId",
    "events",
    "managementPolicy",
    "adoptionPolicy",
    "deletionPolicy",
    "resyncInterval",
    "suspend",
    "active",
    "type",
    "enabled",
    "notify",
    "userIds",
    "reviewResultFilter",
    "domain",
    "user",
    "project",
    "names",
    "allowedProjects",
    "operator",
    "values",
    "matchLabels",
];

/// What the API server says against a manifest.
pub(super) fn refusal(status: &Status, secrets: &[SecretText]) -> String {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let causes: Vec<_> = causes.map(|cause| format!("{}: {}", cause.field, shown(&cause.message, secrets))).collect();
    if causes.is_empty() { shown(&status.message, secrets).to_owned() } else { causes.join("; ") }
}

/// A message, or what of it stands behind the value or the object that it repeats.
fn shown<'a>(message: &'a str, secrets: &[SecretText]) -> &'a str {
    let may_be_shown = |text: &&str| reveal(&SecretText::new(*text), secrets).is_some();
    let behind = |end: &str| message.rsplit_once(end).map(|(_, rest)| rest);
    let parts = [Some(message), behind("\": "), behind("): ")];
    parts.into_iter().flatten().find(may_be_shown).unwrap_or(HIDDEN)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(spec: Value, causes: &[(&str, &str)]) -> String {
        let cause = |(field, message): &(&str, &str)| json!({ "field": field, "message": message });
        let causes: Vec<_> = causes.iter().map(cause).collect();
        let status = json!({ "details": { "causes": causes } });
        refusal(&serde_json::from_value(status).unwrap(), &values(&json!({ "spec": spec })))
    }

    #[test]
    fn a_message_is_shown_without_the_value_that_it_repeats() {
        let spec = json!({ "url": "ftp://h.example.com/T0KEN-canary", "projectId": "shop" });
        let causes = [
            ("spec.projectId", "Invalid value: \"shop\": projectId is 24 hexadecimal digits"),
            (
                "spec.url",
                "Invalid value: \"ftp://h.example.com/T0KEN-canary\": url is an http or https URL with a host",
            ),
        ];
        let text = said(spec, &causes);
        assert!(text.contains("Invalid value: \"shop\": projectId is 24"), "{text}");
        assert!(text.contains("spec.url: url is an http or https URL with a host"), "{text}");
        assert!(!text.contains("T0KEN"), "{text}");
    }

    #[test]
    fn what_can_be_shown_in_no_way_is_told_by_its_field() {
        let spec = json!({ "headers": [{ "name": "X-A", "valeu": "hunter2-canary" }], "secret": "hunter3-canary" });
        let text =
            said(spec, &[("spec.headers[0]", "hunter2-canary is bad"), ("spec.secret", "so is: hunter3-canary")]);
        assert!(!text.contains("canary") && text.contains("spec.headers[0]: it is not valid"), "{text}");
    }
}
