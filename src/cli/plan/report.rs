//! Pure: what a plan says, as text and as JSON, and what it exits with.

use std::fmt::{self, Write as _};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::Serialize;

use crate::api::condition::{Class, READY, Reason};
use crate::api::project_webhook::{Drift, Ownership, ProjectWebhookStatus};
use crate::api::task_notification::TaskNotificationStatus;
use crate::controller::foresee::Foreseen;
use crate::controller::refuse::Halt;
use crate::domain::status::current_reason;

/// What becomes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Verdict {
    /// Nothing changes at the remote.
    NoChange,
    /// The operator would write to the remote.
    Change,
    /// The remote differs, and the operator would leave it so: a person has to change one of the two sides.
    Differs,
    /// It can't be planned, or would not become Ready.
    Error,
}

/// One object of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Entry {
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) end: End,
}

/// What is known of its next pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct End {
    verdict: Verdict,
    /// The writes to the remote, in the words of the operator's log.
    writes: Vec<String>,
    /// The Ready condition that it would end in, where no write comes first.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// The webhook that would be adopted as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    adopts: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    drift: Vec<Drift>,
}

/// A status as a plan reads it.
pub(super) trait Told {
    fn conditions(&self) -> &[Condition];
    fn drift(&self) -> &[Drift];
    /// The webhook that is adopted, if one is.
    fn adopted(&self) -> Option<&str>;
}

impl Told for ProjectWebhookStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    fn drift(&self) -> &[Drift] {
        &self.drift
    }

    fn adopted(&self) -> Option<&str> {
        self.webhook_id.as_deref().filter(|_| self.ownership == Some(Ownership::Adopted))
    }
}

impl Told for TaskNotificationStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    fn drift(&self) -> &[Drift] {
        &self.drift
    }

    fn adopted(&self) -> Option<&str> {
        None
    }
}

impl End {
    fn new(verdict: Verdict, message: Option<String>) -> Self {
        Self { verdict, writes: vec![], reason: None, message, adopts: None, drift: vec![] }
    }

    /// Nothing happens.
    pub(super) fn at_rest(message: &str) -> Self {
        Self::new(Verdict::NoChange, Some(message.to_owned()))
    }

    /// There is no plan.
    pub(super) fn error(message: impl Into<String>) -> Self {
        Self::new(Verdict::Error, Some(message.into()))
    }

    /// What a pass would come to. `before` is the status as it is.
    pub(super) fn of<S: Told>(foreseen: Result<Foreseen<S>, Halt>, before: Option<&S>) -> Self {
        let Foreseen { writes, status } = match foreseen {
            Ok(foreseen) => foreseen,
            Err(halt) => return Self::halted(halt),
        };
        let Some(status) = status else { return Self { writes, ..Self::new(Verdict::Change, None) } };
        let reason = current_reason(status.conditions());
        let ready = status.conditions().iter().find(|condition| condition.type_ == READY);
        let adopts = status.adopted().filter(|id| before.and_then(Told::adopted) != Some(*id));
        Self {
            verdict: if writes.is_empty() { verdict(reason) } else { Verdict::Change },
            writes,
            reason: reason.map(Reason::as_str),
            message: ready.map(|ready| ready.message.clone()),
            adopts: adopts.map(str::to_owned),
            drift: status.drift().to_vec(),
        }
    }

    fn halted(halt: Halt) -> Self {
        match halt {
            Halt::Refused(refusal) => Self { reason: Some(refusal.reason.as_str()), ..Self::error(refusal.message) },
            Halt::Retry(why) => Self::error(why),
            Halt::Gathering(_) | Halt::NotDue(_) | Halt::Outdated => Self::error("it is changing; try again"),
        }
    }
}

/// What a pass that ends with this reason, and without a write, means.
fn verdict(reason: Option<Reason>) -> Verdict {
    match reason {
        Some(Reason::Drifted | Reason::ManualChangeRequired) => Verdict::Differs,
        Some(reason) if reason.class() == Class::Ready => Verdict::NoChange,
        _ => Verdict::Error,
    }
}

impl fmt::Display for Entry {
    /// One line, or one a write, and one a difference that stays.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, namespace, name, end } = self;
        let End { verdict, writes, reason, message, adopts, drift } = end;
        let namespace = namespace.as_ref().map(|namespace| format!("{namespace}/")).unwrap_or_default();
        let called = format!("{kind} {namespace}{name}");
        for write in writes {
            writeln!(f, "{called}: {write}")?;
        }
        if let Some(message) = message {
            let what = match verdict {
                Verdict::NoChange => "no change: ",
                Verdict::Change => "then ",
                Verdict::Differs => "differs: ",
                Verdict::Error => "error: ",
            };
            let reason = reason.map(|reason| format!("{reason}: ")).unwrap_or_default();
            let adopts = adopts.as_ref().map(|id| format!("; adopts webhook {id} as it is")).unwrap_or_default();
            writeln!(f, "{called}: {what}{reason}{message}{adopts}")?;
        }
        for Drift { field, desired, actual } in drift {
            writeln!(f, "  {field}: desired {desired}, actual {actual}")?;
        }
        Ok(())
    }
}

/// The whole plan.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) objects: Vec<Entry>,
}

impl Report {
    /// The worst of them: 1 for an error, 2 for a change that is due at the remote, whoever makes it, else 0.
    pub(super) fn exit_code(&self) -> u8 {
        match self.objects.iter().map(|entry| entry.end.verdict).max() {
            None | Some(Verdict::NoChange) => 0,
            Some(Verdict::Change | Verdict::Differs) => 2,
            Some(Verdict::Error) => 1,
        }
    }

    /// As text.
    pub(super) fn text(&self) -> String {
        let count = |verdict| self.objects.iter().filter(|entry| entry.end.verdict == verdict).count();
        let mut text: String = self.objects.iter().map(ToString::to_string).collect();
        let (changed, differing) = (count(Verdict::Change), count(Verdict::Differs));
        let (same, errors) = (count(Verdict::NoChange), count(Verdict::Error));
        // Writing to a String can't fail.
        let _ = writeln!(text, "{changed} to change, {differing} differing, {same} without change, {errors} in error");
        text
    }

    /// As JSON.
    pub(super) fn json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::refusal::Refusal;

    fn entry(verdict: Verdict) -> Entry {
        let end = End::new(verdict, Some("said".into()));
        Entry { kind: "ProjectWebhook", namespace: Some("shop".into()), name: "a".into(), end }
    }

    fn code(verdicts: &[Verdict]) -> u8 {
        Report { objects: verdicts.iter().map(|verdict| entry(*verdict)).collect() }.exit_code()
    }

    #[test]
    fn an_error_outweighs_a_change_and_that_outweighs_none() {
        use Verdict::{Change, Differs, Error, NoChange};
        assert_eq!((code(&[]), code(&[NoChange])), (0, 0));
        assert_eq!((code(&[NoChange, Change]), code(&[Differs, NoChange])), (2, 2));
        assert_eq!((code(&[Change, Error, NoChange]), code(&[Error])), (1, 1));
    }

    #[test]
    fn every_reason_has_a_verdict() {
        for reason in Reason::ALL {
            let expected = match reason {
                Reason::Synced | Reason::Observed | Reason::Configured => Verdict::NoChange,
                Reason::Drifted | Reason::ManualChangeRequired => Verdict::Differs,
                _ => Verdict::Error,
            };
            assert_eq!(verdict(Some(*reason)), expected, "{reason}");
        }
        assert_eq!(verdict(None), Verdict::Error);
    }

    #[test]
    fn what_keeps_a_pass_from_a_plan_is_an_error_with_its_reason() {
        let refusal = Refusal::person(Reason::InvalidSpec, "correct it");
        let end = End::of::<ProjectWebhookStatus>(Err(refusal.into()), None);
        let text = Entry { end, ..entry(Verdict::Error) }.to_string();
        assert_eq!(text, "ProjectWebhook shop/a: error: InvalidSpec: correct it\n");
    }
}
