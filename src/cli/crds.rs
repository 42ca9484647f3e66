//! `hookwright crds`: what `crds/` holds.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::api::crd_documents;

/// Where to.
#[derive(Debug, Args)]
pub struct Options {
    /// Directory to write one file per kind into, named by its plural; standard output without it.
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
}

pub fn crds(options: &Options) -> anyhow::Result<()> {
    let documents = crd_documents()?;
    let Some(directory) = &options.output_dir else {
        let mut out = std::io::stdout().lock();
        for (_, yaml) in documents {
            write!(out, "---\n{yaml}").context("standard output can't be written to")?;
        }
        return Ok(());
    };
    std::fs::create_dir_all(directory).with_context(|| format!("{} can't be created", directory.display()))?;
    for (plural, yaml) in documents {
        let path = directory.join(format!("{plural}.yaml"));
        std::fs::write(&path, yaml).with_context(|| format!("{} can't be written", path.display()))?;
    }
    Ok(())
}
