//! Ways of a ProjectWebhook through its writes: what is there before, what happens, and where it has to end.

use std::collections::BTreeMap;

use hookwright::api::CREATING;
use hookwright::api::connection::Connection;
use hookwright::api::project_webhook::{Ownership, ProjectWebhook};
use hookwright::controller::fail_point::FailPoint;
use hookwright::domain::intent::{Creating, Intent};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::events::v1::Event;
use kube::api::DeleteParams;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use simulator::app_maker::{Masking, PatchHeaders};
use simulator::{Behaviour, Fault, FaultKind, NewWebhook, Webhook, WebhookEdit};

use crate::support::{MARKER, Setup, World, assert_writes, condition, status};

const FINALIZER: &str = "hookwright.dev/finalizer";
const RECEIVER: &str = "https://hooks.example.com/builds";

/// One way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Journey {
    /// The very first object, of an operator whose own namespace is not there yet.
    Creation,
    /// The remote masks header values, so that the marker is not shown.
    CreationMasked,
    /// The same, beside a webhook that looks just like it.
    CreationBesideLookalike,
    /// No marker at all.
    CreationUnmarked,
    /// By an operator that has to win a Lease first.
    CreationElected,
    /// The spec changes.
    Update,
    /// A Secret changes.
    Rotation,
    /// Somebody changes the webhook at the console.
    Drift,
    /// A person's webhook is taken, and corrected.
    Adoption,
    /// A person's webhook is taken as it is.
    AdoptionOfEqual,
    /// A removed header stays, so the webhook is replaced.
    Replacement,
    /// The same where values are masked: only the intent tells which one is the old one.
    ReplacementMasked,
    /// A second webhook with our marker is there.
    Duplicate,
    /// The second one is the one to keep.
    BetterDuplicate,
    /// The object is deleted.
    Deletion,
    /// The object is deleted and its webhook left.
    Orphaning,
    /// The object is deleted before status names what was created.
    DeletionOfUnrecorded,
    /// The same behind masked values: it is left, because it can't be known for ours.
    DeletionOfUnrecordedMasked,
    /// The object and its connection are deleted.
    DeletionOfAll,
}

/// A write, how often a journey makes it, and whether it does so again when what happened happens again.
pub struct Writes {
    pub point: FailPoint,
    pub times: usize,
    pub again: bool,
}

const fn once(point: FailPoint) -> Writes {
    Writes { point, times: 1, again: false }
}

const fn times(times: usize, point: FailPoint) -> Writes {
    Writes { point, times, again: false }
}

const fn again(point: FailPoint) -> Writes {
    Writes { point, times: 1, again: true }
}

impl Journey {
    /// What it writes, in this order. More it does not write, see [`Journey::most`].
    pub fn writes(self) -> Vec<Writes> {
        use FailPoint::*;
        match self {
            Self::Creation => vec![
                once(Namespace),
                once(ConnectionHold),
                once(ConnectionStatus),
                again(Hold),
                once(Create),
                again(Status),
                again(Event),
            ],
            Self::CreationMasked | Self::CreationBesideLookalike | Self::CreationUnmarked => {
                vec![again(Hold), once(Create), again(Status)]
            }
            Self::CreationElected => vec![again(Lease), once(Hold), once(Create), once(Status)],
            Self::Update | Self::Rotation | Self::Drift => vec![again(Update), again(Status), again(Event)],
            Self::Adoption => vec![once(Hold), again(Update), again(Status)],
            Self::AdoptionOfEqual => vec![once(Hold), again(Status)],
            Self::Replacement | Self::ReplacementMasked => {
                vec![times(2, Update), once(Hold), once(Create), times(2, Status), once(Delete)]
            }
            Self::Duplicate => vec![again(Delete), again(Status), again(Event)],
            Self::BetterDuplicate => vec![times(2, Status), once(Delete)],
            Self::Deletion => vec![again(Delete), once(Event), once(Release), once(ConnectionRelease)],
            Self::DeletionOfUnrecorded => vec![once(Delete), once(Event), once(Release), once(ConnectionRelease)],
            Self::DeletionOfUnrecordedMasked => vec![once(Event), once(Release), once(ConnectionRelease)],
            Self::Orphaning => vec![once(Unmark), times(2, Event), once(Release), once(ConnectionRelease)],
            Self::DeletionOfAll => vec![once(Delete), once(Release), once(ConnectionRelease)],
        }
    }

    /// How often at most an operator that lives makes such a write, with what `end` asks of it.
    pub fn most(self, point: FailPoint) -> usize {
        use FailPoint::*;
        let named = |point| self.writes().iter().find(|writes| writes.point == point).map_or(0, |writes| writes.times);
        // An operator that runs before leaves nothing to do for the connection.
        let fresh = usize::from(self.is_first());
        match point {
            // Each of the two passes that are asked for in the end is echoed; before the connection is ready, status says so.
            Status if !self.ends_gone() => named(Status) + 2 + fresh,
            // That it waits for what a creation may still make.
            Status => usize::from(self == Self::DeletionOfUnrecordedMasked),
            ConnectionHold => fresh,
            // Of one that is used while it is deleted, too.
            ConnectionStatus => fresh + usize::from(self == Self::DeletionOfAll),
            // For each write to the remote, each change of a reason, and each webhook that is left.
            Event => {
                let changes = [Create, Update, Unmark, Delete].into_iter().map(named).sum::<usize>();
                let left = usize::from(matches!(self, Self::Orphaning | Self::DeletionOfUnrecordedMasked));
                changes + self.most(Status) + self.most(ConnectionStatus) + left
            }
            other => named(other),
        }
    }

    /// Whether no operator runs before what happens.
    fn is_first(self) -> bool {
        matches!(
            self,
            Self::Creation
                | Self::CreationMasked
                | Self::CreationBesideLookalike
                | Self::CreationUnmarked
                | Self::CreationElected
                | Self::Adoption
                | Self::AdoptionOfEqual
        )
    }

    /// Whether the object is deleted in the end.
    fn ends_gone(self) -> bool {
        matches!(
            self,
            Self::Deletion
                | Self::Orphaning
                | Self::DeletionOfUnrecorded
                | Self::DeletionOfUnrecordedMasked
                | Self::DeletionOfAll
        )
    }

    /// How its operators are started.
    pub fn setup(self, setup: &mut Setup) -> &mut Setup {
        setup.no_operator().flag("--settle-time", "1s");
        match self {
            Self::Creation => setup.flag("--namespace", &crate::support::random("it-own")),
            Self::CreationUnmarked => setup.flag("--ownership-marker", "off"),
            // The next one has to wait for the end of the lease of the one that died.
            Self::CreationElected => setup.flag("--leader-elect", "true").flag("--lease-duration", "5s"),
            _ => setup,
        }
    }

    pub fn behaviour(self) -> Behaviour {
        let masked = matches!(
            self,
            Self::CreationMasked
                | Self::CreationBesideLookalike
                | Self::ReplacementMasked
                | Self::DeletionOfUnrecordedMasked
        );
        let merges = matches!(self, Self::Replacement | Self::ReplacementMasked);
        Behaviour {
            masking: if masked { Masking::HeaderValues } else { Masking::None },
            patch_headers: if merges { PatchHeaders::Merge } else { PatchHeaders::Replace },
            ..Behaviour::default()
        }
    }

    /// What is there before. No operator runs afterwards. Returns the webhooks that nobody may touch.
    pub async fn before(self, world: &mut World) -> Vec<Webhook> {
        world.behave(self.behaviour());
        match self {
            Self::Creation | Self::CreationMasked | Self::CreationUnmarked | Self::CreationElected => vec![],
            Self::CreationBesideLookalike => vec![world.console_create(lookalike())],
            Self::Adoption => {
                world.console_create(lookalike().header("X-Surplus", "1"));
                vec![]
            }
            Self::AdoptionOfEqual => {
                world.console_create(lookalike());
                vec![]
            }
            Self::DeletionOfUnrecorded | Self::DeletionOfUnrecordedMasked => {
                let unanswered = FaultKind::Timeout { applied: true, hold_ms: None };
                world.sim.add_fault(Fault::new(unanswered).methods(["POST"]).once());
                world.restart_operator().await;
                world.webhook("builds", self.spec(0)).await;
                let project = world.project.id.clone();
                world.wait_remote("the webhook", |state| state.webhook_count(&project) == 1).await;
                stop_once_connection_is_held(world).await;
                assert_eq!(status(&world.get("builds").await).webhook_id, None);
                vec![]
            }
            _ => {
                world.secret("receiver", &[("token", "0")]).await;
                world.restart_operator().await;
                world.webhook("builds", self.spec(0)).await;
                world.wait_ready("builds").await;
                stop_once_connection_is_held(world).await;
                vec![]
            }
        }
    }

    /// What is applied in a round; round 0 is before anything happens.
    fn spec(self, round: usize) -> Value {
        let value = |value: usize| json!({ "headers": [{ "name": "X-A", "value": value.to_string() }] });
        match self {
            Self::CreationBesideLookalike => {
                let mut spec = value(round);
                spec["adoptionPolicy"] = json!("CreateAnother");
                spec
            }
            Self::Rotation => {
                let from = json!({ "secretKeyRef": { "name": "receiver", "key": "token" } });
                json!({ "headers": [{ "name": "X-A", "valueFrom": from }] })
            }
            Self::Adoption | Self::AdoptionOfEqual => {
                let mut spec = value(round);
                spec["adoptionPolicy"] = json!("Adopt");
                spec
            }
            Self::Replacement | Self::ReplacementMasked if round == 0 => {
                let mut spec = value(1);
                spec["headers"].as_array_mut().unwrap().push(json!({ "name": "X-Old", "value": "1" }));
                spec
            }
            Self::Orphaning => {
                let mut spec = value(1);
                spec["deletionPolicy"] = json!("Orphan");
                spec
            }
            Self::Creation | Self::CreationMasked | Self::CreationUnmarked | Self::CreationElected | Self::Update => {
                value(round)
            }
            _ => value(1),
        }
    }

    /// What happens, while no operator runs; from 1.
    pub async fn act(self, world: &World, round: usize) {
        match self {
            Self::Rotation => world.secret("receiver", &[("token", &round.to_string())]).await,
            Self::Drift => {
                let edit = WebhookEdit { active: Some(false), ..WebhookEdit::default() };
                world.console_edit(&world.only().id, edit);
                ask(world, round).await;
            }
            Self::Duplicate => {
                world.console_create(ours(world));
                ask(world, round).await;
            }
            Self::BetterDuplicate => {
                let edit = WebhookEdit { active: Some(false), ..WebhookEdit::default() };
                world.console_edit(&world.only().id, edit);
                world.console_create(ours(world));
            }
            Self::Deletion | Self::Orphaning if round == 1 => world.delete("builds").await,
            // A POST of long ago takes effect now.
            Self::Deletion => {
                world.console_create(ours(world));
            }
            Self::DeletionOfUnrecorded | Self::DeletionOfUnrecordedMasked => world.delete("builds").await,
            Self::DeletionOfAll => {
                connections(world).delete("app-maker", &DeleteParams::default()).await.unwrap();
                world.delete("builds").await;
            }
            _ => {
                world.webhook("builds", self.spec(round)).await;
            }
        }
    }

    /// Waits for the end after so many rounds, and holds it against what has to be.
    pub async fn end(self, world: &World, rounds: usize, untouched: &[Webhook]) {
        if self.ends_gone() {
            self.gone(world).await;
        } else {
            self.settled(world, rounds, untouched).await;
        }
        if self == Self::Creation {
            let args = &world.operator_setup.args;
            let own = &args[args.iter().position(|arg| arg == "--namespace").unwrap() + 1];
            Api::<Namespace>::all(world.client.clone()).get(own).await.expect("the operator's namespace");
        }
    }

    async fn settled(self, world: &World, rounds: usize, untouched: &[Webhook]) {
        world.pass("builds").await;
        let object = world.wait_ready("builds").await;
        assert_eq!(object.finalizers(), [FINALIZER]);
        let seen = status(&object);
        let conditions: Vec<_> = seen.conditions.iter().map(|c| (c.type_.as_str(), c.reason.as_str())).collect();
        assert_eq!(conditions, [("Ready", "Synced")]);
        let (theirs, ours): (Vec<_>, Vec<_>) = world.remote().into_iter().partition(|w| untouched.contains(w));
        assert_eq!(theirs, untouched, "what is not ours is as it was");
        let [webhook] = ours.as_slice() else { panic!("exactly one webhook: {ours:#?}") };
        let adopted = matches!(self, Self::Adoption | Self::AdoptionOfEqual);
        let ownership = if adopted { Ownership::Adopted } else { Ownership::Created };
        assert_eq!((seen.webhook_id.as_deref(), seen.ownership), (Some(webhook.id.as_str()), Some(ownership)));
        assert_eq!(seen.drift, []);
        let (generation, applied) = (object.metadata.generation.unwrap(), seen.applied.unwrap());
        assert_eq!((applied.generation, seen.observed_generation), (generation, generation));
        let changes = !matches!(
            self,
            Self::Drift | Self::Duplicate | Self::BetterDuplicate | Self::Replacement | Self::ReplacementMasked
        );
        let value = if changes { rounds.to_string() } else { "1".to_owned() };
        let mut headers = BTreeMap::from([("X-A".to_owned(), value)]);
        if !adopted && self != Self::CreationUnmarked {
            headers.insert(MARKER.to_owned(), world.marker("builds"));
        }
        assert_eq!((webhook.name.as_str(), webhook.url.as_str(), webhook.active), ("builds", RECEIVER, true));
        assert_eq!((&webhook.headers, webhook.events.as_slice()), (&headers, &["deployment.build.created".into()][..]));
        self.no_creation_is_open(world, &object, webhook, untouched);
        // And there it rests.
        world.sim.clear_calls();
        world.pass("builds").await;
        assert_writes(world, &[]);
    }

    /// What is left of the intent to create speaks of a creation that has ended, and of what was there before it.
    fn no_creation_is_open(self, world: &World, object: &ProjectWebhook, webhook: &Webhook, untouched: &[Webhook]) {
        let left = object.annotations().get(CREATING);
        if matches!(self, Self::Adoption | Self::AdoptionOfEqual) {
            assert_eq!(left, None, "nothing was created");
            return;
        }
        let creating = Creating::parse(left.expect("something was created")).expect("it can be read");
        let own = Some(webhook.id.parse().unwrap());
        let intent = Intent { held: true, creating: Some(creating.clone()) };
        assert!(!intent.is_open(own) && creating.generation <= object.metadata.generation.unwrap(), "{creating:?}");
        let replaces = matches!(self, Self::Replacement | Self::ReplacementMasked);
        assert_eq!((creating.replaces, creating.after.is_some()), (replaces, replaces), "{creating:?}");
        let before = untouched.iter().map(|webhook| webhook.id.parse().unwrap()).chain(creating.after);
        assert_eq!(creating.candidates, before.collect(), "what was there before");
        let old = creating.after.map(|old| old.to_string());
        assert!(world.remote().iter().all(|webhook| Some(&webhook.id) != old.as_ref()), "the old one is deleted");
    }

    async fn gone(self, world: &World) {
        world.wait_gone("builds").await;
        let left = world.remote();
        let marked = left.iter().filter(|webhook| webhook.headers.contains_key(MARKER)).count();
        match self {
            Self::Orphaning => assert_eq!((left.len(), marked), (1, 0), "{left:#?}"),
            Self::DeletionOfUnrecordedMasked => assert_eq!((left.len(), marked), (1, 1), "{left:#?}"),
            _ => assert_eq!(left, []),
        }
        assert_all_are_named_as_orphans(world).await;
        let is_released = |connection: Option<&Connection>| connection.is_none_or(|c| c.finalizers().is_empty());
        let released = kube::runtime::wait::await_condition(connections(world), "app-maker", is_released);
        let connection = tokio::time::timeout(crate::support::DEADLINE, released).await.expect("it is released");
        assert_eq!(connection.unwrap().is_none(), self == Self::DeletionOfAll);
    }
}

/// Each webhook of the remote is named by a Warning.
pub async fn assert_all_are_named_as_orphans(world: &World) {
    for webhook in world.remote() {
        let names_it = |event: &Event| {
            let orphaned = (event.type_.as_deref(), event.reason.as_deref()) == (Some("Warning"), Some("Orphaned"));
            orphaned && event.note.as_ref().is_some_and(|note| note.contains(&webhook.id))
        };
        world.wait_event("builds", &format!("a Warning that names {}", webhook.id), names_it).await;
    }
}

/// Nothing of the connection is left to be written.
async fn stop_once_connection_is_held(world: &mut World) {
    let is_held = |connection: &Connection| {
        let conditions = connection.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        let ready = condition(conditions, "Ready").is_some_and(|ready| ready.status == "True");
        ready && connection.finalizers() == [FINALIZER]
    };
    world.wait_for(connections(world), "app-maker", "Ready and held", is_held).await;
    world.kill_operator();
}

fn connections(world: &World) -> Api<Connection> {
    Api::namespaced(world.client.clone(), &world.namespace)
}

/// Asks for a pass, whose status has to echo that: it may be the same otherwise.
async fn ask(world: &World, round: usize) {
    world.annotate("builds", "hookwright.dev/reconcile-requested-at", &round.to_string()).await;
}

/// A webhook as the object wants it.
fn lookalike() -> NewWebhook {
    NewWebhook::new("builds", RECEIVER).header("X-A", "1")
}

/// The same, with the marker of the object.
fn ours(world: &World) -> NewWebhook {
    lookalike().header(MARKER, world.marker("builds"))
}
