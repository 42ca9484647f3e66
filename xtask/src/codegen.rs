//! `cargo xtask codegen`: the files that are generated and committed. A test fails when they are stale.

use anyhow::Result;

use crate::cargo;

/// Writes `crds/` again from the Rust types.
pub async fn run() -> Result<()> {
    cargo::run(["run", "--quiet", "--bin", "hookwright", "--", "crds", "--output-dir", "crds"]).await
}
