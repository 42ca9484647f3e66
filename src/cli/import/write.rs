//! IO: manifests go to standard output, to one file, or to a directory. Only their owner may read the files: they hold secrets.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::render::Document;

/// Whether it can be written to, before anything is read.
///
/// # Errors
/// A file is there.
pub(super) fn check(path: &Path) -> anyhow::Result<()> {
    if path.exists() && !path.is_dir() {
        bail!("{} is there already: name another file, or a directory", path.display());
    }
    Ok(())
}

/// Writes them.
///
/// # Errors
/// They can't be written; a file that is there is not written over.
pub(super) fn write(documents: &[Document], output: Option<&Path>) -> anyhow::Result<()> {
    let Some(path) = output else {
        let mut out = std::io::stdout().lock();
        return out.write_all(stream(documents).as_bytes()).context("standard output can't be written to");
    };
    if !is_directory(path) {
        return create(path, &stream(documents));
    }
    std::fs::create_dir_all(path).with_context(|| format!("{} can't be created", path.display()))?;
    for document in documents {
        create(&file(path, document), &document.yaml)?;
    }
    Ok(())
}

/// A path that ends with a slash is to become one.
fn is_directory(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

fn stream(documents: &[Document]) -> String {
    documents.iter().map(|document| format!("---\n{}", document.yaml)).collect()
}

/// Secrets have names of their own kind, so that they can be told, encrypted or ignored by a pattern.
fn file(directory: &Path, document: &Document) -> PathBuf {
    let kind = if document.is_secret { "secret." } else { "" };
    directory.join(format!("{}.{kind}yaml", document.name))
}

fn create(path: &Path, text: &str) -> anyhow::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.with_context(|| format!("{} can't be created", path.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("{} can't be written", path.display()))
}
