//! Named steps with their times, and the table of them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// The steps done so far.
#[derive(Default)]
pub struct Steps {
    rows: Vec<Row>,
}

struct Row {
    name: &'static str,
    result: &'static str,
    time: Duration,
    note: Option<String>,
}

impl Steps {
    /// Runs one step, and says so before and after.
    pub async fn run<T>(&mut self, name: &'static str, step: impl Future<Output = Result<T>>) -> Result<T> {
        println!("\n=== {name}");
        let begin = Instant::now();
        let outcome = step.await;
        let (time, result) = (begin.elapsed(), if outcome.is_ok() { "ok" } else { "FAILED" });
        println!("=== {name}: {result}, {}", elapsed(time));
        self.rows.push(Row { name, result, time, note: None });
        outcome.context(name)
    }

    /// Tells that a step could not be done here, so that nobody takes it for one that passed.
    pub fn not_run(&mut self, name: &'static str, why: &str) {
        println!("\n=== {name}: NOT RUN: {why}");
        self.rows.push(Row { name, result: "NOT RUN", time: Duration::ZERO, note: Some(why.to_owned()) });
    }

    /// Adds a remark to the last step's row, for something that must not be lost in the output.
    pub fn note(&mut self, note: Option<String>) {
        if let Some(row) = self.rows.last_mut() {
            row.note = note;
        }
    }

    /// The summary.
    pub fn table(&self) -> String {
        let width = self.rows.iter().map(|row| row.name.len()).max().unwrap_or_default();
        let mut table = String::new();
        for Row { name, result, time, note } in &self.rows {
            table += &format!("{name:width$}  {result:7}  {:>8}", elapsed(*time));
            if let Some(note) = note {
                table += &format!("  {note}");
            }
            table.push('\n');
        }
        let total = self.rows.iter().map(|row| row.time).sum();
        table += &format!("{:width$}  {:7}  {:>8}", "total", "", elapsed(total));
        table
    }
}

/// A duration as people say it: `4.2 s`, `2 m 05 s`.
pub fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 60 {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        format!("{} m {:02} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_table_ends_at_the_step_that_failed() -> Result<()> {
        let mut steps = Steps::default();
        steps.run("first", async { Ok(()) }).await?;
        steps.note(Some("with a remark".into()));
        let failure = steps.run("second", async { anyhow::bail!("no luck") as Result<()> }).await;
        assert_eq!(failure.map_err(|error| format!("{error:#}")), Err("second: no luck".into()));
        steps.not_run("third", "for a reason");
        let table = steps.table();
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines[0], "first   ok          0.0 s  with a remark");
        assert_eq!(lines[1], "second  FAILED      0.0 s");
        assert_eq!(lines[2], "third   NOT RUN     0.0 s  for a reason");
        assert!(lines[3].starts_with("total"), "{table}");
        Ok(())
    }

    #[test]
    fn times_read_well() {
        assert_eq!(elapsed(Duration::from_millis(4_240)), "4.2 s");
        assert_eq!(elapsed(Duration::from_secs(125)), "2 m 05 s");
    }
}
