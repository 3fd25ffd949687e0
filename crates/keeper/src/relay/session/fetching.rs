//! Takes what arrives: opened, put in order, given to whom it is for, and acknowledged once it is written down that it was taken.

use protocol::relay::MailboxKey;
use protocol::{EnvelopeId, Millis};
use tokio::time::Instant;
use vault::{PublicIdentity, envelope_link, open_envelope};

use super::{Ended, Serving, Session, short};
use crate::limits::EARLY;
use crate::relay::incoming::{Arrived, Incoming};
use crate::relay::records;
use crate::relay::{Received, RelayError, Taken};

/// Numbers of one connection that are remembered.
const CAME: usize = 100_000;

impl Session<'_> {
    pub(super) async fn delivered(
        &mut self,
        number: u64,
        at: Millis,
        id: EnvelopeId,
        sealed: &[u8],
    ) -> Result<(), Ended> {
        let opened = match open_envelope(self.identity.agreement(), id.uuid().as_bytes(), sealed) {
            Ok(opened) => opened,
            Err(error) => {
                self.odd(
                    self.own,
                    format!("it brought what nobody has sealed for this vault: {error}"),
                );
                return self.acknowledge(vec![number]).await;
            }
        };
        let from = MailboxKey(opened.sender.signing_key());
        if self.came.len() >= CAME {
            self.came.clear();
        }
        // Under another number it may be the sender that has sent it again, not knowing that it was accepted.
        if !self.came.insert(number) {
            let sequence = opened.place.sequence;
            self.wrong(
                from,
                format!("it brought number {sequence} again, on the same connection"),
            );
            return Ok(());
        }
        let arrived = Arrived {
            number,
            id,
            at,
            topic: opened.topic,
            place: opened.place,
            content: opened.content,
            link: envelope_link(&opened.place.previous, sealed),
        };
        if !self.incoming.contains_key(&from) {
            let seen = records::from(&self.shared.vault, &from)?;
            self.incoming.insert(from, (opened.sender, Incoming::new(seen)));
        }
        if let Some((_, incoming)) = self.incoming.get_mut(&from) {
            if incoming.waiting() >= EARLY {
                return Err(Ended::Refused(format!("more than EARLY ({EARLY}) came out of order")));
            }
            incoming.arrive(arrived);
        }
        self.go_on(from).await
    }

    /// Gives the next message of a sender to whom it is for.
    async fn go_on(&mut self, from: MailboxKey) -> Result<(), Ended> {
        let Some((sender, incoming)) = self.incoming.get_mut(&from) else {
            return Ok(());
        };
        let next = incoming.next(Instant::now());
        let sender: PublicIdentity = sender.clone();
        let (seen, odd) = (std::mem::take(&mut incoming.seen), std::mem::take(&mut incoming.odd));
        for what in odd {
            self.odd(from, what);
        }
        if let Some(whole) = next {
            let received = Received {
                id: whole.id,
                from: sender,
                content: whole.content,
                taken_at: whole.at,
                taken: self.taken.clone(),
            };
            let serving = Serving {
                from,
                numbers: whole.numbers,
                after: whole.after,
            };
            self.serving.insert(whole.id, serving);
            let for_whom = self.shared.topic(whole.topic);
            if for_whom.is_none_or(|topic| topic.try_send(received).is_err()) {
                tracing::info!(
                    from = short(&from),
                    topic = whole.topic,
                    "nobody receives this now: it waits at the relay"
                );
            }
        }
        self.acknowledge(seen).await
    }

    /// The application has taken a message.
    pub(super) async fn write_down(&mut self, taken: Taken) -> Result<(), Ended> {
        let Taken { id, with, begins, done } = taken;
        let Some(serving) = self.serving.remove(&id) else {
            return Ok(());
        };
        if begins.send(()).is_err() {
            // Whoever has given it up may have done something else since. It comes again at the next connection.
            return Err(Ended::Broken);
        }
        let mut changes = with;
        changes.push(records::put_from(&serving.from, &serving.after));
        let written = self.shared.vault.put_records(changes).await.map_err(RelayError::from);
        let failed = written.is_err();
        let _gave_up = done.send(written);
        if failed {
            // It comes again at the next connection.
            return Err(Ended::Broken);
        }
        if let Some((_, incoming)) = self.incoming.get_mut(&serving.from) {
            incoming.serving = false;
        }
        self.acknowledge(serving.numbers).await?;
        self.go_on(serving.from).await
    }

    /// Passes over what is missing for too long.
    pub(super) async fn look(&mut self) -> Result<(), Ended> {
        let waiting: Vec<MailboxKey> = self
            .incoming
            .iter()
            .filter(|(_, (_, incoming))| incoming.waiting() > 0 && !incoming.serving)
            .map(|(from, _)| *from)
            .collect();
        for from in waiting {
            self.go_on(from).await?;
        }
        Ok(())
    }
}
