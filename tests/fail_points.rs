//! Each write of the operator has a fail point, and no build but that of the tests has any.
//!
//! The sources are parsed, so that neither line breaks nor comments nor texts hide or feign a call. What a write is, they
//! say themselves: `kube`'s own source for Kubernetes, `src/remote` for the remote. Types are not known here, so a method
//! is told by its name and the number of its arguments.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that unwraps fails, which is what it should do")]
#![allow(missing_docs, reason = "the names of tests are sentences")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use proc_macro2::{TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Expr, ExprMethodCall, ExprPath, FnArg, Item, Pat, Stmt, Token, Type, UseTree, Visibility};

/// What only reads, of all that `kube::Api` and its recorder of Events offer. Whatever else they offer is a write.
const READS_OF_KUBERNETES: [&str; 20] = [
    "entry",
    "get",
    "get_ephemeral_containers",
    "get_metadata",
    "get_metadata_opt",
    "get_metadata_opt_with",
    "get_metadata_with",
    "get_opt",
    "get_resize",
    "get_scale",
    "get_status",
    "get_subresource",
    "get_with",
    "join",
    "list",
    "list_metadata",
    "log_stream",
    "logs",
    "watch",
    "watch_metadata",
];

/// What of all that `src/remote` offers writes nothing. `call` makes any call; only `src/remote` can, see [`forbidden`].
const READS_OF_REMOTE: [&str; 7] = ["acquire", "bound", "call", "channels", "get", "list", "wait"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn parse(path: &Path) -> syn::File {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A file and all modules below it that are not for tests alone, as rustc finds them.
fn sources(path: PathBuf) -> Vec<(PathBuf, syn::File)> {
    let file = parse(&path);
    let is_directory = ["lib", "main", "mod"].iter().any(|name| path.file_stem().is_some_and(|stem| stem == *name));
    let below = if is_directory { path.parent().unwrap().to_path_buf() } else { path.with_extension("") };
    let mut found = vec![];
    for item in &file.items {
        if let Item::Mod(module) = item
            && module.content.is_none()
            && !is_for_tests(&module.attrs)
        {
            let flat = below.join(format!("{}.rs", module.ident));
            let deep = below.join(module.ident.to_string()).join("mod.rs");
            found.extend(sources(if flat.exists() { flat } else { deep }));
        }
    }
    found.push((path, file));
    found
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|cfg| cfg == "test")
    })
}

/// Asynchronous functions that somebody else can call, by name, with the numbers of their arguments besides `self`.
#[derive(Default)]
struct Offers(BTreeMap<String, BTreeSet<usize>>);

impl Offers {
    fn note(&mut self, visibility: &Visibility, signature: &syn::Signature) {
        let future =
            matches!(&signature.output, syn::ReturnType::Type(_, output) if matches!(**output, Type::ImplTrait(_)));
        let visible = match visibility {
            Visibility::Public(_) => true,
            Visibility::Restricted(within) => within.path.is_ident("crate"),
            Visibility::Inherited => false,
        };
        if visible && (signature.asyncness.is_some() || future) {
            let arguments = signature.inputs.iter().filter(|input| matches!(input, FnArg::Typed(_))).count();
            self.0.entry(signature.ident.to_string()).or_default().insert(arguments);
        }
    }
}

impl<'ast> Visit<'ast> for Offers {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.note(&function.vis, &function.sig);
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.note(&function.vis, &function.sig);
    }
}

/// Where cargo keeps the source of a dependency.
fn source_of(package: &str) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--locked", "--offline", "--format-version", "1"]);
    let output = cargo.current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let of_it = metadata["packages"].as_array().unwrap().iter().find(|one| one["name"] == package);
    Path::new(of_it.expect(package)["manifest_path"].as_str().unwrap()).parent().unwrap().join("src")
}

/// What writes, by name, with the numbers of its arguments.
type Writes = BTreeMap<String, BTreeSet<usize>>;

static WRITES: LazyLock<Writes> = LazyLock::new(writes);

fn writes() -> Writes {
    let (mut kubernetes, mut remote) = (Offers::default(), Offers::default());
    let kube = [source_of("kube-client").join("api/mod.rs"), source_of("kube-runtime").join("events.rs")];
    kube.into_iter().flat_map(sources).for_each(|(_, file)| kubernetes.visit_file(&file));
    sources(root().join("src/remote/mod.rs")).iter().for_each(|(_, file)| remote.visit_file(file));
    for (offers, reads, sure) in [
        (&mut kubernetes, &READS_OF_KUBERNETES[..], &["create", "delete", "patch", "patch_status", "publish"][..]),
        (&mut remote, &READS_OF_REMOTE[..], &["create", "update", "delete"][..]),
    ] {
        for read in reads {
            assert!(offers.0.remove(*read).is_some(), "{read} is offered no more: take it off the list");
        }
        for write in sure {
            assert!(offers.0.contains_key(*write), "{write} is not found: this test looks in the wrong place");
        }
    }
    for (name, arguments) in remote.0 {
        kubernetes.0.entry(name).or_default().extend(arguments);
    }
    kubernetes.0
}

/// Ways around the methods that are looked for: requests by hand, and kube's helper that writes finalizers itself. To hand
/// one on that somebody else made is none.
fn forbidden(path: &[String], in_remote: bool) -> bool {
    let has = |name: &str| path.iter().any(|segment| segment == name);
    let from = |root: &str| path.first().is_some_and(|first| first == root);
    let made = path.split_last().is_some_and(|(_, before)| before.iter().any(|segment| segment == "Request"));
    let by_hand = made || (has("Request") && (from("kube") || has("remote")));
    let helper = path.len() > 1 && has("finalizer") && (from("kube") || from("kube_runtime"));
    let client = (from("reqwest") && !has("header")) || from("hyper");
    helper || (!in_remote && (by_hand || client))
}

/// Looks through one file.
struct Search {
    in_remote: bool,
    /// Variables of the present function that hold a fail point.
    points: BTreeSet<String>,
    function: String,
    followed: usize,
    /// Writes without a fail point, and ways around this search.
    found: Vec<String>,
}

impl Search {
    fn of(file: &syn::File, in_remote: bool) -> Self {
        let (points, function) = (BTreeSet::new(), String::new());
        let mut search = Self { in_remote, points, function, followed: 0, found: vec![] };
        search.visit_file(file);
        search
    }

    fn complain(&mut self, what: impl std::fmt::Display) {
        self.found.push(format!("{}: {what}", self.function));
    }

    fn is_write(call: &ExprMethodCall) -> bool {
        WRITES.get(&call.method.to_string()).is_some_and(|arguments| arguments.contains(&call.args.len()))
    }

    /// `Api::patch`, `<Api<K>>::patch`: a method by its type, called or not. Modules are in lower case.
    fn is_write_by_type(path: &ExprPath) -> bool {
        let mut names = path.path.segments.iter().rev().map(|segment| segment.ident.to_string());
        let is_write = names.next().is_some_and(|name| WRITES.contains_key(&name));
        is_write && (path.qself.is_some() || names.next().is_some_and(|of| of.starts_with(char::is_uppercase)))
    }

    /// Whether its value is a fail point, and nothing else that might have a method `after`.
    fn is_point(&self, value: &Expr) -> bool {
        let ends = |block: &syn::Block| matches!(block.stmts.last(), Some(Stmt::Expr(end, None)) if self.is_point(end));
        match value {
            Expr::Path(path) => match path.path.get_ident() {
                Some(variable) => self.points.contains(&variable.to_string()),
                None => path.path.segments.iter().rev().nth(1).is_some_and(|of| of.ident == "FailPoint"),
            },
            Expr::If(choice) => {
                ends(&choice.then_branch) && choice.else_branch.as_ref().is_some_and(|(_, other)| self.is_point(other))
            }
            Expr::Block(block) => ends(&block.block),
            _ => false,
        }
    }

    fn enter(&mut self, signature: &syn::Signature) {
        self.function = signature.ident.to_string();
        self.points = signature
            .inputs
            .iter()
            .filter_map(|input| match input {
                FnArg::Typed(typed) if is_fail_point(&typed.ty) => variable(&typed.pat),
                _ => None,
            })
            .collect();
    }

    /// Macros whose content is no list of expressions: a name behind a dot or two colons, before brackets.
    fn scan(&mut self, tokens: TokenStream) {
        let mut after_separator = false;
        for token in tokens {
            match &token {
                TokenTree::Group(group) => self.scan(group.stream()),
                TokenTree::Ident(name) if after_separator && WRITES.contains_key(&name.to_string()) => {
                    self.complain(format_args!("{name} in a macro; take it out of there"));
                }
                _ => {}
            }
            after_separator = matches!(&token, TokenTree::Punct(punct) if ['.', ':'].contains(&punct.as_char()));
        }
    }
}

fn is_fail_point(type_: &Type) -> bool {
    matches!(type_, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "FailPoint"))
}

fn variable(pattern: &Pat) -> Option<String> {
    match pattern {
        Pat::Ident(ident) => Some(ident.ident.to_string()),
        Pat::Type(typed) => variable(&typed.pat),
        _ => None,
    }
}

fn names(path: &syn::Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

/// Every path that an import names.
fn imports(tree: &UseTree, before: &[String]) -> Vec<Vec<String>> {
    let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
    match tree {
        UseTree::Path(path) => imports(&path.tree, &with(&path.ident)),
        UseTree::Group(group) => group.items.iter().flat_map(|item| imports(item, before)).collect(),
        UseTree::Name(name) => vec![with(&name.ident)],
        // Under another name it would not be known again.
        UseTree::Rename(rename) => vec![[with(&rename.ident), vec!["as".into()]].concat()],
        _ => vec![before.to_vec()],
    }
}

impl<'ast> Visit<'ast> for Search {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.enter(&function.sig);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.enter(&function.sig);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        visit::visit_local(self, local);
        if let Some(name) = variable(&local.pat) {
            let holds_point = local.init.as_ref().is_some_and(|init| self.is_point(&init.expr));
            if holds_point {
                self.points.insert(name)
            } else {
                self.points.remove(&name)
            };
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if call.method == "after" && call.args.len() == 1 && self.is_point(&call.receiver) {
            // The write itself, in no brackets of something else: only what it is made of is looked at further.
            match &call.args[0] {
                Expr::MethodCall(write) if Self::is_write(write) => {
                    self.followed += 1;
                    self.visit_expr(&write.receiver);
                    write.args.iter().for_each(|argument| self.visit_expr(argument));
                    return;
                }
                Expr::Call(write) if matches!(&*write.func, Expr::Path(path) if Self::is_write_by_type(path)) => {
                    self.followed += 1;
                    write.args.iter().for_each(|argument| self.visit_expr(argument));
                    return;
                }
                _ => self.complain("a fail point after what is no write, or not known as one"),
            }
        } else if Self::is_write(call) {
            self.complain(format_args!(".{}(…) without a fail point", call.method));
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_path(&mut self, path: &'ast ExprPath) {
        if Self::is_write_by_type(path) {
            self.complain(format_args!("{} without a fail point", names(&path.path).join("::")));
        }
        visit::visit_expr_path(self, path);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if forbidden(&names(path), self.in_remote) {
            self.complain(format_args!("{} goes around this search", names(path).join("::")));
        }
        visit::visit_path(self, path);
    }

    fn visit_item_use(&mut self, import: &'ast syn::ItemUse) {
        for path in imports(&import.tree, &[]) {
            if forbidden(&path, self.in_remote) {
                self.complain(format_args!("use {} goes around this search", path.join("::")));
            }
        }
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        match call.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated) {
            Ok(arguments) => arguments.iter().for_each(|argument| Visit::visit_expr(self, argument)),
            Err(_) => self.scan(call.tokens.clone()),
        }
    }
}

/// How many writes are followed by a fail point in a piece of code, and how many things are wrong.
fn judged(code: &str) -> (usize, usize) {
    let search = Search::of(&syn::parse_str(code).unwrap(), false);
    (search.followed, search.found.len())
}

#[test]
fn a_write_in_the_brackets_of_a_fail_point_is_followed() {
    for code in [
        "let object = FailPoint::Status.after(api(client).patch_status(&name, &params, &patch)).await?;",
        "match FailPoint::Hold\n  .after(api.patch::<Value>(&name, // a comment\n &params, &patch)).await { _ => {} }",
        "FailPoint::Hold.after(Api::patch(&api, &name, &params, &patch)).await",
        "let point = if wanted { FailPoint::Hold } else { FailPoint::Release }; point.after(api.delete(&name, &params))",
        "FailPoint::Create.after(resolved.live.app_maker.create(&path, &webhook))",
        "FailPoint::Event.after(self.recorder(event, on).publish(event, on))",
        "tokio::join!(FailPoint::Status.after(api.patch_status(&name, &params, &patch)), other())",
    ] {
        assert_eq!(judged(&format!("async fn f() {{ {code} }}")), (1, 0), "{code}");
    }
    assert_eq!(judged("fn f(point: FailPoint) { point.after(api.patch_metadata(a, b, c)) }"), (1, 0));
}

#[test]
fn a_fail_point_beside_a_write_is_none_and_nothing_hides_a_write() {
    for code in [
        "let object = api.patch_status(&name, &params, &patch).await;",
        r#"let url = "https://x"; api.patch_status(&name, &params, &patch);"#,
        "join(FailPoint::Status.after(api.delete(&name, &params)), api.patch_status(&name, &params, &patch))",
        "endpoint.after(api.patch_status(&name, &params, &patch))",
        "point.after(api.patch_status(&name, &params, &patch))",
        "let point = clock.now(); point.after(api.patch_status(&name, &params, &patch))",
        "FailPoint::Status.after(both(api.patch_status(&name, &params, &patch)))",
        "Api::patch(&api, &name, &params, &patch)",
        "<Api<Secret>>::delete(&api, &name, &params)",
        "names.map(Api::delete)",
        "tokio::select! { done = api.patch_status(&name, &params, &patch) => done, () = stop => {} }",
        "tokio::join!(api.patch_status(&name, &params, &patch), other())",
        "api.entry(&name).await?.or_insert(new).commit(&params)",
        "resolved.live.app_maker.update(&path, id, &changes)",
        "client.request(http::Request::patch(path).body(bytes))",
        "let request = kube::core::Request::new(url);",
        "reqwest::get(url)",
        "kube::runtime::finalizer::finalizer(&api, NAME, object, reconcile)",
    ] {
        let (_, wrong) = judged(&format!("async fn f() {{ {code} }}"));
        assert!(wrong > 0, "{code}");
    }
    assert_eq!(judged("use kube::runtime::{events::Event, finalizer};"), (0, 1));
    for import in
        ["kube::core::{Request, Resource}", "http::{Method, Request as Plain}", "crate::remote::http::Request"]
    {
        assert_eq!(judged(&format!("use {import};")), (0, 1));
    }
}

#[test]
fn what_only_has_the_name_of_a_write_is_none() {
    for code in [
        "let text = text.replace('a', \"b\"); // api.patch(&name, &params, &patch)\n",
        "let json = wire::create(&webhook); create(pass, &resolved)",
        "let due = clock.now().after(delay); finalizer(context, object)",
        r#"let text = "api.delete(&name, &params)";"#,
        "let reply = self.inner.call(request); let service: Service<Request<B>> = reply;",
        "tracing::info!(object = %pass.key, \"{write}\");",
    ] {
        assert_eq!(judged(&format!("async fn f() {{ {code} }}")), (0, 0), "{code}");
    }
}

#[test]
fn every_write_is_followed_by_a_fail_point() {
    let (mut followed, mut wrong) = (0, vec![]);
    for (path, file) in sources(root().join("src/lib.rs")).into_iter().chain(sources(root().join("src/main.rs"))) {
        let path = path.strip_prefix(root()).unwrap();
        // `hookwright check` asks an operator whether it is well.
        let speaks_http = path.starts_with("src/remote") || path == Path::new("src/cli/check.rs");
        let search = Search::of(&file, speaks_http);
        followed += search.followed;
        // `hookwright plan` asks the API server what it would do, by a client whose writes fail.
        if path == Path::new("src/cli/plan/dry_run.rs") {
            continue;
        }
        wrong.extend(search.found.into_iter().map(|found| format!("{}, {found}", path.display())));
    }
    assert!(wrong.is_empty(), "make each write `FailPoint::X.after(write)`:\n{}", wrong.join("\n"));
    assert!(followed >= 10, "only {followed} writes were found: this test looks for the wrong thing");
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

/// Of builds without debug assertions, `controller::fail_point` lets none be compiled with them.
#[test]
fn fail_points_are_in_tests_and_in_no_other_build() {
    assert_eq!(who_has_fail_points("features,normal,build"), "");
    assert_ne!(who_has_fail_points("features,normal,build,dev"), "");
    assert!(fail::has_failpoints(), "the operator that the tests start has them");
}
