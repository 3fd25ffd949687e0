//! Resumption tickets: in memory alone, each lets one client speak, all are gone with a lock.

use std::collections::HashMap;
use std::sync::Mutex;

use protocol::SlotId;
use vault::ResumptionSecret;

use crate::limits::TICKETS;
use crate::vault_service::unpoisoned;

/// What a client shows; the secret that belongs to it stays with both ends.
pub(super) type Ticket = [u8; 32];

struct Issued {
    secret: ResumptionSecret,
    slot: SlotId,
    number: u64,
}

#[derive(Default)]
pub(super) struct Tickets {
    issued: Mutex<(u64, HashMap<Ticket, Issued>)>,
}

impl Tickets {
    /// A new ticket for whoever came in through `slot`.
    pub fn issue(&self, slot: SlotId) -> (Ticket, ResumptionSecret) {
        let ticket = vault::random_bytes();
        let secret = ResumptionSecret::random();
        let mut guard = unpoisoned(&self.issued);
        let (count, issued) = &mut *guard;
        if issued.len() >= TICKETS {
            let oldest = issued
                .iter()
                .min_by_key(|(_, held)| held.number)
                .map(|(ticket, _)| *ticket);
            if let Some(oldest) = oldest {
                issued.remove(&oldest);
            }
        }
        *count += 1;
        let held = Issued {
            secret: secret.clone(),
            slot,
            number: *count,
        };
        issued.insert(ticket, held);
        (ticket, secret)
    }

    /// What a ticket stands for. It is not used up before its client has spoken: one that was left in between comes back with it.
    pub fn find(&self, ticket: &[u8]) -> Option<(Ticket, ResumptionSecret, SlotId)> {
        let ticket: Ticket = ticket.try_into().ok()?;
        let issued = unpoisoned(&self.issued);
        let held = issued.1.get(&ticket)?;
        Some((ticket, held.secret.clone(), held.slot))
    }

    /// Uses a ticket up. False for one that was used up, or is gone with its slot or a lock.
    pub fn spend(&self, ticket: &Ticket) -> bool {
        unpoisoned(&self.issued).1.remove(ticket).is_some()
    }

    pub fn revoke_all(&self) {
        unpoisoned(&self.issued).1.clear();
    }

    pub fn revoke_slot(&self, slot: SlotId) {
        unpoisoned(&self.issued).1.retain(|_, held| held.slot != slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_ticket_goes_when_there_are_too_many() {
        let tickets = Tickets::default();
        let slot = SlotId::new();
        let issued: Vec<_> = (0..=TICKETS).map(|_| tickets.issue(slot)).collect();
        assert!(tickets.find(&issued[0].0).is_none());
        let (ticket, secret, through) = tickets.find(&issued[1].0).unwrap();
        assert!(secret.expose() == issued[1].1.expose());
        assert_eq!((ticket, through), (issued[1].0, slot));
        assert!(tickets.find(&[0; 31]).is_none());
    }

    #[test]
    fn a_slot_s_tickets_go_with_it_and_all_with_a_lock() {
        let tickets = Tickets::default();
        let (gone, stays) = (SlotId::new(), SlotId::new());
        let (of_gone, of_stays) = (tickets.issue(gone).0, tickets.issue(stays).0);
        tickets.revoke_slot(gone);
        assert!(tickets.find(&of_gone).is_none() && !tickets.spend(&of_gone));
        assert!(tickets.find(&of_stays).is_some() && tickets.spend(&of_stays));
        let last = tickets.issue(stays).0;
        tickets.revoke_all();
        assert!(tickets.find(&last).is_none() && !tickets.spend(&last));
    }
}
