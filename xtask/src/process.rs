//! A child process that can't be left behind.

use std::{
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

/// A started program, in a process group of its own, so that stopping it reaches whatever it has started in turn, and
/// Ctrl-C in the terminal reaches this program first, which then stops them in order.
pub struct Process {
    name: String,
    child: Child,
    group: Option<Pid>,
    grace: Duration,
}

impl Process {
    /// Starts a program that gets `grace` between SIGTERM and SIGKILL when its time has come.
    pub fn spawn(name: &str, command: &mut Command, grace: Duration) -> Result<Self> {
        let child = command.process_group(0).kill_on_drop(true).spawn().with_context(|| format!("starting {name}"))?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        Ok(Self { name: name.to_owned(), child, group, grace })
    }

    /// The standard streams that were asked for as pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits until the program ends by itself.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        self.child.wait().await.with_context(|| format!("waiting for {}", self.name))
    }

    /// Fails if the program has ended although it should still run.
    pub fn still_running(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("{} has ended unexpectedly: {status}", self.name),
            None => Ok(()),
        }
    }

    /// Asks the group to end and waits for the program, then kills what is left. Blocks, also in `drop`.
    pub fn stop(&mut self) -> Option<ExitStatus> {
        let group = self.group.take()?;
        let mut status = self.child.try_wait().ok().flatten();
        if status.is_none() {
            let _ = kill_process_group(group, Signal::TERM);
            let deadline = Instant::now() + self.grace;
            while status.is_none() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(20));
                status = self.child.try_wait().ok().flatten();
            }
        }
        // Whatever the program itself has left behind in its group; usually nobody, and then this fails harmlessly.
        let _ = kill_process_group(group, Signal::KILL);
        while status.is_none() {
            std::thread::sleep(Duration::from_millis(20));
            status = self.child.try_wait().ok().flatten();
        }
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Runs a program to its end, its output going where ours goes. Anything but exit code 0 is an error.
pub async fn run(name: &str, command: &mut Command) -> Result<()> {
    // No input: a background process group that reads from the terminal would be stopped by it.
    let mut process = Process::spawn(name, command.stdin(Stdio::null()), Duration::from_secs(10))?;
    let status = process.wait().await?;
    if status.success() { Ok(()) } else { bail!("{name} failed: {status}") }
}

/// Runs a program to its end and returns what it printed on stdout. An error carries what it said on stderr.
pub async fn output(name: &str, command: &mut Command) -> Result<String> {
    output_with_input(name, command, "").await
}

/// The same with text for the program's stdin.
pub async fn output_with_input(name: &str, command: &mut Command, input: &str) -> Result<String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = Process::spawn(name, command, Duration::from_secs(2))?;
    let pipes = process.child();
    let (Some(mut stdin), Some(mut stdout), Some(mut stderr)) =
        (pipes.stdin.take(), pipes.stdout.take(), pipes.stderr.take())
    else {
        bail!("{name} has no pipes")
    };
    let write = async move {
        // A program that doesn't want its input closes the pipe; its exit code says what matters.
        let _ = stdin.write_all(input.as_bytes()).await;
    };
    let (mut out, mut err) = (String::new(), String::new());
    let ((), read_out, read_err) =
        tokio::join!(write, stdout.read_to_string(&mut out), stderr.read_to_string(&mut err));
    read_out?;
    read_err?;
    let status = process.wait().await?;
    if status.success() { Ok(out) } else { bail!("{name} failed: {status}: {}", err.trim()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn stopping_a_process_stops_what_it_has_started() -> Result<()> {
        let mut command = shell("sleep 1000 & echo $!; wait");
        let mut process = Process::spawn("sh", command.stdout(Stdio::piped()), Duration::from_secs(5))?;
        let mut line = String::new();
        let stdout = process.child().stdout.take().context("a pipe")?;
        tokio::io::AsyncBufReadExt::read_line(&mut tokio::io::BufReader::new(stdout), &mut line).await?;
        let grandchild = Pid::from_raw(line.trim().parse()?).context("a pid")?;
        drop(process);
        let gone = async {
            while rustix::process::test_kill_process(grandchild).is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), gone).await.context("the grandchild still runs")
    }

    #[tokio::test]
    async fn a_process_that_ignores_the_signal_is_killed() -> Result<()> {
        let mut command = shell("trap '' TERM; while :; do sleep 0.05; done");
        let mut process = Process::spawn("sh", &mut command, Duration::from_millis(200))?;
        let begin = Instant::now();
        assert!(process.stop().is_some_and(|status| !status.success()));
        assert!(begin.elapsed() < Duration::from_secs(5));
        Ok(())
    }

    #[tokio::test]
    async fn a_failure_carries_what_the_program_said() -> Result<()> {
        let outcome = output("sh", &mut shell("echo wrong turn >&2; exit 3")).await;
        let Err(error) = outcome else { bail!("it succeeded") };
        assert_eq!(error.to_string(), "sh failed: exit status: 3: wrong turn");
        assert_eq!(output_with_input("cat", &mut Command::new("cat"), "text").await?, "text");
        Ok(())
    }
}
