//! What was asked for so far: the soak's own books, against which cluster and remote are held at the end.

use std::collections::{BTreeMap, BTreeSet};

use crate::declaration::{Declaration, NAMESPACES, SHARED_SECRETS, Versions};

/// One object by name.
#[derive(Clone, Debug)]
pub struct Entry {
    pub declaration: Declaration,
    pub phase: Phase,
}

/// Where an object is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Declared in the cluster.
    Live,
    /// Its deletion was asked for; what is declared under its name once it is gone, if anything.
    Going { next: Option<Declaration> },
}

/// A life that ended, or is to end.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its deletionPolicy, if it had one.
    pub deletion: Option<&'static str>,
}

impl Ended {
    /// What it created was to be left at the remote.
    pub fn orphans(&self) -> bool {
        self.deletion == Some("Orphan")
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Ledger {
    pub entries: BTreeMap<usize, Entry>,
    pub versions: Versions,
    /// By object and life.
    pub ended: BTreeMap<(usize, u32), Ended>,
    /// Ids of webhooks made at the console for an object to adopt in this life.
    pub found: BTreeMap<String, (usize, u32)>,
    /// Ids of webhooks that were deleted at the console.
    pub removed: BTreeSet<String>,
    /// Objects whose connection was changed since the storm began.
    pub moved: BTreeSet<usize>,
    /// Objects in whose webhook something was changed at the console since the storm began.
    pub edited: BTreeSet<usize>,
    /// Objects whose webhook was deleted at the console since the storm began.
    pub vanished: BTreeSet<usize>,
    /// Ids of webhooks of ended lives that were left on suspicion in an earlier storm.
    pub suspected: BTreeSet<String>,
}

impl Ledger {
    pub fn new() -> Self {
        let all = (0..NAMESPACES.len()).flat_map(|namespace| (0..SHARED_SECRETS).map(move |n| ((namespace, n), 1)));
        Self { versions: all.collect(), ..Self::default() }
    }

    /// A new storm begins: what was done in the one before explains nothing any more.
    pub fn begin(&mut self) {
        for since in [&mut self.moved, &mut self.edited, &mut self.vanished] {
            since.clear();
        }
    }

    /// Notes a new object.
    pub fn created(&mut self, declaration: Declaration) {
        self.entries.insert(declaration.object, Entry { declaration, phase: Phase::Live });
    }

    /// Notes a changed declaration. False if it can't be applied now, because one of its name is still going.
    pub fn changed(&mut self, declaration: &Declaration) -> bool {
        let Some(entry) = self.entries.get_mut(&declaration.object) else { return false };
        match &mut entry.phase {
            Phase::Live => {
                if entry.declaration.place != declaration.place {
                    self.moved.insert(declaration.object);
                }
                entry.declaration = declaration.clone();
                true
            }
            Phase::Going { next } => {
                *next = next.is_some().then(|| declaration.clone());
                false
            }
        }
    }

    /// Notes that an object is to be deleted, and what comes after it. False if it is going already.
    pub fn deleted(&mut self, object: usize, next: Option<Declaration>) -> bool {
        let Some(entry) = self.entries.get_mut(&object) else { return false };
        if let Phase::Going { next: planned } = &mut entry.phase {
            *planned = next;
            return false;
        }
        entry.phase = Phase::Going { next };
        let Declaration { object, life, deletion, .. } = entry.declaration;
        self.ended.insert((object, life), Ended { deletion });
        true
    }

    /// Notes that an object is gone; returns what is to be declared under its name now.
    pub fn gone(&mut self, object: usize) -> Option<Declaration> {
        let entry = self.entries.get_mut(&object)?;
        let Phase::Going { next } = &mut entry.phase else { return None };
        let declaration = next.take()?;
        *entry = Entry { declaration: declaration.clone(), phase: Phase::Live };
        Some(declaration)
    }

    /// Notes a rotation; the new version.
    pub fn rotated(&mut self, namespace: usize, secret: usize) -> u32 {
        let version = self.versions.entry((namespace, secret)).or_default();
        *version += 1;
        *version
    }

    /// What is to be there.
    pub fn live(&self) -> impl Iterator<Item = &Declaration> {
        self.entries.values().filter(|entry| entry.phase == Phase::Live).map(|entry| &entry.declaration)
    }

    /// Objects after which another one waits for its name.
    pub fn waiting(&self) -> Vec<Declaration> {
        let waits = |entry: &&Entry| matches!(entry.phase, Phase::Going { next: Some(_) });
        self.entries.values().filter(waits).map(|entry| entry.declaration.clone()).collect()
    }
}
