//! The table of every example and its state.

use std::io::{IsTerminal, Write};

use anyhow::Result;
use serde_json::Value;

/// One object as the table shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub kind: String,
    name: String,
    status: String,
    reason: String,
    remote_id: String,
    message: String,
    /// Ready, and for the spec as it is now.
    pub ready: bool,
    /// It says what a person has to change at the console, for the spec as it is now.
    pub for_a_person: bool,
}

impl Row {
    pub fn of(object: &Value) -> Self {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
        let ready = conditions.into_iter().flatten().find(|condition| condition["type"] == "Ready");
        let of_ready = |field: &str| ready.and_then(|ready| ready[field].as_str()).unwrap_or_default().to_owned();
        let current = object.pointer("/status/observedGeneration") == object.pointer("/metadata/generation");
        let of_remote = ["/status/webhookId", "/spec/taskId"].map(text);
        Self {
            kind: text("/kind"),
            name: text("/metadata/name"),
            status: of_ready("status"),
            reason: of_ready("reason"),
            remote_id: of_remote.concat(),
            message: of_ready("message").replace('\n', " "),
            ready: current && of_ready("status") == "True",
            for_a_person: current && of_ready("reason") == "ManualChangeRequired",
        }
    }
}

/// Renders the rows, each line at most `width` characters.
pub fn render(rows: &[Row], width: usize) -> String {
    let titles = ["KIND", "NAME", "READY", "REASON", "REMOTE-ID", "MESSAGE"].map(str::to_owned);
    let cells = |row: &Row| {
        let Row { kind, name, status, reason, remote_id, message, ready: _, for_a_person: _ } = row.clone();
        [kind, name, status, reason, remote_id, message]
    };
    let lines: Vec<_> = std::iter::once(titles).chain(rows.iter().map(cells)).collect();
    let widths: Vec<_> =
        (0..6).map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default()).collect();
    let mut table = String::new();
    for line in lines {
        let padded: Vec<_> = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        let line: String = padded.join("  ").trim_end().chars().take(width).collect();
        table += &line;
        table.push('\n');
    }
    table
}

/// The lines that are new but for their padding.
fn changed(before: &str, after: &str) -> String {
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let known: Vec<_> = before.lines().map(words).collect();
    after.lines().filter(|line| !known.contains(&words(line))).map(|line| format!("{line}\n")).collect()
}

/// Shows a table that changes: in place on a terminal, else each line that has changed.
pub struct Live {
    terminal: bool,
    shown: String,
}

impl Live {
    pub fn new() -> Self {
        Self { terminal: std::io::stdout().is_terminal(), shown: String::new() }
    }

    pub fn show(&mut self, rows: &[Row]) -> Result<()> {
        let width = if self.terminal { terminal_width() } else { usize::MAX };
        let table = render(rows, width);
        if table == self.shown {
            return Ok(());
        }
        let mut out = std::io::stdout().lock();
        if self.terminal {
            if !self.shown.is_empty() {
                // Up to where the last one began, and clear from there. No line was wrapped: they fit the width.
                write!(out, "\x1b[{}A\x1b[J", self.shown.lines().count())?;
            }
            write!(out, "{table}")?;
        } else {
            write!(out, "{}", changed(&self.shown, &table))?;
        }
        out.flush()?;
        self.shown = table;
        Ok(())
    }
}

fn terminal_width() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok();
    // A terminal that doesn't know its size says 0.
    size.map(|size| usize::from(size.ws_col)).filter(|width| *width > 0).unwrap_or(120)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(observed: i64) -> Value {
        json!({
            "kind": "ProjectWebhook",
            "metadata": { "name": "a", "generation": 2 },
            "status": {
                "observedGeneration": observed,
                "webhookId": "66",
                "conditions": [{ "type": "Ready", "status": "True", "reason": "Synced", "message": "in\nsync" }],
            },
        })
    }

    #[test]
    fn ready_counts_only_for_the_present_spec() {
        assert!(Row::of(&object(2)).ready);
        assert!(!Row::of(&object(1)).ready);
        assert!(!Row::of(&json!({ "kind": "Connection", "metadata": { "generation": 1 } })).ready);
    }

    #[test]
    fn what_a_person_has_to_change_is_told_apart_from_ready() {
        let mut drifted = object(2);
        drifted["status"]["conditions"][0] =
            json!({ "type": "Ready", "status": "False", "reason": "ManualChangeRequired" });
        let row = Row::of(&drifted);
        assert!(row.for_a_person && !row.ready);
        assert!(!Row::of(&object(2)).for_a_person);
    }

    #[test]
    fn without_a_terminal_only_changes_are_shown() {
        assert_eq!(changed("", "KIND  NAME\nA     b\n"), "KIND  NAME\nA     b\n");
        assert_eq!(changed("KIND  NAME\nA     b\n", "KIND   NAME\nA      b\nOther  c\n"), "Other  c\n");
    }

    #[test]
    fn lines_are_aligned_and_end_at_the_width() {
        let rows = [Row::of(&object(2)), Row::of(&json!({ "kind": "Connection", "metadata": { "name": "b" } }))];
        let table = render(&rows, usize::MAX);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines[0], "KIND            NAME  READY  REASON  REMOTE-ID  MESSAGE");
        assert_eq!(lines[1], "ProjectWebhook  a     True   Synced  66         in sync");
        assert_eq!(lines[2], "Connection      b");
        assert!(render(&rows, 20).lines().all(|line| line.chars().count() <= 20));
    }
}
