//! What is adopted, and what is said where nothing can be.

use super::*;
use crate::domain::identify::{MAX_CANDIDATES, intent_to_create};

#[test]
fn masked_values_of_a_webhook_that_we_never_wrote_to_count_as_different() {
    // The object had another one before, with the very same spec and Secrets.
    let lookalike = [Webhook { marker: SeenMarker::Absent, ..veiled(2) }];
    let view = View { looked_up: Some((id(1), None)), ..view(&lookalike, at(1)) };
    let case = Case { adoption: AdoptionPolicy::Adopt, ..synced() };
    let planned = plan(&case, &desired(), &view, &Others::default(), &mut memory(&case), TIMING);
    assert!(changes(planned).headers.is_some());
}

#[test]
fn adopting_what_masks_its_values_or_lags_sends_them_once() {
    let case = Case { adoption: AdoptionPolicy::Adopt, ..case() };
    let webhooks = [Webhook { marker: SeenMarker::Absent, ..veiled(1) }];
    let mut process = memory(&case);
    assert!(patched(&case, &mut process, &webhooks, 1).is_some());
    let end = rest(look(&case, &mut process, &webhooks, 2));
    assert_eq!((end.reason, end.webhook.map(|(_, o)| o)), (Reason::Synced, Some(Ownership::Adopted)));

    let lagging = [with_header(bare(1), "X-Old")];
    let mut process = memory(&case);
    assert!(patched(&case, &mut process, &lagging, 1).is_some());
    assert_eq!(rest(look(&case, &mut process, &lagging, 2)).reason, Reason::Progressing);
}

#[test]
fn adoption_required_names_the_ids_and_what_to_set() {
    let one = rest(first_look(&case(), &[bare(1)])).message;
    for part in [&id(1).to_string(), "spec.adoptionPolicy: Adopt", "spec.webhookId", "CreateAnother"] {
        assert!(one.contains(part), "{part}: {one}");
    }
    let adopts = Case { adoption: AdoptionPolicy::Adopt, ..case() };
    let webhooks = [bare(1), bare(2)];
    let two = rest(first_look(&adopts, &webhooks));
    assert_eq!(two.reason, Reason::AdoptionRequired);
    assert!(two.message.contains(&format!(
        "2 webhooks with this name and URL that nobody claims: {}, {}",
        id(1),
        id(2)
    )));
}

#[test]
fn what_may_look_the_same_is_not_adopted_and_nothing_is_created_beside_it() {
    let nameless = Webhook { name: None, ..bare(1) };
    let urlless = Webhook { url: None, ..bare(1) };
    for webhooks in [[nameless], [urlless]] {
        for adoption in [AdoptionPolicy::Refuse, AdoptionPolicy::Adopt] {
            let end = rest(first_look(&Case { adoption, ..case() }, &webhooks));
            assert_eq!(end.reason, Reason::AdoptionRequired);
            let told = "a webhook with this name and URL, as far as the remote shows them, that nobody claims";
            assert!(end.message.contains(told), "{}", end.message);
            assert!(!end.message.contains("spec.adoptionPolicy: Adopt "), "{}", end.message);
        }
        let another = Case { adoption: AdoptionPolicy::CreateAnother, ..case() };
        assert!(matches!(write(first_look(&another, &webhooks)), Write::Create { .. }));
    }
    // What is shown and differs is another webhook.
    let other = [Webhook { name: Some("Other".into()), url: None, ..bare(1) }];
    assert!(matches!(write(first_look(&case(), &other)), Write::Create { .. }));
}

#[test]
fn adopting_what_is_half_shown_sends_the_other_half_once() {
    let case = Case { adoption: AdoptionPolicy::Adopt, ..case() };
    let webhooks = [Webhook { active: None, events: None, ..bare(1) }];
    let mut process = memory(&case);
    assert_eq!(patched(&case, &mut process, &webhooks, 1), Some(vec![Field::Active, Field::Events]));
    assert_eq!(rest(look(&case, &mut process, &webhooks, 2)).reason, Reason::Synced);
}

#[test]
fn what_is_set_already_and_does_not_help_is_not_advised() {
    let adopts = Case { adoption: AdoptionPolicy::Adopt, ..case() };
    let webhooks = [veiled(1)];
    let end = rest(first_look(&adopts, &webhooks));
    assert_eq!(end.reason, Reason::AdoptionRequired, "a masked marker is some operator's");
    assert!(!end.message.contains("spec.adoptionPolicy: Adopt"), "{}", end.message);
    // Two new ones, one of which is ours.
    let another = Case { adoption: AdoptionPolicy::CreateAnother, intent: announced(&[]), ..case() };
    let webhooks = [veiled(1), veiled(2)];
    let end = rest(look(&another, &mut memory(&another), &webhooks, 31));
    assert_eq!(end.reason, Reason::AdoptionRequired);
    assert!(!end.message.contains("CreateAnother"), "{}", end.message);
}

#[test]
fn create_another_creates_beside_a_look_alike() {
    let case = Case { adoption: AdoptionPolicy::CreateAnother, ..case() };
    assert!(matches!(write(first_look(&case, &[bare(1)])), Write::Create { .. }));
}

#[test]
fn an_adopted_webhook_is_not_marked_and_left_alone_if_it_equals_the_spec() {
    let case = Case { pinned: Some(id(1)), ..case() };
    let sent = changes(first_look(&case, &[with_header(bare(1), "X-Old")]));
    assert_eq!(sent.headers, Some(desired().header_map(None)));
    let end = rest(first_look(&case, &[bare(1)])).reason;
    assert_eq!(end, Reason::Synced);
}

#[test]
fn a_webhook_that_was_handed_over_is_never_replaced() {
    for pinned in [Some(id(1)), None] {
        let case = Case { pinned, recorded: Some((id(1), Ownership::Adopted)), ..case() };
        let webhooks = [with_header(bare(1), "X-Old")];
        let (_, end) = patched_until(&case, &mut memory(&case), &webhooks, 0);
        let end = rest(end);
        assert_eq!(end.reason, Reason::NotConverging);
        assert!(end.message.contains("headers[X-Old]"), "{}", end.message);
    }
}

#[test]
fn waiting_for_another_creation_ends_and_says_what_to_do() {
    let others = Others { creating: true, ..Others::default() };
    let webhooks = [veiled(1)];
    let mut memory = memory(&case());
    let mut look = |second| rest(plan(&case(), &desired(), &view(&webhooks, at(second)), &others, &mut memory, TIMING));
    assert_eq!(look(1).reason, Reason::Progressing);
    let end = look(31);
    assert_eq!((end.reason, end.again), (Reason::AdoptionRequired, None));
    assert!(end.message.contains("shop/other") && end.message.contains(&id(1).to_string()), "{}", end.message);
}

#[test]
fn the_younger_of_two_that_would_adopt_lets_the_older_decide_first() {
    let case = Case { adoption: AdoptionPolicy::Adopt, ..case() };
    let others = Others { older_wish: true, ..Others::default() };
    let webhooks = [bare(1)];
    let waits = rest(plan(&case, &desired(), &view(&webhooks, at(1)), &others, &mut memory(&case), TIMING));
    assert_eq!(waits.reason, Reason::Progressing);
    assert!(waits.again.is_some() && waits.message.contains("shop/other is older"), "{}", waits.message);
    // What differs is not corrected either, and where there is nothing to adopt nobody waits.
    let differs = [with_header(bare(1), "X-Old")];
    let waits = rest(plan(&case, &desired(), &view(&differs, at(1)), &others, &mut memory(&case), TIMING));
    assert_eq!(waits.reason, Reason::Progressing);
    let creates = plan(&case, &desired(), &view(&[], at(1)), &others, &mut memory(&case), TIMING);
    assert!(matches!(write(creates), Write::Create { .. }));
}

#[test]
fn beside_more_than_an_intent_can_list_nothing_is_created() {
    let case = Case { adoption: AdoptionPolicy::CreateAnother, ..case() };
    let alike = |n: usize| -> Vec<Webhook> {
        (0..n).map(|n| Webhook { id: format!("{n:024x}").parse().unwrap(), ..bare(1) }).collect()
    };
    let many = alike(MAX_CANDIDATES);
    assert!(matches!(write(first_look(&case, &many)), Write::Create { .. }));
    let listed = intent_to_create(&case, &desired(), &view(&many, at(1)), false).to_annotation();
    assert!(listed.len() < 32 * 1024, "{} bytes", listed.len());
    let more = alike(MAX_CANDIDATES + 1);
    let end = rest(first_look(&case, &more));
    assert_eq!(end.reason, Reason::AdoptionRequired);
    assert!(end.message.contains("change spec.name"), "{}", end.message);
    // Nor in place of one that keeps a header.
    let mut memory = memory(&synced());
    let others = more.iter().filter(|webhook| webhook.id != id(1)).cloned();
    let kept: Vec<_> = others.chain([with_header(ours(1), "X-Old")]).collect();
    let (patches, then) = patched_until(&synced(), &mut memory, &kept, 1);
    assert_eq!((patches, rest(then).reason), (2, Reason::NotConverging));
}

#[test]
fn what_a_post_made_is_still_looked_for_while_only_the_spec_points_to_it() {
    // The LIST lags; a person saw the new webhook at the console and pinned it, and takes that back.
    let mut memory = memory(&case());
    memory.created(at(1), Answer::Accepted, false);
    let held = Case { intent: announced(&[]), ..case() };
    let pinned = Case { pinned: Some(id(1)), ..held.clone() };
    let webhook = ours(1);
    let asked = View { looked_up: Some((id(1), Some(&webhook))), ..view(&[], at(2)) };
    let seen = rest(plan(&pinned, &desired(), &asked, &Others::default(), &mut memory, TIMING));
    assert_eq!(seen.reason, Reason::Synced);
    assert_eq!(rest(look(&held, &mut memory, &[], 3)).reason, Reason::Progressing, "not created a second time");
}
