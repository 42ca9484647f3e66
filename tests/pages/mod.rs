//! The pages that people read: README and `docs/`. What all tests of them stand on.

use std::path::Path;

use serde_json::Value;

/// One page.
pub struct Page {
    /// Its path in the repository, for example `docs/install.md`.
    pub path: String,
    pub text: String,
}

/// A fenced block of YAML.
pub struct Block {
    /// Where it is, for messages.
    pub at: String,
    pub text: String,
    /// Whether its fence says `no-apply`: readers do not give it to kubectl, or not to a cluster without further software.
    pub no_apply: bool,
}

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README, and every page of `docs/`.
pub fn pages() -> Vec<Page> {
    let mut paths = vec!["README.md".to_owned()];
    for entry in std::fs::read_dir(root().join("docs")).unwrap() {
        paths.push(format!("docs/{}", entry.unwrap().file_name().into_string().unwrap()));
    }
    paths.sort();
    assert!(paths.len() > 8, "only {paths:?}");
    paths.into_iter().map(|path| Page { text: std::fs::read_to_string(root().join(&path)).unwrap(), path }).collect()
}

impl Page {
    /// Its blocks of YAML. A fence that says something else of YAML than `no-apply`, and why, is a mistake.
    pub fn yaml(&self) -> Vec<Block> {
        let mut blocks = vec![];
        for (number, info, text) in self.fences() {
            let Some(mark) = info.strip_prefix("yaml") else { continue };
            let at = format!("{}:{number}", self.path);
            let no_apply = mark.starts_with(" no-apply");
            assert!(no_apply || mark.is_empty(), "{at}: a fence is ```yaml or ```yaml no-apply, and is ```{info}");
            blocks.push(Block { at, text, no_apply });
        }
        blocks
    }

    /// Its fenced blocks: the line of the fence, what stands behind it, and the text.
    fn fences(&self) -> Vec<(usize, String, String)> {
        let mut fences: Vec<(usize, String, String)> = vec![];
        let mut open = false;
        for (index, line) in self.text.lines().enumerate() {
            match (line.trim_start().strip_prefix("```"), open) {
                (Some(info), false) => {
                    fences.push((index + 1, info.trim().to_owned(), String::new()));
                    open = true;
                }
                (Some(_), true) => open = false,
                (None, true) => {
                    let (_, _, text) = fences.last_mut().unwrap();
                    *text += &format!("{line}\n");
                }
                (None, false) => {}
            }
        }
        assert!(!open, "{}: a fence is not closed", self.path);
        fences
    }

    /// Its lines that are not in a fenced block, with their numbers.
    pub fn prose(&self) -> Vec<(usize, &str)> {
        let mut open = false;
        let mut lines = vec![];
        for (index, line) in self.text.lines().enumerate() {
            let fence = line.trim_start().starts_with("```");
            if !fence && !open {
                lines.push((index + 1, line));
            }
            open ^= fence;
        }
        lines
    }
}

impl Block {
    /// Its documents.
    pub fn documents(&self) -> Vec<Value> {
        let text = format!("\n{}", self.text);
        let read = |document| serde_yaml::from_str(document).unwrap_or_else(|error| panic!("{}: {error}", self.at));
        text.split("\n---").map(read).filter(|document: &Value| !document.is_null()).collect()
    }
}
