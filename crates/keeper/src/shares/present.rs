//! A presentation, from whoever brings it: verified, counted, carried out.

use bytes::Bytes;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use vault::{
    Capability, CapabilityError, Granted, Presentable, Presentation, PresentationOf, PublicIdentity, Scope,
    SharedRequest, SignerKey,
};

use super::given::Given;
use super::{ShareError, Shares};
use crate::activity::{Deed, What};
use crate::broker::{Fetch, Fetched, NotFetched, Stands, changes};
use crate::rates::By;

/// What a holder is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    pub status: u16,
    pub content_type: String,
    #[serde(with = "protocol::b64")]
    pub body: Vec<u8>,
    /// There was more than is given at once.
    pub cut: bool,
}

impl From<Fetched> for Answered {
    fn from(fetched: Fetched) -> Self {
        Self {
            status: fetched.status,
            content_type: fetched.content_type,
            body: fetched.body.to_vec(),
            cut: fetched.cut,
        }
    }
}

impl From<Answered> for Fetched {
    fn from(answered: Answered) -> Self {
        Self {
            status: answered.status,
            content_type: answered.content_type,
            body: answered.body.into(),
            cut: answered.cut,
        }
    }
}

/// What is presented, to be looked at again while its call is under way.
struct Presented<'a> {
    shares: &'a Shares,
    given: &'a Given,
    chain: &'a [Capability],
}

impl Presented<'_> {
    /// The platform is asked whether its holders are let in, and in the group, where it is a group's. Whoever answers may take their time, so what was
    /// taken back meanwhile, or is over, is looked at last.
    async fn still(&self) -> Result<(), ShareError> {
        self.shares.check_holders(self.given, self.chain).await?;
        self.shares.check_place(self.given)?;
        self.shares.still_given(self.chain)
    }
}

impl Stands for Presented<'_> {
    fn stands(&self) -> BoxFuture<'_, Result<(), NotFetched>> {
        Box::pin(async move {
            self.still().await.map_err(|error| NotFetched {
                code: error.code().to_owned(),
                message: error.to_string(),
            })
        })
    }
}

impl Shares {
    /// Answers a presentation that `from` has brought: the one who holds it, and nobody in their place. They need not be known here: what
    /// they hold is what allows it.
    ///
    /// # Errors
    /// [`ShareError`] names why not; nothing was done then, but what was counted stays counted.
    pub async fn answer(&self, from: &PublicIdentity, text: &[u8]) -> Result<Answered, ShareError> {
        let outcome = self.answered(from, text).await;
        if let Err(error) = &outcome {
            self.note_refused(from, text, error);
        }
        outcome
    }

    async fn answered(&self, from: &PublicIdentity, text: &[u8]) -> Result<Answered, ShareError> {
        let presentation = Presentation::parse(text)?;
        if presentation.chain.last().is_none_or(|link| link.sub != from.signer()) {
            return Err(CapabilityError::NotHeld.into());
        }
        let own = self.vault.identity().await?.public().signer();
        if presentation.chain.len() > 1 {
            self.look_at_links(&own, &presentation, from).await?;
        }
        let given = {
            let _one = self.one_at_a_time.lock().await;
            let now = self.clock.now();
            let (granted, mut given) = self.verified(&own, &presentation)?;
            let request = &presentation.request;
            self.check_call(&granted, request)?;
            let mut records = vec![self.seen(presentation.nonce, now)?];
            let was_missed = given.missed.take().is_some();
            if self.bind(&mut given)? || was_missed {
                records.push(given.record());
            }
            for link in &granted.links {
                records.push(self.counted(link, now)?);
            }
            // Whoever was given it answers for those to whom they passed it on.
            let by = By::person(given.with, &given.name);
            self.rates.count(by, &request.service, changes(&request.method)).await?;
            self.vault.put_records(records).await?;
            let used = Deed::new(What::ShareUsed, given.name.as_str()).because(&request.service);
            self.activity.note(used)?;
            given
        };
        self.changed();
        self.carry_out(&given, &presentation.chain, presentation.request).await
    }

    /// What a kind of service adds to what a capability allows.
    pub(super) fn check_call(&self, granted: &Granted, request: &SharedRequest) -> Result<(), ShareError> {
        // `list` of a tool's own address is how it is called, and not a call of it.
        if !granted.scope.contains(&Scope::Read)
            && request.method == "GET"
            && self
                .routes
                .calls_tool(&request.service, &request.path, &request.query)?
        {
            return Err(CapabilityError::NotAllowed(Scope::Read.name()).into());
        }
        Ok(())
    }

    /// Does what was verified and may be done, for whoever holds the last of this chain.
    pub(super) async fn carry_out(
        &self,
        given: &Given,
        chain: &[Capability],
        request: SharedRequest,
    ) -> Result<Answered, ShareError> {
        let presented = Presented {
            shares: self,
            given,
            chain,
        };
        presented.still().await?;
        let fetch = Fetch {
            service: request.service,
            method: request.method,
            path: request.path,
            query: request.query,
            content_type: request.content_type,
            body: Bytes::from(request.body),
        };
        let fetched = self.routes.fetch_for_holder(fetch, &presented).await?;
        // What was taken back while the service answered is not told any more.
        self.still_given(chain)?;
        Ok(fetched.into())
    }

    /// What a presentation comes to, and what was given here that it begins with.
    pub(super) fn verified<R: Presentable>(
        &self,
        own: &SignerKey,
        presentation: &PresentationOf<R>,
    ) -> Result<(Granted, Given), ShareError> {
        // Asked beforehand, because what cannot be looked up is an error and not a no.
        let revoked = self.revoked_of(&presentation.chain)?;
        let is_revoked = |id| revoked.contains(&id);
        let granted = presentation.verify_among(&self.known_chains, own, self.clock.now(), is_revoked)?;
        Ok((granted, self.root(&presentation.chain)?))
    }

    /// None of these was taken back, or has ended.
    pub(super) fn still_given(&self, chain: &[Capability]) -> Result<(), ShareError> {
        if let Some(id) = self.revoked_of(chain)?.first() {
            return Err(CapabilityError::Revoked(*id).into());
        }
        let now = self.clock.now();
        match chain.iter().find(|link| link.exp <= now) {
            Some(link) => Err(CapabilityError::Expired(link.jti).into()),
            None => Ok(()),
        }
    }
}
