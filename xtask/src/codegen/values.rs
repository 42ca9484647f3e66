//! The table of a chart's values, from the comments in `values.yaml`: `# --` begins the description of the key below it,
//! as helm-docs reads it (a Go program of its own that we would have to build for this one table).

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// One documented value.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    path: String,
    default: String,
    description: String,
}

/// The table, as Markdown.
pub fn table(values: &str) -> Result<String> {
    let mut table = "| value | default | what it is |\n|---|---|---|\n".to_owned();
    for Row { path, default, description } in rows(values)? {
        table += &format!("| `{path}` | `{default}` | {} |\n", description.replace('|', "\\|"));
    }
    Ok(table)
}

fn rows(text: &str) -> Result<Vec<Row>> {
    let values: Value = serde_yaml::from_str(text).context("values.yaml is no YAML")?;
    let mut rows: Vec<Row> = vec![];
    let mut above: Vec<(usize, &str)> = vec![];
    let mut comment: Option<String> = None;
    for line in text.lines() {
        let bare = line.trim_start();
        let indent = line.len() - bare.len();
        if let Some(begin) = bare.strip_prefix("# -- ") {
            comment = Some(begin.into());
        } else if let (Some(more), Some(comment)) = (bare.strip_prefix("# "), &mut comment) {
            *comment = format!("{comment} {more}");
        } else if let Some((key, _)) = bare.split_once(':').filter(|_| !bare.starts_with(['#', '-'])) {
            above.retain(|(outer, _)| *outer < indent);
            above.push((indent, key));
            let path = above.iter().map(|(_, key)| *key).collect::<Vec<_>>().join(".");
            if let Some(description) = comment.take() {
                let value = above.iter().try_fold(&values, |value, (_, key)| value.get(key));
                let default = value.with_context(|| format!("values.yaml: {path} is not found again"))?.to_string();
                rows.push(Row { path, default, description });
            }
        }
    }
    if let Some(path) = undocumented("", &values, &rows) {
        bail!("values.yaml: {path} has no description; write a comment that begins with `# --` above it");
    }
    Ok(rows)
}

/// A value that stands neither in the table nor within one that does.
fn undocumented(path: &str, value: &Value, rows: &[Row]) -> Option<String> {
    if rows.iter().any(|row| row.path == path) {
        return None;
    }
    match value.as_object().filter(|map| !map.is_empty()) {
        Some(map) => map.iter().find_map(|(key, value)| {
            undocumented(&if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, value, rows)
        }),
        None => Some(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_goes_to_the_key_below_it() -> Result<()> {
        let text = "# About all.\na:\n  # -- First line\n  # and second.\n  b: [1]\n  c:\n    # -- Two|three.\n    d: {x: z}\n";
        let row = |path: &str, default: &str, description: &str| Row {
            path: path.into(),
            default: default.into(),
            description: description.into(),
        };
        assert_eq!(
            rows(text)?,
            [row("a.b", "[1]", "First line and second."), row("a.c.d", r#"{"x":"z"}"#, "Two|three.")]
        );
        assert!(table(text)?.ends_with("| `a.c.d` | `{\"x\":\"z\"}` | Two\\|three. |\n"));
        Ok(())
    }

    #[test]
    fn a_value_without_description_is_named() {
        let error = rows("# -- Yes.\na: 1\nb:\n  c: 2\n").map_err(|error| error.to_string());
        assert!(error.is_err_and(|error| error.contains("b.c has no description")));
    }
}
