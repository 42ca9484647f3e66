//! `hookwright completions`: what a shell needs to complete our words.

use std::io::Write as _;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::Cli;

/// For which shell.
#[derive(Debug, Args)]
pub struct Options {
    /// The shell.
    shell: Shell,
}

pub fn completions(options: &Options) -> anyhow::Result<()> {
    let mut script = vec![];
    clap_complete::generate(options.shell, &mut Cli::command(), "hookwright", &mut script);
    std::io::stdout().lock().write_all(&script).context("standard output can't be written to")
}
