//! Calling cargo from a program that cargo runs.

use std::{ffi::OsStr, process::Stdio};

use anyhow::Result;
use tokio::process::Command;

use crate::{dirs, process};

/// A cargo call in the repository.
pub fn command<I: IntoIterator<Item: AsRef<OsStr>>>(args: I) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(dirs::root()).stdin(Stdio::null());
    // `cargo run` describes this package to us in variables. Build scripts that watch them (ring's does) would see them
    // change between this call and one typed in a shell, and compile everything above them again each time.
    for (name, _) in std::env::vars_os() {
        let leaked = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
        if name.to_str().is_some_and(|name| leaked.iter().any(|prefix| name.starts_with(prefix))) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs cargo with its output shown.
pub async fn run<I: IntoIterator<Item: AsRef<OsStr>>>(args: I) -> Result<()> {
    run_command(&mut command(args)).await
}

/// Runs a prepared cargo call with its output shown.
pub async fn run_command(command: &mut Command) -> Result<()> {
    let args: Vec<_> = command.as_std().get_args().map(|arg| arg.to_string_lossy().into_owned()).collect();
    process::run(&format!("cargo {}", args.join(" ")), command).await
}

/// Builds the operator and the simulator, which `demo` and the tests run as programs.
pub async fn build_binaries() -> Result<()> {
    run(["build", "--locked", "--workspace", "--bins"]).await
}
