//! The records of requests and rules.

use protocol::{ApprovalId, Millis};

use super::action::Action;
use super::record::{self, Approval, State};
use super::rule::{self, Pattern, Rule};
use super::{ApprovalError, Approvals};
use crate::limits;
use crate::vault_service::VaultError;

/// A record: its name, and its value or none where it is deleted.
pub(super) type Change = (String, Option<Vec<u8>>);

const SETTINGS: &str = "approval-settings";
/// The setting, as it is stored: a version byte and one for yes or no.
const ASK_BEFORE_COMMANDS: &[u8] = &[1, 1];
/// Whether the platform is told that something waits while nobody is there: the same two bytes. Where there are none, it is.
const AWAY: &str = "approval-away";
const TELL_WHEN_AWAY: &[u8] = &[1, 1];

impl Approvals {
    /// Every request that is kept, the newest first.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn all(&self) -> Result<Vec<Approval>, VaultError> {
        let mut names = self.vault.list_records(record::PREFIX)?;
        names.reverse();
        let read = |name: String| Some(Approval::decode(&name, &self.vault.get_record(&name).ok()??));
        Ok(names.into_iter().filter_map(read).flatten().collect())
    }

    pub(super) fn get(&self, id: ApprovalId) -> Result<Approval, ApprovalError> {
        let name = format!("{}{id}", record::PREFIX);
        let bytes = self.vault.get_record(&name)?.ok_or(ApprovalError::Unknown)?;
        Approval::decode(&name, &bytes).ok_or(ApprovalError::Unknown)
    }

    /// Every rule, the newest first.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn rules(&self) -> Result<Vec<Rule>, VaultError> {
        let mut names = self.vault.list_records(rule::PREFIX)?;
        names.reverse();
        let read = |name: String| Some(Rule::decode(&name, &self.vault.get_record(&name).ok()??));
        Ok(names.into_iter().filter_map(read).flatten().collect())
    }

    /// The first rule for this action that has room, used once more; the caller stores it.
    pub(super) fn rule_for(
        &self,
        action: &Action,
        running: &[String],
        now: Millis,
    ) -> Result<Option<Rule>, VaultError> {
        let Some(pattern) = Pattern::of(action) else {
            return Ok(None);
        };
        let mut rules = self.rules()?.into_iter();
        Ok(rules.find_map(|mut rule| rule.take(&pattern, running, now).then_some(rule)))
    }

    pub(super) fn put(approval: &Approval) -> Change {
        (approval.record(), Some(approval.encode()))
    }

    pub(super) fn put_rule(rule: &Rule) -> Change {
        (rule.record(), Some(rule.encode()))
    }

    /// What is over is kept without what was sent, the newest of it; and rules end by themselves.
    pub(super) fn tidy(&self, now: Millis) -> Result<Vec<Change>, VaultError> {
        let mut changes = Vec::new();
        let over = self.all()?.into_iter().filter(|approval| approval.is_over(now));
        for (at, approval) in over.enumerate() {
            if at >= limits::APPROVALS_KEPT {
                changes.push((approval.record(), None));
                continue;
            }
            let short = Approval {
                action: approval.action.shortened(),
                ..approval.clone()
            };
            if short != approval {
                changes.push(Self::put(&short));
            }
        }
        let ended = self.rules()?.into_iter().filter(|rule| now >= rule.until);
        changes.extend(ended.map(|rule| (rule.record(), None)));
        Ok(changes)
    }

    pub(super) fn count_waiting(&self, now: Millis) -> Result<usize, VaultError> {
        // One that is allowed and not used yet holds its place.
        let open = |approval: &&Approval| {
            matches!(
                approval.state,
                State::Waiting | State::AwaitsSecond { .. } | State::Allowed { .. }
            ) && now < approval.expires_at
        };
        Ok(self.all()?.iter().filter(open).count())
    }

    /// Whether OpenClaw asks before it runs a command.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn asks_before_commands(&self) -> Result<bool, VaultError> {
        let stored = self.vault.get_record(SETTINGS)?;
        // What is not understood means the careful thing.
        Ok(stored.is_some_and(|bytes| bytes.as_slice() != [1, 0]))
    }

    pub(super) async fn store_asks_before_commands(&self, ask: bool) -> Result<(), VaultError> {
        let bytes = if ask { ASK_BEFORE_COMMANDS } else { &[1, 0] };
        self.vault.put_record(SETTINGS, bytes).await
    }

    /// Whether the platform is told that something waits while nobody is there.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn tells_when_away(&self) -> Result<bool, VaultError> {
        let stored = self.vault.get_record(AWAY)?;
        // What is not understood means to say nothing.
        Ok(stored.is_none_or(|bytes| bytes.as_slice() == TELL_WHEN_AWAY))
    }

    pub(super) async fn store_tells_when_away(&self, tell: bool) -> Result<(), VaultError> {
        let bytes = if tell { TELL_WHEN_AWAY } else { &[1, 0] };
        self.vault.put_record(AWAY, bytes).await
    }
}
