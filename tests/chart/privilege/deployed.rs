//! A release on a control plane of its own, and the operators of its Deployment. There is no kubelet, so these processes are
//! started here.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Container;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::ListParams;
use kube::runtime::wait::{await_condition, conditions};
use serde_json::{Value, json};

use super::Exceptions;
use super::audit::{Log, granted};
use crate::helm::release;
use crate::support::account::Account;
use crate::support::{DEADLINE, Operator, OperatorSetup, Plane, World, merge};

/// The namespace with everything that the journeys are about.
pub const SERVED: &str = "shop";
/// The operator's.
const OWN: &str = "hw";

/// See the module.
pub struct Deployed {
    /// Its operator is the one that leads.
    pub world: World,
    standby: Operator,
    setup: OperatorSetup,
    started: u32,
    user: String,
    plane: Plane,
    _account: Account,
}

impl Deployed {
    /// Installs the chart with these values, and starts two operators.
    pub async fn install(more: Value) -> Self {
        let plane = Plane::start().await;
        let world = World::on(&plane.kubeconfig, SERVED).await;
        // What the journeys need of a cluster whose remote is on this machine. Nothing periodic, so that it is by its watches
        // that the operator knows what it knows, and a lease that can be waited for.
        let mut values = json!({
            "allowedEndpoints": ["http://127.0.0.1:*", "https://127.0.0.1:*"],
            "resyncInterval": "1h",
            "settleTime": "2s",
            "leaderElection": { "leaseDuration": "10s" },
        });
        merge(&mut values, more);
        let (installed, said) = release(&plane.kubeconfig, "install", Some(values), &["--create-namespace"]);
        assert!(installed, "helm install: {said}");
        established(&world).await;

        let deployments = Api::<Deployment>::namespaced(world.client.clone(), OWN);
        let pod = deployments.get("hookwright").await.unwrap().spec.unwrap().template.spec.unwrap();
        let name = pod.service_account_name.expect("a ServiceAccount of its own");
        let account = Account::of(&world.client, &plane.kubeconfig, OWN, &name).await;
        let [container] = &pod.containers[..] else { panic!("one container: {:?}", pod.containers) };
        let setup = as_a_kubelet_would(container, &account);
        let user = format!("system:serviceaccount:{OWN}:{name}");
        let [leader, standby] = [1, 2].map(|number| start(&setup, number));
        let mut deployed = Self { world, standby, setup, started: 2, user, plane, _account: account };
        deployed.world.operator = Some(leader);
        if !deployed.first_leads().await {
            let leader = deployed.world.operator.take().expect("it was put there");
            deployed.world.operator = Some(std::mem::replace(&mut deployed.standby, leader));
        }
        deployed.world.app_maker().await;
        deployed
    }

    /// Whether it is the first of the two that leads; waits until one does and the other stands by.
    async fn first_leads(&self) -> bool {
        let begin = std::time::Instant::now();
        loop {
            for (leader, other, first) in
                [(self.world.operator(), &self.standby, true), (&self.standby, self.world.operator(), false)]
            {
                if leads(leader).await && other.get("/readyz").await.1.contains("standing by: ") {
                    return first;
                }
            }
            assert!(begin.elapsed() < DEADLINE, "none of the two leads");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// The leader is killed, and the other one leads when this returns. A new one is started, as a ReplicaSet has it done.
    pub async fn kill_leader(&mut self) {
        self.world.kill_operator();
        self.started += 1;
        let next = start(&self.setup, self.started);
        let leader = std::mem::replace(&mut self.standby, next);
        leader.wait_served("/metrics", "it leads", |_, text| text.contains(LEADS)).await;
        self.world.operator = Some(leader);
    }

    /// Stops everything; what the operators asked of the API server.
    pub async fn stop(mut self) -> Log {
        let leader = self.world.operator.as_mut().expect("one leads");
        // As a kubelet does; the one that stands by first, so that it does not come to lead.
        for operator in [&mut self.standby, leader] {
            let ended = operator.terminate().await;
            assert!(ended.success(), "{ended}: {}", operator.log());
        }
        // All of it is written when the API server has ended.
        Log::of(&self.user, &self.plane.stop_and_audit().await)
    }

    /// Stops everything. No request was refused, and each right was used, but for the exceptions.
    pub async fn stop_and_judge(self, exceptions: Exceptions<'_>) {
        let granted = granted(&self.world.client).await;
        let log = self.stop().await;
        assert_eq!(log.refused(), Vec::<String>::new(), "what was refused");
        let unused = granted.iter().filter(|right| !log.uses(right)).map(ToString::to_string);
        let excepted = exceptions.iter().map(|(right, _)| (*right).to_owned());
        assert_eq!(unused.collect::<BTreeSet<_>>(), excepted.collect(), "what was not used, and what is said of that");
    }
}

const LEADS: &str = "\nhookwright_leader 1\n";

async fn leads(operator: &Operator) -> bool {
    operator.get("/metrics").await.1.contains(LEADS)
}

/// The definitions of the release are served.
async fn established(world: &World) {
    let crds = Api::<CustomResourceDefinition>::all(world.client.clone());
    for crd in crds.list(&ListParams::default()).await.unwrap() {
        let name = crd.metadata.name.unwrap();
        let served = await_condition(crds.clone(), &name, conditions::is_crd_established());
        tokio::time::timeout(DEADLINE, served).await.expect("it is established in time").expect("a watch");
    }
}

fn start(setup: &OperatorSetup, number: u32) -> Operator {
    let mut setup = setup.clone();
    setup.env.push(("HOSTNAME".into(), format!("hookwright-{number}")));
    Operator::start(&setup)
}

/// How a kubelet would start the container, but for two things that would be the pod's own: the port, which is any free
/// one here, because all of them share a host; and token and address of the API server, which are in a kubeconfig here and
/// not mounted. The pod's name becomes HOSTNAME, as it does there.
fn as_a_kubelet_would(container: &Container, account: &Account) -> OperatorSetup {
    let mut args = container.args.clone().expect("arguments");
    assert_eq!(args.remove(0), "run");
    let address = args.iter_mut().find(|arg| arg.starts_with("--http-addr=")).expect("an address");
    *address = "--http-addr=127.0.0.1:0".into();
    let env = container.env.iter().flatten().map(|variable| {
        assert_eq!(variable.value_from, None, "{}: nobody here knows what a kubelet would put there", variable.name);
        (variable.name.clone(), variable.value.clone().unwrap_or_default())
    });
    OperatorSetup { args, env: env.collect(), ..OperatorSetup::new(account.kubeconfig.clone()) }
}
