//! Takes what arrives: opened, put in order, given to whom it is for, and acknowledged once it is written down that it was taken.

use std::collections::HashSet;

use protocol::relay::MailboxKey;
use protocol::{EnvelopeId, Millis};
use tokio::time::Instant;
use vault::{PublicIdentity, envelope_link, open_envelope};

use super::{Ended, Serving, Session, short};
use crate::contacts::Contacts;
use crate::limits::{EARLY, RELAY_STRANGERS};
use crate::relay::incoming::{Arrived, Incoming, Whole};
use crate::relay::records;
use crate::relay::{Received, Record, RelayError, Taken, Topic};

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
            incoming.arrive(arrived, Instant::now());
        }
        self.go_on(from).await
    }

    /// Gives the next message of a sender to whom it is for. One of a topic that nobody here knows is let go, as a kind that is not known is.
    async fn go_on(&mut self, from: MailboxKey) -> Result<(), Ended> {
        while let Some((sender, whole)) = self.next_of(from).await? {
            let Some(topic) = Topic::of(whole.topic) else {
                tracing::info!(
                    from = short(&from),
                    topic = whole.topic,
                    "a topic that is not known here"
                );
                let taken = self.seen(from, &whole.after)?;
                self.shared.vault.put_records(taken).await.map_err(RelayError::from)?;
                self.was_taken(from, whole.numbers).await?;
                continue;
            };
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
                waits: Some((topic, received)),
            };
            self.serving.insert(whole.id, serving);
            if !self.hand_over(whole.id) {
                tracing::info!(from = short(&from), ?topic, "nobody takes this now: it waits");
            }
            return Ok(());
        }
        Ok(())
    }

    /// The next message of a sender, and who they are. What was seen before is acknowledged, and what does not fit is named.
    async fn next_of(&mut self, from: MailboxKey) -> Result<Option<(PublicIdentity, Whole)>, Ended> {
        let Some((sender, incoming)) = self.incoming.get_mut(&from) else {
            return Ok(None);
        };
        let next = incoming.next(Instant::now()).map(|whole| (sender.clone(), whole));
        let (seen, odd) = (std::mem::take(&mut incoming.seen), std::mem::take(&mut incoming.odd));
        for what in odd {
            self.odd(from, what);
        }
        self.acknowledge(seen).await?;
        Ok(next)
    }

    /// Gives a message to whoever receives its topic. Says whether they have it.
    fn hand_over(&mut self, id: EnvelopeId) -> bool {
        let Some(serving) = self.serving.get_mut(&id) else {
            return true;
        };
        serving.waits = serving.waits.take().and_then(|(topic, received)| {
            let left = match self.shared.topic(topic) {
                Some(receiver) => receiver.try_send(received).err()?.into_inner(),
                None => received,
            };
            Some((topic, left))
        });
        serving.waits.is_none()
    }

    /// What is to be remembered of somebody of whom a message was taken. Whoever has to go for them is forgotten here, too.
    fn seen(&mut self, from: MailboxKey, after: &records::From) -> Result<Vec<Record>, RelayError> {
        let shared = self.shared;
        let mut changes = vec![records::put_from(&from, after, shared.clock.now())];
        for who in self.too_many(from)? {
            self.incoming.remove(&who);
            changes.extend(records::forget(&shared.vault, &who)?);
        }
        Ok(changes)
    }

    /// Strangers who are forgotten for a new one, where there are too many: of whom nothing is under way, those first who were heard longest ago.
    fn too_many(&self, from: MailboxKey) -> Result<Vec<MailboxKey>, RelayError> {
        let vault = &self.shared.vault;
        let mut strangers = records::senders(vault)?;
        if strangers.len() < RELAY_STRANGERS || strangers.contains(&from) {
            return Ok(Vec::new());
        }
        // Where contacts cannot be read, nobody is known to be none.
        let Ok(contacts) = Contacts::new(vault.clone(), self.shared.clock.clone()).list() else {
            return Ok(Vec::new());
        };
        let mut known: HashSet<_> = records::issuers(vault)?.into_iter().collect();
        known.extend(
            contacts
                .iter()
                .map(|contact| MailboxKey(contact.identity.signing_key())),
        );
        if known.contains(&from) {
            return Ok(Vec::new());
        }
        strangers.retain(|who| !known.contains(who));
        let over = (strangers.len() + 1).saturating_sub(RELAY_STRANGERS);
        let is_idle = |(_, incoming): &(_, Incoming)| !incoming.serving && incoming.waiting() == 0;
        strangers.retain(|who| self.incoming.get(who).is_none_or(is_idle));
        strangers.sort_by_cached_key(|who| records::taken_at(vault, who));
        strangers.truncate(over);
        Ok(strangers)
    }

    /// A message was taken, and that is written down: it need not come again, and the next one may.
    async fn was_taken(&mut self, from: MailboxKey, numbers: Vec<u64>) -> Result<(), Ended> {
        if let Some((_, incoming)) = self.incoming.get_mut(&from) {
            incoming.serving = false;
        }
        self.acknowledge(numbers).await
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
        changes.extend(self.seen(serving.from, &serving.after)?);
        let written = self.shared.vault.put_records(changes).await.map_err(RelayError::from);
        let failed = written.is_err();
        let _gave_up = done.send(written);
        if failed {
            // It comes again at the next connection.
            return Err(Ended::Broken);
        }
        self.was_taken(serving.from, serving.numbers).await?;
        self.go_on(serving.from).await
    }

    /// Tries again what could not be handed over, and passes over what is missing for too long.
    pub(super) async fn look(&mut self) -> Result<(), Ended> {
        let waits = self.serving.iter().filter(|(_, serving)| serving.waits.is_some());
        for id in waits.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.hand_over(id);
        }
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
