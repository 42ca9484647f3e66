//! The static program: glibc's, linked with `crt-static`.
//!
//! Not musl's: jemalloc has no background thread there (tikv-jemalloc-sys switches it off for musl), and without that thread
//! the memory of a burst stays with the operator at rest (`.cargo/config.toml`, docs/performance.md). What is said against
//! glibc, that its static programs load libraries to resolve names, is over since 2.34 for files and DNS; `tests/image`
//! resolves names in an image that has no library.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::{cargo, dirs};

/// The machine's, by the name that OCI has for it.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Builds it as it is released, and returns where it is.
pub async fn build() -> Result<PathBuf> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let root = dirs::root();
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home =
        home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo"))).context("there is no CARGO_HOME")?;
    let flags = [
        "-Ctarget-feature=+crt-static".to_owned(),
        // Panics name their source: where that lay on this machine is nobody's business, and would make each clone's
        // program another one.
        format!("--remap-path-prefix={}=/cargo", home.display()),
        format!("--remap-path-prefix={}=/hookwright", root.display()),
    ];
    let mut command =
        cargo::command(["build", "--locked", "--release", "--package", "hookwright", "--bin", "hookwright"]);
    // With a target of its own the flags are not build scripts' and macros' too, and nothing else is compiled again.
    command.args(["--target", &target]).env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    if cfg!(target_arch = "aarch64") {
        // Where the kernel has larger pages than jemalloc was built for, it ends the program at once; 64 KiB is the largest.
        command.env("JEMALLOC_SYS_WITH_LG_PAGE", "16");
    }
    cargo::run_command(&mut command).await?;
    let directory = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(directory.join(target).join("release/hookwright"))
}
