use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use protocol::Millis;
use serde::{Deserialize, Serialize};

use super::calendar;
use super::price::Tokens;
use super::reservation::{CallOf, Reservation, SpendingError};
use crate::activity::{Activity, Deed, What};
use crate::limits;
use crate::vault_service::{VaultError, VaultService, unpoisoned};
use crate::write_behind::{Changing, WriteBehind};

/// First byte of each record.
const VERSION: u8 = 1;
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
    /// Calls whose usage was not told, and is estimated from their length.
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
    vault: VaultService,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    page: Option<Page>,
    /// The unlock whose end was announced.
    ended: Option<u64>,
}

/// The month that is written now.
struct Page {
    unlock: u64,
    month: String,
    rows: Month,
    limits: Limits,
    changed: bool,
    /// Months that are over, and changed or too old.
    others: Vec<(String, Option<Vec<u8>>)>,
    /// Set aside for calls that are under way.
    reserved: u64,
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    serde_json::to_writer(&mut bytes, value).expect("a struct of text and numbers serialises");
    bytes
}

/// What cannot be read must not count as nothing spent: it is an error.
fn read<T: Default + for<'a> Deserialize<'a>>(vault: &VaultService, record: &str) -> Result<T, VaultError> {
    let Some(bytes) = vault.get_record(record)? else {
        return Ok(T::default());
    };
    match bytes.split_first() {
        Some((&VERSION, json)) => serde_json::from_slice(json).map_err(|_| VaultError::Newer),
        _ => Err(VaultError::Newer),
    }
}

impl Page {
    fn load(vault: &VaultService, unlock: u64, month: String) -> Result<Self, VaultError> {
        let old = vault.list_records(USAGE)?;
        let keep = old.len().saturating_sub(limits::USAGE_MONTHS);
        Ok(Self {
            unlock,
            rows: read(vault, &format!("{USAGE}{month}"))?,
            month,
            limits: read(vault, LIMITS)?,
            changed: false,
            others: old.into_iter().take(keep).map(|name| (name, None)).collect(),
            reserved: 0,
        })
    }

    fn spent(&self, day: &str) -> (u64, u64) {
        let sum = |rows: &Vec<Row>| rows.iter().map(|row| row.cost).sum::<u64>();
        (self.rows.get(day).map_or(0, sum), self.rows.values().map(sum).sum())
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
    fn with<T>(&self, now: Millis, work: impl FnOnce(&mut Page) -> T) -> Result<T, VaultError> {
        let unlock = self.vault.unlock_number()?;
        let mut open = unpoisoned(&self.open);
        if open.ended == Some(unlock) {
            return Err(VaultError::Locked);
        }
        let month = calendar::month(now);
        let page = match &mut open.page {
            Some(page) if page.unlock == unlock && page.month == month => page,
            other => {
                let last = other.take().filter(|page| page.unlock == unlock);
                let mut page = Page::load(&self.vault, unlock, month)?;
                if let Some(mut last) = last {
                    page.reserved = last.reserved;
                    page.others.append(&mut last.others);
                    if last.changed {
                        page.others
                            .push((format!("{USAGE}{}", last.month), Some(encode(&last.rows))));
                    }
                }
                other.insert(page)
            }
        };
        Ok(work(page))
    }
}

impl Changing for Book {
    fn take(&self) -> Vec<(String, Option<Vec<u8>>)> {
        let mut open = unpoisoned(&self.open);
        let Some(page) = &mut open.page else {
            return Vec::new();
        };
        let mut records = std::mem::take(&mut page.others);
        if std::mem::take(&mut page.changed) {
            records.push((format!("{USAGE}{}", page.month), Some(encode(&page.rows))));
        }
        records
    }

    fn not_written(&self) {
        if let Some(page) = &mut unpoisoned(&self.open).page {
            page.changed = true;
        }
    }

    fn forget(&self) {
        let mut open = unpoisoned(&self.open);
        open.ended = self.vault.unlock_number().ok();
        open.page = None;
    }
}

impl Spending {
    /// The book of this vault, written behind.
    pub fn new(vault: VaultService, activity: Activity, write_behind: WriteBehind) -> Self {
        let book = Arc::new(Book {
            vault,
            open: Mutex::default(),
        });
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
        let now = self.book.vault.now();
        let reserved = self.book.with(now, |page| {
            let Limits { day, month } = page.limits;
            let more = match call.at_most() {
                Some(more) => more,
                None if day.is_none() && month.is_none() => 0,
                None => return Err(SpendingError::NoPrice(call.model.clone())),
            };
            let (today, this_month) = page.spent(&calendar::day(now));
            for (period, limit, spent) in [("day", day, today), ("month", month, this_month)] {
                let spent = spent.saturating_add(page.reserved);
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
            page.reserved = page.reserved.saturating_add(more);
            Ok(more)
        })??;
        Ok(Reservation {
            spending: self.clone(),
            call,
            reserved,
            answered: false,
            told: None,
            bytes: 0,
        })
    }

    /// The call has ended: its cost takes the place of what was set aside.
    pub(super) fn settle(&self, reservation: &Reservation, tokens: Tokens, estimated: bool) {
        let now = self.book.vault.now();
        let Reservation { call, reserved, .. } = reservation;
        let settled = self.book.with(now, |page| {
            page.reserved = page.reserved.saturating_sub(*reserved);
            page.changed = true;
            let row = page.row(&calendar::day(now), &call.provider, &call.model);
            row.calls += 1;
            row.failed += u64::from(!reservation.answered);
            row.tokens.input += tokens.input;
            row.tokens.cached += tokens.cached;
            row.tokens.written += tokens.written;
            row.tokens.output += tokens.output;
            row.cost += call.price.map_or(0, |price| price.of(&tokens));
            row.estimated += u64::from(estimated);
            row.unpriced += u64::from(call.price.is_none());
        });
        match settled {
            Ok(()) => self.write_behind.changed(),
            Err(error) => tracing::warn!(%error, "the cost of a call that a lock interrupted is not known"),
        }
    }

    /// The limits, what was spent today and this month, and the rows of a month (this one, if none is named).
    pub(super) fn overview(&self, month: Option<&str>) -> Result<(Limits, (u64, u64), String, Month), VaultError> {
        let now = self.book.vault.now();
        let (limits, spent, this, rows) = self.book.with(now, |page| {
            (
                page.limits,
                page.spent(&calendar::day(now)),
                page.month.clone(),
                page.rows.clone(),
            )
        })?;
        match month {
            Some(month) if month != this => {
                let rows = read(&self.book.vault, &format!("{USAGE}{month}"))?;
                Ok((limits, spent, month.to_owned(), rows))
            }
            _ => Ok((limits, spent, this, rows)),
        }
    }

    /// Sets the limits, durably; they hold for the next call.
    pub(super) async fn set_limits(&self, limits: Limits, words: String) -> Result<(), VaultError> {
        self.book.vault.put_record(LIMITS, &encode(&limits)).await?;
        self.book.with(self.book.vault.now(), |page| page.limits = limits)?;
        self.activity
            .note_first(Deed::new(What::SpendingChanged, "").because(words))
            .await
    }

    /// A call of the agent was made, or refused.
    pub(crate) fn note(&self, deed: Deed) -> Result<(), VaultError> {
        self.activity.note(deed)
    }
}
