//! What a command says beside its result: lines on standard error, and how far long work has come, where a person looks on.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// Work that is over sooner needs no word.
const LONG: Duration = Duration::from_secs(1);

/// The voice of one command.
pub struct Talk {
    begun: Instant,
    /// Whether somebody looks on. In a log, progress would only be noise.
    watched: bool,
    /// Whether the last line is one of progress, to be written over.
    shown: bool,
}

impl Talk {
    /// Begins.
    #[must_use]
    pub fn begin() -> Self {
        Self { begun: Instant::now(), watched: std::io::stderr().is_terminal(), shown: false }
    }

    /// A line that stays. What can't be said is no reason to stop.
    pub fn say(&mut self, line: &str) {
        let erase = if std::mem::take(&mut self.shown) { ERASE } else { "" };
        let _ = writeln!(std::io::stderr().lock(), "{erase}{line}");
    }

    /// How far the work has come.
    pub fn progress(&mut self, line: &str) {
        if self.watched && self.begun.elapsed() >= LONG {
            self.shown = true;
            let mut out = std::io::stderr().lock();
            let _ = write!(out, "{ERASE}{line}").and_then(|()| out.flush());
        }
    }

    /// The work is over.
    pub fn end(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(std::io::stderr().lock(), "{ERASE}");
        }
    }
}

/// Back to the line's begin, and erase it (ECMA-48, EL).
const ERASE: &str = "\r\x1b[K";
