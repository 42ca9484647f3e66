//! Building the control plane from source, once per user and version.

use std::{
    fs::{File, TryLockError},
    hash::{DefaultHasher, Hasher},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{ChildStderr, Command},
};

use super::assets;
use crate::{go, process::Process, steps::elapsed};

/// How often a build that is silent says that it is still there.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Builds those of the programs that are not in the directory yet.
pub async fn programs(dir: &Path, names: &[&str]) -> Result<()> {
    let missing = |name: &&&str| !dir.join(name).is_file();
    if !names.iter().any(|name| missing(&name)) {
        return Ok(());
    }
    let _lock = lock(dir).await?;
    // Asked again: whoever held the lock has perhaps built them.
    let missing: Vec<_> = names.iter().filter(missing).collect();
    if missing.len() > 1 {
        println!("building the control plane into {}: about 10 minutes on 2 cores, once", dir.display());
    }
    let version = dir.file_name().context("the directory is named after the version")?.to_string_lossy();
    let begin = Instant::now();
    for (index, name) in missing.iter().enumerate() {
        let package = package(name)?;
        println!("[{}/{}] {name} ({package})", index + 1, missing.len());
        build(dir, name, package, &linker_flags(&version)).await?;
    }
    if !missing.is_empty() {
        println!("built in {}", elapsed(begin.elapsed()));
    }
    Ok(())
}

/// Builds the launcher from tools/controlplane unless this very source was built before. Its name says which source it
/// is from, because clones of different age share the directory.
pub async fn launcher(dir: &Path) -> Result<PathBuf> {
    let name = format!("launcher-{:016x}", source_hash(&assets::source())?);
    let launcher = dir.join(&name);
    if !launcher.is_file() {
        let _lock = lock(dir).await?;
        if !launcher.is_file() {
            println!("building the control plane's launcher");
            build(dir, &name, ".", "-s -w").await?;
        }
    }
    Ok(launcher)
}

fn package(name: &str) -> Result<&'static str> {
    Ok(match name {
        "etcd" => "go.etcd.io/etcd/server/v3",
        "kube-apiserver" => "k8s.io/kubernetes/cmd/kube-apiserver",
        "kube-controller-manager" => "k8s.io/kubernetes/cmd/kube-controller-manager",
        "kubectl" => "k8s.io/kubernetes/cmd/kubectl",
        _ => bail!("nobody knows how to build {name}"),
    })
}

/// Without these a program built from the module calls itself v0.0.0-master, which the others refuse to talk to.
fn linker_flags(version: &str) -> String {
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let mut flags = "-s -w".to_owned();
    for package in ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"] {
        flags +=
            &format!(" -X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}");
    }
    flags
}

/// Builds one program under a temporary name, so that the final name never stands for half a file.
async fn build(dir: &Path, name: &str, package: &str, linker_flags: &str) -> Result<()> {
    let unfinished = dir.join(format!(".{name}.unfinished"));
    let mut command = go::tool("go", &assets::source())?;
    command.args(["build", "-v", "-trimpath", "-ldflags", linker_flags, "-o"]).arg(&unfinished).arg(package);
    compile(name, &mut command).await?;
    std::fs::rename(&unfinished, dir.join(name)).with_context(|| format!("moving {name} into place"))
}

/// Runs a `go build -v` or `go install -v`, and shows how far it is.
pub async fn compile(name: &str, command: &mut Command) -> Result<()> {
    let mut go = Process::spawn("go", command.stderr(Stdio::piped()), Duration::from_secs(5))?;
    let stderr = go.child().stderr.take().context("go has no stderr")?;
    show_progress(name, stderr).await?;
    let status = go.wait().await?;
    ensure!(status.success(), "building {name} failed: {status}; what Go said is above");
    Ok(())
}

/// `go build -v` names each package that it compiles: too much to show, but good to count.
async fn show_progress(name: &str, stderr: ChildStderr) -> Result<()> {
    let mut lines = BufReader::new(stderr).lines();
    let (begin, mut compiled) = (Instant::now(), 0);
    let mut heartbeat = tokio::time::interval_at(tokio::time::Instant::now() + HEARTBEAT, HEARTBEAT);
    loop {
        tokio::select! {
            line = lines.next_line() => match line? {
                Some(line) if is_package(&line) => compiled += 1,
                Some(line) => println!("  {line}"),
                None => return Ok(()),
            },
            _ = heartbeat.tick() => println!("  {name}: {} so far, {compiled} packages compiled", elapsed(begin.elapsed())),
        }
    }
}

fn is_package(line: &str) -> bool {
    !line.is_empty() && line.chars().all(|c| c.is_ascii_alphanumeric() || "./_-~".contains(c))
}

/// Held while building, so that two runs at once don't do the same ten minutes of work, or worse, into the same file.
pub async fn lock(dir: &Path) -> Result<File> {
    std::fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
    let file = File::create(dir.join(".lock"))?;
    let mut said = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if said => {}
            Err(TryLockError::WouldBlock) => {
                println!("another build into {} is running; waiting for it", dir.display());
                said = true;
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(|| format!("locking {}", dir.display())),
        }
        // Polled and not waited for, so that Ctrl-C is obeyed here too.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn is_source(file: &str) -> bool {
    [".go", ".mod", ".sum"].iter().any(|ending| file.ends_with(ending)) && !file.ends_with("_test.go")
}

fn source_hash(source: &Path) -> Result<u64> {
    let mut files: Vec<_> = std::fs::read_dir(source)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.retain(|file| is_source(&file.to_string_lossy()));
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        hasher.write(file.file_name().unwrap_or_default().as_encoded_bytes());
        hasher.write(&std::fs::read(&file)?);
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dirs;

    #[test]
    fn the_launcher_is_named_after_its_source() -> Result<()> {
        let dir = dirs::scratch()?;
        std::fs::write(dir.path().join("main.go"), "package main")?;
        let before = source_hash(dir.path())?;
        std::fs::write(dir.path().join("README.md"), "no source")?;
        std::fs::write(dir.path().join("main_test.go"), "not in the launcher")?;
        assert_eq!(source_hash(dir.path())?, before);
        std::fs::write(dir.path().join("go.sum"), "")?;
        assert_ne!(source_hash(dir.path())?, before);
        Ok(())
    }

    #[test]
    fn packages_are_told_from_messages() {
        assert!(is_package("k8s.io/kubernetes/cmd/kube-apiserver"));
        assert!(is_package("gopkg.in/yaml.v3"));
        assert!(!is_package("go: downloading go.etcd.io/etcd/server/v3 v3.6.8"));
        assert!(!is_package("# k8s.io/kubernetes/cmd/kubectl"));
    }

    #[tokio::test]
    async fn the_second_build_waits_for_the_first() -> Result<()> {
        let dir = dirs::scratch()?;
        let first = lock(dir.path()).await?;
        let second = tokio::time::timeout(Duration::from_millis(100), lock(dir.path())).await;
        assert!(second.is_err(), "it did not wait");
        drop(first);
        lock(dir.path()).await?;
        Ok(())
    }
}
