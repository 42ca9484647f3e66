//! IO: connection, Secrets and ids of a ProjectWebhook. Nothing here calls the remote, so bad input costs no call.

use std::collections::BTreeMap;

use super::{ProjectWebhookKind, Resolved, Texts};
use crate::api::condition::Reason;
use crate::api::source::KeyRef;
use crate::controller::connect::value;
use crate::controller::connections::{Live, Service};
use crate::controller::index::User;
use crate::controller::kind::{Kind, Pass};
use crate::controller::reference::{connection, other_provider};
use crate::controller::refuse::Halt;
use crate::controller::sources::SourceKind;
use crate::domain::ids::ProjectPath;
use crate::domain::memory::Basis;
use crate::domain::plan::Timing;
use crate::domain::refusal::Refusal;
use crate::remote::app_maker::AppMaker;

pub(super) type Versions = BTreeMap<String, String>;

pub(super) async fn resolve(pass: &Pass<'_, ProjectWebhookKind>) -> Result<Resolved, Halt> {
    let path = project_path(pass)?;
    let reference = &pass.object.spec.connection_ref;
    let live = connection(pass.context, reference, &pass.key.namespace, Some(&path)).await?;
    let app_maker = app_maker(&live)?;
    let mut secrets = Versions::new();
    let texts = texts(pass, &mut secrets).await?;
    let project = pass.context.snapshots.project(&live.key, path);
    let settle = pass.context.settings.settle_for(live.timeout);
    let interval = ProjectWebhookKind::resync_interval(pass);
    let basis = Basis {
        generation: pass.object.metadata.generation.unwrap_or_default(),
        connection: Some(format!("{}/{}", reference.kind.as_str(), reference.name)),
        secrets,
    };
    Ok(Resolved { live, app_maker, path, project, texts: Some(texts), basis, timing: Timing { settle, interval } })
}

/// URL and headers as they are written, not checked yet.
pub(super) async fn texts(pass: &Pass<'_, ProjectWebhookKind>, secrets: &mut Versions) -> Result<Texts, Halt> {
    let (url, url_field) = url(pass, secrets).await?;
    Ok(Texts { url, url_field, headers: headers(pass, secrets).await? })
}

/// Organization and project. The schema has checked them; an object from before a schema may hold anything.
pub(super) fn project_path(pass: &Pass<'_, ProjectWebhookKind>) -> Result<ProjectPath, Refusal> {
    let spec = &pass.object.spec;
    let invalid = |field: &str| {
        Refusal::person(Reason::InvalidSpec, format!("spec.{field} is not an id of 24 hexadecimal digits; correct it"))
    };
    Ok(ProjectPath {
        organization: spec.organization_id.parse().map_err(|_| invalid("organizationId"))?,
        project: spec.project_id.parse().map_err(|_| invalid("projectId"))?,
    })
}

/// The client of a connection that is one with appMaker.
pub(super) fn app_maker(live: &Live) -> Result<AppMaker, Refusal> {
    match &live.service {
        Service::AppMaker(app_maker) => Ok(app_maker.clone()),
        Service::CodeArts(_) => Err(other_provider(&live.key, "ProjectWebhook", "codeArts", "appMaker")),
    }
}

async fn url(pass: &Pass<'_, ProjectWebhookKind>, secrets: &mut Versions) -> Result<(String, String), Halt> {
    let spec = &pass.object.spec;
    match (&spec.url, &spec.url_from) {
        (Some(url), None) => Ok((url.clone(), "spec.url".into())),
        (None, Some(from)) => {
            let KeyRef { name, key } = &from.secret_key_ref;
            Ok((secret(pass, &from.secret_key_ref, secrets).await?, format!("key {key} of Secret {name}")))
        }
        _ => Err(Refusal::person(Reason::InvalidSpec, "set exactly one of spec.url and spec.urlFrom").into()),
    }
}

async fn headers(pass: &Pass<'_, ProjectWebhookKind>, secrets: &mut Versions) -> Result<Vec<(String, String)>, Halt> {
    let mut headers = vec![];
    for header in &pass.object.spec.headers {
        let value = match (&header.value, &header.value_from) {
            (Some(value), None) => value.clone(),
            (None, Some(from)) => {
                let value = secret(pass, &from.secret_key_ref, secrets).await?;
                from.prefix.clone().unwrap_or_default() + &value
            }
            _ => {
                let message = format!("set exactly one of value and valueFrom for header {}", header.name);
                return Err(Refusal::person(Reason::InvalidSpec, message).into());
            }
        };
        headers.push((header.name.clone(), value));
    }
    Ok(headers)
}

async fn secret(pass: &Pass<'_, ProjectWebhookKind>, from: &KeyRef, secrets: &mut Versions) -> Result<String, Halt> {
    let user = User::ProjectWebhook(pass.key.clone());
    let (text, version) = value(pass.context, SourceKind::Secret, &pass.key.namespace, from, &user).await?;
    secrets.insert(from.name.clone(), version);
    Ok(text.expose().to_owned())
}
