//! Sends what waits in the vault: to each receiver one at a time, in order, until the relay keeps it or will not.

use protocol::EnvelopeId;
use protocol::relay::frame::MailboxFrame;
use protocol::relay::{MailboxKey, Refusal};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use vault::{Place, envelope_link, seal_envelope};

use super::{Ended, Flight, Session};
use crate::relay::records::{self, Out, To};
use crate::relay::{Record, RelayError, RelayNotice};

impl Session<'_> {
    /// Sends the first of what waits for each receiver to whom nothing is under way.
    pub(super) async fn send_waiting(&mut self) -> Result<(), Ended> {
        let names = self.shared.vault.list_records(records::OUT).map_err(RelayError::from)?;
        for name in names {
            let Some((to, id)) = records::read_out_name(&name) else {
                continue;
            };
            if self.busy.contains(&to) || self.busy.len() >= protocol::limits::RELAY_WINDOW {
                continue;
            }
            let (Some(out), Some(state)) = (
                records::out(&self.shared.vault, &name)?,
                records::to(&self.shared.vault, &to)?,
            ) else {
                continue;
            };
            self.send_one(to, id, name, &out, &state).await?;
        }
        Ok(())
    }

    async fn send_one(
        &mut self,
        to: MailboxKey,
        id: EnvelopeId,
        name: String,
        out: &Out,
        state: &To,
    ) -> Result<(), Ended> {
        let place = Place {
            stream: state.stream,
            sequence: state.next,
            base: state.base,
            previous: state.link(),
            part: out.part,
            parts: out.parts,
        };
        let receiver = state.identity()?;
        let seed = out.seed.as_slice().try_into().map_err(|_| RelayError::Unreadable)?;
        let id_bytes = id.uuid().into_bytes();
        let sealed = seal_envelope(
            &self.identity,
            receiver.agreement(),
            &id_bytes,
            out.topic,
            &place,
            &out.content,
            seed,
        )
        .map_err(RelayError::Receiver)?;
        let flight = Flight {
            to,
            name,
            message: out.message,
            last_part: out.part + 1 == out.parts,
            link: envelope_link(&place.previous, &sealed),
            since: Instant::now(),
        };
        self.busy.insert(to);
        self.flights.insert(id, flight);
        let frame = MailboxFrame::Send {
            to,
            id,
            sealed: &sealed,
        }
        .encode();
        self.put(Message::binary(frame)).await
    }

    /// They are kept: they need not be kept here, and the next ones are sent.
    pub(super) async fn accepted(&mut self, ids: &[EnvelopeId]) -> Result<(), Ended> {
        let mut changes: Vec<Record> = Vec::new();
        let mut done = Vec::new();
        for id in ids {
            let Some(flight) = self.flights.remove(id) else {
                self.wrong(self.own, "it says that it keeps what was not sent to it");
                continue;
            };
            self.busy.remove(&flight.to);
            if let Some(mut state) = records::to(&self.shared.vault, &flight.to)? {
                state.advance(flight.link);
                changes.push(records::put_to(&flight.to, &state));
            }
            changes.push((flight.name, None));
            done.extend(flight.last_part.then_some(flight.message));
        }
        self.shared.vault.put_records(changes).await.map_err(RelayError::from)?;
        for id in done {
            self.shared.notice(RelayNotice::Accepted { id });
        }
        self.send_waiting().await
    }

    /// It is not taken: the whole message is lost, and the next one says so.
    pub(super) async fn refused(&mut self, id: EnvelopeId, code: Refusal, message: String) -> Result<(), Ended> {
        let Some(flight) = self.flights.remove(&id) else {
            self.wrong(self.own, "it refuses what was not sent to it");
            return Ok(());
        };
        self.busy.remove(&flight.to);
        let vault = &self.shared.vault;
        let mut changes: Vec<Record> = Vec::new();
        if let Some(mut state) = records::to(vault, &flight.to)? {
            state.advance(flight.link);
            state.base = state.next;
            changes.push(records::put_to(&flight.to, &state));
        }
        let mut topic = None;
        for name in vault.list_records(records::OUT).map_err(RelayError::from)? {
            if records::read_out_name(&name).is_none_or(|(to, _)| to != flight.to) {
                continue;
            }
            if let Some(out) = records::out(vault, &name)?
                && out.message == flight.message
            {
                topic = Some(out.topic);
                changes.push((name, None));
            }
        }
        changes.push(records::put_lost(flight.message, flight.to, topic, code));
        vault.put_records(changes).await.map_err(RelayError::from)?;
        self.shared.notice(RelayNotice::Lost {
            id: flight.message,
            to: flight.to,
            code,
            message,
        });
        self.send_waiting().await
    }

    /// It was kept and never fetched.
    pub(super) async fn returned(&mut self, number: u64, id: EnvelopeId, to: MailboxKey) -> Result<(), Ended> {
        let Some(mut state) = records::to(&self.shared.vault, &to)? else {
            self.odd(to, "it returns what this vault knows of no more");
            return self.acknowledge(vec![number]).await;
        };
        state.base = state.next;
        let changes = vec![
            records::put_to(&to, &state),
            records::put_lost(id, to, None, Refusal::Expired),
        ];
        // What is under way was sealed before: it goes again as it is, if it has to.
        if !self.busy.contains(&to) {
            self.shared.vault.put_records(changes).await.map_err(RelayError::from)?;
            self.shared.notice(RelayNotice::Lost {
                id,
                to,
                code: Refusal::Expired,
                message: "It waited for as long as anything may, and was not fetched.".to_owned(),
            });
            return self.acknowledge(vec![number]).await;
        }
        // Comes again at the next connection.
        Ok(())
    }
}
