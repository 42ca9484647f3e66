//! What the demo shows, each part with a bounded wait and a plain word on what did not hold.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{
    code_arts::Task,
    stage::Stage,
    table::{Live, Row, render},
};
use crate::steps::elapsed;

/// The ProjectWebhook that is changed behind the operator's back.
pub const CHANGED: &str = "build-alerts";
/// The ProjectWebhook that is deleted.
pub const DELETED: &str = "build-alerts-signed";

/// Generous: the machine may be compiling something else.
const LIMIT: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(300);

/// Shows the table until every example is Ready, but for those that only a person can make so: they say what to change.
pub async fn all_settled(stage: &mut Stage, count: usize) -> Result<()> {
    let (begin, mut live) = (Instant::now(), Live::new());
    loop {
        stage.check()?;
        let rows = rows(stage).await?;
        live.show(&rows)?;
        if rows.len() == count && rows.iter().all(is_settled) {
            let ready = rows.iter().filter(|row| row.ready).count();
            println!("{ready} are Ready after {}; left to a person: {}", elapsed(begin.elapsed()), count - ready);
            return Ok(());
        }
        if begin.elapsed() > LIMIT {
            let unsettled: Vec<_> = rows.into_iter().filter(|row| !is_settled(row)).collect();
            bail!("not as they should be after {}:\n{}", elapsed(LIMIT), render(&unsettled, usize::MAX));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Nobody has looked after the tasks' channels yet, and the operator must not have found them in order.
fn is_settled(row: &Row) -> bool {
    if row.kind == "TaskNotification" { row.for_a_person } else { row.ready }
}

async fn rows(stage: &Stage) -> Result<Vec<Row>> {
    let mut rows: Vec<_> = stage.kubectl.objects().await?.iter().map(Row::of).collect();
    rows.sort();
    Ok(rows)
}

/// Switches a webhook off at the console, and waits until the operator has switched it on again.
pub async fn drift_is_corrected(stage: &mut Stage) -> Result<()> {
    let (project, id) = remote(stage, CHANGED).await?;
    println!("at the console: switching webhook {id} ({CHANGED}) off and giving it another URL");
    let edit = json!({ "active": false, "url": "https://elsewhere.example.com/" });
    let wanted = stage.console.find(&project, &id)?.with_context(|| format!("the remote has no webhook {id}"))?;
    stage.console.change(&project, &id, &edit)?;
    let begin = Instant::now();
    loop {
        stage.check()?;
        let now = stage.console.find(&project, &id)?;
        let same = now.as_ref().is_some_and(|now| ["active", "url"].iter().all(|field| now[field] == wanted[field]));
        let object = stage.kubectl.project_webhook(CHANGED).await?;
        let row = object.as_ref().map(Row::of);
        if same && row.as_ref().is_some_and(|row| row.ready) {
            println!("corrected after {}, and {CHANGED} is Ready", elapsed(begin.elapsed()));
            return Ok(());
        }
        if begin.elapsed() > LIMIT {
            bail!(
                "a change at the console was not corrected in {}: the remote holds {now:?}, the object says {row:?}",
                elapsed(LIMIT)
            );
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Deletes a ProjectWebhook, and waits until it is gone here and there.
pub async fn deletion_reaches_both_sides(stage: &mut Stage) -> Result<()> {
    let (project, id) = remote(stage, DELETED).await?;
    println!("kubectl delete projectwebhook {DELETED}");
    stage.kubectl.delete_project_webhook(DELETED).await?;
    let begin = Instant::now();
    loop {
        stage.check()?;
        let object = stage.kubectl.project_webhook(DELETED).await?;
        let at_remote = stage.console.find(&project, &id)?.is_some();
        if object.is_none() && !at_remote {
            println!("gone after {}: from Kubernetes, and webhook {id} from the remote", elapsed(begin.elapsed()));
            return Ok(());
        }
        if object.is_none() {
            bail!("{DELETED} is gone from Kubernetes, but webhook {id} is still at the remote");
        }
        if begin.elapsed() > LIMIT {
            let row = object.as_ref().map(Row::of);
            bail!("not deleted in {}: at the remote: {at_remote}, the object says {row:?}", elapsed(LIMIT));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Every ProjectWebhook has exactly one webhook at the remote, and the remote has no others.
pub async fn remote_holds_no_more(stage: &Stage, projects: impl Iterator<Item = String>) -> Result<()> {
    let objects = stage.kubectl.objects().await?;
    let mut claimed: Vec<_> =
        objects.iter().filter_map(|object| object.pointer("/status/webhookId")?.as_str()).collect();
    let mut held = Vec::new();
    for project in projects {
        held.extend(stage.console.list(&project)?);
    }
    let mut held: Vec<_> = held.iter().filter_map(|webhook| webhook["_id"].as_str()).collect();
    claimed.sort_unstable();
    held.sort_unstable();
    if claimed != held {
        bail!("the remote holds the webhooks {held:?}, the ProjectWebhooks name {claimed:?}");
    }
    println!("the remote holds {} webhooks, exactly one for each ProjectWebhook", held.len());
    Ok(())
}

/// Shows what is to be changed at the console, lets a person do it, and waits until the TaskNotification is Ready.
pub async fn a_person_mends(stage: &mut Stage, task: &Task) -> Result<()> {
    let name = &task.object;
    let object = stage.kubectl.task_notification(name).await?.with_context(|| format!("there is no {name}"))?;
    let drift = object.pointer("/status/drift").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if drift.is_empty() {
        bail!("{name} waits for a person, and status.drift says nothing of what to change");
    }
    println!("status.drift of {name}:");
    for one in drift {
        let of = |field: &str| one[field].as_str().unwrap_or_default().to_owned();
        println!("   {}: desired {}, actual {}", of("field"), of("desired"), of("actual"));
    }
    println!("at the console: entering the channels of task {} as they should be", task.id);
    for channel in &task.channels {
        stage.console.set_channel(&task.id, channel)?;
    }
    let begin = Instant::now();
    loop {
        stage.check()?;
        let object = stage.kubectl.task_notification(name).await?;
        let drifts = object.as_ref().is_some_and(|object| object.pointer("/status/drift").is_some());
        let row = object.as_ref().map(Row::of);
        if !drifts && row.as_ref().is_some_and(|row| row.ready) {
            println!("seen after {}, and {name} is Ready", elapsed(begin.elapsed()));
            return Ok(());
        }
        if begin.elapsed() > LIMIT {
            bail!("what a person changed at the console was not seen in {}: the object says {row:?}", elapsed(LIMIT));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The project and the id of the remote webhook of a ProjectWebhook.
async fn remote(stage: &Stage, name: &str) -> Result<(String, String)> {
    let object = stage.kubectl.project_webhook(name).await?.with_context(|| format!("there is no {name}"))?;
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).map(str::to_owned);
    let id = text("/status/webhookId").with_context(|| format!("{name} is Ready without status.webhookId"))?;
    Ok((text("/spec/projectId").context("no spec.projectId")?, id))
}
