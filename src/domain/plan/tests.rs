use super::*;
use crate::domain::claim::Strength;
use crate::domain::compare::Field;
use crate::domain::desired::Changes;
use crate::domain::fixture::*;
use crate::domain::intent::{Creating, Intent};
use crate::domain::memory::Answer;
use crate::domain::observed::{HeaderName, SeenValue};
use crate::domain::secret::{ReceiverUrl, SecretText};

mod adoption;
mod hidden;

fn synced() -> Case {
    Case { recorded: Some((id(1), Ownership::Created)), applied: Some(basis(1)), ..case() }
}

fn renamed(webhook: Webhook) -> Webhook {
    Webhook { name: Some("Edited".into()), ..webhook }
}

/// One look that plans a PATCH, which the remote accepts.
fn patched(case: &Case, memory: &mut Memory, webhooks: &[Webhook], second: u64) -> Option<Vec<Field>> {
    let Plan::Write(Write::Update { id, changes, fields, .. }) = look(case, memory, webhooks, second) else {
        return None;
    };
    let before = webhooks.iter().find(|webhook| webhook.id == id).unwrap();
    memory.updated(at(second), before, &desired(), &changes, &fields);
    Some(fields)
}

/// Patches as long as the plan says so, while the remote shows `webhooks` all the time. Returns how often, and then.
fn patched_until<'a>(case: &Case, memory: &mut Memory, webhooks: &'a [Webhook], from: u64) -> (usize, Plan<'a>) {
    let seconds = (1..10).map(|n| from + 31 * n);
    let patches = seconds.take_while(|second| patched(case, memory, webhooks, *second).is_some()).count();
    (patches, look(case, memory, webhooks, from + 310))
}

fn changes(plan: Plan<'_>) -> Changes {
    match write(plan) {
        Write::Update { changes, .. } => changes,
        other => panic!("no PATCH: {other}"),
    }
}

#[test]
fn what_is_not_there_is_created_and_then_looked_for() {
    let mut memory = memory(&case());
    let created = write(look(&case(), &mut memory, &[], 1));
    assert_eq!(created.to_string(), "create webhook \"Builds\" for hooks.example.com");
    memory.created(at(2), Answer::Accepted, false);
    assert_eq!(rest(look(&case(), &mut memory, &[], 3)).reason, Reason::Progressing);
    let found = [ours(1)];
    let end = rest(look(&case(), &mut memory, &found, 4));
    assert_eq!((end.reason, end.webhook.map(|(w, o)| (w.id, o))), (Reason::Synced, Some((id(1), Ownership::Created))));
}

#[test]
fn after_an_unclear_post_nothing_is_written_until_the_settle_time_is_over() {
    let mut memory = memory(&case());
    memory.created(at(10), Answer::Unclear, false);
    for second in [11, 39] {
        let waits = rest(look(&case(), &mut memory, &[], second));
        assert_eq!(waits.reason, Reason::Progressing);
        assert!(waits.again.is_some());
    }
    assert!(matches!(write(look(&case(), &mut memory, &[], 40)), Write::Create { .. }));
}

#[test]
fn a_remote_that_answers_no_post_is_asked_less_and_less_often_until_it_shows_one_or_the_spec_changes() {
    let mut memory = memory(&case());
    let mut posts = vec![];
    for second in 0..2000 {
        if let Plan::Write(Write::Create { .. }) = look(&case(), &mut memory, &[], second) {
            posts.push(second);
            memory.created(at(second), Answer::Unclear, false);
        }
    }
    assert_eq!(
        posts,
        [0, 30, 90, 210, 450, 750, 1050, 1350, 1650, 1950],
        "the settle time, doubled up to five minutes"
    );
    let told = rest(look(&case(), &mut memory, &[], 2000));
    assert_eq!((told.reason, told.again), (Reason::RemoteUnavailable, Some(Duration::from_secs(250))));
    // A look-alike is told at once, once no POST of ours can have made it.
    assert_eq!(rest(look(&case(), &mut memory, &[bare(1)], 2000)).reason, Reason::AdoptionRequired);
    let found = [ours(1)];
    assert_eq!(rest(look(&case(), &mut memory, &found, 2001)).reason, Reason::Synced);
    assert_eq!(memory.creation_backoff(at(2001), TIMING.settle), None);
    memory.created(at(2002), Answer::Unclear, false);
    let changed = Case { basis: basis(2), ..case() };
    assert!(matches!(look(&changed, &mut memory, &[], 2033), Plan::Write(Write::Create { .. })));
}

#[test]
fn a_process_that_finds_the_finalizer_without_an_id_waits_before_it_creates() {
    let case = Case { intent: Intent { held: true, creating: None }, ..case() };
    let mut memory = memory(&case);
    assert_eq!(rest(look(&case, &mut memory, &[], 29)).reason, Reason::Progressing);
    assert!(matches!(write(look(&case, &mut memory, &[], 30)), Write::Create { .. }));
}

#[test]
fn two_accepted_posts_that_no_list_shows_are_enough_even_for_the_next_process() {
    let mut first = memory(&case());
    for second in [1, 40] {
        assert!(matches!(write(look(&case(), &mut first, &[], second)), Write::Create { .. }));
        first.created(at(second), Answer::Accepted, false);
    }
    assert_eq!(rest(look(&case(), &mut first, &[], 69)).reason, Reason::Progressing);
    assert_eq!(first.recurring(), [], "the second may still be seen");
    assert_eq!(rest(look(&case(), &mut first, &[], 70)).reason, Reason::NotConverging);
    let corrections = first.recurring();
    assert_eq!(corrections, [(Field::Webhook, 2)]);
    let held = Case { intent: announced(&[]), ..case() };
    let mut second = Memory::first_met(at(0), true, corrections.into_iter().collect(), basis(1));
    assert_eq!(rest(look(&held, &mut second, &[], 1)).reason, Reason::NotConverging);
    // A changed spec starts anew.
    let changed = Case { basis: basis(2), ..held };
    assert!(matches!(write(look(&changed, &mut second, &[], 200)), Write::Create { .. }));
}

#[test]
fn a_duplicate_is_deleted_and_the_other_kept() {
    let duplicate = write(first_look(&synced(), &[ours(1), ours(2)]));
    assert_eq!(duplicate, Write::RemoveDuplicate { id: id(2), keep: id(1), record: Some(Ownership::Created) });
    assert_eq!(duplicate.to_string(), format!("delete duplicate webhook {}, keep {}", id(2), id(1)));
}

#[test]
fn a_duplicate_beside_an_adopted_webhook_leaves_that_adopted() {
    let case = Case { recorded: Some((id(1), Ownership::Adopted)), ..case() };
    let duplicate = write(first_look(&case, &[bare(1), ours(2)]));
    assert_eq!(duplicate, Write::RemoveDuplicate { id: id(2), keep: id(1), record: Some(Ownership::Adopted) });
}

#[test]
fn what_a_pin_supersedes_stays_recorded_until_it_is_deleted() {
    let case = Case { pinned: Some(id(1)), ..case() };
    let duplicate = write(first_look(&case, &[bare(1), ours(2)]));
    assert_eq!(duplicate, Write::RemoveDuplicate { id: id(2), keep: id(1), record: None });
}

#[test]
fn observe_writes_nothing_whatever_it_finds() {
    let case = Case { management: ManagementPolicy::Observe, ..synced() };
    assert_eq!(rest(first_look(&case, &[ours(1), ours(2)])).message, "found; equals the spec");
    assert_eq!(rest(first_look(&case, &[renamed(ours(1))])).message, "found; differs in name");
    let nothing = Case { recorded: None, ..case };
    assert_eq!(rest(first_look(&nothing, &[])).reason, Reason::Drifted);
}

#[test]
fn only_what_differs_is_sent_and_headers_whole_with_the_marker() {
    let name_only = Changes { name: Some("Builds".into()), ..Changes::default() };
    let update = write(first_look(&synced(), &[renamed(ours(1))]));
    assert_eq!(update, Write::Update { id: id(1), changes: name_only, fields: vec![Field::Name], adopts: false });
    assert_eq!(update.to_string(), format!("update webhook {}: name", id(1)));
    let whole = changes(first_look(&synced(), &[with_header(ours(1), "X-Old")]));
    assert_eq!(whole.headers, Some(desired().header_map(Some(&marker("me")))));
}

#[test]
fn with_the_marker_off_what_is_marked_stays_so_and_nothing_else_becomes_so() {
    let sent = |webhook: Webhook| {
        let case = Case { marking: false, ..synced() };
        let headers = changes(first_look(&case, &[with_header(webhook, "X-Old")])).headers.unwrap();
        headers.contains_key(&HeaderName::new("X-Hookwright-Owner"))
    };
    assert!(sent(ours(1)));
    assert!(!sent(bare(1)));
}

#[test]
fn a_field_that_comes_back_twice_is_not_converging_and_named() {
    let mut first = memory(&synced());
    let webhooks = [renamed(ours(1))];
    let (patches, end) = patched_until(&synced(), &mut first, &webhooks, 0);
    let end = rest(end);
    assert_eq!((patches, end.reason), (2, Reason::NotConverging));
    assert!(
        end.message.starts_with("these fields come back different after each correction: name;"),
        "{}",
        end.message
    );
    assert_eq!(first.recurring(), [(Field::Name, 2)]);
    // Still so for the next process, to which status tells it.
    let mut next = Memory::first_met(at(0), false, first.recurring().into_iter().collect(), basis(1));
    assert_eq!(rest(look(&synced(), &mut next, &webhooks, 1)).reason, Reason::NotConverging);
}

#[test]
fn not_converging_ends_when_one_of_the_two_sides_changes() {
    let mut memory = memory(&synced());
    patched_until(&synced(), &mut memory, &[renamed(ours(1))], 0);
    let other = [Webhook { name: Some("Again".into()), ..ours(1) }];
    assert_eq!(patched(&synced(), &mut memory, &other, 400), Some(vec![Field::Name]));
    patched_until(&synced(), &mut memory, &[renamed(ours(1))], 500);
    let changed = Case { basis: basis(2), ..synced() };
    assert_eq!(patched(&changed, &mut memory, &[renamed(ours(1))], 900), Some(vec![Field::Name]));
}

#[test]
fn a_list_that_does_not_show_the_change_yet_is_waited_for() {
    let mut memory = memory(&synced());
    let before = [renamed(ours(1))];
    assert!(patched(&synced(), &mut memory, &before, 1).is_some());
    let waits = rest(look(&synced(), &mut memory, &before, 2));
    assert_eq!((waits.reason, waits.message.as_str()), (Reason::Progressing, text::NOT_YET_SHOWN));
    assert!(patched(&synced(), &mut memory, &before, 31).is_some());
}

#[test]
fn a_removed_header_that_stays_has_the_webhook_replaced() {
    let mut memory = memory(&synced());
    let webhooks = [with_header(ours(1), "X-Old")];
    let (patches, end) = patched_until(&synced(), &mut memory, &webhooks, 0);
    let create = write(end);
    assert_eq!(patches, 2);
    let text =
        format!("create webhook \"Builds\" for hooks.example.com in place of {}, which keeps a removed header", id(1));
    assert_eq!(create.to_string(), text);
    // Once it is seen, the old one goes.
    memory.created(at(400), Answer::Accepted, true);
    let both = [with_header(ours(1), "X-Old"), ours(2)];
    let removes = Write::RemoveDuplicate { id: id(1), keep: id(2), record: Some(Ownership::Created) };
    assert_eq!(write(look(&synced(), &mut memory, &both, 401)), removes);
}

/// A webhook whose replacement was announced, and the memory of a process that gave up removing its header.
fn replacing() -> (Case, Memory, [Webhook; 1]) {
    let creating = Creating { after: Some(id(1)), replaces: true, generation: 1, candidates: [id(1)].into() };
    let case = Case { intent: Intent { held: true, creating: Some(creating) }, ..synced() };
    let corrections = [(Field::Header(HeaderName::new("X-Old")), 2)].into();
    let memory = Memory::first_met(at(0), case.intent.is_open(case.owned_id()), corrections, basis(1));
    (case, memory, [with_header(ours(1), "X-Old")])
}

#[test]
fn a_replacement_is_waited_for_before_it_is_tried_again_or_given_up() {
    let (case, mut memory, stuck) = replacing();
    // A new process: the one before may have made the POST.
    assert_eq!(rest(look(&case, &mut memory, &stuck, 1)).reason, Reason::Progressing);
    assert!(matches!(write(look(&case, &mut memory, &stuck, 30)), Write::Create { replaces: Some(_), .. }));
    memory.created(at(31), Answer::Accepted, true);
    assert_eq!(rest(look(&case, &mut memory, &stuck, 32)).reason, Reason::Progressing);
    assert_eq!(rest(look(&case, &mut memory, &stuck, 61)).reason, Reason::NotConverging);
    assert_eq!(memory.recurring().last(), Some(&(Field::Webhook, 1)), "the next process must not try again");
}

#[test]
fn a_new_process_does_not_replace_again_what_comes_back_after_a_replacement() {
    // The intent is closed: status names the webhook that the replacement made, and somebody set the header there again.
    let (case, _, stuck) = replacing();
    let case = Case { intent: Intent { held: true, creating: None }, ..case };
    let corrections = [(Field::Header(HeaderName::new("X-Old")), 2)].into();
    let mut memory = Memory::first_met(at(0), case.intent.is_open(case.owned_id()), corrections, basis(1));
    assert_eq!(rest(look(&case, &mut memory, &stuck, 60)).reason, Reason::NotConverging);
}

#[test]
fn a_replacement_that_was_refused_or_lost_is_tried_again() {
    let (case, mut memory, stuck) = replacing();
    memory.created(at(31), Answer::Refused, true);
    assert!(matches!(write(look(&case, &mut memory, &stuck, 32)), Write::Create { .. }));
    memory.created(at(33), Answer::Unclear, true);
    assert_eq!(rest(look(&case, &mut memory, &stuck, 62)).reason, Reason::Progressing);
    assert!(matches!(write(look(&case, &mut memory, &stuck, 63)), Write::Create { .. }));
}

#[test]
fn masked_values_count_as_they_were_last_accepted() {
    let case = Case { applied: None, ..synced() };
    let mut process = memory(&case);
    let webhooks = [veiled(1)];
    assert_eq!(patched(&case, &mut process, &webhooks, 1), Some(vec![Field::Header(HeaderName::new("X-Team"))]));
    assert_eq!(rest(look(&case, &mut process, &webhooks, 2)).reason, Reason::Synced);
    assert_eq!(rest(first_look(&synced(), &webhooks)).reason, Reason::Synced, "status.applied was accepted too");
    let rotated = Case { basis: basis(2), ..synced() };
    assert!(patched(&rotated, &mut memory(&rotated), &webhooks, 1).is_some(), "a rotated Secret has to be sent");
}

#[test]
fn report_drift_writes_only_what_is_newer_or_requested() {
    let drifts = Case { management: ManagementPolicy::ReportDrift, ..synced() };
    let webhooks = [renamed(ours(1))];
    let reported = rest(first_look(&drifts, &webhooks));
    assert_eq!((reported.reason, reported.differences.len()), (Reason::Drifted, 1));
    let newer = Case { basis: basis(2), ..drifts.clone() };
    let requested = Case { correction_requested: true, ..drifts.clone() };
    for case in [newer, requested] {
        assert!(patched(&case, &mut memory(&case), &webhooks, 1).is_some());
    }
    let new = Case { applied: None, recorded: None, ..drifts };
    assert!(matches!(write(first_look(&new, &[])), Write::Create { .. }));
}

#[test]
fn report_drift_reports_a_deletion_and_writes_to_no_other_webhook_instead() {
    let case = Case { management: ManagementPolicy::ReportDrift, adoption: AdoptionPolicy::Adopt, ..synced() };
    for webhooks in [vec![], vec![with_header(bare(2), "X-Old")]] {
        let view = View { looked_up: Some((id(1), None)), ..view(&webhooks, at(1)) };
        let end = rest(plan(&case, &desired(), &view, &Others::default(), &mut memory(&case), TIMING)).reason;
        assert_eq!(end, Reason::Drifted);
    }
}

#[test]
fn enforce_creates_again_what_was_deleted_at_the_console() {
    let view = View { looked_up: Some((id(1), None)), ..view(&[], at(1)) };
    let planned = plan(&synced(), &desired(), &view, &Others::default(), &mut memory(&synced()), TIMING);
    assert!(matches!(write(planned), Write::Create { replaces: None, .. }));
}

#[test]
fn the_loser_of_a_claim_writes_nothing_and_names_the_winner() {
    let others = Others { claims: vec![(id(1), Strength::Recorded, 1)], ..Others::default() };
    let case = Case { pinned: Some(id(1)), ..case() };
    let webhooks = [renamed(bare(1))];
    let end = rest(plan(&case, &desired(), &view(&webhooks, at(1)), &others, &mut memory(&case), TIMING));
    assert_eq!(end.reason, Reason::Conflict);
    assert!(end.message.contains("shop/other"), "{}", end.message);
}

#[test]
fn a_foreign_marker_is_a_conflict_with_the_ways_out() {
    let webhooks = [of("gone", 1)];
    let message = rest(first_look(&case(), &webhooks)).message;
    for part in ["--cluster-id", "spec.webhookId", "spec.adoptionPolicy: Adopt", "CreateAnother"] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn no_message_and_no_text_shows_a_url_or_a_header_value() {
    let mut different = with_header(ours(1), "X-Old");
    different.url = Some(ReceiverUrl::new("https://hooks.example.com/canary-2"));
    different.headers.insert(HeaderName::new("X-Team"), SeenValue::Plain(SecretText::new("canary-3")));
    let webhooks = [different];
    let update = write(first_look(&synced(), &webhooks));
    let drifted = rest(first_look(&Case { management: ManagementPolicy::ReportDrift, ..synced() }, &webhooks));
    let texts = format!("{update} {update:?} {} {:?}", drifted.message, drifted.differences);
    assert!(!texts.contains("canary"), "{texts}");
    assert!(texts.contains("url, headers[X-Team], headers[X-Old]"), "{texts}");
}

#[test]
fn the_other_writes_say_what_they_do() {
    let unmark = Write::Unmark { id: id(1), changes: Changes::default() };
    assert_eq!(unmark.to_string(), format!("remove header X-Hookwright-Owner from webhook {}", id(1)));
    assert_eq!(Write::Delete { id: id(1) }.to_string(), format!("delete webhook {}", id(1)));
    let fields: Vec<_> = (0..12).map(|n| Field::Header(HeaderName::new(format!("X-{n}")))).collect();
    let update = Write::Update { id: id(1), changes: Changes::default(), fields, adopts: false };
    assert!(update.to_string().ends_with("headers[X-9] and 2 more"), "{update}");
}

/// The webhook `old` is recorded and gone, because somebody deleted it.
fn deleted(case: &Case, memory: &mut Memory, old: u8, second: u64) -> Option<Rest<'static>> {
    let view = View { looked_up: Some((id(old), None)), ..view(&[], at(second)) };
    match plan(case, &desired(), &view, &Others::default(), memory, TIMING) {
        Plan::Write(Write::Create { replaces: None, .. }) => None,
        Plan::Rest(rest) => Some(rest),
        other => panic!("{other:?}"),
    }
}

/// Somebody deletes the webhook after each creation, until that stops. How often it was created again, the object as it is
/// then, and how it rests.
fn deleted_until(memory: &mut Memory, from: u64) -> (u8, Case, Rest<'static>) {
    for n in 1..10 {
        let case = Case { recorded: Some((id(n), Ownership::Created)), ..synced() };
        let second = from + u64::from(n);
        if let Some(rest) = deleted(&case, memory, n, second) {
            return (n - 1, case, rest);
        }
        memory.created(at(second), Answer::Accepted, false);
        let creating = Some(Creating { after: Some(id(n)), generation: 1, ..Creating::default() });
        let posted = Case { intent: Intent { held: true, creating }, ..case };
        let found = [ours(n + 1)];
        assert_eq!(rest(look(&posted, memory, &found, second)).reason, Reason::Synced);
        // Looked at again before status records it: counted once.
        assert_eq!(rest(look(&posted, memory, &found, second)).reason, Reason::Synced);
    }
    panic!("it never stops")
}

#[test]
fn a_webhook_that_somebody_keeps_deleting_is_not_created_for_ever_even_by_the_next_process() {
    let mut first = memory(&synced());
    let (times, case, end) = deleted_until(&mut first, 0);
    assert_eq!((times, end.reason, end.message.as_str()), (2, Reason::NotConverging, text::KEEPS_BEING_DELETED));
    assert_eq!(first.recurring(), [(Field::Webhook, 2)]);
    let counts = || first.recurring().into_iter().collect();
    let mut next = Memory::first_met(at(0), false, counts(), basis(1));
    assert_eq!(deleted(&case, &mut next, 3, 1).map(|rest| rest.reason), Some(Reason::NotConverging));
    assert_eq!(next.recurring(), [(Field::Webhook, 2)]);
    // A person asks for one more, or changes the spec.
    let asked = Case { correction_requested: true, ..case.clone() };
    assert!(deleted(&asked, &mut next, 3, 2).is_none());
    let changed = Case { basis: basis(2), ..case };
    assert!(deleted(&changed, &mut Memory::first_met(at(0), false, counts(), basis(1)), 3, 1).is_none());
}

#[test]
fn deletions_by_others_are_forgotten_once_the_webhook_stayed_for_a_whole_interval() {
    let mut memory = memory(&synced());
    let (_, case, _) = deleted_until(&mut memory, 0);
    let there = Case { recorded: Some((id(3), Ownership::Created)), ..case.clone() };
    for (second, counted) in [(100, 1), (699, 1), (700, 0)] {
        assert_eq!(rest(look(&there, &mut memory, &[ours(3)], second)).reason, Reason::Synced);
        assert_eq!(memory.recurring().len(), counted, "at {second}");
    }
    assert!(deleted(&case, &mut memory, 3, 701).is_none());
}

#[test]
fn a_creation_that_was_refused_or_lost_is_none_that_somebody_deleted() {
    let mut memory = memory(&synced());
    for second in [100, 200, 300, 400] {
        assert!(deleted(&synced(), &mut memory, 1, second).is_none());
        memory.created(at(second), Answer::Refused, false);
        assert!(deleted(&synced(), &mut memory, 1, second + 1).is_none());
        memory.created(at(second + 1), Answer::Accepted, false);
        memory.seen(false);
    }
    assert_eq!(memory.recurring(), []);
}
