//! The command line: one file a subcommand.

mod check;
mod completions;
mod crds;
mod import;
mod outlook;
mod plan;
mod rules;
mod run;
mod talk;

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::{Arg, CommandFactory, FromArgMatches, Parser, Subcommand};

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
    /// Asks an operator whether it is well, and fails if it is not.
    Check(check::Options),
    /// Writes manifests that take over what a remote holds already, without a change there.
    Import(Box<import::Options>),
    /// Tells what would happen at the remotes, were manifests applied, and changes nothing. Exits with 0 if nothing would, with
    /// 2 if something would, and with 1 on an error.
    Plan(Box<plan::Options>),
    /// Prints what a shell needs to complete these commands.
    Completions(completions::Options),
    /// Prints the CustomResourceDefinitions as YAML, or writes them as one file each.
    Crds(crds::Options),
}

impl Cli {
    /// Reads the command line and the environment, and ends the process where they can't be read. A variable that is set
    /// and empty is as one that is not set: that is how templates leave one out.
    #[must_use]
    pub fn read() -> Self {
        let set = |name: &OsStr| std::env::var_os(name);
        let command = Self::command().mut_subcommands(|command| command.mut_args(|arg| unless_empty(arg, &set)));
        let read = command.try_get_matches().and_then(|matches| Self::from_arg_matches(&matches));
        read.unwrap_or_else(|error| misread(&error))
    }

    /// Does what was asked for.
    ///
    /// # Errors
    /// What went wrong, in words for the one who called.
    pub fn dispatch(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Run(options) => run::run(*options)?,
            Command::Check(options) => check::check(&options)?,
            Command::Import(options) => return import::import(*options),
            Command::Plan(options) => return plan::plan(*options),
            Command::Completions(options) => completions::completions(&options)?,
            Command::Crds(options) => crds::crds(&options)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Says what is wrong with the command line, or what was asked for of it. What clap exits with, 2, would be changes to who asks
/// for a plan.
fn misread(error: &clap::Error) -> ! {
    let asks_for_plan = std::env::args_os().nth(1).is_some_and(|command| command == "plan");
    if asks_for_plan && error.use_stderr() {
        // Where that can't be written, nobody reads it.
        let _ = error.print();
        std::process::exit(1);
    }
    error.exit()
}

/// The flag without its variable, if that is set to nothing.
fn unless_empty(arg: Arg, set: &impl Fn(&OsStr) -> Option<OsString>) -> Arg {
    let empty = arg.get_env().and_then(set).is_some_and(|value| value.is_empty());
    if empty { arg.env(None::<&'static str>) } else { arg }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn each_visible_flag_of_run_can_be_given_by_environment_under_its_own_name() {
        let command = Cli::command();
        let run = command.find_subcommand("run").unwrap();
        let flags: Vec<_> =
            run.get_arguments().filter(|arg| !arg.is_hide_set() && arg.get_long() != Some("help")).collect();
        assert!(flags.len() > 10, "{flags:?}");
        for flag in flags {
            let long = flag.get_long().unwrap();
            if long == "version" {
                continue;
            }
            let variable = format!("HOOKWRIGHT_{}", long.replace('-', "_").to_uppercase());
            assert_eq!(flag.get_env(), Some(OsStr::new(&variable)), "--{long}");
        }
    }

    #[test]
    fn an_empty_variable_is_as_none() {
        let arg = || Arg::new("it").long("it").env("HOOKWRIGHT_IT");
        let with = |value: Option<&'static str>| unless_empty(arg(), &|_: &OsStr| value.map(OsString::from));
        assert_eq!(with(Some("")).get_env(), None);
        assert_eq!(with(Some("a")).get_env(), Some(OsStr::new("HOOKWRIGHT_IT")));
        assert_eq!(with(None).get_env(), Some(OsStr::new("HOOKWRIGHT_IT")));
    }
}
