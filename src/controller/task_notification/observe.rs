//! IO: one GET, when one is due.

use std::time::Duration;

use super::{Resolved, TaskNotificationKind, requested};
use crate::api::condition::Reason;
use crate::controller::kind::{Kind, Pass};
use crate::controller::refuse::{Halt, Withheld, reason_of, remote};
use crate::controller::verdict;
use crate::domain::notification::Channel;
use crate::domain::schedule::{jittered, least_interval};
use crate::remote::codearts::iam::ISSUE_TOKEN;
use crate::remote::error::{Fault, RemoteError};
use crate::remote::pace::Priority;

pub(super) async fn observe(
    pass: &mut Pass<'_, TaskNotificationKind>,
    resolved: &Resolved,
) -> Result<Vec<Channel>, Halt> {
    let now = pass.context.clock.now();
    let asked = requested(pass.object).is_some_and(|at| pass.status.last_handled_reconcile_at.as_ref() != Some(at));
    let decided = Some(pass.status.observed_generation) == pass.object.metadata.generation;
    // The same pass is asked for by many: the watch of its connection, that of its Secrets, the timer. What a pass saw that
    // failed later is not in the status yet.
    let told = decided && pass.failures == 0;
    let due = pass.memory.looked.filter(|(basis, _)| *basis == resolved.basis && told && !asked).map(|(_, due)| due);
    if let Some(due) = due.filter(|due| now < *due && !resolved.live.credentials.are_rejected()) {
        return Err(Halt::NotDue(due.since(now)));
    }
    if let Some(due) = due {
        pass.context.metrics.resync_lag(TaskNotificationKind::KIND, now.since(due));
    }
    verdict::admit(pass.context, &resolved.live)?;
    pass.memory.looked = None;
    let priority = if decided && !asked { Priority::Periodic } else { Priority::Urgent };
    // Also of a look that fails: by the next one they may be others.
    pass.memory.hold(resolved.own());
    match resolved.check.channels(&resolved.task, priority).await {
        Ok(channels) => {
            verdict::accepted(pass.context, &resolved.live);
            pass.memory.hold(channels.iter().flat_map(Channel::hidden));
            let due = next(pass, resolved);
            pass.memory.looked = Some((resolved.basis, now.after(due)));
            pass.again = Some(due);
            Ok(channels)
        }
        Err(error) => Err(failed(pass, resolved, &error)),
    }
}

/// Time until the next look: the interval, or a longer one where the connection's rate allows no more, spread so that
/// tasks do not all come due together.
fn next(pass: &Pass<'_, TaskNotificationKind>, resolved: &Resolved) -> Duration {
    let interval = TaskNotificationKind::resync_interval(pass);
    let live = &resolved.live;
    let looks = pass.context.users.count(&live.key);
    let stretched = interval.max(least_interval(looks, live.declared.spec.rate_limit.requests_per_second));
    let ratio = stretched.as_secs_f64() / interval.as_secs_f64().max(1.0);
    pass.context.metrics.resync_stretch(TaskNotificationKind::KIND, ratio);
    jittered(stretched, &pass.key)
}

fn failed(pass: &Pass<'_, TaskNotificationKind>, resolved: &Resolved, error: &RemoteError) -> Halt {
    if let Some(halt) = verdict::unauthorized(pass.context, &resolved.live, error) {
        return halt;
    }
    let (reason, advice) = if error.call == ISSUE_TOKEN { of_iam(error) } else { of_check(error) };
    // The remote may hold what was entered there since the last look.
    let secrets = resolved.secrets(&pass.memory.held);
    remote(error, reason, advice, Withheld::TheseAndUnknown(&secrets))
}

/// The page's 400 is about the parameters, and the task's id is the only one.
fn of_check(error: &RemoteError) -> (Reason, &'static str) {
    let reason = match &error.fault {
        Fault::Rejected { status: 400, .. } => Reason::TaskNotFound,
        _ => reason_of(error, Reason::TaskNotFound),
    };
    let advice = match reason {
        Reason::TaskNotFound => "; correct spec.taskId, or the region in the endpoint of the connection",
        Reason::Forbidden => "; give the connection's user the permission codeartscheck:task:get",
        _ => "",
    };
    (reason, advice)
}

fn of_iam(error: &RemoteError) -> (Reason, &'static str) {
    let reason = reason_of(error, Reason::RemoteRejected);
    let advice = match reason {
        Reason::RemoteRejected => {
            "; correct iamEndpoint, domain, user and project in spec.codeArts.auth.password of the connection"
        }
        Reason::Forbidden => "; have the account's administrator let the connection's user get tokens",
        _ => "",
    };
    (reason, advice)
}
