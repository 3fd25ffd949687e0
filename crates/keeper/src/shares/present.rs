//! A presentation, from whoever brings it: verified, counted, carried out.

use bytes::Bytes;
use serde::Serialize;
use vault::Presentation;

use super::{ShareError, Shares};
use crate::activity::{Deed, What};
use crate::broker::{Fetch, Fetched};

/// What a holder is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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

impl Shares {
    /// Answers a presentation.
    ///
    /// # Errors
    /// [`ShareError`] names why not; nothing was done then, but what was counted stays counted.
    pub async fn answer(&self, text: &[u8]) -> Result<Answered, ShareError> {
        let outcome = self.answered(text).await;
        if let Err(error) = &outcome {
            // Refused all the same if it cannot be noted.
            let _locked = self
                .activity
                .note(Deed::new(What::ShareRefused, "").because(error.code()));
        }
        outcome
    }

    async fn answered(&self, text: &[u8]) -> Result<Answered, ShareError> {
        let presentation = Presentation::parse(text)?;
        let own = self.vault.identity().await?.public().signer();
        {
            let _one = self.one_at_a_time.lock().await;
            let now = self.clock.now();
            // Asked beforehand, because what cannot be looked up is an error and not a no.
            let mut revoked = Vec::new();
            for link in &presentation.chain {
                if self.is_revoked(link.jti)? {
                    revoked.push(link.jti);
                }
            }
            let granted = presentation.verify(&own, now, |id| revoked.contains(&id))?;
            let first = presentation.chain.first().ok_or(ShareError::Unknown)?;
            let given = self.was_given(first.jti)?.ok_or(ShareError::Unknown)?;
            if given.capability != *first {
                return Err(ShareError::Unknown);
            }
            let mut records = vec![self.seen(presentation.nonce, now)?];
            for link in &granted.links {
                records.push(self.counted(link, now, granted.until)?);
            }
            self.activity.note(Deed::new(What::ShareUsed, given.name))?;
            self.vault.put_records(records).await?;
        }
        let request = presentation.request;
        let fetched = self
            .routes
            .fetch_for_holder(Fetch {
                service: request.service,
                method: request.method,
                path: request.path,
                query: request.query,
                content_type: request.content_type,
                body: Bytes::from(request.body),
            })
            .await?;
        Ok(fetched.into())
    }
}
