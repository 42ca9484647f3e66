//! The operator as a process: the very program that is shipped, in a debug build.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tokio::sync::watch;

use super::http;
use super::wait::DEADLINE;

/// How an operator is started.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The program, and what it is told before `run`.
    pub program: Vec<OsString>,
    pub kubeconfig: PathBuf,
    /// Everything after `run`.
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
}

impl Setup {
    /// The program of this build, with nothing said but where its cluster is.
    pub fn new(kubeconfig: PathBuf) -> Self {
        let program = vec![env!("CARGO_BIN_EXE_hookwright").into()];
        Self { program, kubeconfig, args: vec![], env: vec![] }
    }
}

/// What it logged so far, and where it serves.
#[derive(Default)]
struct Heard {
    log: Mutex<String>,
    address: watch::Sender<Option<SocketAddr>>,
}

/// A running operator. It is killed when this is dropped.
pub struct Operator {
    child: Child,
    heard: Arc<Heard>,
    listeners: Vec<JoinHandle<()>>,
}

impl Operator {
    /// Starts one. It stays in the process group of the tests, so that Ctrl-C ends it as well.
    pub fn start(setup: &Setup) -> Self {
        let (program, before) = setup.program.split_first().expect("a program");
        let mut command = Command::new(program);
        command.args(before).arg("run").args(&setup.args).env("KUBECONFIG", &setup.kubeconfig).env_remove("RUST_LOG");
        command.envs(setup.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the operator can be started");
        let heard = Arc::new(Heard::default());
        let stdout = child.stdout.take().expect("stdout is a pipe");
        let stderr = child.stderr.take().expect("stderr is a pipe");
        let listeners = vec![listen(stdout, Arc::clone(&heard)), listen(stderr, Arc::clone(&heard))];
        Self { child, heard, listeners }
    }

    /// Its standard output and error so far.
    pub fn log(&self) -> String {
        self.heard.log.lock().expect("nobody panics while writing the log").clone()
    }

    /// Where it serves `/healthz`, `/readyz` and `/metrics`.
    pub async fn address(&self) -> SocketAddr {
        let mut address = self.heard.address.subscribe();
        let found = async { address.wait_for(Option::is_some).await.map(|address| *address) };
        match tokio::time::timeout(DEADLINE, found).await {
            Ok(Ok(Some(address))) => address,
            _ => panic!("the operator did not say where it serves; its log:\n{}", self.log()),
        }
    }

    /// GETs a path of its server.
    pub async fn get(&self, path: &str) -> (u16, String) {
        http::get(self.address().await, path)
            .await
            .unwrap_or_else(|error| panic!("GET {path}: {error}\n{}", self.log()))
    }

    /// What the kernel says of it in a file of /proc.
    pub fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).expect("it runs")
    }

    /// Its resident memory in KiB, as the kernel counts it, without the pages of the program: what it has run once stays.
    pub fn resident_kib(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("the kernel counts it");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// SIGKILL: what a crash looks like. The log is complete when this returns.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        for listener in self.listeners.drain(..) {
            let _ = listener.join();
        }
    }

    /// SIGTERM, and what it exits with.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal("-TERM");
        self.exited().await
    }

    /// Sends it a signal, as `kill` names it.
    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill runs").success());
    }

    /// Waits until it stands still, as SIGSTOP makes it (proc_pid_stat(5)).
    pub async fn frozen(&self) {
        let begin = std::time::Instant::now();
        loop {
            let stat = self.proc("stat");
            // The name may hold blanks and brackets.
            let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
            if state == Some('T') {
                return;
            }
            assert!(begin.elapsed() < DEADLINE, "it is not frozen, but {state:?}; its log:\n{}", self.log());
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// What it exited with, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the operator is our child")
    }

    /// Waits until it ends.
    pub async fn exited(&mut self) -> ExitStatus {
        let ended = async {
            loop {
                if let Some(status) = self.ended() {
                    return status;
                }
                // The end of a child can't be awaited without a signal handler for the whole process.
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(DEADLINE, ended).await.expect("the operator ends in time")
    }
}

/// A thread and not a task: the log has to be read to its end although the test's runtime is being dropped.
fn listen(from: impl Read + Send + 'static, heard: Arc<Heard>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            heard.line(&line);
        }
    })
}

impl Heard {
    fn line(&self, line: &str) {
        let mut log = self.log.lock().expect("nobody panics while writing the log");
        log.push_str(line);
        log.push('\n');
        // As text it is `address=127.0.0.1:8080`, as JSON `"address":"127.0.0.1:8080"`.
        if line.contains("serving /healthz")
            && let Some((_, rest)) = line.split_once("address")
        {
            let rest = rest.trim_start_matches(['=', '"', ':']);
            let end = rest.find(|c: char| c == '"' || c.is_whitespace()).unwrap_or(rest.len());
            self.address.send_replace(rest[..end].parse().ok());
        }
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            eprintln!("log of an operator:\n{}", lines[lines.len().saturating_sub(40)..].join("\n"));
        }
    }
}
