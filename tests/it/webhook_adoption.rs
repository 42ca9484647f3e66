//! What is at the remote already: whose it is, and who may take it.

use hookwright::api::project_webhook::Ownership;
use hookwright::controller::index::age;
use serde_json::{Value, json};
use simulator::{Fault, NewWebhook};

use crate::support::{
    MARKER, World, assert_calls, assert_writes, is_ready, message, of_project, ready_reason, rendered, status,
};

/// An id that the remote does not have.
const NOBODY: &str = "0123456789abcdef01234567";

#[tokio::test]
async fn refuse_creates_nothing_and_says_what_to_set() {
    let world = World::start().await;
    let there = world.console_lookalike("builds");
    world.webhook("builds", json!({})).await;
    let object = world.wait_reason("builds", "AdoptionRequired").await;
    let text = message(&object);
    for part in [there.id.as_str(), "spec.adoptionPolicy: Adopt", "spec.webhookId", "CreateAnother"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(object.metadata.finalizers, None);
    assert_eq!(status(&object).webhook_id, None);
    assert_calls(&world, &["GET list"]);
}

#[tokio::test]
async fn what_a_person_made_just_before_is_seen_although_the_project_was_listed_a_moment_ago() {
    let world = World::start().await;
    world.webhook("first", json!({})).await;
    world.wait_ready("first").await;
    // No LIST has shown these two yet, and the last one is still fresh enough for an object that has its webhook.
    world.console_lookalike("builds");
    world.console_lookalike("watched");
    world.sim.clear_calls();
    world.webhook("builds", json!({})).await;
    world.wait_reason("builds", "AdoptionRequired").await;
    world.webhook("watched", json!({ "managementPolicy": "Observe" })).await;
    world.wait_reason("watched", "Observed").await;
    assert_writes(&world, &[]);
}

#[tokio::test]
async fn what_a_person_made_just_before_is_seen_beside_an_object_whose_deletion_is_blocked() {
    let world = World::with(|setup| setup.flag("--resync-interval", "1s")).await;
    world.webhook("blocked", json!({})).await;
    world.wait_ready("blocked").await;
    world.sim.add_fault(Fault::status(403).methods(["DELETE"]));
    world.delete("blocked").await;
    world.wait_reason("blocked", "DeletionBlocked").await;
    // Another project has the same interval: three looks at that are as long as this one's timer takes to come due.
    let clock = world.sim.new_project();
    world.webhook("clock", of_project(&clock)).await;
    world.wait_ready("clock").await;
    let looks = |state: &simulator::State| state.counts(Some(&clock.id)).operation("list");
    let begun = world.sim.counts(Some(&clock.id)).operation("list");
    world.wait_remote("three looks", |state| looks(state) >= begun + 3).await;
    // A LIST that is newer than that, and older than what the person makes.
    world.pass("blocked").await;
    let there = world.console_lookalike("builds");
    world.webhook("builds", json!({})).await;
    let object = world.wait_reason("builds", "AdoptionRequired").await;
    assert!(message(&object).contains(&there.id), "{}", message(&object));
    assert_writes(&world, &["POST", "DELETE", "DELETE"]);
}

#[tokio::test]
async fn a_changed_secret_has_the_remote_looked_at_anew_by_who_has_no_webhook_yet() {
    let world = World::start().await;
    world.secret("receiver", &[("url", "https://hooks.example.com/nowhere")]).await;
    let url_from = json!({ "secretKeyRef": { "name": "receiver", "key": "url" } });
    world.webhook("builds", json!({ "url": null, "urlFrom": url_from, "managementPolicy": "Observe" })).await;
    world.wait_reason("builds", "Drifted").await;
    let there = world.console_lookalike("builds");
    world.rotate("receiver", &[("url", "https://hooks.example.com/builds")]).await;
    let object = world.wait_reason("builds", "Observed").await;
    assert_eq!(status(&object).webhook_id, Some(there.id));
}

#[tokio::test]
async fn adopting_what_equals_the_spec_changes_nothing_remotely() {
    let world = World::start().await;
    let there = world.console_lookalike("builds");
    let recording = world.record().await;
    world.webhook("builds", json!({ "adoptionPolicy": "Adopt" })).await;
    let object = world.wait_ready("builds").await;
    let seen = status(&object);
    assert_eq!((seen.webhook_id, seen.ownership), (Some(there.id), Some(Ownership::Adopted)));
    assert_eq!(seen.last_applied_time, None, "nothing was written");
    assert_calls(&world, &["GET list"]);
    assert_eq!(world.only().updated_at, there.updated_at);
    let versions = recording.up_to(&object).await;
    let first_owned = versions.iter().find(|version| status(version).webhook_id.is_some()).unwrap();
    assert!(first_owned.metadata.finalizers.is_some(), "the finalizer comes first");
}

#[tokio::test]
async fn adopting_what_differs_corrects_it_and_does_not_mark_it() {
    let world = World::start().await;
    let there =
        world.console_create(NewWebhook::new("builds", "https://hooks.example.com/builds").header("X-Surplus", "1"));
    world.webhook("builds", json!({ "adoptionPolicy": "Adopt", "active": false })).await;
    let object = world.wait_ready("builds").await;
    assert_calls(&world, &["GET list", "PATCH active,headers", "GET list"]);
    assert_eq!(status(&object).ownership, Some(Ownership::Adopted));
    let now = world.only();
    assert_eq!(now.id, there.id);
    assert_eq!(now.headers.len(), 0, "neither the surplus header nor a marker");
}

#[tokio::test]
async fn adopt_takes_no_one_of_several() {
    let world = World::start().await;
    let ids = [world.console_lookalike("builds").id, world.console_lookalike("builds").id];
    world.webhook("builds", json!({ "adoptionPolicy": "Adopt" })).await;
    let object = world.wait_reason("builds", "AdoptionRequired").await;
    assert!(ids.iter().all(|id| message(&object).contains(id)), "{}", message(&object));
    assert_calls(&world, &["GET list"]);
}

#[tokio::test]
async fn adopt_with_nothing_to_adopt_creates() {
    let world = World::start().await;
    world.webhook("builds", json!({ "adoptionPolicy": "Adopt" })).await;
    let object = world.wait_ready("builds").await;
    assert_eq!(status(&object).ownership, Some(Ownership::Created));
    assert_calls(&world, &["GET list", "POST", "GET list"]);
}

#[tokio::test]
async fn create_another_creates_beside_it_and_leaves_it() {
    let world = World::start().await;
    let there = world.console_lookalike("builds");
    world.webhook("builds", json!({ "adoptionPolicy": "CreateAnother" })).await;
    let object = world.wait_ready("builds").await;
    assert_calls(&world, &["GET list", "POST", "GET list"]);
    assert_eq!(status(&object).ownership, Some(Ownership::Created));
    assert_ne!(status(&object).webhook_id.unwrap(), there.id);
    world.delete("builds").await;
    world.wait_gone("builds").await;
    assert_eq!(world.only().id, there.id);
}

#[tokio::test]
async fn a_webhook_with_this_name_but_another_url_is_no_candidate() {
    let world = World::start().await;
    world.console_create(NewWebhook::new("builds", "https://hooks.example.com/other"));
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    assert_eq!(world.remote().len(), 2);
}

#[tokio::test]
async fn a_webhook_id_hands_over_exactly_that_one_even_under_refuse() {
    let world = World::start().await;
    world.console_lookalike("builds");
    let there = world.console_lookalike("builds");
    world.webhook("builds", json!({ "webhookId": there.id })).await;
    let object = world.wait_ready("builds").await;
    let seen = status(&object);
    assert_eq!((seen.webhook_id, seen.ownership), (Some(there.id), Some(Ownership::Adopted)));
    assert_calls(&world, &["GET list"]);
}

#[tokio::test]
async fn a_webhook_id_may_name_one_that_looks_different() {
    let world = World::start().await;
    let there = world.console_create(NewWebhook::new("other", "https://other.example.com/x"));
    world.webhook("builds", json!({ "webhookId": there.id })).await;
    world.wait_ready("builds").await;
    assert_calls(&world, &["GET list", "PATCH name,url", "GET list"]);
    assert_eq!((world.only().id, world.only().name), (there.id, "builds".into()));
}

#[tokio::test]
async fn a_webhook_id_that_is_gone_is_never_created() {
    let world = World::start().await;
    world.webhook("builds", json!({ "webhookId": NOBODY })).await;
    let object = world.wait_reason("builds", "WebhookNotFound").await;
    assert!(message(&object).contains(NOBODY));
    // The connection may become Ready after the first pass, and then there is a second one.
    let calls = rendered(&world);
    assert_eq!(calls[..2], ["GET list", "GET"]);
    assert!(calls.iter().all(|call| call.starts_with("GET")), "{calls:?}");
    assert_eq!(object.metadata.finalizers, None);
}

#[tokio::test]
async fn an_adopted_webhook_that_was_pinned_and_deleted_is_not_created_again() {
    let world = World::start().await;
    let there = world.console_lookalike("builds");
    world.webhook("builds", json!({ "webhookId": there.id })).await;
    world.wait_ready("builds").await;
    world.console_delete(&there.id);
    let object = world.pass("builds").await;
    assert_eq!(ready_reason(&object), Some("WebhookNotFound"));
    assert_writes(&world, &[]);
}

/// What `spec` ends in, where the remote holds a webhook that carries the marker of an owner who is not in this cluster.
async fn marked_elsewhere(world: &World, spec: impl Fn(&str) -> Value) -> String {
    let marked = NewWebhook::new("builds", "https://hooks.example.com/builds").header(MARKER, "f".repeat(32));
    let there = world.console_create(marked);
    world.webhook("builds", spec(&there.id)).await;
    there.id
}

#[tokio::test]
async fn another_owners_marker_is_a_conflict() {
    let specs: [fn(&str) -> Value; 3] =
        [|_| json!({}), |_| json!({ "adoptionPolicy": "Adopt" }), |id| json!({ "webhookId": id })];
    for spec in specs {
        let world = World::start().await;
        let id = marked_elsewhere(&world, spec).await;
        let object = world.wait_reason("builds", "Conflict").await;
        assert!(message(&object).contains(&id), "{}", message(&object));
        assert!(message(&object).contains("--cluster-id"), "{}", message(&object));
        assert_calls(&world, &["GET list"]);
    }
}

#[tokio::test]
async fn a_marker_without_a_live_owner_is_taken_over_by_id_and_adopt_together() {
    let world = World::start().await;
    let id = marked_elsewhere(&world, |id| json!({ "webhookId": id, "adoptionPolicy": "Adopt" })).await;
    let object = world.wait_ready("builds").await;
    let seen = status(&object);
    assert_eq!((seen.webhook_id, seen.ownership), (Some(id), Some(Ownership::Adopted)));
    assert!(is_ready(&world.pass("builds").await));
    assert_calls(&world, &["GET list", "GET list"]);
}

#[tokio::test]
async fn a_live_owners_marker_is_a_conflict_even_with_id_and_adopt() {
    let world = World::start().await;
    world.webhook("first", json!({})).await;
    let id = status(&world.wait_ready("first").await).webhook_id.unwrap();
    world.sim.clear_calls();
    world.webhook("second", json!({ "webhookId": id, "adoptionPolicy": "Adopt" })).await;
    let object = world.wait_reason("second", "Conflict").await;
    assert!(message(&object).contains(&format!("{}/first", world.namespace)), "{}", message(&object));
    assert_writes(&world, &[]);
    assert_eq!(status(&object).webhook_id, None);
    world.delete("second").await;
    world.wait_gone("second").await;
    assert_eq!(world.only().id, id, "the loser's end changes nothing");
}

#[tokio::test]
async fn of_two_objects_that_adopt_one_webhook_the_older_has_it_and_the_other_is_told_which() {
    let mut world = World::with(|setup| setup.no_operator()).await;
    let there = world.console_lookalike("shared");
    let spec = json!({ "adoptionPolicy": "Adopt", "name": "shared", "url": "https://hooks.example.com/shared" });
    world.webhook("one", spec.clone()).await;
    world.webhook("two", spec).await;
    world.restart_operator().await;
    let (one, two) = (world.get("one").await, world.get("two").await);
    let (winner, loser) = if age(&one) < age(&two) { ("one", "two") } else { ("two", "one") };
    world.wait_ready(winner).await;
    let told = world.wait_reason(loser, "Conflict").await;
    assert_eq!(status(&world.get(winner).await).webhook_id, Some(there.id.clone()), "the older has it");
    assert!(message(&told).contains(&format!("{}/{winner}", world.namespace)), "{}", message(&told));
    // However often it looks: what somebody has adopted is not there to be adopted, and nothing is made beside it.
    assert_eq!(ready_reason(&world.pass(loser).await), Some("Conflict"));
    world.delete(winner).await;
    let heir = world.wait_ready(loser).await;
    assert_eq!((status(&heir).webhook_id, status(&heir).ownership), (Some(there.id), Some(Ownership::Adopted)));
    assert_writes(&world, &[]);
}

#[tokio::test]
async fn an_object_that_is_pointed_to_another_webhook_leaves_none_behind() {
    let world = World::start().await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    let other = world.console_create(NewWebhook::new("other", "https://other.example.com/x"));
    world.sim.clear_calls();
    world.webhook("builds", json!({ "webhookId": other.id })).await;
    let object = world.wait_ready("builds").await;
    assert_writes(&world, &["DELETE", "PATCH name,url"]);
    assert_eq!(world.only().id, other.id, "what was created for this object would be a second one");
    assert_eq!((status(&object).webhook_id, status(&object).ownership), (Some(other.id), Some(Ownership::Adopted)));
}

#[tokio::test]
async fn two_objects_that_pin_one_webhook_end_in_a_conflict_for_one() {
    let world = World::start().await;
    let there = world.console_lookalike("builds");
    world.webhook("builds", json!({ "webhookId": there.id })).await;
    world.wait_ready("builds").await;
    world.webhook("second", json!({ "webhookId": there.id })).await;
    let object = world.wait_reason("second", "Conflict").await;
    assert!(message(&object).contains(&format!("{}/builds", world.namespace)), "{}", message(&object));
    assert_writes(&world, &[]);
    assert!(is_ready(&world.pass("builds").await), "the winner keeps it");
    assert_eq!(world.only().name, "builds");
    world.delete("builds").await;
    assert_eq!(status(&world.wait_ready("second").await).webhook_id, Some(there.id), "its turn comes without a resync");
}

#[tokio::test]
async fn two_objects_with_the_same_name_and_url_have_one_webhook_each() {
    let world = World::start().await;
    let spec = json!({ "name": "same", "url": "https://hooks.example.com/same" });
    world.webhook("first", spec.clone()).await;
    world.webhook("second", spec).await;
    let first = status(&world.wait_ready("first").await).webhook_id;
    let second = status(&world.wait_ready("second").await).webhook_id;
    assert_ne!(first, second);
    assert_eq!(world.remote().len(), 2);
    assert_writes(&world, &["POST", "POST"]);
}
