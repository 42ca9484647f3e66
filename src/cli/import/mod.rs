//! `hookwright import`: what a remote holds already, as manifests that take it over without a change there.

mod render;
mod write;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{ArgGroup, Args};
use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde::Serialize;

use self::render::{Document, documents};
use super::outlook::{Outlook, Sight};
use super::rules::{namespace, object_name};
use super::talk::Talk;
use crate::api::project_webhook::{ConnectionKind, ConnectionRef, ProjectWebhookSpec};
use crate::api::task_notification::TaskNotificationSpec;
use crate::controller::connections::{Live, Service};
use crate::controller::context::Context;
use crate::controller::outside::{Seen, context};
use crate::controller::reference::{connection, other_provider};
use crate::controller::refuse::{Halt, kubernetes};
use crate::domain::compare::bounded;
use crate::domain::ids::{ObjectKey, OrganizationId, ProjectId, ProjectPath, TaskId};
use crate::domain::import::{Imported, Names, owner, project_webhook, task_notification};
use crate::domain::notification::SeenSecret;
use crate::domain::observed::Webhook;
use crate::domain::pattern::EndpointPlace;
use crate::remote::app_maker::AppMaker;
use crate::remote::codearts::check::Check;
use crate::remote::pace::Priority;

/// What to import, and where to.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("through").required(true).args(["connection", "cluster_connection"]),
          group = ArgGroup::new("what").required(true).args(["project", "task"]))]
pub struct Options {
    /// Connection to read through, and namespace of what is written.
    #[arg(long, value_name = "[NS/]NAME", value_parser = connection_name)]
    connection: Option<ConnectionName>,
    /// ClusterConnection to read through; what is written is of --namespace.
    #[arg(long, value_name = "NAME", value_parser = object_name)]
    cluster_connection: Option<String>,
    /// App Maker organization of the project.
    #[arg(long, value_name = "ID", requires = "project")]
    organization: Option<OrganizationId>,
    /// App Maker project whose webhooks are written as ProjectWebhooks.
    #[arg(long, value_name = "ID", requires = "organization")]
    project: Option<ProjectId>,
    /// CodeArts Check task whose notifications are written as a TaskNotification. Repeatable.
    #[arg(long, value_name = "ID")]
    task: Vec<TaskId>,
    /// File to write to, or directory for a file each; neither may be there with anything in its place. Standard output
    /// without it.
    #[arg(long, value_name = "PATH")]
    output: Option<PathBuf>,
    #[command(flatten)]
    outlook: Outlook,
}

/// A Connection by name, and perhaps namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ConnectionName {
    namespace: Option<String>,
    name: String,
}

fn connection_name(text: &str) -> Result<ConnectionName, String> {
    let (in_namespace, name) = match text.split_once('/') {
        Some((before, name)) => (Some(namespace(before)?), name),
        None => (None, text),
    };
    Ok(ConnectionName { namespace: in_namespace, name: object_name(name)? })
}

/// Where what is written belongs, and through what it is read.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    namespace: String,
    connection: ConnectionRef,
}

/// How it ended so far.
#[derive(Default)]
struct Import {
    documents: Vec<Document>,
    objects: usize,
    left_out: usize,
    refused: usize,
}

pub fn import(options: Options) -> anyhow::Result<ExitCode> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(options))
}

async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let Options { connection: named, cluster_connection, organization, project, task: tasks, output, outlook } =
        options;
    if let Some(path) = &output {
        write::check(path)?;
    }
    let asked = outlook.namespace.clone();
    let Sight { client, settings, namespace } = outlook.sight().await?;
    let place = place(named, cluster_connection, asked.as_deref(), namespace)?;
    let mut talk = Talk::begin();
    talk.progress("reading the cluster");
    let seen = Seen::read(&client, &BTreeSet::from([place.namespace.clone()])).await?;
    seen.unread.iter().for_each(|line| talk.say(line));
    let context = context(client, settings, &seen);
    let secrets = secret_names(&context, &place, &mut talk).await?;
    let mut import = Import::default();
    match (organization, project) {
        (Some(organization), Some(project)) => {
            let path = ProjectPath { organization, project };
            let here = seen.webhooks.iter().filter(|object| object.namespace().as_deref() == Some(&place.namespace));
            let names = Names::taken(here.map(ResourceExt::name_any).collect(), secrets);
            import.webhooks(&context, &place, &path, names, &mut talk).await?;
        }
        _ => {
            let here =
                seen.notifications.iter().filter(|object| object.namespace().as_deref() == Some(&place.namespace));
            let names = Names::taken(here.map(ResourceExt::name_any).collect(), secrets);
            import.tasks(&context, &place, &seen, &tasks, names, &mut talk).await?;
        }
    }
    talk.end();
    let Import { documents, objects, left_out, refused } = import;
    write::write(&documents, output.as_deref())?;
    talk.say(&format!("{objects} written, {left_out} left out, {refused} refused"));
    Ok(if refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A namespaced connection serves its own namespace alone.
fn place(
    named: Option<ConnectionName>,
    cluster_connection: Option<String>,
    asked: Option<&str>,
    default: String,
) -> anyhow::Result<Place> {
    if let Some(name) = cluster_connection {
        let connection = ConnectionRef { kind: ConnectionKind::ClusterConnection, name };
        return Ok(Place { namespace: default, connection });
    }
    let ConnectionName { namespace, name } = named.context("set --connection or --cluster-connection")?;
    if let (Some(of_connection), Some(asked)) = (&namespace, asked)
        && of_connection != asked
    {
        bail!("a Connection serves its own namespace alone: leave --namespace out, or use --cluster-connection");
    }
    let connection = ConnectionRef { kind: ConnectionKind::Connection, name };
    Ok(Place { namespace: namespace.unwrap_or(default), connection })
}

/// The Secrets that are there: none of them may be overwritten by what is applied.
async fn secret_names(context: &Context, place: &Place, talk: &mut Talk) -> anyhow::Result<BTreeSet<String>> {
    let namespace = &place.namespace;
    let api = Api::<Secret>::namespaced(context.client.clone(), namespace);
    match api.list_metadata(&ListParams::default()).await {
        Ok(list) => Ok(list.items.iter().map(ResourceExt::name_any).collect()),
        Err(kube::Error::Api(status)) if status.code == 403 => {
            talk.say(&format!(
                "the Secrets of namespace {namespace} may not be listed: before you apply, look whether one has the name of a \
                 Secret that is written here"
            ));
            Ok(BTreeSet::new())
        }
        Err(error) => bail!("the Secrets of namespace {namespace} can't be listed: {}", kubernetes(&error)),
    }
}

/// The connection, if it serves this place.
async fn live(context: &Context, place: &Place, path: Option<&ProjectPath>) -> anyhow::Result<Arc<Live>> {
    let Place { namespace, connection: reference } = place;
    connection(context, reference, namespace, path).await.map_err(|halt| match halt {
        Halt::Refused(refusal) => anyhow::anyhow!("{}: {}", refusal.reason, refusal.message),
        Halt::Retry(why) => anyhow::anyhow!(why),
        Halt::Gathering(_) | Halt::NotDue(_) | Halt::Outdated => {
            anyhow::anyhow!("the connection is changing; try again")
        }
    })
}

impl Import {
    async fn webhooks(
        &mut self,
        context: &Context,
        place: &Place,
        path: &ProjectPath,
        mut names: Names,
        talk: &mut Talk,
    ) -> anyhow::Result<()> {
        let live = live(context, place, Some(path)).await?;
        let app_maker = app_maker(&live)?;
        talk.progress(&format!("reading the webhooks of project {path}"));
        let webhooks = app_maker.list(path, Priority::Urgent).await?;
        // Nobody's: no object of the cluster is called so.
        let nobody = ObjectKey { namespace: "".into(), name: "".into() };
        let rivals = context.index.rivals(&nobody, EndpointPlace::of(&live.endpoint), path.project);
        for webhook in &webhooks {
            let called = called(webhook);
            if let Some(owner) = owner(webhook, &rivals) {
                self.left_out += 1;
                talk.say(&format!("left out: {called}: {owner}"));
                continue;
            }
            match project_webhook(webhook, &place.connection, path, &mut names) {
                Ok(imported) => self.add::<ProjectWebhookSpec>("ProjectWebhook", place, &imported)?,
                Err(refused) => self.refuse(&called, &refused, talk),
            }
        }
        Ok(())
    }

    async fn tasks(
        &mut self,
        context: &Context,
        place: &Place,
        seen: &Seen,
        tasks: &[TaskId],
        mut names: Names,
        talk: &mut Talk,
    ) -> anyhow::Result<()> {
        let live = live(context, place, None).await?;
        let check = check(&live)?;
        for (done, task) in tasks.iter().enumerate() {
            talk.progress(&format!("reading task {} of {}", done + 1, tasks.len()));
            let called = format!("task {task}");
            let declared = seen.notifications.iter().find(|object| object.spec.task_id == task.to_string());
            if let Some(object) = declared {
                self.left_out += 1;
                let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
                talk.say(&format!("left out: {called}: TaskNotification {namespace}/{name} declares it"));
                continue;
            }
            let channels = match check.channels(task, Priority::Urgent).await {
                Ok(channels) => channels,
                // No other task would be shown either.
                Err(error) if error.is_auth() => return Err(error).context(called),
                Err(error) => {
                    self.refuse(&called, &error, talk);
                    continue;
                }
            };
            match task_notification(task, &channels, &place.connection, &mut names) {
                Ok(Some(imported)) => {
                    self.add::<TaskNotificationSpec>("TaskNotification", place, &imported)?;
                    for row in channels.iter().filter(|row| row.secret == SeenSecret::Masked) {
                        talk.say(&format!(
                            "{called}: the remote masks the signing secret of channel {}, which is left out: it can't be compared",
                            bounded(&row.kind)
                        ));
                    }
                }
                Ok(None) => {
                    self.left_out += 1;
                    talk.say(&format!("left out: {called}: it has no notification channel to declare"));
                }
                Err(refused) => self.refuse(&called, &refused, talk),
            }
        }
        Ok(())
    }

    fn add<S: Serialize>(&mut self, kind: &str, place: &Place, imported: &Imported<S>) -> anyhow::Result<()> {
        self.objects += 1;
        self.documents.extend(documents(kind, &place.namespace, imported).with_context(|| imported.name.clone())?);
        Ok(())
    }

    fn refuse(&mut self, called: &str, why: &dyn std::fmt::Display, talk: &mut Talk) {
        self.refused += 1;
        talk.say(&format!("refused: {called}: {why}"));
    }
}

/// A webhook as a person knows it. Its name is no secret: it becomes a part of the spec.
fn called(webhook: &Webhook) -> String {
    let name = webhook.name.as_deref().map(|name| format!(" {:?}", bounded(name))).unwrap_or_default();
    format!("webhook {}{name}", webhook.id)
}

fn app_maker(live: &Live) -> anyhow::Result<&AppMaker> {
    match &live.service {
        Service::AppMaker(app_maker) => Ok(app_maker),
        Service::CodeArts(_) => bail!(other_provider(&live.key, "ProjectWebhook", "codeArts", "appMaker").message),
    }
}

fn check(live: &Live) -> anyhow::Result<&Check> {
    match &live.service {
        Service::CodeArts(check) => Ok(check),
        Service::AppMaker(_) => bail!(other_provider(&live.key, "TaskNotification", "appMaker", "codeArts").message),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_connection_says_the_namespace_and_a_cluster_connection_goes_with_any() {
        let place = |named: Option<&str>, cluster: Option<&str>, asked: Option<&str>| {
            let named = named.map(|text| connection_name(text).unwrap());
            super::place(named, cluster.map(Into::into), asked, asked.unwrap_or("default").into())
        };
        assert_eq!(place(Some("shop/a"), None, None).unwrap().namespace, "shop");
        assert_eq!(place(Some("shop/a"), None, Some("shop")).unwrap().namespace, "shop");
        assert_eq!(place(Some("a"), None, Some("team")).unwrap().namespace, "team");
        assert_eq!(place(Some("a"), None, None).unwrap().namespace, "default");
        let clustered = place(None, Some("a"), Some("team")).unwrap();
        assert_eq!((clustered.connection.kind, &*clustered.namespace), (ConnectionKind::ClusterConnection, "team"));
        let error = place(Some("shop/a"), None, Some("team")).unwrap_err().to_string();
        assert!(error.contains("--cluster-connection"), "{error}");
        for bad in ["A", "a/b/c", "/a", "a/", "Shop/a"] {
            assert!(connection_name(bad).is_err(), "{bad}");
        }
    }
}
