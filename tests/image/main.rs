//! The image, run as a container runtime runs it: unpacked from its archive, on a read-only root, as the user and by the
//! entrypoint that its configuration names, with what runtime and kubelet add (`/proc`, `/dev`, `/etc/hosts`,
//! `/etc/resolv.conf`).
//! It mounts and changes user, so it needs root; `cargo xtask test` says where it was not run.
//!
//! | room | holds |
//! |---|---|
//! | `container` | the unpacked archive, and programs in it |
//! | `dns` | a name server, so that names are resolved as in a cluster |
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that unwraps fails, which is what it should do")]
#![allow(clippy::print_stderr, reason = "a failed test tells what the operator logged")]
#![allow(missing_docs, reason = "the names of tests are sentences")]

mod container;
mod dns;
#[path = "../it/support/mod.rs"]
#[allow(dead_code, reason = "the image needs a part of what all tests stand on")]
mod support;

use serde_json::json;

use self::container::{Container, ROOTS};
use self::dns::NameServer;
use self::support::{Operator, OperatorSetup, World, message};

#[tokio::test]
#[ignore = "needs root, and the archive that cargo xtask image makes"]
async fn the_program_says_its_version_and_its_flags_and_has_its_allocator() {
    let container = Container::unpack("");
    let version = container.output(&["--version"], "");
    assert_eq!(version, format!("hookwright {}\n", env!("CARGO_PKG_VERSION")));
    assert!(container.output(&["run", "--help"], "").contains("--leader-elect"));
    // jemalloc writes what it is set to when the program ends; on standard error, as all that it says.
    let allocator = container.output(&["--version"], "stats_print:true");
    for setting in
        ["opt.background_thread: true", "opt.narenas: 2", "opt.dirty_decay_ms: 1000", "opt.muzzy_decay_ms: 0"]
    {
        assert!(allocator.contains(setting), "{setting} is not in\n{allocator}");
    }
}

#[tokio::test]
#[ignore = "needs root, and the archive that cargo xtask image makes"]
async fn it_runs_as_its_user_on_a_read_only_root_and_resolves_names_as_pods_do() {
    let names = NameServer::start("app-maker.remote.test").await;
    let world =
        World::with(|setup| setup.no_operator().no_connection().flag("--allowed-endpoint", "http://*.remote.test:*"))
            .await;
    let container = Container::unpack(&names.resolv_conf());
    let operator = Operator::start(&container.setup(&world));
    operator.address().await;
    let status = operator.proc("status");
    for line in ["Uid:\t65532\t65532\t65532\t65532", "Gid:\t65532\t65532\t65532\t65532", "CapEff:\t0000000000000000"] {
        assert!(status.contains(line), "{line} is not in\n{status}");
    }
    let mounts = operator.proc("mountinfo");
    let root = mounts.lines().find(|line| line.split(' ').nth(4) == Some("/")).expect("a root");
    assert!(root.split(' ').nth(5).unwrap().split(',').any(|option| option == "ro"), "{root}");

    let endpoint = world.sim.http_endpoint().replace("127.0.0.1", "app-maker.remote.test");
    world.connection("app-maker", json!({ "appMaker": { "endpoint": endpoint } })).await;
    world.secret("app-maker", &[("token", support::TOKEN)]).await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    assert!(names.was_asked(), "it is by the name server that the name was found");
}

#[tokio::test]
#[ignore = "needs root, and the archive that cargo xtask image makes"]
async fn it_trusts_the_authorities_of_its_bundle_and_no_others() {
    let mut world =
        World::with(|setup| setup.no_operator().no_connection().flag("--allowed-endpoint", "https://localhost:*"))
            .await;
    world.secret("app-maker", &[("token", support::TOKEN)]).await;
    // `localhost` is in /etc/hosts.
    let endpoint = world.sim.https_endpoint().replace("127.0.0.1", "localhost");
    world.connection("app-maker", json!({ "appMaker": { "endpoint": endpoint } })).await;
    world.webhook("builds", json!({})).await;

    let as_shipped = Container::unpack("");
    assert!(as_shipped.read(ROOTS).matches("BEGIN CERTIFICATE").count() > 100);
    world.operator = Some(Operator::start(&as_shipped.setup(&world)));
    let refused = world.wait_reason("builds", "RemoteUnavailable").await;
    assert!(message(&refused).contains("signed by an unknown authority"), "{}", message(&refused));
    world.kill_operator();

    let with_ours = Container::unpack("");
    with_ours.append(ROOTS, world.sim.ca_pem());
    world.operator = Some(Operator::start(&with_ours.setup(&world)));
    world.wait_ready("builds").await;
}

impl Container {
    /// How an operator of the image is started for a world.
    fn setup(&self, world: &World) -> OperatorSetup {
        let usual = &world.operator_setup;
        // The API server by a name too.
        let kubeconfig =
            std::fs::read_to_string(&usual.kubeconfig).unwrap().replace("https://127.0.0.1:", "https://localhost:");
        self.add("kubeconfig", &kubeconfig);
        OperatorSetup { program: self.command(), ..usual.clone() }
    }
}
