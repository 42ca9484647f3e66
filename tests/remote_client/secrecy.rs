//! Nothing that must not be shown is in an error or a log line.

use std::error::Error;

use serde_json::json;
use simulator::{Fault as Strike, FaultKind, Shape};

use crate::rig::{CANARY, LOG, Rig, Setup, all_five, patience};

/// Every way to fail that the simulator knows, with remotes that send our own secrets back.
fn every_way_to_fail() -> Vec<FaultKind> {
    let echo = json!({"name": "canary-token", "message": "canary-header for canary-path?key=canary-query",
        "error": {"code": "canary-token", "message": CANARY}});
    let mut ways: Vec<_> = [301, 400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503, 504]
        .into_iter()
        .map(|code| FaultKind::Status { code, body: Some(echo.clone()), retry_after: None, applied: false })
        .collect();
    ways.extend([
        FaultKind::Reset { applied: false },
        FaultKind::Timeout { applied: false, hold_ms: None },
        FaultKind::TruncatedBody,
        FaultKind::NotJson,
        FaultKind::WrongShape { shape: Shape::Data },
        FaultKind::EndlessBody,
        FaultKind::SlowBody { ms_per_byte: 60_000 },
        FaultKind::Redirect { location: format!("https://{CANARY}.example/{CANARY}"), code: 302 },
    ]);
    ways
}

#[tokio::test]
async fn no_secret_is_in_any_error_or_in_any_log_line_even_at_trace() {
    let mut texts = Vec::new();
    for kind in every_way_to_fail() {
        let rig = Rig::start().await;
        let id = rig.created().await;
        let client = Setup { timeout: patience(&kind), ..rig.setup() }.build();
        rig.simulator.add_fault(Strike::new(kind));
        texts.push(format!("{client:?}"));
        for error in all_five(&client, &rig.project, id).await.into_iter().filter_map(Result::err) {
            assert!(error.source().is_none(), "a source's text is not ours");
            texts.push(format!("{error} {error:?} {error:#?}"));
        }
    }
    // 404 is an answer to GET and DELETE, and bodies matter to LIST and GET only, so that not every call fails.
    assert!(texts.len() > 80, "{}", texts.len());
    let (texts, logged) = (texts.join("\n"), LOG.text());
    assert!(logged.lines().filter(|line| line.contains("remote call")).count() > 80, "{logged}");
    for text in [texts, logged] {
        assert!(!text.to_lowercase().contains(CANARY), "{text}");
    }
}
