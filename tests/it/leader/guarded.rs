//! The client that the operator writes to Kubernetes with, at a gate of the test's own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hookwright::controller::guarded::guarded;
use hookwright::controller::refuse::kubernetes;
use hookwright::remote::gate::{Closed, Deadline, DeadlineHandle, Gate};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Config, ResourceExt};
use serde_json::json;

use crate::support::World;

struct Lease(Deadline);

impl Gate for Lease {
    fn may_call(&self) -> Result<Option<Deadline>, Closed> {
        if self.0.has_passed() { Err(Closed) } else { Ok(Some(self.0.clone())) }
    }
}

/// ConfigMaps of the world through such a client, whose gate is open until the handle is moved.
async fn maps(world: &World) -> (DeadlineHandle, Api<ConfigMap>) {
    let file = Kubeconfig::read_from(&world.operator_setup.kubeconfig).unwrap();
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
    let (handle, deadline) = Deadline::at(Instant::now() + Duration::from_hours(1));
    let client = guarded(config, Arc::new(Lease(deadline))).unwrap();
    (handle, Api::namespaced(client, &world.namespace))
}

fn map(value: &str) -> ConfigMap {
    serde_json::from_value(json!({ "metadata": { "name": "map" }, "data": { "key": value } })).unwrap()
}

#[tokio::test]
async fn once_the_gate_is_closed_it_only_reads() {
    let world = World::with(|setup| setup.no_operator()).await;
    let (handle, maps) = maps(&world).await;
    let made = maps.create(&PostParams::default(), &map("one")).await.unwrap();
    handle.move_to(Instant::now());
    let (params, patch) = (PatchParams::default(), Patch::Merge(json!({ "data": { "key": "two" } })));
    let mut second = map("one");
    second.metadata.name = Some("second".into());
    let refused = [
        maps.create(&PostParams::default(), &second).await.map(drop),
        maps.replace("map", &PostParams::default(), &map("two")).await.map(drop),
        maps.patch("map", &params, &patch).await.map(drop),
        maps.patch_metadata("map", &params, &patch).await.map(drop),
        maps.delete("map", &DeleteParams::default()).await.map(drop),
    ];
    for answer in refused {
        assert_eq!(kubernetes(&answer.unwrap_err()), "this operator is stopping, or another one leads");
    }
    let listed = maps.list(&ListParams::default()).await.unwrap();
    assert!(listed.items.iter().all(|map| map.name_any() != "second"));
    assert_eq!(maps.get("map").await.unwrap().resource_version(), made.resource_version());
}
