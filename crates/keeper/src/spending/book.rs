use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use protocol::Millis;
use serde::{Deserialize, Serialize};

use super::calendar;
use super::price::Tokens;
use super::reservation::{CallOf, Reservation, SpendingError, Stage};
use crate::activity::{Activity, Deed, What};
use crate::limits;
use crate::vault_service::{BeforeLock, LockReason, VaultError, VaultService};
use crate::versioned::{decode, encode};
use crate::write_behind::{Changing, OfUnlock, Record, WriteBehind};

const LIMITS: &str = "spending/limits";
const USAGE: &str = "spending/usage/";
/// What is counted together once a day has too many rows.
const OTHERS: &str = "other";

/// The limits of one vault, in millionths of a dollar.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    #[serde(default)]
    pub day: Option<u64>,
    #[serde(default)]
    pub month: Option<u64>,
}

/// What one model of one provider did in a day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    pub provider: String,
    pub model: String,
    pub calls: u64,
    /// Calls that were not answered.
    pub failed: u64,
    #[serde(flatten)]
    pub tokens: Tokens,
    /// Millionths of a dollar.
    pub cost: u64,
    /// Calls whose usage was not told by the end of an answer: what was set aside for them.
    pub estimated: u64,
    /// Calls of a model whose price is not set.
    pub unpriced: u64,
}

/// A month: rows by day.
type Month = BTreeMap<String, Vec<Row>>;

/// The book of one vault. Cheap to clone.
#[derive(Clone)]
pub struct Spending {
    book: Arc<Book>,
    pub(super) activity: Activity,
    write_behind: WriteBehind,
}

struct Book {
    pages: OfUnlock<Page>,
    /// The number of the next call.
    next: AtomicU64,
}

/// The month that is written now.
struct Page {
    month: String,
    rows: Month,
    limits: Limits,
    changed: bool,
    /// Months that are over, and changed or too old.
    others: Vec<Record>,
    /// What the last write took, this month among it: it is in the vault only if that came to its end.
    taken: Vec<Record>,
    /// Calls that are under way, by their numbers: money is set aside for each.
    under_way: BTreeMap<u64, CallOf>,
    /// The vault is about to be locked: no call begins any more.
    closed: bool,
}

/// What cannot be read must not count as nothing spent: it is an error.
fn read<T: Default + for<'a> Deserialize<'a>>(vault: &VaultService, record: &str) -> Result<T, VaultError> {
    match vault.get_record(record)? {
        Some(bytes) => decode(&bytes).ok_or(VaultError::Newer),
        None => Ok(T::default()),
    }
}

impl Page {
    fn load(vault: &VaultService, month: String) -> Result<Self, VaultError> {
        let old = vault.list_records(USAGE)?;
        let keep = old.len().saturating_sub(limits::USAGE_MONTHS);
        Ok(Self {
            rows: read(vault, &format!("{USAGE}{month}"))?,
            month,
            limits: read(vault, LIMITS)?,
            changed: false,
            others: old.into_iter().take(keep).map(|name| (name, None)).collect(),
            taken: Vec::new(),
            under_way: BTreeMap::new(),
            closed: false,
        })
    }

    /// Goes on with another month, and keeps what is not written of this one.
    fn turn(&mut self, vault: &VaultService, month: String) -> Result<(), VaultError> {
        let mut last = std::mem::replace(self, Self::load(vault, month)?);
        self.under_way = std::mem::take(&mut last.under_way);
        self.closed = last.closed;
        self.others.append(&mut last.others);
        self.taken.append(&mut last.taken);
        if last.changed {
            self.others.push((last.record(), Some(encode(&last.rows))));
        }
        Ok(())
    }

    /// Of the month that is written now.
    fn record(&self) -> String {
        format!("{USAGE}{}", self.month)
    }

    /// The rows of another month, as they are going to be written.
    fn of_other(&self, vault: &VaultService, month: &str) -> Result<Month, VaultError> {
        let record = format!("{USAGE}{month}");
        let not_there_yet = self.taken.iter().chain(&self.others).rev();
        match not_there_yet.into_iter().find(|(name, _)| *name == record) {
            Some((_, Some(bytes))) => decode(bytes).ok_or(VaultError::Newer),
            _ => read(vault, &record),
        }
    }

    fn spent(&self, day: &str) -> (u64, u64) {
        let sum = |rows: &Vec<Row>| rows.iter().map(|row| row.cost).sum::<u64>();
        (self.rows.get(day).map_or(0, sum), self.rows.values().map(sum).sum())
    }

    fn reserved(&self) -> u64 {
        let each = self.under_way.values().filter_map(CallOf::at_most);
        each.fold(0, u64::saturating_add)
    }

    /// A call has ended.
    fn count(&mut self, day: &str, call: &CallOf, answered: bool, tokens: Tokens, estimated: bool) {
        self.changed = true;
        let row = self.row(day, &call.provider, &call.model);
        row.calls += 1;
        row.failed += u64::from(!answered);
        row.tokens.input += tokens.input;
        row.tokens.cached += tokens.cached;
        row.tokens.written += tokens.written;
        row.tokens.output += tokens.output;
        row.cost += call.price.map_or(0, |price| price.of(&tokens));
        row.estimated += u64::from(estimated);
        row.unpriced += u64::from(call.price.is_none());
    }

    /// What is under way when the vault locks cannot be counted when it ends, so it is now.
    fn close(&mut self, day: &str) {
        self.closed = true;
        for call in std::mem::take(&mut self.under_way).into_values() {
            self.count(day, &call, false, call.most(), true);
        }
    }

    fn row(&mut self, day: &str, provider: &str, model: &str) -> &mut Row {
        let rows = self.rows.entry(day.to_owned()).or_default();
        let known = |rows: &[Row], provider: &str, model: &str| {
            rows.iter()
                .position(|row| row.provider == provider && row.model == model)
        };
        let (provider, model) = match known(rows, provider, model) {
            None if rows.len() >= limits::USAGE_ROWS => (OTHERS, OTHERS),
            _ => (provider, model),
        };
        let at = known(rows, provider, model).unwrap_or_else(|| {
            rows.push(Row {
                provider: provider.to_owned(),
                model: model.to_owned(),
                ..Row::default()
            });
            rows.len() - 1
        });
        &mut rows[at]
    }
}

impl Book {
    fn now(&self) -> Millis {
        self.pages.vault().now()
    }

    fn with<T>(&self, now: Millis, work: impl FnOnce(&mut Page) -> T) -> Result<T, VaultError> {
        let month = calendar::month(now);
        let load = |vault: &VaultService| Page::load(vault, month.clone());
        self.pages.with(load, |page| {
            if page.month != month {
                page.turn(self.pages.vault(), month.clone())?;
            }
            Ok(work(page))
        })?
    }
}

impl Changing for Book {
    fn take(&self) -> Vec<(String, Option<Vec<u8>>)> {
        let records = self.pages.if_there(|page| {
            page.taken = std::mem::take(&mut page.others);
            if std::mem::take(&mut page.changed) {
                page.taken.push((page.record(), Some(encode(&page.rows))));
            }
            page.taken.clone()
        });
        records.unwrap_or_default()
    }

    fn not_written(&self) {
        self.pages.if_there(|page| {
            page.changed = true;
            let (mut back, now) = (std::mem::take(&mut page.taken), page.record());
            // But for what has changed since.
            back.retain(|(name, _)| *name != now && !page.others.iter().any(|(other, _)| other == name));
            page.others.extend(back);
        });
    }

    fn forget(&self) {
        self.pages.forget();
    }
}

struct CloseBeforeLock(Weak<Book>);

impl BeforeLock for CloseBeforeLock {
    fn before_lock(&self, _reason: LockReason) -> BoxFuture<'_, bool> {
        async move {
            let Some(book) = self.0.upgrade() else { return true };
            let now = book.now();
            let closed = book.with(now, |page| page.close(&calendar::day(now)));
            if let Err(error) = &closed {
                tracing::warn!(%error, "the cost of the calls that the lock interrupts could not be counted");
            }
            closed.is_ok()
        }
        .boxed()
    }
}

impl Spending {
    /// The book of this vault, written behind.
    pub fn new(vault: VaultService, activity: Activity, write_behind: WriteBehind) -> Self {
        let book = Arc::new(Book {
            pages: OfUnlock::new(vault.clone()),
            next: AtomicU64::new(0),
        });
        vault.before_lock(Arc::new(CloseBeforeLock(Arc::downgrade(&book))));
        write_behind.add(book.clone());
        Self {
            book,
            activity,
            write_behind,
        }
    }

    /// Sets money aside for a call that is about to be made.
    ///
    /// # Errors
    /// [`SpendingError::Limit`] when it could pass a limit, [`SpendingError::NoPrice`] when nobody could tell.
    pub fn reserve(&self, call: CallOf) -> Result<Reservation, SpendingError> {
        let now = self.book.now();
        let id = self.book.next.fetch_add(1, Ordering::Relaxed);
        self.book.with(now, |page| {
            if page.closed {
                return Err(VaultError::Locked.into());
            }
            let Limits { day, month } = page.limits;
            let more = match call.at_most() {
                Some(more) => more,
                None if day.is_none() && month.is_none() => 0,
                None => return Err(SpendingError::NoPrice(call.model.clone())),
            };
            let (today, this_month) = page.spent(&calendar::day(now));
            for (period, limit, spent) in [("day", day, today), ("month", month, this_month)] {
                let spent = spent.saturating_add(page.reserved());
                if let Some(limit) = limit
                    && spent.saturating_add(more) > limit
                {
                    return Err(SpendingError::Limit {
                        period,
                        limit,
                        spent,
                        more,
                    });
                }
            }
            page.under_way.insert(id, call.clone());
            Ok(())
        })??;
        Ok(Reservation {
            spending: self.clone(),
            call,
            id,
            stage: Stage::Free,
            told: None,
        })
    }

    /// The call has ended: its cost takes the place of what was set aside.
    pub(super) fn settle(&self, reservation: &Reservation, tokens: Tokens, estimated: bool) {
        let now = self.book.now();
        let settled = self.book.with(now, |page| {
            // One that a lock came upon is counted already.
            if let Some(call) = page.under_way.remove(&reservation.id) {
                let answered = reservation.stage >= Stage::Answered;
                page.count(&calendar::day(now), &call, answered, tokens, estimated);
            }
        });
        match settled {
            Ok(()) => self.write_behind.changed(),
            Err(VaultError::Locked) => {}
            Err(error) => tracing::warn!(%error, "the cost of a call could not be counted"),
        }
    }

    /// The limits, what was spent today and this month, and the rows of a month (this one, if none is named).
    pub(super) fn overview(&self, month: Option<&str>) -> Result<(Limits, (u64, u64), String, Month), VaultError> {
        let now = self.book.now();
        let vault = self.book.pages.vault();
        self.book.with(now, |page| {
            let (month, rows) = match month {
                Some(month) if month != page.month => (month.to_owned(), page.of_other(vault, month)?),
                _ => (page.month.clone(), page.rows.clone()),
            };
            Ok((page.limits, page.spent(&calendar::day(now)), month, rows))
        })?
    }

    /// Sets the limits, durably; they hold for the next call.
    pub(super) async fn set_limits(&self, limits: Limits, words: String) -> Result<(), VaultError> {
        self.book.pages.vault().put_record(LIMITS, &encode(&limits)).await?;
        self.book.with(self.book.now(), |page| page.limits = limits)?;
        self.activity
            .note_first(Deed::new(What::SpendingChanged, "").because(words))
            .await
    }

    /// A call of the agent was made, or refused.
    pub(crate) fn note(&self, deed: Deed) -> Result<(), VaultError> {
        self.activity.note(deed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault_service::tests::made;

    const DAY: Millis = 24 * 60 * 60 * 1000;

    #[tokio::test]
    async fn a_month_that_has_ended_is_read_and_kept_until_it_is_written() {
        let made = made().await;
        let book = Book {
            pages: OfUnlock::new(made.vault.clone()),
            next: AtomicU64::new(0),
        };
        let calls_on = |day: Millis| {
            let counted = book.with(day * DAY, |page| {
                page.changed = true;
                page.row(&calendar::day(day * DAY), "p", "m").calls += 1;
            });
            counted.unwrap();
        };
        let in_january = || -> u64 {
            let rows = book.with(40 * DAY, |page| page.of_other(&made.vault, "1970-01"));
            rows.unwrap().unwrap().values().flatten().map(|row| row.calls).sum()
        };
        calls_on(30);
        assert_eq!(book.take().len(), 1);
        // The month ends while it is written, and that fails, more than once.
        calls_on(40);
        for _ in 0..3 {
            assert_eq!(in_january(), 1, "it is on its way");
            book.not_written();
            assert_eq!(in_january(), 1, "it has still to be written");
            let names: Vec<String> = book.take().into_iter().map(|(name, _)| name).collect();
            assert_eq!(names, ["spending/usage/1970-01", "spending/usage/1970-02"]);
        }
        book.not_written();
        made.vault.put_records(book.take()).await.unwrap();
        assert_eq!(in_january(), 1);
        assert!(book.take().is_empty());
        assert_eq!(in_january(), 1, "it is in the vault");
    }
}
