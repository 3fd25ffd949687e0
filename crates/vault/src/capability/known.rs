use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use super::chain::verify;
use super::{Capability, CapabilityError, Granted, Hash, SignerKey, canonical};

/// Chains whose signatures were found good, by SHA-256 of their whole writing: these signatures need not be verified again. Everything that
/// changes is looked at each time: the time, what was revoked, for whom it is, and that each link narrows the one before.
pub struct KnownChains {
    most: usize,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    all: HashSet<Hash>,
    /// The oldest first.
    order: VecDeque<Hash>,
}

impl KnownChains {
    /// None yet, and never more than so many: then the oldest is verified anew.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            known: Mutex::default(),
        }
    }

    /// As [`verify_chain`](super::verify_chain).
    ///
    /// # Errors
    /// [`CapabilityError`] names what is wrong first.
    pub fn verify(
        &self,
        chain: &[Capability],
        own: &SignerKey,
        now: i64,
        is_revoked: impl Fn(Uuid) -> bool,
    ) -> Result<Granted, CapabilityError> {
        let digest = Hash::of(&canonical(&chain));
        let is_known = self.with(|known| known.all.contains(&digest));
        let granted = verify(chain, own, now, is_revoked, is_known)?;
        if !is_known {
            self.with(|known| known.add(digest, self.most));
        }
        Ok(granted)
    }

    fn with<T>(&self, work: impl FnOnce(&mut Known) -> T) -> T {
        work(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Known {
    fn add(&mut self, digest: Hash, most: usize) {
        if self.all.insert(digest) {
            self.order.push_back(digest);
        }
        while self.order.len() > most {
            if let Some(oldest) = self.order.pop_front() {
                self.all.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_12_no_more_chains_are_known_than_may_be() {
        let mut known = Known::default();
        let digests = [1, 2, 2, 3].map(|byte| Hash::new([byte; 32]));
        for digest in digests {
            known.add(digest, 2);
        }
        assert_eq!(known.all, [digests[1], digests[3]].into());
        assert_eq!(known.order.len(), 2);
    }
}
