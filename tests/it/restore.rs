//! Restore from backup: the objects come back without status in a new cluster, whose operator goes on with the old
//! `--cluster-id`. What it finds at the remote is its own.

use hookwright::api::project_webhook::{Ownership, ProjectWebhook};
use kube::ResourceExt;
use serde_json::{Value, json};
use simulator::app_maker::Masking;
use simulator::{Behaviour, NewWebhook, ProjectRef, State};

use crate::support::{TOKEN, World, is_ready, merge, message, of_project, ready_reason, render, status};

/// What a backup keeps of an object.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Backup {
    /// The manifest, as from Git.
    Manifest,
    /// Finalizers and annotations too, as backup tools do.
    Metadata,
}

/// One object, how its project behaves, and what becomes of it in the new cluster.
struct Case {
    name: &'static str,
    spec: Value,
    behaviour: Behaviour,
    backup: Backup,
    project: ProjectRef,
    /// Before the restore.
    before: Option<ProjectWebhook>,
}

fn masked() -> Behaviour {
    Behaviour { masking: Masking::HeaderValues, ..Behaviour::default() }
}

fn dropped() -> Behaviour {
    Behaviour { drop_headers: vec!["X-Hookwright-*".into()], ..Behaviour::default() }
}

impl Case {
    fn new(world: &World, name: &'static str, behaviour: Behaviour, backup: Backup, spec: Value) -> Self {
        let project = world.sim.new_project();
        world.sim.set_project_behaviour(&project.id, Some(behaviour.clone())).unwrap();
        let mut own = of_project(&project);
        merge(&mut own, spec);
        Self { name, spec: own, behaviour, backup, project, before: None }
    }

    fn manifest(&self) -> Value {
        let before = self.before.as_ref().unwrap();
        let mut metadata = json!({ "name": self.name });
        if self.backup == Backup::Metadata {
            merge(&mut metadata, json!({ "finalizers": before.finalizers(), "annotations": before.annotations() }));
        }
        json!({
            "apiVersion": "hookwright.dev/v1alpha1", "kind": "ProjectWebhook", "metadata": metadata, "spec": before.spec,
        })
    }

    fn id(&self) -> Option<String> {
        status(self.before.as_ref().unwrap()).webhook_id
    }

    /// What was written to the project since the restore.
    fn writes(&self, world: &World) -> Vec<String> {
        let calls = world.sim.calls_for(&self.project.id);
        calls.iter().filter(|call| call.method != "GET").map(render).collect()
    }
}

/// Makes all of them Ready, loses the cluster, and applies what the backup has in a new one. No operator runs there yet.
async fn restore(world: &mut World, cases: &mut [Case]) {
    make(world, cases).await;
    bring_back(world, cases).await;
}

async fn make(world: &World, cases: &mut [Case]) {
    world.create_all(cases.iter().map(|case| (case.name.to_owned(), case.spec.clone()))).await;
    for case in cases.iter_mut() {
        case.before = Some(world.wait_ready(case.name).await);
    }
}

async fn bring_back(world: &mut World, cases: &[Case]) {
    world.change_cluster().await;
    world.sim.clear_calls();
    world.secret("app-maker", &[("token", TOKEN)]).await;
    world.connection("app-maker", json!({})).await;
    for case in cases.iter() {
        let object = world.apply(case.manifest()).await.unwrap();
        assert_eq!(object.data["status"], json!({ "observedGeneration": -1 }), "without status");
    }
}

/// One that takes over what somebody made at the console, as `more` says.
fn adopted(world: &World, name: &'static str, more: Value) -> Case {
    let case = Case::new(world, name, Behaviour::default(), Backup::Manifest, more);
    let there = NewWebhook::new(name, format!("https://hooks.example.com/{name}"));
    world.sim.console_create(&case.project.id, there).unwrap();
    case
}

/// The same, by its id.
fn pinned(world: &World, name: &'static str) -> Case {
    let mut case = adopted(world, name, json!({}));
    case.spec["webhookId"] = json!(world.sim.webhooks(&case.project.id)[0].id);
    case
}

/// Deletes everything, so that no other operator of this cluster finds it.
async fn clean_up(world: &World, cases: &[Case]) {
    for case in cases {
        world.delete(case.name).await;
    }
    for case in cases {
        world.wait_gone(case.name).await;
    }
}

#[tokio::test]
async fn with_the_old_cluster_id_each_object_finds_its_own_webhook_and_nothing_is_created_or_deleted() {
    use Backup::{Manifest, Metadata};
    let mut world = World::start().await;
    let headers = || json!({ "headers": [{ "name": "X-A", "value": "1" }] });
    let adopted = adopted(&world, "adopted", json!({ "adoptionPolicy": "Adopt" }));
    let mut cases = [
        Case::new(&world, "manifest", Behaviour::default(), Manifest, headers()),
        Case::new(&world, "metadata", Behaviour::default(), Metadata, headers()),
        Case::new(&world, "another", Behaviour::default(), Manifest, json!({ "adoptionPolicy": "CreateAnother" })),
        adopted,
        pinned(&world, "pinned"),
        // Without the marker, the intent that the backup kept tells which one it is.
        Case::new(&world, "masked-metadata", masked(), Metadata, json!({})),
        Case::new(&world, "masked-headers", masked(), Metadata, headers()),
        Case::new(&world, "dropped-metadata", dropped(), Metadata, json!({})),
    ];
    restore(&mut world, &mut cases).await;
    world.restart_operator().await;
    for case in &cases {
        let object = world.wait_ready(case.name).await;
        let (now, before) = (status(&object), status(case.before.as_ref().unwrap()));
        assert_eq!((now.webhook_id, now.ownership), (before.webhook_id, before.ownership), "{}", case.name);
        // Whether masked values are still those of the spec is known to nobody: they are sent once more.
        let unknown = case.behaviour.masking == Masking::HeaderValues && case.name == "masked-headers";
        assert_eq!(case.writes(&world), if unknown { vec!["PATCH headers"] } else { vec![] }, "{}", case.name);
    }
    let owned = |case: &&Case| status(case.before.as_ref().unwrap()).ownership == Some(Ownership::Created);
    clean_up(&world, &cases).await;
    for case in cases.iter().filter(owned) {
        assert_eq!(world.sim.webhooks(&case.project.id).len(), 0, "{} is still its own to delete", case.name);
    }
}

/// What was adopted carries no marker. As long as its manifest names it, nothing is lost (the test before); after that, status
/// alone knows it.
#[tokio::test]
async fn what_was_adopted_and_is_named_by_no_manifest_any_more_asks_a_person() {
    let mut world = World::start().await;
    let mut cases = [pinned(&world, "unpinned")];
    make(&world, &mut cases).await;
    let id = cases[0].id().unwrap();
    cases[0].before.as_mut().unwrap().spec.webhook_id = None;
    bring_back(&mut world, &cases).await;
    world.restart_operator().await;
    let object = world.wait_reason("unpinned", "AdoptionRequired").await;
    assert!(message(&object).contains(&id), "{}", message(&object));
    assert_eq!(cases[0].writes(&world), Vec::<String>::new());
    clean_up(&world, &cases).await;
}

#[tokio::test]
async fn where_a_manifest_alone_comes_back_and_markers_are_hidden_a_person_is_asked_and_nothing_is_written() {
    let mut world = World::start().await;
    let mut cases = [
        Case::new(&world, "masked", masked(), Backup::Manifest, json!({})),
        Case::new(&world, "masked-adopt", masked(), Backup::Manifest, json!({ "adoptionPolicy": "Adopt" })),
        Case::new(&world, "dropped", dropped(), Backup::Manifest, json!({})),
    ];
    restore(&mut world, &mut cases).await;
    world.restart_operator().await;
    for case in &cases {
        let object = world.wait_reason(case.name, "AdoptionRequired").await;
        let id = case.id().unwrap();
        assert!(message(&object).contains(&id), "{}: {}", case.name, message(&object));
        assert_eq!(case.writes(&world), Vec::<String>::new(), "{}", case.name);
    }
    // The way out that the message names.
    for case in &cases {
        let mut manifest = case.manifest();
        merge(&mut manifest, json!({ "spec": { "webhookId": case.id() } }));
        world.apply(manifest).await.unwrap();
        assert_eq!(status(&world.wait_ready(case.name).await).webhook_id, case.id());
        assert_eq!(world.sim.webhooks(&case.project.id).len(), 1);
    }
    clean_up(&world, &cases).await;
}

#[tokio::test]
async fn with_the_marker_off_the_intent_that_the_backup_kept_finds_it_and_a_manifest_alone_asks_a_person() {
    let mut world = World::with(|setup| setup.flag("--ownership-marker", "off")).await;
    let headers = json!({ "headers": [{ "name": "X-A", "value": "1" }] });
    let mut cases = [
        Case::new(&world, "metadata", Behaviour::default(), Backup::Metadata, headers.clone()),
        Case::new(&world, "manifest", Behaviour::default(), Backup::Manifest, headers),
    ];
    restore(&mut world, &mut cases).await;
    world.restart_operator().await;
    let object = world.wait_ready("metadata").await;
    assert_eq!((status(&object).webhook_id, status(&object).ownership), (cases[0].id(), Some(Ownership::Created)));
    world.wait_reason("manifest", "AdoptionRequired").await;
    assert!(cases.iter().all(|case| case.writes(&world).is_empty()));
    clean_up(&world, &cases).await;
}

#[tokio::test]
async fn with_another_cluster_id_the_webhooks_are_somebody_elses_and_nothing_is_written() {
    let mut world = World::start().await;
    let mut cases = [
        Case::new(&world, "manifest", Behaviour::default(), Backup::Manifest, json!({})),
        Case::new(&world, "metadata", Behaviour::default(), Backup::Metadata, json!({})),
        Case::new(&world, "adopt", Behaviour::default(), Backup::Manifest, json!({ "adoptionPolicy": "Adopt" })),
    ];
    restore(&mut world, &mut cases).await;
    let args = world.operator_setup.args.clone();
    let id = world.operator_setup.args.iter().position(|arg| arg == "--cluster-id").unwrap();
    world.operator_setup.args[id + 1] = "another-cluster".into();
    world.restart_operator().await;
    for case in &cases {
        let object = world.wait_reason(case.name, "Conflict").await;
        let text = message(&object);
        assert!(text.contains(&case.id().unwrap()) && text.contains("--cluster-id"), "{}: {text}", case.name);
        assert_eq!(status(&object).webhook_id, None);
        assert_eq!(case.writes(&world), Vec::<String>::new(), "{}", case.name);
    }
    // The mistake is mended by the old id alone.
    world.operator_setup.args = args;
    world.restart_operator().await;
    for case in &cases {
        let mine = |object: &ProjectWebhook| is_ready(object) && ready_reason(object) == Some("Synced");
        let object = world.wait_until(case.name, "Synced", mine).await;
        assert_eq!(status(&object).webhook_id, case.id());
    }
    let kept = |state: &State| cases.iter().all(|case| state.webhook_count(&case.project.id) == 1);
    world.wait_remote("one webhook each", kept).await;
    assert!(cases.iter().all(|case| case.writes(&world).is_empty()));
    clean_up(&world, &cases).await;
}
