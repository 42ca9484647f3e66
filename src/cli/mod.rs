//! The command line: one file a subcommand.

mod check;
mod crds;
mod run;

use std::ffi::{OsStr, OsString};

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
        Self::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
    }

    /// Does what was asked for.
    ///
    /// # Errors
    /// What went wrong, in words for the one who called.
    pub fn dispatch(self) -> anyhow::Result<()> {
        match self.command {
            Command::Run(options) => run::run(*options),
            Command::Check(options) => check::check(&options),
            Command::Crds(options) => crds::crds(&options),
        }
    }
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
