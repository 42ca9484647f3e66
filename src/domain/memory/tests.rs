use super::*;
use crate::domain::fixture::*;

fn corrected(memory: &mut Memory, second: u64, times: usize) {
    for _ in 0..times {
        memory.updated(at(second), &ours(1), &desired(), &Changes::default(), &[Field::Name]);
    }
}

#[test]
fn corrections_are_forgotten_once_the_remote_stayed_equal_for_a_whole_interval() {
    let mut memory = memory(&case());
    corrected(&mut memory, 0, 2);
    memory.seen_equal(at(10), TIMING.interval);
    memory.seen_equal(at(609), TIMING.interval);
    assert_eq!(memory.recurring(), [(Field::Name, 2)]);
    memory.seen_equal(at(610), TIMING.interval);
    assert_eq!(memory.recurring(), []);
}

#[test]
fn an_interval_in_which_it_differed_does_not_count_as_equal() {
    let mut memory = memory(&case());
    corrected(&mut memory, 0, 2);
    memory.seen_equal(at(10), TIMING.interval);
    memory.seen_different();
    memory.seen_equal(at(620), TIMING.interval);
    assert_eq!(memory.recurring(), [(Field::Name, 2)]);
}

#[test]
fn a_single_correction_is_not_worth_telling_and_a_changed_spec_forgets_all() {
    let mut memory = memory(&case());
    corrected(&mut memory, 0, 1);
    assert_eq!(memory.recurring(), []);
    corrected(&mut memory, 0, 1);
    memory.rebase(&basis(2));
    assert_eq!(memory.recurring(), []);
}

#[test]
fn an_accepted_write_counts_for_its_own_webhook_and_basis_only() {
    let mut memory = memory(&case());
    memory.created(at(0), Answer::Accepted, false);
    assert!(memory.has_accepted(&basis(1), id(1), true));
    assert!(!memory.has_accepted(&basis(1), id(1), false), "an adopted one is not what the POST made");
    assert!(!memory.has_accepted(&basis(2), id(1), true));
    let changes = Changes { headers: Some([].into()), ..Changes::default() };
    memory.updated(at(1), &ours(2), &desired(), &changes, &[]);
    assert!(memory.has_accepted(&basis(1), id(2), false));
    assert!(!memory.has_accepted(&basis(1), id(1), true));
}

#[test]
fn an_unclear_answer_is_no_accepted_one() {
    let mut memory = memory(&case());
    memory.created(at(0), Answer::Unclear, false);
    assert!(!memory.has_accepted(&basis(1), id(1), true));
    assert_eq!(memory.pending(at(29), TIMING.settle), Some(29 * SECOND));
    assert_eq!(memory.pending(at(30), TIMING.settle), None);
    memory.created(at(40), Answer::Refused, false);
    assert_eq!(memory.pending(at(41), TIMING.settle), None);
}
