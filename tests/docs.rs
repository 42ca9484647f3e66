//! README and `docs/` say what is so: links lead somewhere, and tables of flags and reasons are the code's. What they have
//! people apply is applied in `tests/it/examples.rs`; metrics are compared in `tests/chart/alerts.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that unwraps fails, which is what it should do")]
#![allow(missing_docs, reason = "the names of tests are sentences")]

#[allow(dead_code, reason = "a part of what all tests of pages stand on")]
mod pages;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::CommandFactory;
use hookwright::api::condition::Reason;
use hookwright::cli::Cli;

use pages::{Page, pages, root};

/// The pages beside those of [`pages`] that have links.
const MORE: [&str; 2] = ["CONTRIBUTING.md", "charts/hookwright/README.md"];

fn read(path: &str) -> Page {
    let text = std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    Page { path: path.into(), text }
}

/// A line without its code: what looks like a link there is none.
fn without_code(line: &str) -> String {
    line.split('`').enumerate().filter(|(at, _)| at % 2 == 0).map(|(_, part)| part).collect()
}

/// Where the links of a page lead, with their lines.
fn links(page: &Page) -> Vec<(usize, String)> {
    let targets = |(number, line): (usize, &str)| {
        let line = without_code(line);
        let targets: Vec<_> = line.split("](").skip(1).map(|rest| rest.split(')').next().unwrap().to_owned()).collect();
        targets.into_iter().map(move |target| (number, target))
    };
    page.prose().into_iter().flat_map(targets).collect()
}

/// The headings of a page as GitHub names them: lower case, blanks as dashes, and no punctuation.
fn anchors(page: &Page) -> BTreeSet<String> {
    let headings = page.prose().into_iter().filter(|(_, line)| line.starts_with('#'));
    let mut seen = BTreeMap::new();
    let mut name = |heading: &str| {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        let kept: String = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect();
        let name = kept.replace(' ', "-");
        let count = seen.entry(name.clone()).and_modify(|count| *count += 1).or_insert(0);
        if *count == 0 { name } else { format!("{name}-{count}") }
    };
    headings.map(|(_, heading)| name(heading)).collect()
}

/// What is wrong with a link.
fn broken(from: &str, target: &str) -> Option<String> {
    if target.contains("://") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let directory = Path::new(from).parent().unwrap();
    let path = if path.is_empty() { Path::new(from).to_owned() } else { directory.join(path) };
    if !root().join(&path).exists() {
        return Some(format!("{} does not exist", path.display()));
    }
    let known = || anchors(&read(path.to_str().unwrap()));
    (!anchor.is_empty() && !known().contains(anchor))
        .then(|| format!("{} has no #{anchor}: {:?}", path.display(), known()))
}

#[test]
fn every_link_leads_to_a_page_and_heading_that_is_there() {
    let (mut count, mut wrong) = (0, vec![]);
    for page in pages().into_iter().chain(MORE.map(read)) {
        for (line, target) in links(&page) {
            count += 1;
            wrong.extend(broken(&page.path, &target).map(|why| format!("{}:{line}: {why}", page.path)));
        }
    }
    assert!(count > 50, "only {count} links");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_link_to_nothing_is_found() {
    assert_eq!(broken("README.md", "docs/install.md#upgrade"), None);
    assert_eq!(broken("docs/install.md", "../README.md#what-it-promises"), None);
    assert_eq!(broken("docs/install.md", "https://example.com/missing.md"), None);
    for missing in ["docs/missing.md", "docs/install.md#missing", "#missing"] {
        assert!(broken("README.md", missing).is_some(), "{missing}");
    }
    let page = Page {
        path: "a.md".into(),
        text: "# A `b` c, d\n\n`[x](y)` [z](#w)\n```\n[x](y)\n# No\n```\n# A b c d\n".into(),
    };
    assert_eq!(links(&page), [(3, "#w".to_owned())]);
    assert_eq!(anchors(&page), ["a-b-c-d".to_owned(), "a-b-c-d-1".into()].into());
}

#[test]
fn the_readme_has_a_table_of_all_pages() {
    let readme = read("README.md");
    let rows: Vec<_> = readme.text.lines().filter(|line| line.starts_with("| [")).collect();
    for page in pages().iter().filter(|page| page.path.starts_with("docs/")) {
        let link = format!("]({})", page.path);
        assert!(rows.iter().any(|row| row.contains(&link)), "README.md has no row for {}", page.path);
    }
}

/// The first cells of a table's rows below the heading that begins so.
fn table(page: &Page, heading: &str) -> Vec<Vec<String>> {
    let below = page.text.split(heading).nth(1).unwrap_or_else(|| panic!("{} has no {heading}", page.path));
    let section = below.split("\n#").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = |row: &str| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    rows.map(cells).collect()
}

#[test]
fn the_archive_that_is_pushed_is_that_of_this_version() {
    let named = format!("hookwright-{}-amd64.tar", env!("CARGO_PKG_VERSION"));
    assert!(read("docs/install.md").text.contains(&named), "docs/install.md names no {named}");
}

#[test]
fn the_table_of_flags_is_that_of_the_program() {
    let command = Cli::command();
    let run = command.find_subcommand("run").unwrap();
    let flags = run.get_arguments().filter(|arg| !arg.is_hide_set() && arg.get_long() != Some("help"));
    let expected: Vec<_> = flags
        .filter_map(|arg| Some((arg.get_long().filter(|long| *long != "version")?, arg)))
        .map(|(long, arg)| {
            let default: Vec<_> = arg.get_default_values().iter().map(|value| value.to_str().unwrap()).collect();
            let default = if default.is_empty() { String::new() } else { format!("`{}`", default.join(",")) };
            [format!("`--{long}`"), format!("`{}`", arg.get_env().unwrap().to_str().unwrap()), default]
        })
        .collect();
    let rows = table(&read("docs/operations.md"), "\n## Flags");
    let documented: Vec<_> = rows.iter().map(|row| row[..3].to_vec()).collect();
    assert_eq!(documented, expected, "docs/operations.md against `hookwright run --help`, in its order");
}

#[test]
fn each_reason_is_explained_and_no_other() {
    let pages = ["docs/project-webhook.md", "docs/task-notification.md", "docs/connections.md"];
    let rows: Vec<_> = pages.iter().flat_map(|page| table(&read(page), "\n## Reasons")).collect();
    let told: BTreeSet<_> =
        rows.iter().flat_map(|row| row[0].split(", ")).map(|reason| reason.trim_matches('`').to_owned()).collect();
    let all: BTreeSet<_> = Reason::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(told, all);
}
