//! What OpenClaw asks over one connection, by its own ids, and what it has said to be decided.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use serde_json::Value;
use tokio::sync::oneshot;
use vault::Hash;

use crate::limits;

/// How a question stands.
pub(super) enum Standing {
    /// It waits, or was refused: for this, and two may be of the very same. Whoever waits for the owner hears when it is over.
    Waits(Hash, oneshot::Sender<()>),
    /// Its owner has allowed it, or a rule of theirs.
    Allowed,
}

/// What a question was that is decided.
pub(super) enum Decided {
    /// Its owner's yes was not given.
    Waited(Hash, oneshot::Sender<()>),
    /// Nobody was asked about it.
    Unasked,
    /// It was known already, or is its owner's answer.
    Known,
}

#[derive(Default)]
pub(super) struct Asked {
    /// Until OpenClaw says that it is decided.
    open: HashMap<String, Standing>,
    /// What is decided and known to be, the newest last.
    over: VecDeque<String>,
    /// Whether `over` begins with what was decided before.
    has_begun: bool,
}

impl Asked {
    /// What was decided until now, the newest first, is nothing new. What waits here is heard of by itself.
    pub fn begin(&mut self, decided: &[Value]) {
        let ids = decided.iter().rev().filter_map(|each| each["id"].as_str());
        let ids: Vec<_> = ids.filter(|id| !self.open.contains_key(*id)).collect();
        for id in ids {
            self.remember(id);
        }
        self.has_begun = true;
    }

    /// Whether everything that is decided and not among these, the newest first, is known. There may be more than these.
    pub fn reaches(&self, decided: &[Value], more: bool) -> bool {
        let is_known = |each: &Value| self.over.iter().any(|id| each["id"] == *id);
        self.has_begun && (!more || decided.last().is_some_and(is_known))
    }

    /// Adds one that waits, unless it is there already.
    pub fn wait(&mut self, id: &str, hash: Hash, resolved: oneshot::Sender<()>) -> bool {
        match self.open.entry(id.to_owned()) {
            Entry::Vacant(free) => {
                free.insert(Standing::Waits(hash, resolved));
                true
            }
            Entry::Occupied(_) => false,
        }
    }

    /// Marks its owner's yes; false for one that is over.
    pub fn answer(&mut self, id: &str, allowed: bool) -> bool {
        match self.open.get_mut(id) {
            Some(standing) if allowed => *standing = Standing::Allowed,
            Some(_) => {}
            None => return false,
        }
        true
    }

    /// Nothing more is to be heard of it.
    pub fn end(&mut self, id: &str) -> Option<Standing> {
        self.remember(id);
        self.open.remove(id)
    }

    /// OpenClaw says that it is decided.
    pub fn decided(&mut self, id: &str) -> Decided {
        let was_known = self.over.iter().any(|known| known == id);
        match self.end(id) {
            Some(Standing::Waits(hash, waits)) => Decided::Waited(hash, waits),
            None if !was_known => Decided::Unasked,
            Some(Standing::Allowed) | None => Decided::Known,
        }
    }

    pub fn ids(&self) -> Vec<String> {
        self.open.keys().cloned().collect()
    }

    /// Whether one of this waits.
    pub fn waits_for(&self, hash: &Hash) -> bool {
        let same = |standing: &Standing| matches!(standing, Standing::Waits(of, _) if of == hash);
        self.open.values().any(same)
    }

    fn remember(&mut self, id: &str) {
        if self.over.iter().any(|known| known == id) {
            return;
        }
        self.over.push_back(id.to_owned());
        // Twice what OpenClaw tells at once: what falls out here is older than what it tells.
        if self.over.len() > 2 * limits::COMMANDS_DECIDED {
            self.over.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page(ids: impl IntoIterator<Item = usize>) -> Vec<Value> {
        ids.into_iter().map(|id| json!({"id": id.to_string()})).collect()
    }

    #[test]
    fn what_openclaw_tells_reaches_what_is_known_or_something_is_missing() {
        let mut asked = Asked::default();
        assert!(!asked.reaches(&[], false), "what was decided before is not known");
        asked.begin(&page([3]));
        assert!(asked.reaches(&page([1, 2]), false));
        assert!(!asked.reaches(&page([1, 2]), true));
        assert!(asked.reaches(&page([1, 2, 3]), true));
    }

    #[test]
    fn what_is_decided_is_heard_of_once() {
        let mut asked = Asked::default();
        let wait = |asked: &mut Asked, id| asked.wait(id, Hash::of(b"command"), oneshot::channel().0);
        assert!(wait(&mut asked, "1") && !wait(&mut asked, "1"));
        // It waits, so that it is still to be heard of.
        asked.begin(&page([1, 2]));
        assert!(matches!(asked.decided("1"), Decided::Waited(..)));
        for known in ["1", "2"] {
            assert!(matches!(asked.decided(known), Decided::Known), "{known}");
        }
        assert!(matches!(asked.decided("3"), Decided::Unasked));
        assert!(matches!(asked.decided("3"), Decided::Known));
        assert!(wait(&mut asked, "4") && asked.answer("4", true));
        assert!(matches!(asked.decided("4"), Decided::Known), "its owner has allowed it");
        assert!(!asked.answer("4", true));
    }

    #[test]
    fn so_many_that_are_decided_are_remembered() {
        let mut asked = Asked::default();
        for id in 0..=2 * limits::COMMANDS_DECIDED {
            asked.end(&id.to_string());
        }
        assert!(matches!(asked.decided("1"), Decided::Known));
        assert!(matches!(asked.decided("0"), Decided::Unasked));
    }
}
