//! `hookwright plan`: what would happen at the remotes, were these manifests applied. Nothing is written, there or here.

mod dry_run;
mod manifests;
mod redact;
mod report;

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use kube::api::DynamicObject;
use kube::{Client, Resource as _, ResourceExt};
use serde::de::DeserializeOwned;

use self::dry_run::{Judged, judge};
use self::manifests::{Manifest, Manifests, Ours};
use self::report::{End, Entry, Report, Told};
use super::outlook::{Outlook, Sight};
use super::talk::Talk;
use crate::controller::context::Context;
use crate::controller::foresee::foresee;
use crate::controller::index::object_key;
use crate::controller::kind::Kind;
use crate::controller::outside::{Seen, context};
use crate::controller::project_webhook::ProjectWebhookKind;
use crate::controller::sources::{Source, SourceKey, SourceKind};
use crate::controller::task_notification::TaskNotificationKind;

/// Of what, and how it is told.
#[derive(Debug, Args)]
pub struct Options {
    /// Manifests: a file, a directory with files that end in .yaml, .yml or .json, or - for standard input. Repeatable.
    #[arg(long = "filename", short = 'f', value_name = "PATH", required = true)]
    filenames: Vec<PathBuf>,
    /// Form of the plan.
    #[arg(long, short, value_enum, default_value_t = Form::Text)]
    output: Form,
    #[command(flatten)]
    outlook: Outlook,
}

/// How a plan is told.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// A line for each object, and one for each write.
    Text,
    /// JSON.
    Json,
}

pub fn plan(options: Options) -> anyhow::Result<ExitCode> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(options))
}

async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let Options { filenames, output, outlook } = options;
    let Sight { client, settings, namespace } = outlook.sight().await?;
    let mut manifests = Manifests::default();
    for path in &filenames {
        read(path, &mut manifests, &namespace)?;
    }
    let mut talk = Talk::begin();
    let namespaces: BTreeSet<_> = manifests.ours.iter().filter_map(|manifest| manifest.object.namespace()).collect();
    talk.progress("reading the cluster");
    let mut seen = Seen::read(&client, &namespaces).await?;
    seen.unread.iter().for_each(|line| talk.say(line));
    let Manifests { ours, secrets, config_maps, .. } = manifests;
    let planned = judge_all(&client, ours, &mut seen, &mut talk).await?;
    let context = context(client, settings, &seen);
    for secret in secrets {
        let key = source_key(SourceKind::Secret, &secret);
        context.sources.give(key, Source::from(secret)).await;
    }
    for map in config_maps {
        let key = source_key(SourceKind::ConfigMap, &map);
        context.sources.give(key, Source::from(map)).await;
    }
    let total = planned.len();
    let mut report = Report { objects: vec![] };
    for (done, Planned { manifest, refused }) in planned.into_iter().enumerate() {
        talk.progress(&format!("planning {} of {total}", done + 1));
        let end = match refused {
            Some(why) => Some(End::error(why)),
            None => end(&context, &manifest, &seen).await,
        };
        let (kind, name) = (manifest.kind.as_str(), manifest.object.name_any());
        report.objects.extend(end.map(|end| Entry { kind, namespace: manifest.object.namespace(), name, end }));
    }
    talk.end();
    let text = match output {
        Form::Text => report.text(),
        Form::Json => report.json()?,
    };
    std::io::stdout().lock().write_all(text.as_bytes()).context("standard output can't be written to")?;
    Ok(ExitCode::from(report.exit_code()))
}

/// A manifest, and why it would not be taken.
struct Planned {
    manifest: Manifest,
    refused: Option<String>,
}

/// Has the API server judge the manifests, and puts those that it takes in the place of what is there.
async fn judge_all(
    client: &Client,
    ours: Vec<Manifest>,
    seen: &mut Seen,
    talk: &mut Talk,
) -> anyhow::Result<Vec<Planned>> {
    let mut planned = vec![];
    let total = ours.len();
    for (done, manifest) in ours.into_iter().enumerate() {
        talk.progress(&format!("checking {} of {total}", done + 1));
        let object = match judge(client, &manifest).await? {
            Judged::Refused(why) => {
                planned.push(Planned { manifest, refused: Some(why) });
                continue;
            }
            Judged::Taken(object) => object,
            Judged::Unasked(object, why) => {
                talk.say(&format!(
                    "{} is not checked by the API server ({why}), and taken as it stands",
                    manifest.called()
                ));
                object
            }
        };
        let is_taken = match manifest.kind {
            Ours::Connection => put(&mut seen.connections, *object),
            Ours::ClusterConnection => put(&mut seen.cluster_connections, *object),
            Ours::ProjectWebhook => put(&mut seen.webhooks, *object),
            Ours::TaskNotification => put(&mut seen.notifications, *object),
        };
        let refused =
            (!is_taken).then(|| "it has not the form of its kind; `kubectl apply --dry-run=server` says why".into());
        planned.push(Planned { manifest, refused });
    }
    Ok(planned)
}

/// Puts an object in the place of the one with its name. Of one that can't be read nothing is repeated.
fn put<K: ResourceExt + DeserializeOwned>(all: &mut Vec<K>, object: DynamicObject) -> bool {
    let Ok(object) = object.try_parse::<K>() else { return false };
    let key = object_key(&object);
    all.retain(|other| object_key(other) != key);
    all.push(object);
    true
}

fn source_key(kind: SourceKind, object: &impl ResourceExt) -> SourceKey {
    SourceKey { kind, namespace: object.namespace().unwrap_or_default(), name: object.name_any() }
}

/// What becomes of an object; `None` for a connection, which has nothing at the remote.
async fn end(context: &Arc<Context>, manifest: &Manifest, seen: &Seen) -> Option<End> {
    let key = object_key(&manifest.object);
    match manifest.kind {
        Ours::Connection | Ours::ClusterConnection => None,
        Ours::ProjectWebhook => {
            let object = seen.webhooks.iter().find(|object| object_key(*object) == key)?;
            Some(end_of::<ProjectWebhookKind>(context, object).await)
        }
        Ours::TaskNotification => {
            let object = seen.notifications.iter().find(|object| object_key(*object) == key)?;
            Some(end_of::<TaskNotificationKind>(context, object).await)
        }
    }
}

async fn end_of<K: Kind<Status: Told>>(context: &Arc<Context>, object: &K::Object) -> End {
    if object.meta().deletion_timestamp.is_some() {
        return End::error("it is being deleted, and a manifest does not stop that; apply it once it is gone");
    }
    if K::is_suspended(object) {
        return End::at_rest("spec.suspend is true: nothing happens but its deletion");
    }
    End::of(foresee::<K>(context, object).await, K::status(object))
}

/// Reads a file, the files of a directory, or standard input.
fn read(path: &Path, manifests: &mut Manifests, namespace: &str) -> anyhow::Result<()> {
    if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).context("standard input can't be read")?;
        return Ok(manifests.add("standard input", &text, namespace)?);
    }
    let called = path.display();
    let files =
        if path.is_dir() { files(path).with_context(|| format!("{called} can't be read"))? } else { vec![path.into()] };
    if files.is_empty() {
        bail!("{called} holds no file that ends in .yaml, .yml or .json");
    }
    for file in files {
        let text = std::fs::read_to_string(&file).with_context(|| format!("{} can't be read", file.display()))?;
        manifests.add(&file.display().to_string(), &text, namespace)?;
    }
    Ok(())
}

/// The manifests of a directory, by name. Directories in it are left alone, as kubectl does.
fn files(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = vec![];
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if path.is_file() && ["yaml", "yml", "json"].contains(&ending) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
