//! IO: connection, Secrets and id of a TaskNotification. Nothing here calls the remote, so bad input costs no call.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::{Basis, Resolved, TaskNotificationKind, Text, Texts};
use crate::api::condition::Reason;
use crate::api::source::{KeyRef, SecretSource};
use crate::controller::connect::value;
use crate::controller::connections::Service;
use crate::controller::index::User;
use crate::controller::kind::Pass;
use crate::controller::reference::{connection, other_provider};
use crate::controller::refuse::Halt;
use crate::controller::sources::SourceKind;
use crate::domain::refusal::Refusal;
use crate::domain::secret::SecretText;

pub(super) async fn resolve(pass: &Pass<'_, TaskNotificationKind>) -> Result<Resolved, Halt> {
    let spec = &pass.object.spec;
    // The schema has checked it; an object from before a schema may hold anything.
    let invalid =
        |_| Refusal::person(Reason::InvalidSpec, "spec.taskId is not 1 to 32 letters, digits, - and _; correct it");
    let task = spec.task_id.parse().map_err(invalid)?;
    let live = connection(pass.context, &spec.connection_ref, &pass.key.namespace, None).await?;
    let check = match &live.service {
        Service::CodeArts(check) => check.clone(),
        Service::AppMaker(_) => {
            return Err(other_provider(&live.key, "TaskNotification", "appMaker", "codeArts").into());
        }
    };
    let mut basis = DefaultHasher::new();
    (pass.object.metadata.generation, &live.built_from).hash(&mut basis);
    let mut texts = vec![];
    for channel in &spec.channels {
        let kind = channel.type_.as_str();
        let url = match (&channel.url, &channel.url_from) {
            (Some(url), None) => Some(Text { text: SecretText::new(url), field: format!("spec.channels[{kind}].url") }),
            (None, Some(from)) => Some(secret(pass, from, &mut basis).await?),
            (None, None) if !channel.enabled => None,
            _ => {
                let message = format!("set exactly one of url and urlFrom for channel {kind}, or enabled: false");
                return Err(Refusal::person(Reason::InvalidSpec, message).into());
            }
        };
        let secret = match &channel.secret_from {
            None => None,
            Some(from) => Some(secret(pass, from, &mut basis).await?),
        };
        texts.push(Texts { url, secret });
    }
    Ok(Resolved { live, check, task, texts, basis: Basis(basis.finish()) })
}

async fn secret(
    pass: &Pass<'_, TaskNotificationKind>,
    from: &SecretSource,
    basis: &mut DefaultHasher,
) -> Result<Text, Halt> {
    let KeyRef { name, key } = &from.secret_key_ref;
    let user = User::TaskNotification(pass.key.clone());
    let (text, version) =
        value(pass.context, SourceKind::Secret, &pass.key.namespace, &from.secret_key_ref, &user).await?;
    (name, version).hash(basis);
    Ok(Text { text, field: format!("key {key} of Secret {name}") })
}
