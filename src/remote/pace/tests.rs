#![allow(clippy::unwrap_used)]
use std::collections::BTreeSet;

use super::*;
use futures::FutureExt;
use tokio::task::JoinSet;

const SECOND: Duration = Duration::from_secs(1);

fn pace(requests_per_second: u32, burst: u32, max_in_flight: u32) -> Pace {
    Pace::new(RateLimit { requests_per_second, burst, max_in_flight })
}

fn waits(pace: &Pace, priority: Priority) -> bool {
    pace.acquire(priority).now_or_never().is_none()
}

/// Lets every task that can go on do so.
async fn settle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

/// Starts a waiter for each priority, in this order, and gives the order in which they got their turns.
async fn order_of_turns(pace: &Pace, priorities: &[Priority]) -> Vec<(Priority, usize)> {
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut waiters = JoinSet::new();
    for (number, &priority) in priorities.iter().enumerate() {
        let (pace, order) = (pace.clone(), Arc::clone(&order));
        waiters.spawn(async move {
            let permit = pace.acquire(priority).await;
            order.lock().unwrap().push((priority, number));
            permit.done(Feedback::Good);
        });
        settle().await;
    }
    waiters.join_all().await;
    Arc::into_inner(order).unwrap().into_inner().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_hundred_calls_at_ten_a_second_with_a_burst_of_twenty_take_eight_seconds() {
    let (pace, start) = (pace(10, 20, 100), Instant::now());
    let turns = order_of_turns(&pace, &[Priority::Urgent; 100]).await;
    assert_eq!(turns.len(), 100);
    assert_eq!(start.elapsed(), SECOND * 8);
}

#[tokio::test(start_paused = true)]
async fn within_a_priority_who_came_first_goes_first() {
    let turns = order_of_turns(&pace(1, 1, 1), &[Priority::Periodic; 20]).await;
    assert!(turns.is_sorted_by_key(|(_, number)| *number), "{turns:?}");
}

#[tokio::test(start_paused = true)]
async fn urgent_calls_go_first_and_one_turn_in_ten_is_periodic() {
    let pace = pace(1, 1, 1);
    let held = pace.acquire(Priority::Urgent).await;
    let waiting = tokio::spawn({
        let pace = pace.clone();
        async move {
            let priorities: Vec<_> = [[Priority::Periodic; 5].as_slice(), &[Priority::Urgent; 30]].concat();
            order_of_turns(&pace, &priorities).await
        }
    });
    settle().await;
    for _ in 0..35 {
        settle().await;
    }
    held.done(Feedback::Good);
    let turns = waiting.await.unwrap();
    let periodic: Vec<_> = turns.iter().enumerate().filter(|(_, (p, _))| *p == Priority::Periodic).collect();
    let places: Vec<_> = periodic.iter().map(|(place, _)| *place).collect();
    assert_eq!(places, [9, 19, 29, 33, 34], "{turns:?}");
}

#[tokio::test(start_paused = true)]
async fn no_more_calls_are_under_way_than_allowed_and_a_dropped_permit_makes_room() {
    let pace = pace(1000, 1000, 2);
    let (first, _second) = (pace.acquire(Priority::Urgent).await, pace.acquire(Priority::Urgent).await);
    assert!(waits(&pace, Priority::Urgent));
    drop(first);
    assert!(!waits(&pace, Priority::Urgent));
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_leaves_takes_neither_a_token_nor_a_place_along() {
    let pace = pace(1, 3, 1);
    let held = pace.acquire(Priority::Urgent).await;
    let (mut leaving, mut late) = (Box::pin(pace.acquire(Priority::Urgent)), Box::pin(pace.acquire(Priority::Urgent)));
    assert!((&mut leaving).now_or_never().is_none() && (&mut late).now_or_never().is_none());
    drop(late);
    // The turn is given, and lies in the channel, when its waiter leaves.
    drop(held);
    drop(leaving);
    let permit = pace.acquire(Priority::Urgent).now_or_never().unwrap();
    permit.done(Feedback::Good);
    assert!(!waits(&pace, Priority::Urgent), "the third token is still there");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_not_made_gives_its_token_back() {
    let pace = pace(1, 1, 8);
    pace.acquire(Priority::Urgent).await.unused();
    assert!(!waits(&pace, Priority::Urgent));
}

#[tokio::test(start_paused = true)]
async fn a_429_holds_everybody_back_until_its_time() {
    let (pace, start) = (pace(10, 20, 8), Instant::now());
    pace.acquire(Priority::Urgent).await.done(Feedback::RateLimited(Some(SECOND * 30)));
    assert_eq!(pace.blocked_for(), Some(SECOND * 30));
    let permit = pace.acquire(Priority::Urgent).await;
    assert_eq!((start.elapsed(), permit.waited()), (SECOND * 30, SECOND * 30));
}

#[tokio::test(start_paused = true)]
async fn a_429_that_comes_while_others_wait_for_a_token_holds_those_back_too() {
    let (pace, start) = (pace(1, 1, 8), Instant::now());
    let under_way = pace.acquire(Priority::Urgent).await;
    let waiter = tokio::spawn({
        let pace = pace.clone();
        async move { pace.acquire(Priority::Periodic).await.done(Feedback::Good) }
    });
    settle().await;
    under_way.done(Feedback::RateLimited(Some(SECOND * 30)));
    waiter.await.unwrap();
    assert_eq!(start.elapsed(), SECOND * 30);
}

#[tokio::test(start_paused = true)]
async fn a_faster_limit_brings_the_turns_forward_of_those_who_wait_under_the_slower_one() {
    let (pace, start) = (pace(1, 1, 8), Instant::now());
    let _held = pace.acquire(Priority::Urgent).await;
    let waiter = tokio::spawn({
        let pace = pace.clone();
        async move { drop(pace.acquire(Priority::Urgent).await) }
    });
    settle().await;
    pace.configure(RateLimit { requests_per_second: 10, burst: 1, max_in_flight: 8 });
    waiter.await.unwrap();
    assert_eq!(start.elapsed(), SECOND / 10);
    assert_eq!(pace.limit().requests_per_second, 10);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_does_not_have_to_wait_waits_for_nothing() {
    let pace = pace(10_000, 10_000, 256);
    for _ in 0..10_000 {
        let permit = pace.acquire(Priority::Periodic).now_or_never().unwrap();
        assert_eq!(permit.waited(), Duration::ZERO);
    }
}

#[test]
fn a_permit_may_outlive_the_runtime() {
    let pace = pace(1, 1, 1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let permit = runtime.block_on(pace.acquire(Priority::Urgent));
    let mut waiter = Box::pin(pace.acquire(Priority::Urgent));
    runtime.block_on(async { assert!((&mut waiter).now_or_never().is_none()) });
    drop(runtime);
    drop(permit);
}

#[tokio::test(start_paused = true)]
async fn all_get_through_whoever_leaves_and_however_calls_end() {
    let pace = pace(50, 5, 3);
    let mut waiters = JoinSet::new();
    for number in 0..300_u64 {
        let pace = pace.clone();
        let priority = if number % 3 == 0 { Priority::Periodic } else { Priority::Urgent };
        waiters.spawn(async move {
            if number % 7 == 0 {
                // These lose patience.
                let _ = tokio::time::timeout(Duration::from_millis(number), pace.acquire(priority)).await;
                return None;
            }
            let permit = pace.acquire(priority).await;
            tokio::time::sleep(Duration::from_millis(number % 11)).await;
            permit.done(match number % 13 {
                0 => Feedback::RateLimited(None),
                1 => Feedback::Overloaded(None),
                _ => Feedback::Good,
            });
            Some(number)
        });
    }
    let through: BTreeSet<_> = waiters.join_all().await.into_iter().flatten().collect();
    assert_eq!(through.len(), 300 - 43);
    tokio::time::sleep(SECOND * 120).await;
    let held = [(); 5].map(|()| pace.acquire(Priority::Urgent).now_or_never());
    assert!(held.iter().any(Option::is_some), "no place was lost");
}
