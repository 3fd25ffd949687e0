//! What is shared within a group, and whether the group still allows it. Management says who is in it and can only take away: what may
//! be done, and by whom, is what the issuer has signed. So it is with what is shared outside of groups, and people who are suspended or removed.
//!
//! What is promised here: each use is asked for, in the keeper that carries it out; what cannot be looked up is refused; and what the group does
//! not allow any more is revoked then and there. The same holds for each one to whom it was passed on: they are people of the group, known here
//! by their keys, or they are refused. Who is suspended is refused for as long as they are, wherever it was shared.

use futures::future::BoxFuture;
use protocol::channel::VaultState;
use protocol::control::{GONE, GroupTie, KeeperOp, NO_TIE, Side};
use protocol::relay::MailboxKey;
use protocol::{GroupId, GroupResourceId, UserId};
use serde::{Deserialize, Serialize};
use tokio::time::MissedTickBehavior;
use uuid::Uuid;
use vault::{Capability, SignerKey};

use super::given::Given;
use super::received::{Received, Standing};
use super::{ShareError, Shares};
use crate::limits;
use crate::platform::{Platform, PlatformError};
use crate::unseen::{is_plain, is_unseen};

/// What of a group's something is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InGroup {
    /// The same for all who may use it.
    pub resource: GroupResourceId,
    pub group: GroupId,
    /// As whoever shares it saw the group's name then.
    pub group_name: String,
    pub name: String,
    /// What it is for, in one line.
    pub about: String,
    /// It is a server of tools.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tools: bool,
    /// Rises whenever its words are changed: a holder's keeper lets go what is not newer than what it has.
    #[serde(default, skip_serializing_if = "is_first")]
    pub revision: u64,
}

/// As the words of something were at first, and wherever no revision is said.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
pub(super) fn is_first(revision: &u64) -> bool {
    *revision == 0
}

/// The same, with what agents are told of it. It goes from keeper to keeper, sealed and signed like the capability beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupOffer {
    #[serde(flatten)]
    pub what: InGroup,
    pub skill: String,
}

impl GroupOffer {
    /// # Errors
    /// [`ShareError::ResourceWords`].
    pub(super) fn check(&self) -> Result<(), ShareError> {
        let line = |words: &str, most: usize| {
            let count = words.trim().chars().count();
            count > 0 && words.chars().count() <= most && !words.chars().any(|it| it.is_control() || is_unseen(it))
        };
        let good = line(&self.what.name, limits::GROUP_RESOURCE_NAME_CHARS)
            && line(&self.what.about, limits::GROUP_RESOURCE_ABOUT_CHARS)
            && line(&self.what.group_name, limits::CONTACT_NAME_CHARS)
            && self.what.revision <= limits::GROUP_RESOURCE_REVISION
            && self.skill.len() <= limits::GROUP_RESOURCE_SKILL_BYTES
            && self.skill.chars().all(is_plain);
        if good { Ok(()) } else { Err(ShareError::ResourceWords) }
    }
}

/// What there is to know of two people in a group, or of one in their organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tie {
    Stands,
    Gone,
    /// It could not be asked.
    Unknown,
}

/// Who knows people, and the members of groups.
pub trait Groups: Send + Sync + 'static {
    fn tie(&self, tie: GroupTie) -> BoxFuture<'_, Tie>;
    /// [`Tie::Gone`]: whoever has this mailbox is suspended or removed. Of whom it knows nothing, they stand.
    fn person(&self, mailbox: MailboxKey) -> BoxFuture<'_, Tie>;
}

impl Groups for Platform {
    fn tie(&self, tie: GroupTie) -> BoxFuture<'_, Tie> {
        Box::pin(ask(self, KeeperOp::GroupTie(tie), NO_TIE))
    }

    fn person(&self, mailbox: MailboxKey) -> BoxFuture<'_, Tie> {
        Box::pin(async move {
            let answers = self.welcome().borrow().as_ref().is_none_or(|welcome| welcome.stands);
            match answers {
                true => ask(self, KeeperOp::Stands { mailbox }, GONE).await,
                // One of before there was this question: it would end the connection.
                false => Tie::Stands,
            }
        })
    }
}

async fn ask(platform: &Platform, op: KeeperOp, gone: &str) -> Tie {
    match platform.request(op).await {
        Ok(()) => Tie::Stands,
        Err(PlatformError::Refused { code, .. }) if code == gone => Tie::Gone,
        Err(error) => {
            tracing::info!("who is in an organisation or a group is not known: {error}");
            Tie::Unknown
        }
    }
}

impl Shares {
    /// Asks this one who is in groups, and who is suspended or removed, from now on.
    pub fn ask_about_groups(&self, groups: std::sync::Arc<dyn Groups>) {
        // The first one stays.
        let _second = self.groups.set(groups);
    }

    pub(super) async fn tie(&self, tie: GroupTie) -> Tie {
        match self.groups.get() {
            Some(groups) => groups.tie(tie).await,
            None => Tie::Unknown,
        }
    }

    /// Before something is carried out: whether nobody to whom it was given, or through whom it was passed on, is suspended or removed. Of what is
    /// shared in a group: whether the group still allows it to each of them. What it does not is revoked, and with it what hangs on that.
    pub(super) async fn check_holders(&self, given: &Given, chain: &[Capability]) -> Result<(), ShareError> {
        let Some(group) = &given.group else {
            for link in chain {
                self.check_person(link.sub).await?;
            }
            return Ok(());
        };
        self.check_holder(group, given.with, &given.capability).await?;
        for link in chain.iter().skip(1) {
            let holder = self.contact_with(link.sub)?.ok_or(ShareError::HolderUnknown)?;
            self.check_holder(group, holder.user, link).await?;
        }
        Ok(())
    }

    /// Whether whoever has this key is neither suspended nor removed. Nothing is revoked: who is let back in has what they had.
    pub(super) async fn check_person(&self, key: SignerKey) -> Result<(), ShareError> {
        // A keeper that was given nobody to ask has no people around it, either.
        let Some(groups) = self.groups.get() else {
            return Ok(());
        };
        match groups.person(MailboxKey(key.0)).await {
            Tie::Stands => Ok(()),
            Tie::Gone => Err(ShareError::PersonGone),
            Tie::Unknown => Err(ShareError::PersonUnknown),
        }
    }

    async fn check_holder(&self, group: &InGroup, holder: UserId, held: &Capability) -> Result<(), ShareError> {
        let tie = GroupTie {
            group: group.group,
            other: holder,
            own: Side::Gives,
            since: held.iat,
        };
        match self.tie(tie).await {
            Tie::Stands => Ok(()),
            Tie::Gone => {
                self.revoke(held.jti).await?;
                Err(ShareError::NotInGroup)
            }
            Tie::Unknown => Err(ShareError::GroupUnknown),
        }
    }

    /// Whether it is theirs still; what the group does not allow any more ends.
    async fn look_at_holder(&self, group: &InGroup, holder: UserId, held: &Capability) -> Result<bool, ShareError> {
        if held.exp <= self.clock.now() || self.is_stopped(held)? {
            return Ok(false);
        }
        match self.check_holder(group, holder, held).await {
            Ok(()) => Ok(true),
            Err(ShareError::NotInGroup) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn tie_of_received(&self, received: &Received) -> Result<Option<Tie>, ShareError> {
        let (Some(group), Some(owner)) = (received.in_group(), self.owner_of(received)?) else {
            return Ok(None);
        };
        let tie = GroupTie {
            group: group.group,
            other: owner.user,
            own: Side::Receives,
            since: received.capability.iat,
        };
        Ok(Some(self.tie(tie).await))
    }

    /// The owner wants it, with the words of this revision, which they have read: from now on they and their agent may use it, and the agent
    /// is told these words of it.
    ///
    /// # Errors
    /// [`ShareError::NotReceived`], [`ShareError::OtherWords`], [`ShareError::NotInGroup`], [`ShareError::GroupUnknown`], why it may not be
    /// used; the vault's errors.
    pub async fn accept(&self, id: Uuid, revision: u64) -> Result<(), ShareError> {
        let received = self.one_received(id)?;
        let waits = matches!(self.standing(&received)?, Standing::Offered | Standing::Given);
        if !waits || received.is_told(revision) {
            return self.usable(&received).map(|_| ());
        }
        match self.tie_of_received(&received).await? {
            Some(Tie::Stands) => {}
            Some(Tie::Gone) => {
                self.leave(id).await?;
                return Err(ShareError::NotInGroup);
            }
            Some(Tie::Unknown) | None => return Err(ShareError::GroupUnknown),
        }
        let _one = self.one_at_a_time.lock().await;
        let mut received = self.one_received(id)?;
        if received.is_told(revision) {
            // On another page, while the group was asked.
            return Ok(());
        }
        received.accept(revision, self.clock.now())?;
        self.vault.put_records(vec![received.record()]).await?;
        self.changed();
        Ok(())
    }

    async fn leave(&self, id: Uuid) -> Result<(), ShareError> {
        let _one = self.one_at_a_time.lock().await;
        let mut received = self.one_received(id)?;
        received.left = true;
        self.vault.put_records(vec![received.record()]).await?;
        self.changed();
        Ok(())
    }

    /// Looks at everything that is shared in groups, from here and with the owner, and ends what they do not allow any more.
    ///
    /// # Errors
    /// [`ShareError::GroupUnknown`]: it cannot be looked up now, and uses are refused until it can. The vault's errors.
    pub async fn look_at_groups(&self) -> Result<(), ShareError> {
        let links = self.links()?;
        for given in self.given()? {
            let Some(group) = &given.group else { continue };
            if !self.look_at_holder(group, given.with, &given.capability).await? {
                continue;
            }
            for link in links.iter().filter(|link| link.is_below(given.capability.jti)) {
                // Who is not known here is refused until they are.
                if let Some(holder) = self.contact_with(link.capability.sub)? {
                    self.look_at_holder(group, holder.user, &link.capability).await?;
                }
            }
        }
        for received in self.received()? {
            if !matches!(self.standing(&received)?, Standing::Given | Standing::Offered) {
                continue;
            }
            match self.tie_of_received(&received).await? {
                None | Some(Tie::Stands) => {}
                Some(Tie::Gone) => self.leave(received.capability.jti).await?,
                Some(Tie::Unknown) => return Err(ShareError::GroupUnknown),
            }
        }
        Ok(())
    }

    /// The same, again and again while the vault is open. What ends by itself meanwhile is taken from the agent, too.
    pub(super) async fn watch_groups(&self) {
        let mut vault = self.vault.watch();
        let mut looks = tokio::time::interval(limits::GROUPS_LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if vault.wait_for(|state| *state == VaultState::Unlocked).await.is_err() {
                return;
            }
            looks.tick().await;
            if let Err(error) = self.look_at_groups().await {
                tracing::info!(code = error.code(), "what is shared in groups could not be looked at");
            }
            self.changed_if_over();
        }
    }
}
