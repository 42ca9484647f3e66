//! What processes cost, from /proc.

use std::{collections::BTreeMap, fs, time::Duration};

use anyhow::{Context, Result};

use crate::family::{Stat, descendants};

/// Ticks a second in /proc's times: USER_HZ, 100 on every Linux that Rust runs on.
const TICKS: u64 = 100;
/// The programs of a measurement, as the kernel cuts their names.
const PROGRAMS: [&str; 6] = ["hookwright", "simulator", "bench-load", "kube-apiserver", "etcd", "kube-controller"];

/// Everything on this machine that is none of them.
pub const OTHERS: &str = "others";

/// A process.
#[derive(Clone, Copy, Debug)]
pub struct Pid(u32);

/// Memory in KiB.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Memory {
    pub rss_kib: u64,
    pub peak_kib: u64,
}

fn time(ticks: u64) -> Duration {
    Duration::from_millis(ticks * 1000 / TICKS)
}

impl Pid {
    /// The program of this name below this process.
    pub fn of_descendant(name: &str) -> Option<Self> {
        descendants().into_iter().find(|stat| stat.name == name).map(|stat| Self(stat.pid))
    }

    /// The processor time it has taken so far.
    pub fn cpu(self) -> Result<Duration> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.0)).context("the process has ended")?;
        Ok(time(Stat::parse(&text).context("an unusual /proc/PID/stat")?.ticks))
    }

    pub fn memory(self) -> Result<Memory> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.0)).context("the process has ended")?;
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
                .context("an unusual /proc/PID/status")
        };
        Ok(Memory { rss_kib: field("VmRSS")?, peak_kib: field("VmHWM")? })
    }
}

/// Processor time by program at one moment, and that of the whole machine.
pub struct Usage {
    programs: BTreeMap<&'static str, u64>,
    machine: u64,
    ended: u64,
}

/// Processor seconds by program over a while; [`OTHERS`] is among them.
pub type Seconds = BTreeMap<&'static str, f64>;

impl Usage {
    pub fn now() -> Self {
        let mut programs = BTreeMap::new();
        for stat in descendants() {
            if let Some(name) = PROGRAMS.into_iter().find(|name| stat.name.starts_with(name)) {
                *programs.entry(name).or_default() += stat.ticks;
            }
        }
        let own = fs::read_to_string("/proc/self/stat").ok().and_then(|text| Stat::parse(&text));
        let ended = own.map_or(0, |stat| stat.children);
        Self { programs, machine: machine_ticks(), ended }
    }

    /// Processor time of our programs so far, without those that have ended.
    pub fn of_programs(&self) -> Duration {
        time(self.programs.values().sum())
    }

    pub fn since(&self, before: &Self) -> Seconds {
        let seconds = |after: u64, before: u64| time(after.saturating_sub(before)).as_secs_f64();
        let mut spent: Seconds = self
            .programs
            .iter()
            .map(|(name, ticks)| (*name, seconds(*ticks, before.programs.get(name).copied().unwrap_or_default())))
            .collect();
        // The load program has come and gone in between; kubectl too, which is little.
        spent.insert("bench-load", seconds(self.ended, before.ended));
        let ours: f64 = spent.values().sum();
        spent.insert(OTHERS, (seconds(self.machine, before.machine) - ours).max(0.0));
        spent
    }
}

/// Time that the machine's processors were not idle.
fn machine_ticks() -> u64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    busy(text.lines().next().unwrap_or_default())
}

/// Of the line `cpu user nice system idle iowait irq softirq steal guest guest_nice`: the guests' are in user's.
fn busy(line: &str) -> u64 {
    let fields: Vec<u64> = line.split_ascii_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    [0, 1, 2, 5, 6, 7].into_iter().filter_map(|at| fields.get(at)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_not_busy() {
        assert_eq!(busy("cpu  10 1 5 1000 99 2 3 4 10 0"), 25);
    }

    #[test]
    fn this_process_has_memory() -> Result<()> {
        let own = Pid(std::process::id());
        assert!(own.memory()?.rss_kib > 0 && own.cpu().is_ok());
        Ok(())
    }
}
