use super::*;
use crate::domain::fixture::*;
use crate::domain::intent::Intent;
use crate::domain::memory::Basis;

fn find<'a>(case: &Case, webhooks: &'a [Webhook], others: &Others) -> Identity<'a> {
    look_at(case, &view(webhooks, at(1)), others)
}

fn look_at<'a>(case: &Case, view: &View<'a>, others: &Others) -> Identity<'a> {
    look_after(case, view, others, Posted::Perhaps)
}

fn look_after<'a>(case: &Case, view: &View<'a>, others: &Others, posted: Posted) -> Identity<'a> {
    let posted = if case.intent.is_open(case.owned_id()) { posted } else { Posted::No };
    identify(case, &desired(), view, others, posted)
}

/// The id to keep, how it is owned, and what is too many.
fn mine(identity: Identity<'_>) -> (WebhookId, Ownership, Vec<WebhookId>) {
    match identity {
        Identity::Mine { webhook, ownership, surplus } => (webhook.id, ownership, surplus),
        other => panic!("not mine: {other:?}"),
    }
}

fn whose(identity: Identity<'_>) -> Foreign {
    match identity {
        Identity::Foreign(_, whose) => whose,
        other => panic!("not foreign: {other:?}"),
    }
}

#[test]
fn of_two_with_our_marker_the_one_that_equals_the_spec_is_kept() {
    let webhooks = [with_header(ours(1), "X-Old"), ours(2)];
    let case = Case { recorded: Some((id(1), Ownership::Created)), ..case() };
    assert_eq!(mine(find(&case, &webhooks, &Others::default())), (id(2), Ownership::Created, vec![id(1)]));
}

#[test]
fn of_two_that_equal_the_spec_the_recorded_one_is_kept() {
    let case = Case { recorded: Some((id(2), Ownership::Created)), ..case() };
    let (kept, ..) = mine(find(&case, &[ours(1), ours(2)], &Others::default()));
    assert_eq!(kept, id(2));
}

#[test]
fn of_two_alike_of_which_status_knows_none_the_oldest_is_kept() {
    let old = Webhook { created_at: Some("2025-01-01T00:00:00Z".into()), ..ours(9) };
    assert_eq!(mine(find(&case(), &[ours(1), old], &Others::default())), (id(9), Ownership::Created, vec![id(1)]));
}

#[test]
fn a_webhook_that_was_handed_over_is_kept_beside_one_that_we_created_too_late() {
    let case = Case { recorded: Some((id(1), Ownership::Adopted)), ..case() };
    let found = mine(find(&case, &[bare(1), ours(2)], &Others::default()));
    assert_eq!(found, (id(1), Ownership::Adopted, vec![id(2)]));
}

#[test]
fn the_recorded_webhook_is_asked_for_before_another_of_ours_takes_its_place() {
    let case = Case { recorded: Some((id(1), Ownership::Created)), ..case() };
    assert!(matches!(find(&case, &[ours(2)], &Others::default()), Identity::Ask(asked) if asked == id(1)));
}

#[test]
fn a_recorded_webhook_that_a_capped_list_does_not_show_is_asked_for_and_only_its_404_allows_creating() {
    let case = Case { recorded: Some((id(1), Ownership::Created)), ..case() };
    assert!(matches!(find(&case, &[], &Others::default()), Identity::Ask(asked) if asked == id(1)));
    let there = ours(1);
    let mut asked = View { looked_up: Some((id(1), Some(&there))), ..view(&[], at(1)) };
    assert_eq!(mine(look_at(&case, &asked, &Others::default())), (id(1), Ownership::Created, vec![]));
    asked.looked_up = Some((id(1), None));
    assert!(matches!(look_at(&case, &asked, &Others::default()), Identity::Nothing));
}

#[test]
fn a_recorded_webhook_that_another_connection_does_not_show_is_not_created_there() {
    let through = |name: &str| Some(format!("Connection/{name}"));
    let applied = Some(Basis { connection: through("a"), ..basis(1) });
    let now = Basis { connection: through("b"), ..basis(2) };
    let case = Case { recorded: Some((id(1), Ownership::Created)), applied, basis: now, ..case() };
    let asked = View { looked_up: Some((id(1), None)), ..view(&[], at(1)) };
    assert!(matches!(look_at(&case, &asked, &Others::default()), Identity::Elsewhere(_)));
}

#[test]
fn a_webhook_that_we_deleted_is_not_believed_to_be_there_because_a_list_lags() {
    let (webhooks, gone) = ([ours(1), ours(2)], BTreeSet::from([id(1)]));
    let lagging = View { gone: &gone, ..view(&webhooks, at(1)) };
    assert_eq!(mine(look_at(&case(), &lagging, &Others::default())), (id(2), Ownership::Created, vec![]));
}

#[test]
fn the_marker_of_a_live_object_is_a_conflict_that_names_it() {
    let others = Others { live: vec!["other"], ..Others::default() };
    let case = Case { pinned: Some(id(1)), adoption: AdoptionPolicy::Adopt, ..case() };
    assert_eq!(whose(find(&case, &[of("other", 1)], &others)), Foreign::MarkedBy(key("other")));
}

#[test]
fn a_look_alike_with_the_marker_of_another_cluster_is_a_conflict_and_nothing_is_created_beside_it() {
    assert_eq!(whose(find(&case(), &[of("gone", 1)], &Others::default())), Foreign::MarkedElsewhere);
    let another = Case { adoption: AdoptionPolicy::CreateAnother, ..case() };
    assert!(matches!(find(&another, &[of("gone", 1)], &Others::default()), Identity::Nothing));
}

#[test]
fn a_pin_hands_over_an_unmarked_webhook_even_under_refuse() {
    let case = Case { pinned: Some(id(1)), ..case() };
    assert_eq!(mine(find(&case, &[bare(1)], &Others::default())), (id(1), Ownership::Adopted, vec![]));
}

#[test]
fn a_pin_hands_over_the_marker_of_another_cluster_only_with_adopt() {
    let webhooks = [of("gone", 1)];
    let refuses = Case { pinned: Some(id(1)), ..case() };
    assert_eq!(whose(find(&refuses, &webhooks, &Others::default())), Foreign::MarkedElsewhere);
    let adopts = Case { adoption: AdoptionPolicy::Adopt, ..refuses };
    assert_eq!(mine(find(&adopts, &webhooks, &Others::default())).1, Ownership::Adopted);
    // Once recorded it stays, even without the pin.
    let recorded = Case { recorded: Some((id(1), Ownership::Adopted)), ..case() };
    assert_eq!(mine(find(&recorded, &webhooks, &Others::default())).1, Ownership::Adopted);
}

#[test]
fn what_a_live_object_took_over_from_another_cluster_is_not_handed_over_again() {
    let others = Others { claims: vec![(id(1), Strength::Recorded, 200)], ..Others::default() };
    let case = Case { pinned: Some(id(1)), adoption: AdoptionPolicy::Adopt, ..case() };
    assert_eq!(whose(find(&case, &[of("gone", 1)], &others)), Foreign::ClaimedBy(key("other")));
}

#[test]
fn of_two_that_pin_one_webhook_the_recorded_one_wins_and_then_the_older() {
    let case = Case { pinned: Some(id(1)), ..case() };
    let claimed = |strength, created| Others { claims: vec![(id(1), strength, created)], ..Others::default() };
    let webhooks = [bare(1)];
    for better in [claimed(Strength::Recorded, 200), claimed(Strength::Pinned, 50)] {
        assert_eq!(whose(find(&case, &webhooks, &better)), Foreign::ClaimedBy(key("other")));
    }
    assert_eq!(mine(find(&case, &webhooks, &claimed(Strength::Pinned, 200))).0, id(1));
    let recorded = Case { recorded: Some((id(1), Ownership::Adopted)), ..case };
    assert_eq!(mine(find(&recorded, &webhooks, &claimed(Strength::Pinned, 50))).0, id(1));
}

#[test]
fn what_we_created_before_the_pin_is_one_too_many() {
    let pinned = Case { pinned: Some(id(1)), recorded: Some((id(2), Ownership::Created)), ..case() };
    for before in [ours(2), veiled(2)] {
        assert_eq!(mine(find(&pinned, &[bare(1), before], &Others::default())).2, [id(2)]);
    }
    // What was handed over before is only left.
    let handed = Case { recorded: Some((id(2), Ownership::Adopted)), ..pinned };
    assert_eq!(mine(find(&handed, &[bare(1), bare(2)], &Others::default())).2, []);
}

#[test]
fn a_pin_to_what_is_not_there_is_not_created() {
    let case = Case { pinned: Some(id(1)), ..case() };
    assert!(matches!(find(&case, &[], &Others::default()), Identity::Ask(_)));
    let asked = View { looked_up: Some((id(1), None)), ..view(&[], at(1)) };
    assert!(matches!(look_at(&case, &asked, &Others::default()), Identity::PinnedGone(_)));
}

#[test]
fn observe_finds_by_name_and_url_and_claims_nothing() {
    let others = Others { live: vec!["other"], ..Others::default() };
    let case = Case { management: ManagementPolicy::Observe, ..case() };
    assert_eq!(mine(find(&case, &[of("other", 1)], &others)), (id(1), Ownership::Observed, vec![]));
    let pinned = Case { pinned: Some(id(1)), ..case };
    assert_eq!(mine(find(&pinned, &[of("other", 1)], &others)).1, Ownership::Observed);
    // What was created under another policy is still known as created: it comes back with the policy.
    let recorded = Case { recorded: Some((id(1), Ownership::Created)), ..pinned };
    assert_eq!(mine(find(&recorded, &[veiled(1)], &others)).1, Ownership::Created);
}

#[test]
fn where_markers_are_hidden_the_single_new_look_alike_is_ours() {
    let case = Case { intent: announced(&[id(1)]), ..case() };
    assert_eq!(mine(find(&case, &[veiled(1), veiled(2)], &Others::default())), (id(2), Ownership::Created, vec![]));
    assert!(matches!(find(&case, &[veiled(1), veiled(2), veiled(3)], &Others::default()), Identity::Unclear(_)));
}

#[test]
fn a_new_look_alike_is_not_ours_if_it_has_other_events_or_an_owner_or_the_spec_has_changed() {
    let case = Case { intent: announced(&[]), ..case() };
    let others = Others { claims: vec![(id(2), Strength::Recorded, 200)], ..Others::default() };
    assert!(matches!(find(&case, &[veiled(2)], &others), Identity::Nothing));
    let other_events = [Webhook { events: Some(vec!["x".into()]), ..veiled(2) }];
    assert!(matches!(find(&case, &other_events, &Others::default()), Identity::Unclear(_)));
    let changed = Case { basis: basis(2), ..case };
    assert!(matches!(find(&changed, &[veiled(2)], &Others::default()), Identity::Unclear(_)));
}

#[test]
fn a_look_alike_without_marker_is_not_ours_where_the_remote_shows_markers_or_it_has_other_headers() {
    let case = Case { intent: announced(&[]), ..case() };
    let others = Others { live: vec!["other"], ..Others::default() };
    assert!(matches!(find(&case, &[of("other", 1), bare(2)], &others), Identity::Lookalikes(_)));
    let persons = [with_header(bare(2), "X-Person")];
    assert!(matches!(find(&case, &persons, &Others::default()), Identity::Lookalikes(_)));
    // Unless we set none.
    let markerless = Case { marking: false, ..case };
    assert_eq!(mine(find(&markerless, &[bare(2)], &Others::default())).0, id(2));
}

#[test]
fn where_only_the_marker_is_dropped_what_an_accepted_post_made_is_the_one_that_equals_it() {
    let another = Case { adoption: AdoptionPolicy::CreateAnother, intent: announced(&[id(1)]), ..case() };
    let webhooks = [bare(1), bare(2)];
    let found = |posted| look_after(&another, &view(&webhooks, at(1)), &Others::default(), posted);
    assert_eq!(mine(found(Posted::Accepted)), (id(2), Ownership::Created, vec![]));
    // After a crash nobody knows what became of it: nothing is taken, and nothing created beside it.
    assert!(matches!(found(Posted::Perhaps), Identity::Unclear(of) if of.len() == 1));
    // What differs is a person's, for who knows of the POST and for who does not, or a restart would decide otherwise.
    let webhooks = [bare(1), with_header(bare(2), "X-Person")];
    let refuses = Case { adoption: AdoptionPolicy::Refuse, ..another.clone() };
    for posted in [Posted::Accepted, Posted::Perhaps] {
        let found = look_after(&refuses, &view(&webhooks, at(1)), &Others::default(), posted);
        assert!(matches!(found, Identity::Lookalikes(of) if of.len() == 2));
    }
    // Unless the spec has changed since: then nobody knows what ours would look like.
    let changed = Case { basis: basis(2), ..another };
    let found = look_after(&changed, &view(&webhooks, at(1)), &Others::default(), Posted::Perhaps);
    assert!(matches!(found, Identity::Unclear(of) if of.len() == 1));
}

#[test]
fn what_is_half_shown_is_not_taken_for_ours_and_not_created_beside() {
    let case = Case { adoption: AdoptionPolicy::CreateAnother, intent: announced(&[]), ..case() };
    let half = |webhook| [Webhook { name: None, ..webhook }];
    assert!(matches!(find(&case, &half(veiled(2)), &Others::default()), Identity::Unclear(_)));
    // Our marker says enough.
    assert_eq!(mine(find(&case, &half(ours(2)), &Others::default())).0, id(2));
    let before = [Webhook { url: None, ..veiled(1) }];
    let creating = intent_to_create(&case, &desired(), &view(&before, at(1)), false);
    assert_eq!(creating.candidates, BTreeSet::from([id(1)]));
    let observes = Case { management: ManagementPolicy::Observe, ..case };
    assert!(matches!(find(&observes, &before, &Others::default()), Identity::Nothing));
}

#[test]
fn while_another_object_of_the_same_name_is_creating_nothing_is_taken() {
    let others = Others { creating: true, ..Others::default() };
    let mut case = Case { intent: announced(&[]), ..case() };
    assert!(matches!(find(&case, &[veiled(2)], &others), Identity::OtherCreating(..)));
    case.intent = Intent::default();
    assert!(matches!(find(&case, &[veiled(2)], &others), Identity::OtherCreating(..)));
    assert!(matches!(find(&case, &[bare(2)], &others), Identity::OtherCreating(..)), "its marker may be dropped");
    // Where the remote shows markers, what has none is nobody's.
    let others = Others { live: vec!["third"], ..others };
    assert!(matches!(find(&case, &[of("third", 1), bare(2)], &others), Identity::Lookalikes(_)));
}

#[test]
fn a_replaced_webhook_with_a_hidden_marker_goes_even_if_status_names_the_new_one_already() {
    let creating = Creating { after: Some(id(1)), replaces: true, generation: 1, candidates: [id(1)].into() };
    let intent = Intent { held: true, creating: Some(creating) };
    let mut case = Case { recorded: Some((id(1), Ownership::Created)), intent, ..case() };
    let webhooks = [with_header(veiled(1), "X-Old"), veiled(2)];
    assert_eq!(mine(find(&case, &webhooks, &Others::default())), (id(2), Ownership::Created, vec![id(1)]));
    case.recorded = Some((id(2), Ownership::Created));
    assert_eq!(mine(find(&case, &webhooks, &Others::default())), (id(2), Ownership::Created, vec![id(1)]));
}

#[test]
fn the_intent_names_what_is_owned_and_what_looks_the_same() {
    let observed = Case { recorded: Some((id(1), Ownership::Observed)), ..case() };
    let other = Webhook { name: Some("Other".into()), ..bare(2) };
    let webhooks = [bare(1), other];
    let creating = intent_to_create(&observed, &desired(), &view(&webhooks, at(1)), false);
    assert_eq!(creating, Creating { after: None, replaces: false, generation: 1, candidates: [id(1)].into() });
    let intent = Intent { held: true, creating: Some(creating) };
    assert!(intent.is_open(observed.owned_id()), "what was only observed is no end of a creation");
}

#[test]
fn what_may_be_ours_is_not_created_beside_even_under_create_another() {
    let case = Case { adoption: AdoptionPolicy::CreateAnother, intent: announced(&[id(1)]), ..case() };
    assert!(
        matches!(find(&case, &[veiled(1), veiled(2), veiled(3)], &Others::default()), Identity::Unclear(of) if of.len() == 2)
    );
    let changed = Case { basis: basis(2), ..case.clone() };
    assert!(matches!(find(&changed, &[veiled(2)], &Others::default()), Identity::Unclear(_)));
    let others = Others { creating: true, ..Others::default() };
    assert!(matches!(find(&case, &[veiled(2)], &others), Identity::OtherCreating(..)));
    assert!(matches!(find(&case, &[veiled(1)], &Others::default()), Identity::Nothing));
}

#[test]
fn a_creation_that_was_refused_made_nothing() {
    let case = Case { intent: announced(&[]), ..case() };
    let webhooks = [veiled(2)];
    let found = identify(&case, &desired(), &view(&webhooks, at(1)), &Others::default(), Posted::No);
    assert!(matches!(found, Identity::Lookalikes(_)));
}

#[test]
fn what_is_adopted_while_a_creation_is_open_is_not_taken_for_what_that_made() {
    let case = Case { intent: announced(&[id(1)]), ..case() };
    let webhooks = [bare(1), bare(2)];
    let creating = intent_to_adopt(&case, &desired(), &view(&webhooks, at(1)), id(2)).unwrap();
    assert_eq!(creating.candidates, BTreeSet::from([id(1), id(2)]));
    assert_eq!(intent_to_adopt(&case, &desired(), &view(&webhooks, at(1)), id(1)), None, "it is known already");
    let closed = Case { intent: Intent::default(), ..case };
    assert_eq!(intent_to_adopt(&closed, &desired(), &view(&webhooks, at(1)), id(2)), None);
}
