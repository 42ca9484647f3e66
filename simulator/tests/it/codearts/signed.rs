//! Signed requests. The verifier's own tests hold the vendor's vectors.

use serde_json::json;
use simulator::codearts::{AccessKey, Behaviour, Unauthorized};

use super::rig::{Rig, Signer, TOKEN, date, expired, read, rig};

async fn rig_with_key(temporary: bool) -> (Rig, AccessKey) {
    let rig = rig().await;
    let key = rig.simulator.new_access_key(temporary);
    (rig, key)
}

/// What the gateway says is wrong.
async fn flaw(rig: &Rig, signer: &Signer) -> String {
    rig.simulator.set_check_behaviour(Behaviour { unauthorized: Unauthorized::Gateway, ..Behaviour::default() });
    let (status, body) = signer.send(rig).await;
    assert_eq!((status, &body["error_code"]), (401, &json!("APIG.0301")), "{body}");
    let message = body["error_msg"].as_str().unwrap();
    message.strip_prefix("Incorrect IAM authentication information: ").unwrap().to_owned()
}

#[tokio::test]
async fn a_signed_request_is_answered_and_recorded_under_the_position_of_its_key() {
    let (rig, key) = rig_with_key(false).await;
    assert_eq!(Signer::new(&key).send(&rig).await.0, 200);
    assert_eq!(rig.last_call().token, Some(1), "keys are numbered with the tokens");
    let text = format!("{:?}", rig.simulator.calls());
    assert!(!text.contains(&key.access_key) && !text.contains(&key.secret_key), "{text}");
}

#[tokio::test]
async fn a_temporary_key_needs_its_security_token() {
    let (rig, key) = rig_with_key(true).await;
    assert_eq!(Signer::new(&key).send(&rig).await.0, 200);
    let without = Signer::new(&AccessKey { security_token: None, ..key.clone() });
    assert_eq!(without.send(&rig).await, expired());
    assert_eq!(flaw(&rig, &without).await, "x-security-token does not belong to the access key");
    let wrong = Signer::new(&AccessKey { security_token: Some("wrong".into()), ..key });
    assert_eq!(flaw(&rig, &wrong).await, "x-security-token does not belong to the access key");
}

#[tokio::test]
async fn a_permanent_key_has_no_security_token() {
    let (rig, key) = rig_with_key(false).await;
    let signer = Signer::new(&AccessKey { security_token: Some("stale".into()), ..key });
    assert_eq!(flaw(&rig, &signer).await, "x-security-token does not belong to the access key");
}

#[tokio::test]
async fn the_project_must_be_the_keys_own() {
    let (rig, key) = rig_with_key(false).await;
    let other = Signer::new(&AccessKey { project_id: "other".into(), ..key.clone() });
    assert_eq!(other.send(&rig).await, expired());
    assert_eq!(flaw(&rig, &other).await, "x-project-id does not belong to the access key");
    let without = Signer { headers: Vec::new(), ..Signer::new(&key) };
    assert_eq!(flaw(&rig, &without).await, "x-project-id does not belong to the access key");
}

#[tokio::test]
async fn project_and_security_token_must_be_signed() {
    let (rig, key) = rig_with_key(true).await;
    rig.simulator.set_check_behaviour(Behaviour { unauthorized: Unauthorized::Gateway, ..Behaviour::default() });
    for unsigned in ["x-project-id", "x-security-token"] {
        let mut signer = Signer::new(&key);
        let sent = signer.headers.clone();
        signer.headers.retain(|(name, _)| name != unsigned);
        let request = sent
            .iter()
            .filter(|(name, _)| name == unsigned)
            .fold(signer.sign(&rig), |request, (name, value)| request.header(name, value));
        let (status, body) = read(request.send().await.unwrap()).await;
        let message = format!("Incorrect IAM authentication information: header {unsigned} is not signed");
        assert_eq!((status, &body["error_msg"]), (401, &json!(message)));
    }
}

#[tokio::test]
async fn a_wrong_secret_key_is_refused() {
    let (rig, key) = rig_with_key(false).await;
    let signer = Signer::new(&AccessKey { secret_key: "guessed".into(), ..key });
    assert_eq!(signer.send(&rig).await, expired());
    assert!(flaw(&rig, &signer).await.starts_with("verify aksk signature fail, canonicalRequest:GET|"));
    assert_eq!(rig.last_call().token, Some(1), "the record tells whose key it was");
}

#[tokio::test]
async fn the_gateway_repeats_the_security_token_of_a_request_that_is_signed_wrongly() {
    let (rig, key) = rig_with_key(true).await;
    let signer = Signer::new(&AccessKey { secret_key: "guessed".into(), ..key.clone() });
    let said = flaw(&rig, &signer).await;
    assert!(said.contains(&format!("|x-security-token:{}|", key.security_token.unwrap())), "{said}");
}

#[tokio::test]
async fn an_unknown_access_key_is_repeated_by_the_gateway() {
    let rig = rig().await;
    let key = AccessKey {
        access_key: "STRANGER".into(),
        secret_key: "s".into(),
        project_id: "p".into(),
        security_token: None,
    };
    assert_eq!(Signer::new(&key).send(&rig).await, expired());
    assert_eq!(flaw(&rig, &Signer::new(&key)).await, "ak STRANGER not exist");
    assert_eq!(rig.last_call().token, None);
}

#[tokio::test]
async fn a_signature_for_another_task_is_refused() {
    let (mut rig, key) = rig_with_key(false).await;
    let stolen = Signer::new(&key).sign(&rig).build().unwrap();
    rig.task = rig.simulator.new_task();
    let request = rig.request().headers(stolen.headers().clone());
    assert_eq!(read(request.send().await.unwrap()).await, expired());
}

#[tokio::test]
async fn a_date_more_than_15_minutes_away_is_refused() {
    let (rig, key) = rig_with_key(false).await;
    for (seconds, status) in [(-14 * 60, 200), (14 * 60, 200), (-16 * 60, 401), (16 * 60, 401)] {
        let signer = Signer { date: date(seconds), ..Signer::new(&key) };
        assert_eq!(signer.send(&rig).await.0, status, "{seconds} s");
    }
    let signer = Signer { date: date(16 * 60), ..Signer::new(&key) };
    assert_eq!(flaw(&rig, &signer).await, "X-Sdk-Date is more than 15 minutes away");
}

#[tokio::test]
async fn the_services_clock_can_be_wrong() {
    let (rig, key) = rig_with_key(false).await;
    for (clock_offset_seconds, status) in [(16 * 60, 401), (-16 * 60, 401), (14 * 60, 200), (0, 200)] {
        rig.simulator.set_check_behaviour(Behaviour { clock_offset_seconds, ..Behaviour::default() });
        assert_eq!(Signer::new(&key).send(&rig).await.0, status, "{clock_offset_seconds} s");
    }
}

#[tokio::test]
async fn a_request_with_a_signature_and_a_token_is_refused() {
    let (rig, key) = rig_with_key(false).await;
    let request = Signer::new(&key).sign(&rig).header("X-Auth-Token", TOKEN);
    assert_eq!(read(request.send().await.unwrap()).await, expired());
}

#[tokio::test]
async fn keys_can_be_rotated_forbidden_and_removed() {
    let (rig, key) = rig_with_key(false).await;
    let rotated = AccessKey { secret_key: "rotated".into(), ..key.clone() };
    assert_eq!(rig.simulator.set_access_key(rotated.clone()), 1, "the same key keeps its position");
    assert_eq!(Signer::new(&key).send(&rig).await, expired());
    assert_eq!(Signer::new(&rotated).send(&rig).await.0, 200);
    assert!(rig.simulator.forbid_access_key(&key.access_key));
    assert_eq!(Signer::new(&rotated).send(&rig).await.0, 403);
    assert_eq!(Signer::new(&key).send(&rig).await.0, 401, "forbidden is only who proves to be somebody");
    rig.simulator.set_access_key(rotated.clone());
    assert_eq!(Signer::new(&rotated).send(&rig).await.0, 200);
    assert!(rig.simulator.remove_access_key(&key.access_key));
    assert!(!rig.simulator.remove_access_key(&key.access_key));
    assert_eq!(Signer::new(&rotated).send(&rig).await, expired());
}
