//! Differences between what should be and what is, channel by channel and field by field.
//!
//! Both sides are destructured without `..`: a field that somebody adds and forgets here does not compile.

use std::collections::BTreeSet;

use super::desired::DesiredChannel;
use super::observed::{Channel, SeenSecret, Switch};
use crate::domain::compare::bounded;
use crate::domain::refusal::{is_plain, reveal};
use crate::domain::secret::{ReceiverUrl, SecretText};

/// One difference, in words that may be shown: URL and secret are named, not quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What differs, for example `channels[wecom].url`.
    pub field: String,
    /// What the spec says.
    pub desired: String,
    /// What the remote says.
    pub actual: String,
}

/// What a comparison found.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// In what the remote differs.
    pub differences: Vec<Difference>,
    /// What of each channel is shown: those that are declared, and those that are on without being declared.
    pub channels: Vec<Shown>,
    /// Types of the declared channels whose secret the remote does not show, so that it was not compared.
    pub hidden_secrets: Vec<String>,
}

/// What of a channel is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its type.
    pub kind: String,
    /// Whether it is as declared.
    pub in_sync: bool,
    /// Whether it is on at the remote.
    pub enabled: bool,
    /// Host of its URL.
    pub url_host: String,
    /// What it tells.
    pub notify: Vec<String>,
}

const ABSENT: &str = "(absent)";
const PRESENT: &str = "(present)";
const DIFFERS: &str = "(differs)";
const UNKNOWN: &str = "(unknown)";
/// Longest list of names that is shown.
const MAX_NAMES: usize = 20;

/// Compares each declared field of each declared channel. A channel that is not declared is a difference while it is
/// on. `secrets` is what no text of the remote may repeat, beside what its channels themselves hold.
#[must_use]
pub fn compare(desired: &[DesiredChannel], seen: &[Channel], secrets: &[SecretText]) -> Comparison {
    let mut found = Comparison::default();
    let secrets: Vec<_> = seen.iter().flat_map(Channel::hidden).chain(secrets.iter().cloned()).collect();
    let known = !seen.iter().any(|row| row.secret.is_unknown());
    let shown = |text: &str| if text.is_empty() { String::new() } else { showable(text, &secrets, known) };
    for channel in desired {
        let kind = channel.kind.as_str();
        let rows: Vec<_> = seen.iter().enumerate().filter(|(_, row)| row.kind == kind).collect();
        let fits = |row: &Channel| differences(channel, row, &shown).is_empty();
        // Of several rows of one type the one that fits counts, else one that is on.
        let row = rows
            .iter()
            .find(|(_, row)| fits(row))
            .or_else(|| rows.iter().find(|(_, row)| row.switch == Switch::On))
            .or_else(|| rows.first());
        let (at, row) = (row.map(|(index, _)| *index), row.map(|(_, row)| *row));
        let mut differs = match row {
            None if channel.enabled => vec![difference(kind, "", PRESENT, ABSENT)],
            None => differences(channel, &Channel::absent(kind), &shown),
            Some(row) => differences(channel, row, &shown),
        };
        let more = rows.iter().filter(|(index, row)| Some(*index) != at && row.switch == Switch::On).count();
        if more > 0 {
            differs.push(difference(kind, "", "one", &format!("{more} more that are on")));
        }
        let hidden = row.is_some_and(|row| row.secret.is_unknown());
        if channel.secret.is_some() && hidden {
            found.hidden_secrets.push(kind.to_owned());
        }
        let absent = Channel::absent(kind);
        found.channels.push(shown_of(row.unwrap_or(&absent), kind.to_owned(), differs.is_empty(), &shown));
        found.differences.append(&mut differs);
    }
    undeclared(&mut found, desired, seen, &shown);
    found
}

/// Channels that are on and of a type that is not declared.
fn undeclared(found: &mut Comparison, desired: &[DesiredChannel], seen: &[Channel], shown: &impl Fn(&str) -> String) {
    let mut told = BTreeSet::new();
    for row in seen.iter().filter(|row| row.switch == Switch::On) {
        let declared = desired.iter().any(|channel| channel.kind.as_str() == row.kind);
        let kind = type_name(&row.kind);
        if declared || !told.insert(kind.clone()) {
            continue;
        }
        found.differences.push(difference(&kind, ".enabled", "false", switch(row.switch)));
        found.channels.push(shown_of(row, kind, false, shown));
    }
}

fn differences(desired: &DesiredChannel, seen: &Channel, shown: &impl Fn(&str) -> String) -> Vec<Difference> {
    let DesiredChannel { kind, enabled, url, secret, notify, review_result_filter, user_ids } = desired;
    let Channel {
        kind: _,
        switch: seen_switch,
        url: seen_url,
        notify: seen_notify,
        review_result_filter: seen_filter,
        user_ids: seen_user_ids,
        secret: seen_secret,
    } = seen;
    let mut found = vec![];
    let mut add = |field: &str, desired: &str, actual: &str| {
        found.push(difference(kind.as_str(), field, desired, actual));
    };
    let wanted = if *enabled { Switch::On } else { Switch::Off };
    if wanted != *seen_switch {
        add(".enabled", switch(wanted), switch(*seen_switch));
    }
    if url.as_ref().is_some_and(|url| url != seen_url) {
        let set = !seen_url.expose().is_empty();
        add(".url", if set { DIFFERS } else { PRESENT }, if set { DIFFERS } else { ABSENT });
    }
    match (secret, seen_secret) {
        // What is not shown can't be compared; the outcome says so.
        (None, _) | (Some(_), SeenSecret::Masked | SeenSecret::Hidden) => {}
        (Some(secret), SeenSecret::Shown(seen)) if secret == seen => {}
        (Some(_), SeenSecret::Shown(_)) => add(".secret", DIFFERS, DIFFERS),
        (Some(_), SeenSecret::Empty) => add(".secret", PRESENT, ABSENT),
    }
    if let Some(notify) = notify.as_ref().filter(|notify| !same(notify, seen_notify)) {
        add(".notify", &list(notify, bounded), &list(seen_notify, shown));
    }
    if let Some(filter) = review_result_filter.as_ref().filter(|filter| filter.trim() != seen_filter) {
        add(".reviewResultFilter", &format!("{:?}", bounded(filter)), &format!("{:?}", shown(seen_filter)));
    }
    if let Some(user_ids) = user_ids.as_ref().filter(|ids| !same(ids, seen_user_ids)) {
        add(".userIds", &list(user_ids, bounded), &list(seen_user_ids, shown));
    }
    found
}

impl Channel {
    /// What a channel without a row is: off, and empty.
    fn absent(kind: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            switch: Switch::Off,
            url: ReceiverUrl::new(""),
            notify: BTreeSet::new(),
            review_result_filter: String::new(),
            user_ids: BTreeSet::new(),
            secret: SeenSecret::Empty,
        }
    }
}

fn difference(kind: &str, field: &str, desired: &str, actual: &str) -> Difference {
    Difference { field: format!("channels[{kind}]{field}"), desired: desired.to_owned(), actual: actual.to_owned() }
}

fn shown_of(row: &Channel, kind: String, in_sync: bool, shown: &impl Fn(&str) -> String) -> Shown {
    Shown {
        kind,
        in_sync,
        enabled: row.switch == Switch::On,
        url_host: bounded(&row.url.host()),
        notify: row.notify.iter().take(MAX_NAMES).map(|name| shown(name)).collect(),
    }
}

const fn switch(switch: Switch) -> &'static str {
    match switch {
        Switch::On => "true",
        Switch::Off => "false",
        Switch::Unknown => UNKNOWN,
    }
}

/// Whether two sets of names are the same without regard to case.
fn same(desired: &BTreeSet<String>, seen: &BTreeSet<String>) -> bool {
    let lower = |names: &BTreeSet<String>| names.iter().map(|name| name.to_ascii_lowercase()).collect::<BTreeSet<_>>();
    lower(desired) == lower(seen)
}

/// `[a,b]`, sorted, so that the same set is always the same text.
fn list(names: &BTreeSet<String>, shown: impl Fn(&str) -> String) -> String {
    let more = if names.len() > MAX_NAMES { ",…" } else { "" };
    let names: Vec<_> = names.iter().take(MAX_NAMES).map(|name| shown(name)).collect();
    bounded(&format!("[{}{more}]", names.join(",")))
}

/// A text of the remote, if it repeats nothing secret: what somebody pasted into the wrong field stays there. Unless all
/// keys are `known`, it may repeat one that is not, and only plain words are shown.
fn showable(text: &str, secrets: &[SecretText], known: bool) -> String {
    let revealed = SecretText::new(text);
    let shown = reveal(&revealed, secrets).filter(|text| known || is_plain(text));
    shown.map_or_else(|| DIFFERS.to_owned(), bounded)
}

/// A type that the page does not know, as far as it may stand in a field's name.
fn type_name(kind: &str) -> String {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    let is_name = (1..=32).contains(&kind.len()) && kind.bytes().all(allowed);
    if is_name { kind.to_owned() } else { "unknown".to_owned() }
}

#[cfg(test)]
mod tests;
