//! Bodies of POST and PATCH: only what the page documents, in the documented types.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::routes::Refusal;
use crate::remote::ApiRequest;

/// The documented fields of a body, those that were sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    pub(super) name: Option<String>,
    pub(super) url: Option<String>,
    pub(super) headers: Option<BTreeMap<String, String>>,
    pub(super) active: Option<bool>,
    pub(super) events: Option<Vec<String>>,
}

impl Fields {
    /// Reads a body. Every field has the type that the page gives it; a field that the page does not list is refused
    /// rather than ignored, so that a client that invents one finds out.
    pub(super) fn read(request: &ApiRequest) -> Result<Self, Refusal> {
        if !request.says_json() {
            return Err(Refusal::unsupported_media_type());
        }
        let Some(Value::Object(object)) = &request.json else {
            return Err(Refusal::bad_request("the body must be a JSON object"));
        };
        Self::from_object(object)
    }

    fn from_object(object: &Map<String, Value>) -> Result<Self, Refusal> {
        let mut fields = Self::default();
        for (key, value) in object {
            match key.as_str() {
                "name" => fields.name = Some(text(key, value)?),
                "url" => fields.url = Some(text(key, value)?),
                "headers" => fields.headers = Some(texts_by_name(key, value)?),
                "active" => {
                    let active = value.as_bool().ok_or_else(|| must(key, "be a boolean"))?;
                    fields.active = Some(active);
                }
                "events" => fields.events = Some(texts(key, value)?),
                _ => return Err(Refusal::bad_request(&format!("property {key} should not exist"))),
            }
        }
        Ok(fields)
    }
}

/// The value of a field that POST requires (the seed: name, url and events are `Required`).
pub(super) fn required<T>(key: &str, value: Option<T>) -> Result<T, Refusal> {
    value.ok_or_else(|| must(key, "be given"))
}

/// An empty text counts as none: a required name or URL that says nothing is not given.
fn text(key: &str, value: &Value) -> Result<String, Refusal> {
    match value.as_str() {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(must(key, "be a string that is not empty")),
    }
}

fn texts(key: &str, value: &Value) -> Result<Vec<String>, Refusal> {
    let refusal = || must(key, "be an array of strings that is not empty");
    let items = value.as_array().filter(|items| !items.is_empty()).ok_or_else(refusal)?;
    items.iter().map(|item| text(key, item).map_err(|_| refusal())).collect()
}

fn texts_by_name(key: &str, value: &Value) -> Result<BTreeMap<String, String>, Refusal> {
    let refusal = || must(key, "be an object of strings");
    let object = value.as_object().ok_or_else(refusal)?;
    object.iter().map(|(name, value)| Ok((name.clone(), value.as_str().ok_or_else(refusal)?.to_owned()))).collect()
}

/// Never with the value: an error that repeats a secret would be the simulator's fault, not the operator's.
fn must(key: &str, what: &str) -> Refusal {
    Refusal::bad_request(&format!("{key} must {what}"))
}
