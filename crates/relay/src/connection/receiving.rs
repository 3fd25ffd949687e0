//! What a keeper says, and what is done about it.

use std::sync::Arc;

use bytes::Bytes;
use protocol::limits::{ENVELOPE_CLASSES, ENVELOPE_OVERHEAD, FOLLOWED_ISSUERS};
use protocol::relay::frame::{MailboxFrame, SEND_HEADER};
use protocol::relay::{FromMailbox, FromRelay, MailboxKey, Refusal};
use protocol::{CapabilityId, EnvelopeId};
use tokio::sync::mpsc::Permit;
use tokio::sync::{Semaphore, mpsc};

use super::{Outgoing, Refused, epochs::Followed};
use crate::mailbox::{Content, Mailbox};
use crate::revocations::PublishError;
use crate::writer::{Gone, Job, Reply, Take};
use crate::{Shared, limits, now_ms};

pub(super) struct Receiving {
    pub shared: Arc<Shared>,
    pub mailbox: Arc<Mailbox>,
    pub connection: u64,
    pub outgoing: Outgoing,
    /// A permit for each envelope that was sent and is not committed.
    pub window: Arc<Semaphore>,
    pub epochs: Followed,
}

fn ending() -> Refused {
    Refused::new(Refusal::Unavailable, "the relay is ending")
}

/// A place with the writer, and only then room in a mailbox: a connection that ends while it waits for the one holds nothing of the other,
/// which nobody would give back.
async fn place(
    jobs: &mpsc::Sender<Job>,
    reserve: impl FnOnce() -> Result<(), Refusal>,
) -> Result<Result<Permit<'_, Job>, Refusal>, Refused> {
    let slot = jobs.reserve().await.map_err(|_| ending())?;
    Ok(reserve().map(|()| slot))
}

impl Receiving {
    pub async fn frame(&mut self, message: Bytes) -> Result<(), Refused> {
        let frame =
            MailboxFrame::decode(&message).map_err(|error| Refused::new(Refusal::Malformed, error.to_string()))?;
        match frame {
            MailboxFrame::Send { to, id, .. } => self.send(to, id, message.slice(SEND_HEADER..)).await,
            MailboxFrame::Ack(numbers) => {
                let waiting = self.mailbox.acked(self.connection, &numbers);
                if waiting.is_empty() {
                    return Ok(());
                }
                let mailbox = Arc::clone(&self.mailbox);
                let job = Job::Gone(Gone { mailbox, waiting });
                self.shared.jobs.send(job).await.map_err(|_| ending())
            }
        }
    }

    async fn send(&mut self, to: MailboxKey, id: EnvelopeId, sealed: Bytes) -> Result<(), Refused> {
        // More slowly, in place of a refusal: what one sender sends stays in order. Also what is refused, or refusals would pile up here.
        self.mailbox.sending.until_ready().await;
        let class = sealed.len().checked_sub(ENVELOPE_OVERHEAD);
        if !class.is_some_and(|class| ENVELOPE_CLASSES.contains(&class)) {
            self.refuse(
                id,
                Refusal::Size,
                "an envelope is as long as one of ENVELOPE_CLASSES and what seals it",
            );
            return Ok(());
        }
        let window = Arc::clone(&self.window).acquire_owned().await.map_err(|_| ending())?;
        let bytes = u32::try_from(sealed.len()).unwrap_or(u32::MAX);
        let memory = Arc::clone(&self.shared.memory)
            .acquire_many_owned(bytes)
            .await
            .map_err(|_| ending())?;
        let Some(receiver) = self.shared.mailboxes.get(&to) else {
            self.refuse(
                id,
                Refusal::NoSuchMailbox,
                "nobody has shown this relay that they have this key",
            );
            return Ok(());
        };
        let reserve = || receiver.reserve(self.mailbox.id, id, sealed.len());
        let slot = match place(&self.shared.jobs, reserve).await? {
            Ok(slot) => slot,
            Err(code) => {
                let words = match code {
                    Refusal::TooManyOfYours => format!(
                        "WAITING_OF_ONE_SENDER ({}) of yours wait for this receiver",
                        limits::WAITING_OF_ONE_SENDER
                    ),
                    _ => format!(
                        "WAITING ({}) envelopes or WAITING_BYTES ({}) wait for this receiver",
                        limits::WAITING,
                        limits::WAITING_BYTES
                    ),
                };
                self.refuse(id, code, words);
                return Ok(());
            }
        };
        let take = Take {
            to: receiver,
            sender: self.mailbox.id,
            id,
            at: now_ms(),
            content: Content::Sealed(sealed),
            reply: Some(Reply {
                connection: self.connection,
                outgoing: self.outgoing.clone(),
                window,
                memory,
            }),
        };
        slot.send(Job::Take(take));
        Ok(())
    }

    fn refuse(&self, id: EnvelopeId, code: Refusal, message: impl Into<String>) {
        self.outgoing.text(&FromRelay::Refused {
            id,
            code,
            message: message.into(),
        });
    }

    pub async fn text(&mut self, text: &str) -> Result<(), Refused> {
        let message = serde_json::from_str(text)
            .map_err(|_| Refused::new(Refusal::Malformed, "not a message of this connection"))?;
        match message {
            FromMailbox::Prove { .. } => Err(Refused::new(Refusal::Malformed, "the proof was given already")),
            FromMailbox::Publish { epoch } => {
                self.publish(&epoch).await;
                Ok(())
            }
            FromMailbox::Follow { issuers } => {
                if self.epochs.count() + issuers.len() > FOLLOWED_ISSUERS {
                    let words = format!("at most FOLLOWED_ISSUERS ({FOLLOWED_ISSUERS}) are followed");
                    return Err(Refused::new(Refusal::LimitReached, words));
                }
                // Once for all of them: what they have is read past this connection, at a pace of its own.
                self.mailbox.sending.until_ready().await;
                for following in issuers {
                    self.epochs.follow(following.issuer, following.after);
                }
                Ok(())
            }
            FromMailbox::Unfollow { issuer } => {
                self.epochs.unfollow(issuer);
                Ok(())
            }
            FromMailbox::Check {
                request,
                issuer,
                capability,
            } => {
                self.check(request, issuer, capability).await;
                Ok(())
            }
        }
    }

    async fn publish(&self, epoch: &[u8]) {
        // A refusal would keep back what was revoked.
        self.mailbox.sending.until_ready().await;
        let answer = match self.shared.revocations.publish(&self.mailbox, epoch).await {
            Ok(number) => FromRelay::Published { number },
            Err(error) => FromRelay::NotPublished {
                number: self.shared.revocations.newest(self.mailbox.id),
                code: match error {
                    PublishError::Database(_) => Refusal::Unavailable,
                    PublishError::TooMany | PublishError::TooMuch => Refusal::LimitReached,
                    PublishError::Epoch(_) | PublishError::NotYours => Refusal::BadEpoch,
                },
                message: error.to_string(),
            },
        };
        self.outgoing.text(&answer);
    }

    async fn check(&self, request: u64, issuer: MailboxKey, capability: CapabilityId) {
        self.mailbox.sending.until_ready().await;
        let Some(issuer) = self.shared.mailboxes.get(&issuer) else {
            return self.outgoing.text(&FromRelay::Checked {
                request,
                revoked: false,
                epoch: 0,
                at: 0,
            });
        };
        let answer = match self.shared.revocations.check(issuer.id, capability).await {
            Ok(checked) => FromRelay::Checked {
                request,
                revoked: checked.revoked,
                epoch: checked.epoch,
                at: checked.at,
            },
            Err(_) => FromRelay::NotChecked {
                request,
                code: Refusal::Unavailable,
            },
        };
        self.outgoing.text(&answer);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;
    use crate::RelayConfig;
    use crate::mailbox::Mailboxes;

    #[test]
    fn promise_12_a_connection_that_ends_while_the_writer_is_busy_leaves_no_room_taken() {
        let receiver = Mailboxes::new(&RelayConfig::default()).add(MailboxKey([1; 32]), 1);
        let (jobs, mut to_write) = mpsc::channel(1);
        let mailbox = Arc::clone(&receiver);
        let busy = Job::Gone(Gone {
            mailbox,
            waiting: Vec::new(),
        });
        assert!(jobs.try_send(busy).is_ok());
        let reserve = || receiver.reserve(2, EnvelopeId::new(), 564);
        assert!(place(&jobs, reserve).now_or_never().is_none());
        assert_eq!(receiver.waiting(), 0);
        assert!(to_write.try_recv().is_ok());
        assert!(matches!(place(&jobs, reserve).now_or_never(), Some(Ok(Ok(_)))));
        assert_eq!(receiver.waiting(), 1);
    }
}
