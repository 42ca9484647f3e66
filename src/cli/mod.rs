//! The command line: one file a subcommand.

mod crds;
mod run;

use clap::{Parser, Subcommand};

/// Keeps webhook registrations on remote services as declared in Git.
#[derive(Debug, Parser)]
#[command(name = "hookwright", version, about, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the operator, in a cluster or with KUBECONFIG.
    Run(Box<run::Options>),
    /// Prints the CustomResourceDefinitions as YAML, or writes them as one file each.
    Crds(crds::Options),
}

impl Cli {
    /// Does what was asked for.
    ///
    /// # Errors
    /// What went wrong, in words for the one who called.
    pub fn dispatch(self) -> anyhow::Result<()> {
        match self.command {
            Command::Run(options) => run::run(*options),
            Command::Crds(options) => crds::crds(&options),
        }
    }
}
