//! Resumption tickets: in memory alone, each works once, all are gone with a lock.

use std::collections::HashMap;
use std::sync::Mutex;

use protocol::SlotId;
use vault::ResumptionSecret;

use crate::limits::TICKETS;
use crate::vault_service::unpoisoned;

struct Issued {
    secret: ResumptionSecret,
    slot: SlotId,
    number: u64,
}

#[derive(Default)]
pub(super) struct Tickets {
    issued: Mutex<(u64, HashMap<[u8; 32], Issued>)>,
}

impl Tickets {
    /// A new ticket for whoever came in through `slot`.
    pub fn issue(&self, slot: SlotId) -> ([u8; 32], ResumptionSecret) {
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

    /// Takes a ticket out: it works once.
    pub fn redeem(&self, ticket: &[u8]) -> Option<(ResumptionSecret, SlotId)> {
        let ticket: [u8; 32] = ticket.try_into().ok()?;
        let held = unpoisoned(&self.issued).1.remove(&ticket)?;
        Some((held.secret, held.slot))
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
        assert!(tickets.redeem(&issued[0].0).is_none());
        let (secret, through) = tickets.redeem(&issued[1].0).unwrap();
        assert!(secret.expose() == issued[1].1.expose());
        assert_eq!(through, slot);
        assert!(tickets.redeem(&[0; 31]).is_none());
    }

    #[test]
    fn a_slot_s_tickets_go_with_it_and_all_with_a_lock() {
        let tickets = Tickets::default();
        let (gone, stays) = (SlotId::new(), SlotId::new());
        let (of_gone, of_stays) = (tickets.issue(gone).0, tickets.issue(stays).0);
        tickets.revoke_slot(gone);
        assert!(tickets.redeem(&of_gone).is_none());
        assert!(tickets.redeem(&of_stays).is_some());
        let last = tickets.issue(stays).0;
        tickets.revoke_all();
        assert!(tickets.redeem(&last).is_none());
    }
}
