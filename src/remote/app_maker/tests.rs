#![allow(clippy::unwrap_used)]
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::api::connection::RateLimit;
use crate::remote::endpoint::properties::{endpoints, is_below};
use crate::remote::gate::{Cut, Open};
use crate::remote::http::{ClientOptions, HttpClient};
use crate::remote::pace::Pace;

/// One for all: setting one up reads the system's trust roots.
static CLIENT: LazyLock<HttpClient> =
    LazyLock::new(|| HttpClient::new(&ClientOptions { ca_pem: None, timeout: Duration::from_secs(1) }).unwrap());

fn app_maker(base: &str, token: &str) -> Result<AppMaker, SetupError> {
    let caller = Caller {
        client: CLIENT.clone(),
        pace: Pace::new(RateLimit::default()),
        metrics: Arc::default(),
        gate: Arc::new(Open),
        cut: Cut::never(),
    };
    AppMaker::new(Url::parse(base).unwrap(), &SecretText::new(token), caller)
}

fn project() -> ProjectPath {
    ProjectPath {
        organization: "64b0c0ffee00000000000001".parse().unwrap(),
        project: "64b0c0ffee00000000000002".parse().unwrap(),
    }
}

#[test]
fn the_path_is_the_documented_one_below_the_endpoint() {
    let below = "organizations/64b0c0ffee00000000000001/projects/64b0c0ffee00000000000002/settings/webhooks";
    for (base, expected) in [
        ("https://a.example/api/v1", "https://a.example/api/v1/"),
        ("https://a.example/api/v1/", "https://a.example/api/v1/"),
        ("https://a.example", "https://a.example/"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/"),
    ] {
        let app_maker = app_maker(base, "t").unwrap();
        assert_eq!(app_maker.url(&project(), None).unwrap().as_str(), format!("{expected}{below}"));
        let id = "64b0c0ffee00000000000003";
        let url = app_maker.url(&project(), Some(id.parse().unwrap())).unwrap();
        assert_eq!(url.as_str(), format!("{expected}{below}/{id}"));
    }
}

#[test]
fn an_endpoint_with_more_than_a_place_and_a_path_is_refused() {
    for bad in ["https://u@a/", "https://u:p@a/", "https://a/?q", "https://a/#f", "ftp://a/", "data:text/plain,a"] {
        assert_eq!(app_maker(bad, "t").unwrap_err(), SetupError::BadEndpoint, "{bad}");
    }
}

#[test]
fn a_token_that_no_header_can_carry_is_refused_and_not_shown() {
    for bad in ["", "Bearer a", "a\nb", "a\r\nX-Injected: 1", "tökén", "a\0"] {
        let error = app_maker("https://a/", bad).unwrap_err();
        assert_eq!(error, SetupError::BadToken);
        assert!(bad.is_empty() || !error.to_string().contains(bad));
    }
}

#[test]
fn the_token_is_marked_as_sensitive() {
    assert!(app_maker("https://a/", "t").unwrap().authorization.is_sensitive());
}

#[test]
fn nothing_but_the_host_is_in_its_debug_text() {
    let text = format!("{:?}", app_maker("https://a.example/path", "canary").unwrap());
    assert!(text.contains("a.example") && !text.contains("canary") && !text.contains("path"), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn no_id_and_no_endpoint_leads_to_another_place_or_path_than_the_documented_one_below_the_endpoint(
        base in endpoints(),
        organization in "[0-9a-fA-F]{24}",
        project in "[0-9a-fA-F]{24}",
        webhook in prop::option::of("[0-9a-fA-F]{24}"),
    ) {
        let app_maker = app_maker(base.as_str(), "t").unwrap();
        let ids = ProjectPath { organization: organization.parse().unwrap(), project: project.parse().unwrap() };
        let url = app_maker.url(&ids, webhook.as_deref().map(|id| id.parse().unwrap())).unwrap();
        let path = format!("/organizations/{organization}/projects/{project}/settings/webhooks").to_lowercase();
        let webhook = webhook.map(|id| format!("/{}", id.to_lowercase())).unwrap_or_default();
        is_below(&base, &url, &format!("{path}{webhook}"))?;
    }
}
