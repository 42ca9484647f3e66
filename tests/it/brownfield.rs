//! What was there before the operator, taken over: `hookwright import`, `hookwright plan`, and the way from one to the other.

mod completions;
mod import;
mod plan;
mod tasks;

use std::path::PathBuf;
use std::process::{Output, Stdio};

use tokio::io::AsyncWriteExt;

use crate::support::{World, random};

/// What a command exited with and said.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self { code: output.status.code().unwrap(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// It went well, and this is its result.
    #[track_caller]
    fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        self
    }

    /// The lines of standard error that hold this.
    fn lines(&self, part: &str) -> Vec<&str> {
        self.err.lines().filter(|line| line.contains(part)).collect()
    }
}

/// Runs the program beside the world's operator, with the same rules, and with this on its standard input.
async fn hookwright_with(world: &World, args: &[&str], input: &str) -> Said {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_hookwright"));
    command.args(args).env("KUBECONFIG", &world.operator_setup.kubeconfig).env("RUST_LOG", "trace");
    if let [command_name, ..] = args
        && ["import", "plan"].contains(command_name)
    {
        command.args(["--allowed-endpoint", "http://127.0.0.1:*,https://127.0.0.1:*"]);
        command.args(["--cluster-id", &world.namespace, "--operator-namespace", &world.namespace]);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    // One that reads nothing may have ended by now.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    Said::of(&child.wait_with_output().await.expect("the program ends"))
}

async fn hookwright(world: &World, args: &[&str]) -> Said {
    hookwright_with(world, args, "").await
}

/// Imports the webhooks of the world's project through Connection `app-maker`.
async fn import(world: &World, more: &[&str]) -> Said {
    let connection = format!("{}/app-maker", world.namespace);
    let project = [&*connection, "--organization", &world.project.organization, "--project", &world.project.id];
    hookwright(world, &[&["import", "--connection"], &project[..], more].concat()).await
}

/// Plans manifests in the world's namespace.
async fn plan(world: &World, manifests: &str, more: &[&str]) -> Said {
    hookwright_with(world, &[&["plan", "-f", "-", "-n", &world.namespace], more].concat(), manifests).await
}

/// Applies manifests as people do.
async fn kubectl_apply(world: &World, yaml: &str) {
    let scratch = Scratch::new();
    let path = scratch.0.join("all.yaml");
    std::fs::write(&path, yaml).unwrap();
    let applied = world.kubectl(&["apply", "-f", path.to_str().unwrap()]).await;
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
}

/// A directory that goes with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(random("brownfield"));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
