//! A leader that loses the Lease ends with an error, and one that can't get it says why.

use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use super::elected;
use crate::support::account::{leases, secrets, usual_rules};
use crate::support::{Operator, World};

async fn ends_with(mut leader: Operator, says: &str) {
    let ended = leader.exited().await;
    leader.wait_logged(&format!("not leading any more, ending at once: {says}")).await;
    assert_eq!(ended.code(), Some(1), "{}", leader.log());
}

#[tokio::test]
async fn a_leader_whose_lease_somebody_else_takes_ends() {
    let world = World::with(elected).await;
    let leader = world.replica("leader", &[]);
    leader.leads().await;
    let patch = Patch::Merge(json!({ "spec": { "holderIdentity": "a-person" } }));
    world.leases().patch("hookwright", &PatchParams::default(), &patch).await.unwrap();
    ends_with(leader, "a-person holds the Lease now").await;
    assert_eq!(world.holder().await, "a-person");
}

#[tokio::test]
async fn a_leader_whose_lease_is_deleted_ends() {
    let world = World::with(elected).await;
    let leader = world.replica("leader", &[]);
    leader.leads().await;
    world.leases().delete("hookwright", &DeleteParams::default()).await.unwrap();
    ends_with(leader, "somebody emptied or deleted the Lease").await;
}

#[tokio::test]
async fn without_permission_it_says_what_to_grant_and_works_once_it_is_granted_and_ends_when_it_is_taken_away() {
    let mut world = World::with(elected).await;
    let rules = |lease_verbs: &[&str]| {
        let mut rules = usual_rules();
        rules.extend([secrets(&["get", "list", "watch"]), leases(lease_verbs)]);
        json!(rules)
    };
    let account = world.account(rules(&["get"])).await;
    world.operator_setup.kubeconfig.clone_from(&account.kubeconfig);
    let operator = world.replica("operator", &[]);
    let says = "403 Forbidden; grant get, create and update on leases of coordination.k8s.io in namespace";
    let told = |code: u16, text: &str| code == 503 && text.contains(says);
    operator.wait_served("/readyz", "what is missing", told).await;
    operator.wait_logged(says).await;
    world.allow(&account, rules(&["get", "create", "update"])).await;
    operator.leads().await;
    let (code, text) = operator.get("/readyz").await;
    assert_eq!(code, 200, "{text}");
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    world.allow(&account, rules(&["get"])).await;
    ends_with(operator, "the Lease was not renewed in time: the API server answers 403 Forbidden").await;
}
