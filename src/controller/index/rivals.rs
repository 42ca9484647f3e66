//! The index as decisions ask it: who else claims a webhook, or is about to.

use super::{Entry, Index, Maps};
use crate::domain::claim::{Claimant, Rivals, Strength};
use crate::domain::ids::{ObjectKey, ProjectId, WebhookId};
use crate::domain::marker::Marker;
use crate::domain::pattern::EndpointPlace;

/// The other objects, as one of them sees them.
pub(super) struct RivalsOf<'a> {
    pub index: &'a Index,
    pub me: ObjectKey,
    pub endpoint: EndpointPlace,
    pub project: ProjectId,
}

impl RivalsOf<'_> {
    /// Whether another object is about the same endpoint and project. An endpoint that is not known yet may be the same.
    fn is_rival(&self, maps: &Maps, key: &ObjectKey, entry: &Entry) -> bool {
        let same_endpoint = maps.endpoints.get(&entry.connection).is_none_or(|endpoint| *endpoint == self.endpoint);
        *key != self.me && entry.project == Some(self.project) && same_endpoint
    }

    /// The first of the rivals of this display name that are so.
    fn contesting(&self, name: &str, is_so: impl Fn(&Entry, &Entry) -> bool) -> Option<ObjectKey> {
        let maps = self.index.lock();
        let me = maps.entries.get(&self.me)?;
        let keys = maps.contested.get(&(self.project, name.into()))?;
        let is_so = |key: &&ObjectKey| {
            maps.entries.get(*key).is_some_and(|entry| self.is_rival(&maps, key, entry) && is_so(entry, me))
        };
        keys.iter().filter(is_so).min().cloned()
    }
}

impl Rivals for RivalsOf<'_> {
    fn claimants(&self, id: WebhookId) -> Vec<Claimant> {
        let maps = self.index.lock();
        let claim = |key: &ObjectKey| {
            let entry = maps.entries.get(key)?;
            let strength = if entry.recorded == Some(id) { Strength::Recorded } else { Strength::Pinned };
            self.is_rival(&maps, key, entry).then(|| Claimant { key: key.clone(), age: entry.age.clone(), strength })
        };
        let mut claimants: Vec<_> = maps.by_webhook.get(&id).into_iter().flatten().filter_map(claim).collect();
        claimants.sort_by(|a, b| b.strength.cmp(&a.strength).then(a.age.cmp(&b.age)));
        claimants
    }

    fn owner_of(&self, marker: &Marker) -> Option<ObjectKey> {
        self.index.lock().by_marker.get(marker).cloned()
    }

    fn creating(&self, name: &str) -> Option<ObjectKey> {
        self.contesting(name, |entry, _| entry.creating)
    }

    fn older_wish(&self, name: &str) -> Option<ObjectKey> {
        self.contesting(name, |entry, me| entry.wishing && entry.age < me.age)
    }
}
