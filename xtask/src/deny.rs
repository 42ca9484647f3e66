//! Licences, sources and known flaws of the dependencies, by cargo-deny.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::{cargo, dirs, process};

/// Pinned, because a newer one may judge the same tree differently.
const VERSION: &str = "0.20.2";

/// A first fetch brings a whole repository; an unreachable one may answer nothing at all.
const FETCH_LIMIT: Duration = Duration::from_secs(120);

/// Checks everything. Returns a remark where a part could not be checked.
pub async fn check() -> Result<Option<String>> {
    let program = installed().await?;
    let deny = |args: &[&str]| {
        let mut command = Command::new(&program);
        command.arg("--locked").args(args).current_dir(dirs::root());
        command
    };
    process::run("cargo deny", &mut deny(&["check", "--hide-inclusion-graph", "licenses", "bans", "sources"])).await?;

    let mut fetch = deny(&["--log-level", "error", "fetch", "db"]);
    let fetched = tokio::time::timeout(FETCH_LIMIT, process::output("cargo deny fetch", &mut fetch)).await;
    let why = match fetched.context("no answer").flatten() {
        Ok(_) => {
            process::run("cargo deny", &mut deny(&["check", "--disable-fetch", "advisories"])).await?;
            return Ok(None);
        }
        Err(why) => why,
    };
    println!("{why:#}");
    println!("advisories: not checked, database unreachable");
    Ok(Some("advisories: not checked, database unreachable".into()))
}

/// The pinned cargo-deny: the one from PATH if it is that version, else our own in the cache.
async fn installed() -> Result<PathBuf> {
    let root = dirs::cache()?.join("tools").join(format!("cargo-deny-{VERSION}"));
    let own = root.join("bin/cargo-deny");
    if own.is_file() {
        return Ok(own);
    }
    if let Some(found) = dirs::on_path("cargo-deny") {
        let version = process::output("cargo-deny", Command::new(&found).arg("--version")).await?;
        if version.trim().ends_with(&format!(" {VERSION}")) {
            return Ok(found);
        }
    }
    println!("installing cargo-deny {VERSION} into {}: about 4 minutes on 2 cores, once", root.display());
    // `cargo install` moves the program into place when it is complete, so an interrupted one is simply done again.
    let mut install = cargo::command(["install", "cargo-deny", "--version", VERSION, "--locked", "--root"]);
    cargo::run_command(install.arg(&root)).await?;
    Ok(own)
}
