//! The processes that this one has started, and those that they have started, from /proc.

use std::fs;

/// One process' line in /proc.
#[derive(Clone, Debug)]
pub struct Stat {
    pub pid: u32,
    /// The first 15 characters of the program's name: the kernel keeps no more.
    pub name: String,
    parent: u32,
    pub ticks: u64,
    /// Of children that have ended and were waited for.
    pub children: u64,
    /// When it began, in ticks since the boot: with the pid it is a process' identity.
    begun: u64,
    /// It has ended, and nobody has asked how.
    ended: bool,
}

impl Stat {
    pub fn parse(line: &str) -> Option<Self> {
        // The name may hold blanks and parentheses; nothing after it does.
        let (head, rest) = line.rsplit_once(") ")?;
        let (pid, name) = head.split_once(" (")?;
        let fields: Vec<_> = rest.split_ascii_whitespace().collect();
        let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
        Some(Self {
            pid: pid.parse().ok()?,
            name: name.to_owned(),
            parent: u32::try_from(number(1)?).ok()?,
            ticks: number(11)? + number(12)?,
            children: number(13)? + number(14)?,
            begun: number(19)?,
            ended: matches!(fields.first(), Some(&("Z" | "X"))),
        })
    }

    /// Whether it runs still.
    pub fn runs(&self) -> bool {
        let line = fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok();
        line.and_then(|line| Self::parse(&line)).is_some_and(|now| now.begun == self.begun && !now.ended)
    }
}

/// All descendants of this process.
pub fn descendants() -> Vec<Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut others: Vec<_> =
        entries.filter_map(|entry| Stat::parse(&fs::read_to_string(entry.path().join("stat")).ok()?)).collect();
    let mut family = vec![std::process::id()];
    let mut found = Vec::new();
    loop {
        let (next, rest): (Vec<_>, Vec<_>) = others.into_iter().partition(|stat| family.contains(&stat.parent));
        if next.is_empty() {
            return found;
        }
        family = next.iter().map(|stat| stat.pid).collect();
        found.extend(next);
        others = rest;
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use anyhow::{Context, Result};

    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses_is_read() -> Result<()> {
        let stat =
            Stat::parse("12 (a (b) c) S 7 12 12 0 -1 0 1 2 3 4 250 50 30 20 20 0 8 0 1 2 3").context("a line")?;
        assert_eq!((stat.pid, stat.name.as_str(), stat.parent, stat.ticks, stat.children), (12, "a (b) c", 7, 300, 50));
        Ok(())
    }

    #[test]
    fn a_child_is_found_and_runs_until_it_has_ended() -> Result<()> {
        let mut child = Command::new("sleep").arg("1000").spawn()?;
        let found = descendants().into_iter().find(|stat| stat.pid == child.id());
        child.kill()?;
        let found = found.context("the child is not found")?;
        // The kernel may not have ended it yet; once it is waited for, it has.
        child.wait()?;
        assert!(!found.runs());
        let own = Stat::parse(&fs::read_to_string("/proc/self/stat")?).context("our own line")?;
        assert!(own.runs() && !Stat { begun: own.begun + 1, ..own }.runs());
        Ok(())
    }
}
