use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::Millis;
use tokio::sync::watch;

use super::record::{Counted, DAY, HOUR, Kept, PREFIX, Pause};
use super::{By, Changes, Who};
use crate::activity::{Activity, Deed, What};
use crate::limits;
use crate::vault_service::{LockReason, VaultError, VaultService};
use crate::versioned;
use crate::write_behind::{Changing, OfUnlock, WriteBehind};

/// Why a call is not made.
#[derive(Debug, thiserror::Error)]
pub enum RateError {
    #[error("There were far more calls than usual, so they are paused until the owner of this vault lets them go on.")]
    Paused,
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// What one caller did with one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub who: Who,
    pub name: String,
    pub service: String,
    pub kept: Kept,
}

/// The counts of one vault. Cheap to clone.
#[derive(Clone)]
pub struct Rates {
    book: Arc<Book>,
    activity: Activity,
    write_behind: WriteBehind,
    changes: Changes,
}

struct Book {
    pages: OfUnlock<Page>,
}

struct Page {
    /// By record; none where it was written by a newer version.
    kept: BTreeMap<String, Option<Kept>>,
    changed: BTreeSet<String>,
}

impl Page {
    fn load(vault: &VaultService) -> Result<Self, VaultError> {
        let (mut kept, mut changed) = (BTreeMap::new(), BTreeSet::new());
        for record in vault.list_records(PREFIX)? {
            let Some(bytes) = vault.get_record(&record)? else {
                continue;
            };
            let read = versioned::decode::<Kept>(&bytes);
            if read.as_ref().is_some_and(|kept| kept.is_old(vault.now())) {
                changed.insert(record);
            } else {
                kept.insert(record, read);
            }
        }
        Ok(Self { kept, changed })
    }

    /// Services, its owner's and others', at which the agent was paused within the last hour. People do not count: none of them locks the owner out.
    fn agent_was_paused_at(&self, now: Millis) -> usize {
        let is_agent = |record: &str| Who::of_record(record).is_some_and(|(who, _)| who.is_agent());
        let of_agent = self.kept.iter().filter(|(record, _)| is_agent(record));
        of_agent
            .filter_map(|(_, kept)| kept.as_ref())
            .filter(|kept| kept.paused.iter().any(|at| now - at < HOUR))
            .count()
    }
}

impl Book {
    fn now(&self) -> Millis {
        self.pages.vault().now()
    }

    fn with<T>(&self, work: impl FnOnce(&mut Page) -> T) -> Result<T, VaultError> {
        self.pages.with(Page::load, work)
    }
}

impl Changing for Book {
    fn take(&self) -> Vec<(String, Option<Vec<u8>>)> {
        let records = self.pages.if_there(|page| {
            let bytes = |record: &String| page.kept.get(record)?.as_ref().map(versioned::encode);
            let changed = std::mem::take(&mut page.changed).into_iter();
            changed.map(|record| (record.clone(), bytes(&record))).collect()
        });
        records.unwrap_or_default()
    }

    fn not_written(&self) {
        self.pages.if_there(|page| {
            let readable = page.kept.iter().filter(|(_, kept)| kept.is_some());
            page.changed.extend(readable.map(|(record, _)| record.clone()));
        });
    }

    fn forget(&self) {
        self.pages.forget();
    }
}

impl Rates {
    /// The counts of this vault, written behind.
    pub fn new(vault: VaultService, activity: Activity, write_behind: WriteBehind) -> Self {
        let book = Arc::new(Book {
            pages: OfUnlock::new(vault),
        });
        write_behind.add(book.clone());
        Self {
            book,
            activity,
            write_behind,
            changes: Arc::new(watch::Sender::new(0)),
        }
    }

    /// Changes when calls are paused, and when they go on.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Whether their calls of this service are not paused.
    ///
    /// # Errors
    /// [`RateError::Paused`], [`VaultError::Locked`].
    pub fn check(&self, by: By<'_>, service: &str) -> Result<(), RateError> {
        let record = by.who.record(service);
        self.book.with(|page| match page.kept.get(&record) {
            Some(None) => Err(VaultError::Newer.into()),
            Some(Some(kept)) if kept.pause.is_some() => Err(RateError::Paused),
            _ => Ok(()),
        })?
    }

    /// One more call, which must not leave otherwise. The one that passes the ceiling pauses them, and an agent that is paused at a third
    /// service within an hour has the vault locked.
    ///
    /// # Errors
    /// [`RateError::Paused`], [`VaultError::Locked`], the disk's errors.
    pub async fn count(&self, by: By<'_>, service: &str, changes: bool) -> Result<(), RateError> {
        let (now, By { who, name }) = (self.book.now(), by);
        let record = who.record(service);
        let (counted, locks) = self.book.with(|page| {
            let kept = page.kept.entry(record.clone()).or_insert_with(|| Some(Kept::default()));
            let kept = kept.as_mut().ok_or(VaultError::Newer)?;
            let counted = kept.count(changes, now);
            if counted == Counted::Paused {
                return Ok((counted, false));
            }
            name.clone_into(&mut kept.name);
            page.changed.insert(record);
            let locks = matches!(counted, Counted::PausesNow(_))
                && who.is_agent()
                && page.agent_was_paused_at(now) >= limits::RATE_PAUSES_LOCK;
            Ok::<_, VaultError>((counted, locks))
        })??;
        match counted {
            Counted::Room => {
                self.write_behind.changed();
                Ok(())
            }
            Counted::Paused => Err(RateError::Paused),
            Counted::PausesNow(pause) => {
                let (whose, what) = who.noted(name, service);
                let (rates, deed) = (self.clone(), Deed::new(What::RatePaused, what).because(whose));
                // In one piece: whoever calls may go away in this moment.
                let noted = tokio::spawn(async move { rates.pauses(deed, &pause, locks).await });
                noted.await.unwrap_or(Ok(()))?;
                Err(RateError::Paused)
            }
        }
    }

    async fn pauses(&self, deed: Deed, pause: &Pause, locks: bool) -> Result<(), VaultError> {
        self.changed();
        let mut deeds = vec![deed];
        if locks {
            deeds.push(Deed::new(What::RateLocked, ""));
        }
        tracing::info!(calls = pause.calls, usual = pause.usual, locks, "calls are paused");
        let noted = self.activity.note_all_first(deeds).await;
        if locks {
            let vault = self.book.pages.vault().clone();
            // Whoever calls is under way inside what has to end before a lock.
            tokio::spawn(async move {
                if let Err(error) = vault.lock(LockReason::Unusual).await {
                    tracing::warn!(%error, "the vault was not locked after several pauses");
                }
            });
        }
        noted
    }

    /// The owner ends the pause, durably: they let them go on, and `raise` the ceiling with it, or have taken back what was shared.
    ///
    /// # Errors
    /// [`VaultError::Locked`], the disk's errors.
    pub(super) async fn resume(&self, who: Who, service: &str, raise: bool) -> Result<(), VaultError> {
        let now = self.book.now();
        let record = who.record(service);
        let resumed = self.book.with(|page| {
            let kept = page.kept.get_mut(&record)?.as_mut()?;
            let name = kept.name.clone();
            kept.resume(raise, now)
                .then(|| page.changed.insert(record))
                .map(|_| name)
        })?;
        if let Some(name) = resumed {
            let (whose, what) = who.noted(&name, service);
            self.activity
                .note_first(Deed::new(What::RateResumed, what).because(whose))
                .await?;
            self.changed();
        }
        Ok(())
    }

    /// All that is counted.
    pub(super) fn rows(&self) -> Result<Vec<Row>, VaultError> {
        self.book.with(|page| {
            let known = page.kept.iter().filter_map(|(record, kept)| {
                let ((who, service), kept) = (Who::of_record(record)?, kept.as_ref()?);
                Some(Row {
                    who,
                    name: kept.name.clone(),
                    service: service.to_owned(),
                    kept: kept.clone(),
                })
            });
            known.collect()
        })
    }

    /// When calls were last paused that still are.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub(crate) fn last_pause(&self) -> Result<Option<Millis>, VaultError> {
        self.book.with(|page| {
            let kept = page.kept.values().flatten();
            kept.filter_map(|kept| Some(kept.pause.as_ref()?.at)).max()
        })
    }

    /// When the last seven days began, today with them: in days since the epoch, and in milliseconds.
    pub(super) fn week(&self) -> (i64, Millis) {
        let first = self.book.now().div_euclid(DAY) - 6;
        (first, first * DAY)
    }

    /// When this week ends (Monday, UTC), where anything was called in the one before.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub(crate) fn week_to_read(&self) -> Result<Option<Millis>, VaultError> {
        // The first day of the epoch was a Thursday.
        let monday = (self.book.now().div_euclid(DAY) + 3).div_euclid(7) * 7 - 3;
        let before = monday - 7..monday;
        self.book.with(|page| {
            let mut days = page.kept.values().flatten().flat_map(|kept| &kept.days);
            days.any(|day| before.contains(&day.day)).then_some((monday + 7) * DAY)
        })
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }
}

#[cfg(test)]
mod tests {
    use protocol::UserId;

    use super::*;

    #[test]
    fn the_services_at_which_the_agent_was_paused_count_once_each_and_people_not_at_all() {
        let now = 20_000 * DAY;
        let paused = |at: &[Millis]| {
            let mut kept = Kept::default();
            kept.paused = at.to_vec();
            Some(kept)
        };
        let bob = UserId::new();
        let (agent, at_bob, bob) = (Who::Agent, Who::AgentAt(bob), Who::Person(bob));
        let page = Page {
            kept: BTreeMap::from([
                (agent.record("twice"), paused(&[now - 2, now - 1])),
                (agent.record("once"), paused(&[now - HOUR + 1])),
                (agent.record("before"), paused(&[now - HOUR])),
                (at_bob.record("once"), paused(&[now])),
                (at_bob.record("before"), paused(&[now - HOUR])),
                (bob.record("once"), paused(&[now])),
                (bob.record("twice"), paused(&[now])),
            ]),
            changed: BTreeSet::new(),
        };
        assert_eq!(page.agent_was_paused_at(now), 3);
    }

    #[test]
    fn a_record_says_whose_calls_it_counts() {
        let bob = UserId::new();
        for who in [Who::Agent, Who::AgentAt(bob), Who::Person(bob)] {
            let record = who.record("calendar");
            assert_eq!(Who::of_record(&record), Some((who, "calendar")), "{record}");
            assert_eq!(Who::new(who.user(), who.is_agent()), who);
        }
        // As earlier versions wrote them.
        assert_eq!(Who::Agent.record("calendar"), "rates/agent/calendar");
        assert_eq!(Who::Person(bob).record("calendar"), format!("rates/{bob}/calendar"));
    }
}
