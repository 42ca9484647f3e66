//! Each write of the operator has a fail point, and no build but that of the tests has any.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that unwraps fails, which is what it should do")]
#![allow(missing_docs, reason = "the names of tests are sentences")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// What of `kube::Api`, and of its recorder of Events, writes.
const OF_KUBERNETES: [&str; 19] = [
    "commit",
    "cordon",
    "create",
    "create_subresource",
    "create_token_request",
    "delete",
    "delete_collection",
    "evict",
    "patch",
    "patch_metadata",
    "patch_scale",
    "patch_status",
    "patch_subresource",
    "publish",
    "replace",
    "replace_status",
    "replace_subresource",
    "restart",
    "uncordon",
];

/// What of `AppMaker` only reads. Whatever else it offers is a write.
const READS_OF_APP_MAKER: [&str; 2] = ["get", "list"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The source without comments and white space, so that no line break hides a call.
fn packed(text: &str) -> String {
    let code = text.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code));
    code.flat_map(str::chars).filter(|c| !c.is_whitespace()).collect()
}

fn writing_methods() -> Vec<String> {
    let app_maker = std::fs::read_to_string(root().join("src/remote/app_maker.rs")).unwrap();
    let offered = app_maker.match_indices("pub async fn ").map(|(at, keyword)| {
        let rest = &app_maker[at + keyword.len()..];
        rest[..rest.find(['(', '<']).unwrap()].to_owned()
    });
    let of_app_maker: Vec<_> = offered.filter(|name| !READS_OF_APP_MAKER.contains(&name.as_str())).collect();
    assert!(of_app_maker.len() >= 3, "create, update and delete at least: {of_app_maker:?}");
    of_app_maker.into_iter().chain(OF_KUBERNETES.map(str::to_owned)).collect()
}

/// The writes in a source, as the statement up to the call.
fn writes(code: &str) -> Vec<&str> {
    let mut found = vec![];
    for method in writing_methods() {
        for call in [format!(".{method}("), format!(".{method}::<")] {
            for (at, _) in code.match_indices(&call) {
                let begin = code[..at].rfind([';', '{', '}']).map_or(0, |before| before + 1);
                found.push(&code[begin..at + call.len()]);
            }
        }
    }
    found
}

/// Whether the statement makes its write in the brackets of a fail point, and not beside them.
fn is_followed(write: &str) -> bool {
    let Some((point, inside)) = write.rsplit_once(".after(") else { return false };
    let mut open = 1;
    let stays_open = inside.chars().all(|c| {
        open += i32::from(c == '(') - i32::from(c == ')');
        open > 0
    });
    stays_open && (point.contains("FailPoint::") || point.ends_with("point"))
}

#[test]
fn a_fail_point_beside_a_write_is_none() {
    assert!(is_followed("letobject=FailPoint::Status.after(api(client).patch_status("));
    assert!(is_followed("matchpoint.after(api.patch_metadata("));
    assert!(!is_followed("letobject=api.patch_status("));
    assert!(!is_followed("join(FailPoint::Status.after(api.get(name)),api.patch_status("));
    assert!(!is_followed("sleep.after(api.patch_status("));
}

#[test]
fn every_write_is_followed_by_a_fail_point() {
    let mut counted = 0;
    // Behind AppMaker there is HTTP and no Kubernetes: its writes are its methods, counted where they are called.
    let elsewhere = ["src/remote", "src/domain"].map(|path| root().join(path));
    for path in sources(&root().join("src")) {
        if elsewhere.iter().any(|elsewhere| path.starts_with(elsewhere)) {
            continue;
        }
        let code = packed(&std::fs::read_to_string(&path).unwrap());
        for write in writes(&code) {
            assert!(
                is_followed(write),
                "{}: a write without a fail point; make it `FailPoint::X.after(write)`: {write}",
                path.display()
            );
            counted += 1;
        }
    }
    assert!(counted >= 10, "only {counted} writes were found: this test looks for the wrong thing");
}

/// What depends on the feature that makes fail points code, along these kinds of dependency.
fn who_has_fail_points(edges: &str) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--locked", "--offline", "--package", "hookwright", "--invert", "fail", "--edges", edges]);
    let output = cargo.current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(tree.contains("fail feature \"default\""), "the tree is not what it was: {tree}");
    tree.lines().filter(|line| line.contains("feature \"failpoints\"")).collect()
}

#[test]
fn fail_points_are_in_tests_and_in_no_other_build() {
    assert_eq!(who_has_fail_points("features,normal,build"), "");
    assert_ne!(who_has_fail_points("features,normal,build,dev"), "");
    assert!(fail::has_failpoints(), "the operator that the tests start has them");
}
