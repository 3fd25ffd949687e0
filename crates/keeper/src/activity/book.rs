use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use protocol::control::Deeds;
use protocol::{Millis, SecretId};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::entry::{Class, Deed, Entry, Kind, What};
use crate::limits;
use crate::vault_service::{VaultError, VaultService};
use crate::versioned;
use crate::write_behind::{Changing, OfUnlock, Record, WriteBehind};

const LAST_USE: &str = "activity/last-use";
/// What the audit log has not heard of yet.
pub(crate) const UNTOLD: &str = "activity/untold";
/// How far back the same thing is looked for, to be counted there.
const LOOK_BACK: usize = 64;

/// When a secret was used last, and where it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastUse {
    pub at: Millis,
    pub to: String,
}

/// The activity of one vault. Cheap to clone.
#[derive(Clone)]
pub struct Activity {
    book: Arc<Book>,
    write_behind: WriteBehind,
    /// Changes when there is something to tell.
    untold: Arc<watch::Sender<()>>,
}

struct Book {
    pages: OfUnlock<Pages>,
}

struct Pages {
    classes: [Page<VecDeque<Entry>>; 3],
    last_use: Page<BTreeMap<SecretId, LastUse>>,
    untold: Page<Deeds>,
}

struct Page<T> {
    record: &'static str,
    changed: bool,
    content: T,
}

impl<T: Default + Serialize + for<'a> Deserialize<'a>> Page<T> {
    /// What is not understood is left alone, and told: it is a list, and losing it must not lock the agent out.
    fn load(vault: &VaultService, record: &'static str) -> Result<Self, VaultError> {
        let stored = vault.get_record(record)?;
        let content = stored.and_then(|bytes| {
            let content = versioned::decode(&bytes);
            if content.is_none() {
                tracing::warn!("the record {record} was written by a newer version: it begins anew");
            }
            content
        });
        Ok(Self {
            record,
            changed: false,
            content: content.unwrap_or_default(),
        })
    }

    fn take(&mut self) -> Option<(String, Option<Vec<u8>>)> {
        let changed = std::mem::take(&mut self.changed);
        changed.then(|| (self.record.to_owned(), Some(versioned::encode(&self.content))))
    }
}

impl Pages {
    fn load(vault: &VaultService) -> Result<Self, VaultError> {
        let page = |class: Class| Page::load(vault, class.record());
        Ok(Self {
            classes: [page(Class::Person)?, page(Class::Agent)?, page(Class::Refused)?],
            last_use: Page::load(vault, LAST_USE)?,
            untold: Page::load(vault, UNTOLD)?,
        })
    }

    fn class(&mut self, class: Class) -> &mut Page<VecDeque<Entry>> {
        &mut self.classes[match class {
            Class::Person => 0,
            Class::Agent => 1,
            Class::Refused => 2,
        }]
    }

    fn note(&mut self, deed: Deed, now: Millis) {
        if let (What::SecretUsed | What::SecretSeen, Some((secret, _))) = (deed.what, &deed.secret) {
            let use_of_it = LastUse {
                at: now,
                to: deed.to.clone(),
            };
            self.last_use.content.insert(*secret, use_of_it);
            self.last_use.changed = true;
        }
        if let (What::SecretDeleted, Some((secret, _))) = (deed.what, &deed.secret) {
            self.last_use.changed |= self.last_use.content.remove(secret).is_some();
        }
        if let Some(count) = deed.what.counted(&mut self.untold.content) {
            *count = count.saturating_add(1);
            self.untold.changed = true;
        }
        let class = deed.what.class();
        let entry = Entry::new(deed, now);
        let page = self.class(class);
        page.changed = true;
        let entries = &mut page.content;
        if let Some(at) = (entries.iter().rev().take(LOOK_BACK)).position(|known| known.same(&entry)) {
            // Again: it moves to the end, so that the list stays in the order of the last time.
            if let Some(mut known) = entries.remove(entries.len() - 1 - at) {
                known.last = now;
                known.count += 1;
                entries.push_back(known);
            }
            return;
        }
        if entries.len() >= limits::ACTIVITY_ENTRIES {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    /// What was noted last of this was not done: it is neither noted nor counted.
    fn take_back(&mut self, deed: Deed) {
        if let Some(count) = deed.what.counted(&mut self.untold.content) {
            *count = count.saturating_sub(1);
            self.untold.changed = true;
        }
        let page = self.class(deed.what.class());
        let entry = Entry::new(deed, 0);
        if let Some(at) = page.content.iter().rposition(|known| known.same(&entry)) {
            page.changed = true;
            page.content[at].count -= 1;
            if page.content[at].count == 0 {
                page.content.remove(at);
            }
        }
    }
}

impl Book {
    fn with<T>(&self, work: impl FnOnce(&mut Pages) -> T) -> Result<T, VaultError> {
        self.pages.with(Pages::load, work)
    }
}

impl Changing for Book {
    fn take(&self) -> Vec<(String, Option<Vec<u8>>)> {
        let records = self.pages.if_there(|pages| {
            let others = [pages.last_use.take(), pages.untold.take()];
            let classes = pages.classes.iter_mut().filter_map(Page::take);
            classes.chain(others.into_iter().flatten()).collect()
        });
        records.unwrap_or_default()
    }

    fn not_written(&self) {
        self.pages.if_there(|pages| {
            for page in &mut pages.classes {
                page.changed = true;
            }
            pages.last_use.changed = true;
            pages.untold.changed = true;
        });
    }

    fn forget(&self) {
        self.pages.forget();
    }
}

impl Activity {
    /// The activity of this vault, written behind.
    pub fn new(vault: VaultService, write_behind: WriteBehind) -> Self {
        let book = Arc::new(Book {
            pages: OfUnlock::new(vault),
        });
        write_behind.add(book.clone());
        let untold = Arc::new(watch::Sender::new(()));
        Self {
            book,
            write_behind,
            untold,
        }
    }

    /// Notes what is being done; written within a second. What cannot be noted must not be done.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn note(&self, deed: Deed) -> Result<(), VaultError> {
        self.take(vec![deed])?;
        self.write_behind.changed();
        Ok(())
    }

    /// Notes what is about to be done, durably: for what cannot be taken back, such as telling a value.
    ///
    /// # Errors
    /// [`VaultError::Locked`], the disk's errors.
    pub async fn note_first(&self, deed: Deed) -> Result<(), VaultError> {
        self.note_all_first(vec![deed]).await
    }

    /// As [`Self::note_first`], for several deeds in one write.
    ///
    /// # Errors
    /// [`VaultError::Locked`], the disk's errors.
    pub async fn note_all_first(&self, deeds: Vec<Deed>) -> Result<(), VaultError> {
        self.take(deeds)?;
        self.write_behind.write_now().await
    }

    /// As [`Self::note_all_first`], in one write with what the deeds come to: neither is there without the other, and what was not written is not
    /// told.
    ///
    /// # Errors
    /// [`VaultError::Locked`], the disk's errors.
    pub async fn note_with(&self, deeds: Vec<Deed>, mut records: Vec<Record>) -> Result<(), VaultError> {
        let put = |noted: Vec<Record>| {
            records.extend(noted);
            self.vault().put_records(records)
        };
        self.note_through(deeds, put).await
    }

    /// As [`Self::note_with`], in a write of somebody else's: `write` is given what there is to write of it, and writes that together with its own.
    ///
    /// # Errors
    /// [`VaultError::Locked`], those of `write`.
    pub async fn note_through<T, E, W>(&self, deeds: Vec<Deed>, write: impl FnOnce(Vec<Record>) -> W) -> Result<T, E>
    where
        E: From<VaultError>,
        W: Future<Output = Result<T, E>>,
    {
        let mut noted = false;
        let note = || -> Result<(), VaultError> {
            self.put(deeds.clone())?;
            noted = true;
            Ok(())
        };
        let written = self.write_behind.write_through(note, write).await;
        if written.is_ok() {
            self.untold.send_replace(());
        } else if noted {
            self.book
                .pages
                .if_there(|pages| deeds.into_iter().for_each(|deed| pages.take_back(deed)));
            self.write_behind.changed();
        }
        written
    }

    fn take(&self, deeds: Vec<Deed>) -> Result<(), VaultError> {
        if self.put(deeds)? {
            self.untold.send_replace(());
        }
        Ok(())
    }

    /// Whether there is something to tell.
    fn put(&self, deeds: Vec<Deed>) -> Result<bool, VaultError> {
        let now = self.book.pages.vault().now();
        self.book.with(|pages| {
            for deed in deeds {
                pages.note(deed, now);
            }
            pages.untold.changed
        })
    }

    /// What the audit log has not heard of yet.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub(super) fn untold(&self) -> Result<Deeds, VaultError> {
        self.book.with(|pages| pages.untold.content)
    }

    /// The audit log has these.
    ///
    /// # Errors
    /// [`VaultError::Locked`]: they are told again.
    pub(super) fn were_told(&self, told: Deeds) -> Result<(), VaultError> {
        self.book.with(|pages| {
            pages.untold.content = pages.untold.content.without(told);
            pages.untold.changed = true;
        })?;
        self.write_behind.changed();
        Ok(())
    }

    /// Changes when there is something to tell.
    pub(super) fn when_untold(&self) -> watch::Receiver<()> {
        self.untold.subscribe()
    }

    /// The vault whose activity it is.
    pub(super) fn vault(&self) -> &VaultService {
        self.book.pages.vault()
    }

    /// When each secret was used last.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn last_uses(&self) -> Result<BTreeMap<SecretId, LastUse>, VaultError> {
        self.book.with(|pages| pages.last_use.content.clone())
    }

    /// When this began that was noted last: what is counted in one entry is one.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub(crate) fn last_began(&self, what: What) -> Result<Option<Millis>, VaultError> {
        self.book.with(|pages| {
            let mut entries = pages.class(what.class()).content.iter().rev();
            let last = entries.find(|entry| entry.what == Kind::Known(what));
            last.map(|entry| entry.first)
        })
    }

    /// The entries of a class or of all, the newest first.
    pub(crate) fn entries(&self, class: Option<Class>) -> Result<Vec<Entry>, VaultError> {
        let mut entries: Vec<Entry> = self.book.with(|pages| {
            Class::ALL
                .into_iter()
                .filter(|each| class.is_none_or(|class| class == *each))
                .flat_map(|each| pages.class(each).content.iter().rev().cloned().collect::<Vec<_>>())
                .collect()
        })?;
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.last));
        Ok(entries)
    }
}
