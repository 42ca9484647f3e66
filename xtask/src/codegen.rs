//! `cargo xtask codegen`: the files that are generated and committed. Tests fail when they are stale.

mod chart;
mod values;

use anyhow::{Context, Result};

use crate::{cargo, dirs};

/// Writes `crds/` again from the Rust types, then what of the chart is made from `crds/` and from its values.
pub async fn run() -> Result<()> {
    cargo::run(["run", "--quiet", "--bin", "hookwright", "--", "crds", "--output-dir", "crds"]).await?;
    let root = dirs::root();
    for (path, text) in chart::files(&root)? {
        std::fs::write(root.join(&path), text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}
