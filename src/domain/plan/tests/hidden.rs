//! What the remote does not show counts as it was last accepted.

use super::*;

/// The same webhook where the remote does not show the switch, and the field that such a PATCH names.
fn switchless(n: u8) -> ([Webhook; 1], Option<Vec<Field>>) {
    ([Webhook { active: None, ..ours(n) }], Some(vec![Field::Active]))
}

#[test]
fn what_the_remote_does_not_show_counts_as_it_was_last_accepted() {
    let (webhooks, sent) = switchless(1);
    assert_eq!(rest(first_look(&synced(), &webhooks)).reason, Reason::Synced, "status.applied was accepted");
    // A new spec is sent once, accepted, and then it is enough, however long nothing shows it.
    let changed = Case { basis: basis(2), ..synced() };
    let mut process = memory(&changed);
    assert_eq!(patched(&changed, &mut process, &webhooks, 1), sent);
    for second in [2, 40, 4000] {
        assert_eq!(rest(look(&changed, &mut process, &webhooks, second)).reason, Reason::Synced);
    }
    // What a POST sent was accepted with it.
    let (mut created, new) = (memory(&case()), case());
    created.created(at(1), Answer::Accepted, false);
    assert_eq!(rest(look(&new, &mut created, &webhooks, 2)).reason, Reason::Synced);
}

#[test]
fn what_was_applied_counts_for_the_recorded_webhook_and_not_for_another_of_ours() {
    // A call that landed late made it, of an older spec; then a person deleted the recorded one.
    let (webhooks, sent) = switchless(2);
    let asked = View { looked_up: Some((id(1), None)), ..view(&webhooks, at(1)) };
    let planned = plan(&synced(), &desired(), &asked, &Others::default(), &mut memory(&synced()), TIMING);
    let Plan::Write(Write::Update { fields, .. }) = planned else { panic!("{planned:?}") };
    assert_eq!(Some(fields), sent);
}

#[test]
fn what_was_not_accepted_is_sent_again_and_never_taken_for_equal() {
    let changed = Case { basis: basis(2), ..synced() };
    let (webhooks, sent) = switchless(1);
    // A PATCH without a clear answer leaves no trace in the memory.
    let mut process = memory(&changed);
    for second in [1, 2] {
        let Plan::Write(Write::Update { fields, .. }) = look(&changed, &mut process, &webhooks, second) else {
            panic!()
        };
        assert_eq!(Some(fields), sent);
    }
    // One of another field says nothing of the one that is not shown.
    let name = Changes { name: Some("Builds".into()), ..Changes::default() };
    process.updated(at(3), &webhooks[0], &desired(), &name, &[Field::Name]);
    assert_eq!(patched(&changed, &mut process, &webhooks, 40), sent);
    // Nor does a POST, if an earlier one may have made this webhook, of other values.
    let mut process = memory(&case());
    process.created(at(1), Answer::Unclear, false);
    let held = Case { intent: announced(&[]), ..case() };
    assert!(matches!(look(&held, &mut process, &[], 40), Plan::Write(Write::Create { .. })));
    process.created(at(41), Answer::Accepted, false);
    assert_eq!(patched(&held, &mut process, &webhooks, 42), sent);
}

#[test]
fn what_is_behind_the_mask_of_a_surplus_header_keeps_nothing_from_being_accepted() {
    let (mut webhooks, sent) = switchless(1);
    webhooks[0].headers.insert(HeaderName::new("X-Old"), SeenValue::Masked);
    // A process before this one could not remove the header, and only that is told.
    let case = Case { recorded: Some((id(1), Ownership::Adopted)), ..case() };
    let counted = [(Field::Header(HeaderName::new("X-Old")), 2)].into();
    let mut process = Memory::first_met(at(0), false, counted, case.basis.clone());
    assert_eq!(patched(&case, &mut process, &webhooks, 1), sent);
    let end = rest(look(&case, &mut process, &webhooks, 40));
    assert_eq!(end.reason, Reason::NotConverging);
    assert!(end.message.contains("X-Old") && !end.message.contains("active"), "{}", end.message);
}
