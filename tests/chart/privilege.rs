//! Least privilege: the operator runs as the chart's ServiceAccount, with the arguments of the Deployment that Helm installed,
//! and goes through every journey that its rights are for. The API server's audit log then says whether it was ever refused,
//! and whether a right is granted that nothing needs.
//!
//! | room | holds |
//! |---|---|
//! | `audit` | what was asked of the API server, against what the Roles grant |
//! | `deployed` | the release, and the operators that a kubelet would start |
//! | `journeys` | what they do |

mod audit;
mod deployed;
mod journeys;

use serde_json::{Value, json};

use self::deployed::Deployed;

/// Rights that no journey uses, each with its reason. One that is used after all fails, so that this stays true.
type Exceptions<'a> = &'a [(&'a str, &'a str)];

fn namespaced() -> Value {
    json!({ "watchNamespaces": [deployed::SERVED], "clusterId": "privilege" })
}

#[tokio::test]
async fn cluster_wide_each_journey_passes_nothing_is_refused_and_each_right_is_used() {
    let mut deployed = Deployed::install(json!({})).await;
    journeys::six(&mut deployed).await;
    journeys::notification(&mut deployed.world).await;
    journeys::cluster_connection(&mut deployed.world).await;
    deployed.stop_and_judge(&[]).await;
}

#[tokio::test]
async fn namespaced_each_journey_passes_nothing_is_refused_and_each_right_is_used() {
    let mut deployed = Deployed::install(namespaced()).await;
    journeys::six(&mut deployed).await;
    journeys::notification(&mut deployed.world).await;
    let exceptions = [(
        "patch events.events.k8s.io in hw",
        "tells that a Warning came again: where a namespace goes, and an object in it can't be released at the first try",
    )];
    deployed.stop_and_judge(&exceptions).await;
}

#[tokio::test]
async fn without_the_watch_a_rotation_is_seen_at_the_resync_and_secrets_are_neither_listed_nor_watched() {
    for mode in [json!({}), namespaced()] {
        let mut values = json!({ "secrets": { "watch": false }, "resyncInterval": "1s" });
        crate::support::merge(&mut values, mode);
        let mut deployed = Deployed::install(values).await;
        journeys::rotation(&mut deployed.world).await;
        let log = deployed.stop().await;
        assert_eq!(log.refused(), Vec::<String>::new());
        assert_eq!(log.verbs_on("secrets"), ["get"]);
    }
}
