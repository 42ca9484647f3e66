//! What a command says beside its result: lines on standard error, and what it is doing, where a person looks on.

use std::io::{IsTerminal as _, Write, stderr};

/// Back to the line's begin, and erase it (ECMA-48, EL).
const ERASE: &str = "\r\x1b[K";

/// The voice of one command.
pub struct Talk {
    out: Box<dyn Write>,
    /// Whether somebody looks on: in a log, progress would only be noise.
    watched: bool,
    /// Whether the last line is one of progress, to be written over.
    shown: bool,
}

impl Talk {
    /// Begins.
    #[must_use]
    pub fn begin() -> Self {
        Self { out: Box::new(stderr()), watched: stderr().is_terminal(), shown: false }
    }

    /// A line that stays. What can't be said is no reason to stop.
    pub fn say(&mut self, line: &str) {
        let erase = if std::mem::take(&mut self.shown) { ERASE } else { "" };
        let _ = writeln!(self.out, "{erase}{line}");
    }

    /// What is being done, until the next word. At once, because nobody knows how long a remote takes.
    pub fn progress(&mut self, line: &str) {
        if self.watched {
            self.shown = true;
            let _ = write!(self.out, "{ERASE}{line}").and_then(|()| self.out.flush());
        }
    }

    /// The work is over.
    pub fn end(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(self.out, "{ERASE}").and_then(|()| self.out.flush());
        }
    }
}

/// Also where an error ends it, which is told on the same line.
impl Drop for Talk {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<u8>>>);

    impl Write for Heard {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What is heard of one line of progress, then one that stays, and one more of progress.
    fn heard(watched: bool) -> String {
        let heard = Heard::default();
        let mut talk = Talk { out: Box::new(heard.clone()), watched, shown: false };
        talk.progress("planned 1 of 2");
        talk.say("left out: this one");
        talk.say("left out: that one");
        talk.progress("planned 2 of 2");
        drop(talk);
        String::from_utf8(heard.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn progress_is_one_line_that_is_written_over_and_gone_in_the_end() {
        let said = heard(true);
        assert_eq!(
            said,
            "\r\x1b[Kplanned 1 of 2\r\x1b[Kleft out: this one\nleft out: that one\n\r\x1b[Kplanned 2 of 2\r\x1b[K"
        );
    }

    #[test]
    fn nothing_but_the_lines_that_stay_is_said_where_nobody_looks_on() {
        assert_eq!(heard(false), "left out: this one\nleft out: that one\n");
    }
}
