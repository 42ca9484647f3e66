use super::*;
use crate::domain::fixture::*;
use crate::domain::intent::{Creating, Intent};
use crate::domain::memory::Answer;

struct Going {
    case: Case,
    policy: Option<DeletionPolicy>,
    done: Done,
    memory: Memory,
    others: Others,
}

fn going(case: Case) -> Going {
    let memory = memory(&case);
    Going { case, policy: None, done: Done::default(), memory, others: Others::default() }
}

impl Going {
    fn look(&self, webhooks: &[Webhook], second: u64) -> DeletionPlan {
        self.ask(webhooks, second, None)
    }

    fn ask(&self, webhooks: &[Webhook], second: u64, looked_up: Option<(WebhookId, Option<&Webhook>)>) -> DeletionPlan {
        let view = View { looked_up, gone: &self.done.deleted, ..view(webhooks, at(second)) };
        plan_deletion(&self.case, self.policy, &view, &self.others, &self.memory, &self.done, TIMING)
    }
}

fn created(n: u8) -> Case {
    Case { recorded: Some((id(n), Ownership::Created)), ..case() }
}

fn adopted(n: u8) -> Case {
    Case { recorded: Some((id(n), Ownership::Adopted)), ..case() }
}

fn delete(n: u8) -> DeletionPlan {
    DeletionPlan::Write(Write::Delete { id: id(n) })
}

fn release(ids: &[u8]) -> DeletionPlan {
    DeletionPlan::Release { orphans: ids.iter().map(|n| id(*n)).collect() }
}

#[test]
fn what_carries_our_marker_is_deleted_and_then_the_object_goes() {
    let mut going = going(created(1));
    assert_eq!(going.look(&[ours(1), ours(2), bare(3)], 1), delete(1));
    going.done.deleted.insert(id(1));
    // The LIST may lag behind our own DELETE.
    assert_eq!(going.look(&[ours(1), ours(2), bare(3)], 1), delete(2));
    going.done.deleted.insert(id(2));
    assert_eq!(going.look(&[ours(1), ours(2), bare(3)], 1), release(&[]));
}

#[test]
fn what_status_records_and_nobody_marked_is_deleted_even_if_the_list_does_not_show_it() {
    let going = going(created(1));
    assert_eq!(going.look(&[veiled(1)], 1), delete(1));
    assert_eq!(going.look(&[], 1), DeletionPlan::Ask(id(1)));
    let there = veiled(1);
    assert_eq!(going.ask(&[], 1, Some((id(1), Some(&there)))), delete(1));
    assert_eq!(going.ask(&[], 1, Some((id(1), None))), release(&[]));
}

#[test]
fn what_somebody_else_marked_is_left_and_named() {
    let mut going = going(created(1));
    going.policy = Some(DeletionPolicy::Delete);
    assert_eq!(going.look(&[of("gone", 1)], 1), release(&[1]));
}

#[test]
fn what_another_object_claims_better_is_left_to_it() {
    let mut going = going(adopted(1));
    going.policy = Some(DeletionPolicy::Delete);
    going.others.claims = vec![(id(1), Strength::Recorded, 50)];
    assert_eq!(going.look(&[bare(1)], 1), release(&[]));
    going.others.claims = vec![(id(1), Strength::Recorded, 500)];
    assert_eq!(going.look(&[bare(1)], 1), delete(1));
}

#[test]
fn without_a_policy_what_was_created_goes_and_what_was_handed_over_stays() {
    assert_eq!(going(adopted(1)).look(&[bare(1)], 1), release(&[1]));
    // Both at once: a creation that landed after the handover.
    assert_eq!(going(adopted(1)).look(&[bare(1), ours(2)], 1), delete(2));
    assert_eq!(effective_policy(None, None), DeletionPolicy::Delete);
    assert_eq!(effective_policy(None, Some(Ownership::Observed)), DeletionPolicy::Orphan);
}

#[test]
fn orphaning_takes_the_marker_off_once_and_names_what_is_left() {
    let mut going = going(created(1));
    going.policy = Some(DeletionPolicy::Orphan);
    let DeletionPlan::Write(Write::Unmark { changes, .. }) = going.look(&[ours(1)], 1) else { panic!() };
    assert_eq!(changes.headers, Some(crate::domain::fixture::desired().header_map(None)));
    going.done.unmarked.insert(id(1));
    // Whether the remote took it off, or merges headers.
    assert_eq!(going.look(&[bare(1)], 1), release(&[1]));
    assert_eq!(going.look(&[ours(1)], 1), release(&[1]));
    let mut unrecorded = super::tests::going(case());
    unrecorded.policy = Some(DeletionPolicy::Orphan);
    unrecorded.done.unmarked.insert(id(1));
    assert_eq!(unrecorded.look(&[bare(1)], 1), release(&[1]));
}

#[test]
fn of_several_that_we_created_one_is_orphaned_and_the_others_go() {
    let orphaning = |case| Going { policy: Some(DeletionPolicy::Orphan), ..going(case) };
    let unmarks = |plan, n| assert!(matches!(plan, DeletionPlan::Write(Write::Unmark { id: of, .. }) if of == id(n)));
    // The recorded one stays, else the oldest.
    for (case, stays, goes) in [(created(2), 2, 1), (case(), 1, 2)] {
        let mut going = orphaning(case);
        assert_eq!(going.look(&[ours(1), ours(2)], 1), delete(goes));
        going.done.deleted.insert(id(goes));
        unmarks(going.look(&[ours(1), ours(2)], 1), stays);
    }
    // One that lands when the marker of the first is off already.
    let mut late = orphaning(case());
    late.done.unmarked.insert(id(1));
    assert_eq!(late.look(&[ours(1), ours(2)], 1), delete(2));
    assert_eq!(orphaning(created(1)).look(&[bare(1), ours(2)], 1), delete(2));
    // What was handed over stays, and what landed later is one too many.
    assert_eq!(orphaning(adopted(1)).look(&[bare(1), ours(2)], 1), delete(2));
}

#[test]
fn what_a_replacement_left_behind_goes_with_the_object_whatever_the_policy() {
    let replacing = Creating { after: Some(id(1)), replaces: true, generation: 1, candidates: [id(1)].into() };
    let intent = Intent { held: true, creating: Some(replacing) };
    for policy in [None, Some(DeletionPolicy::Orphan)] {
        let mut going = Going { policy, ..going(Case { intent: intent.clone(), ..created(2) }) };
        let there = [veiled(1), veiled(2)];
        assert_eq!(going.look(&there, 1), delete(1));
        going.done.deleted.insert(id(1));
        let then = if policy.is_none() { delete(2) } else { release(&[2]) };
        assert_eq!(going.look(&there, 1), then);
        // Unless somebody else has to do with it.
        going.done.deleted.clear();
        going.others.claims = vec![(id(1), Strength::Pinned, 500)];
        assert_eq!(going.look(&there, 1), then);
    }
}

#[test]
fn masked_values_are_never_sent_back_to_take_the_marker_off() {
    let mut going = going(created(1));
    going.policy = Some(DeletionPolicy::Orphan);
    let half_masked = Webhook { marker: SeenMarker::Shown(marker("me")), ..veiled(1) };
    assert_eq!(going.look(&[half_masked], 1), release(&[1]));
}

#[test]
fn observe_deletes_nothing() {
    let mut going = going(Case { management: ManagementPolicy::Observe, ..created(1) });
    going.policy = Some(DeletionPolicy::Delete);
    assert_eq!(going.look(&[ours(1)], 1), release(&[1]));
}

#[test]
fn a_creation_without_a_clear_result_is_waited_for_whatever_the_policy() {
    for policy in [None, Some(DeletionPolicy::Orphan)] {
        let mut going = going(Case { intent: announced(&[]), ..case() });
        going.policy = policy;
        assert!(matches!(going.look(&[], 29), DeletionPlan::Wait(_)));
        assert_eq!(going.look(&[], 30), release(&[]));
    }
    // One that replaces what is to be orphaned would land after the object is gone.
    let mut replacing = going(created(1));
    replacing.policy = Some(DeletionPolicy::Orphan);
    replacing.memory.created(at(0), Answer::Unclear, true);
    assert!(matches!(replacing.look(&[veiled(1)], 1), DeletionPlan::Wait(_)));
}

#[test]
fn a_creation_that_was_seen_is_not_waited_for() {
    let mut going = going(Case { intent: announced(&[]), ..case() });
    assert_eq!(going.look(&[ours(1)], 1), delete(1));
    going.done.deleted.insert(id(1));
    assert_eq!(going.look(&[], 1), release(&[]));
}

#[test]
fn what_a_creation_may_have_made_under_a_hidden_marker_is_named_and_not_deleted() {
    let going = going(Case { intent: announced(&[id(1)]), ..case() });
    assert_eq!(going.look(&[veiled(1), veiled(2)], 30), release(&[2]));
    // Where headers are shown, the marker alone may be dropped; where a marker is shown, it is not.
    assert_eq!(going.look(&[bare(1), bare(2)], 30), release(&[2]));
    assert_eq!(going.look(&[of("other", 1), bare(2)], 30), release(&[]));
    let nameless = Webhook { name: None, ..veiled(2) };
    assert_eq!(going.look(&[nameless], 30), release(&[2]));
}
