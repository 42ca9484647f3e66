//! Requests for passes, handed to kube's applier a few at a time. Its tables keep the room that they once took: if all
//! objects were handed over after a start, it would stay as large as that for ever (docs/performance.md).
//!
//! As in client-go's workqueue, one that is asked for again before its pass begins has one pass.

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::fmt::Debug;
use std::future::Future;
use std::sync::{Arc, Mutex};

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::{FutureExt, Stream, StreamExt, stream};
use kube::Resource;
use kube::runtime::controller::{Action, Config, Error, ReconcileRequest, applier};
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::sync::Notify;

use super::context::Listed;
use super::index::object_key;
use super::sources::lock;
use crate::domain::ids::ObjectKey;

/// Both ends of the requests for passes.
#[must_use]
pub fn requests() -> (UnboundedSender<ObjectKey>, UnboundedReceiver<ObjectKey>) {
    unbounded()
}

/// Runs passes for what is requested, once all is `listed` and until `stop`; passes under way are ended first. `limit` is how
/// many at the same time.
pub async fn run<K, F>(
    store: Store<K>,
    listed: Listed,
    requests: UnboundedReceiver<ObjectKey>,
    limit: u16,
    stop: impl Future<Output = ()> + Send + 'static,
    pass: impl Fn(Arc<K>) -> F + Send + Sync + 'static,
) where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
    F: Future<Output = Action> + Send + 'static,
{
    let queue = Arc::new(Workqueue::new(limit));
    let handed = stream::once(listed).filter_map(|()| std::future::ready(None)).chain(hand_over(&queue, requests));
    let handed =
        handed.take_until(stop.boxed()).map(|key| Ok::<_, Infallible>(ReconcileRequest::from(reference_to::<K>(&key))));
    let (started, known) = (Arc::clone(&queue), store.clone());
    applier(
        move |object, _| {
            // In the same step in which the applier took the object from the store: a request that is added later, and
            // would mean a newer state, is never taken for this one.
            started.begun(&object_key(object.as_ref()));
            pass(object).map(Ok::<_, Infallible>).boxed()
        },
        |_, never, _| match *never {},
        Arc::new(()),
        store,
        handed,
        Config::default().concurrency(limit),
    )
    .for_each(|ended| {
        match ended {
            Err(Error::ObjectNotFound(reference)) => {
                let namespace = reference.namespace.unwrap_or_default();
                let key = ObjectKey { namespace: namespace.into(), name: reference.name.into() };
                queue.not_found(&key, known.get(&reference_to::<K>(&key)).is_some());
            }
            Ok(_) => queue.ended(),
            // Of a store that will never be filled, as the process stops.
            Err(_) => {}
        }
        std::future::ready(())
    })
    .await;
}

/// A reference without what `from_obj` adds, uid and resourceVersion.
fn reference_to<K: Resource<DynamicType = ()>>(key: &ObjectKey) -> ObjectRef<K> {
    let reference = ObjectRef::new(&key.name);
    if key.namespace.is_empty() { reference } else { reference.within(&key.namespace) }
}

/// What is requested, as there is room for it; ends with the requests.
fn hand_over(queue: &Arc<Workqueue>, requests: UnboundedReceiver<ObjectKey>) -> impl Stream<Item = ObjectKey> + use<> {
    stream::unfold((Arc::clone(queue), requests), |(queue, mut requests)| async move {
        loop {
            if let Some(key) = queue.take() {
                return Some((key, (queue, requests)));
            }
            tokio::select! {
                request = requests.next() => queue.add(request?),
                () = queue.room.notified() => {}
            }
        }
    })
}

/// See the module.
struct Workqueue {
    /// How many may be handed over and wait for their pass, beside those whose pass is under way: they wait for its end, and
    /// must not keep others from theirs.
    places: usize,
    state: Mutex<State>,
    room: Notify,
}

#[derive(Default)]
struct State {
    /// Who waits, by first request.
    order: VecDeque<ObjectKey>,
    waiting: HashSet<ObjectKey>,
    /// Handed over, and its pass has not begun.
    handed: HashSet<ObjectKey>,
    /// Passes under way.
    running: usize,
}

impl Workqueue {
    fn new(places: u16) -> Self {
        Self { places: places.into(), state: Mutex::default(), room: Notify::new() }
    }

    fn add(&self, key: ObjectKey) {
        let State { order, waiting, handed, .. } = &mut *lock(&self.state);
        if !handed.contains(&key) && waiting.insert(key.clone()) {
            order.push_back(key);
        }
    }

    /// Hands the next one over, if there is room.
    fn take(&self) -> Option<ObjectKey> {
        let State { order, waiting, handed, running } = &mut *lock(&self.state);
        if handed.len() >= self.places + *running {
            return None;
        }
        let key = order.pop_front()?;
        waiting.remove(&key);
        handed.insert(key.clone());
        if order.is_empty() {
            (*order, *waiting) = Default::default();
        }
        Some(key)
    }

    /// Its pass begins.
    fn begun(&self, key: &ObjectKey) {
        let mut state = lock(&self.state);
        state.running += 1;
        state.handed.remove(key);
        self.room.notify_one();
    }

    /// A pass has ended.
    fn ended(&self) {
        lock(&self.state).running -= 1;
    }

    /// It was gone, and there is no pass. One of that name `is_there` by now: the request for it may have come while this was
    /// still handed over, and have been taken for the same.
    fn not_found(&self, key: &ObjectKey, is_there: bool) {
        lock(&self.state).handed.remove(key);
        self.room.notify_one();
        if is_there {
            self.add(key.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> ObjectKey {
        ObjectKey { namespace: "shop".into(), name: name.into() }
    }

    fn queue_of(places: u16, names: &[&str]) -> Workqueue {
        let queue = Workqueue::new(places);
        names.iter().for_each(|name| queue.add(key(name)));
        queue
    }

    #[test]
    fn no_more_are_handed_over_than_there_is_room_for() {
        let queue = queue_of(2, &["a", "b", "c", "d"]);
        assert_eq!((queue.take(), queue.take(), queue.take()), (Some(key("a")), Some(key("b")), None));
        queue.begun(&key("b"));
        queue.ended();
        assert_eq!((queue.take(), queue.take()), (Some(key("c")), None));
    }

    #[test]
    fn those_that_wait_for_the_end_of_their_own_pass_keep_nobody_from_his() {
        let queue = queue_of(1, &["a"]);
        assert_eq!(queue.take(), Some(key("a")));
        queue.begun(&key("a"));
        ["a", "b"].into_iter().for_each(|name| queue.add(key(name)));
        assert_eq!((queue.take(), queue.take()), (Some(key("a")), Some(key("b"))));
    }

    #[test]
    fn one_that_is_asked_for_again_before_its_pass_begins_has_one_pass_and_after_that_another() {
        let queue = queue_of(2, &["a", "a"]);
        assert_eq!((queue.take(), queue.take()), (Some(key("a")), None));
        queue.add(key("a"));
        assert_eq!(queue.take(), None, "the pass that is to begin sees all");
        queue.begun(&key("a"));
        queue.add(key("a"));
        assert_eq!(queue.take(), Some(key("a")));
    }

    #[test]
    fn one_that_was_gone_makes_room_and_one_of_its_name_that_came_meanwhile_has_its_pass() {
        let queue = queue_of(1, &["a"]);
        assert_eq!(queue.take(), Some(key("a")));
        queue.add(key("a"));
        queue.not_found(&key("a"), true);
        assert_eq!(queue.take(), Some(key("a")));
        queue.not_found(&key("a"), false);
        assert_eq!(queue.take(), None);
        queue.add(key("b"));
        assert_eq!(queue.take(), Some(key("b")));
    }

    #[test]
    fn nothing_is_kept_of_a_crowd_that_has_passed() {
        let names: Vec<_> = (0..1000).map(|n| n.to_string()).collect();
        let queue = queue_of(1, &names.iter().map(String::as_str).collect::<Vec<_>>());
        while let Some(key) = queue.take() {
            queue.begun(&key);
            queue.ended();
        }
        let state = lock(&queue.state);
        assert_eq!((state.order.capacity(), state.waiting.capacity()), (0, 0));
        assert!(state.handed.capacity() < 10);
    }

    #[tokio::test]
    async fn who_waits_for_room_is_handed_over_when_there_is_some_and_the_end_of_requests_ends_it() {
        let (sender, receiver) = requests();
        let queue = Arc::new(Workqueue::new(1));
        let mut handed = Box::pin(hand_over(&queue, receiver));
        assert!(sender.unbounded_send(key("a")).is_ok());
        assert!(sender.unbounded_send(key("b")).is_ok());
        assert_eq!(handed.next().await, Some(key("a")));
        assert_eq!(handed.next().now_or_never(), None);
        queue.begun(&key("a"));
        assert_eq!(handed.next().await, Some(key("b")));
        drop(sender);
        assert_eq!(handed.next().await, None);
    }
}
