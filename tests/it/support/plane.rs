//! A control plane of a test's own, for what the shared ones must not go through.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::cluster::{asset, random};

/// A running control plane. It stops when its standard input ends, which it does however this process ends.
pub struct Plane {
    pub kubeconfig: PathBuf,
    launcher: Child,
    commands: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
    scratch: Scratch,
}

impl Plane {
    /// Starts one, and returns when it is ready.
    pub async fn start() -> Self {
        let scratch = Scratch(std::env::temp_dir().join(random("hookwright-plane")));
        std::fs::create_dir(&scratch.0).unwrap();
        let kubeconfig = scratch.0.join("kubeconfig");
        let program =
            std::env::var_os("HOOKWRIGHT_TEST_LAUNCHER").expect("HOOKWRIGHT_TEST_LAUNCHER: run `cargo xtask test`");
        let mut command = Command::new(program);
        command.arg("up").arg("--assets").arg(asset("etcd").parent().unwrap());
        command.arg("--kubeconfig").arg(&kubeconfig).arg("--data").arg(scratch.0.join("data"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut launcher = command.spawn().expect("the launcher can be started");
        let commands = launcher.stdin.take();
        let answers = BufReader::new(launcher.stdout.take().expect("stdout is a pipe")).lines();
        let mut plane = Self { kubeconfig, launcher, commands, answers, scratch };
        assert_eq!(plane.answer().await, "ready");
        plane
    }

    async fn answer(&mut self) -> String {
        self.answers.next_line().await.expect("its output can be read").unwrap_or_else(|| "it has ended".into())
    }

    /// SIGKILLs `etcd` or `kube-apiserver`, starts it again with the same data, and returns when the API server is ready.
    #[allow(dead_code, reason = "the soak restarts them, which shares this room")]
    pub async fn restart(&mut self, component: &str) {
        let commands = self.commands.as_mut().expect("it is open until the stop");
        commands.write_all(format!("restart {component}\n").as_bytes()).await.expect("the launcher reads");
        assert_eq!(self.answer().await, "ok", "restart of {component}");
    }

    /// Stops it, and returns when all of it has ended.
    pub async fn stop(mut self) {
        self.end().await;
    }

    /// Stops it; what its API server kept of the requests of service accounts, a JSON object a line.
    #[allow(dead_code, reason = "the tests of the chart read it, which share this room")]
    pub async fn stop_and_audit(mut self) -> String {
        self.end().await;
        std::fs::read_to_string(self.scratch.0.join("data/audit.log")).expect("it was made with the first request")
    }

    async fn end(&mut self) {
        drop(self.commands.take());
        self.launcher.wait().await.expect("the launcher is our child");
    }
}

/// A directory that goes with the value.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
