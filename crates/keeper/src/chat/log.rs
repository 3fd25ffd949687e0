//! The latest events of one conversation, so that a client that was away for a moment gets what it missed.

use std::collections::VecDeque;

use protocol::Millis;
use protocol::chat::{ChatEvent, ChatEventKind};

use crate::limits::{EVENT_BYTES_HELD, EVENTS_HELD};

/// A bounded ring of events.
#[derive(Debug)]
pub(super) struct EventLog {
    events: VecDeque<(usize, ChatEvent)>,
    bytes: usize,
    last: u64,
}

impl EventLog {
    /// Numbers begin with the time, so that those of a keeper that ended are never met again.
    pub(super) fn new(now: Millis) -> Self {
        Self {
            events: VecDeque::new(),
            bytes: 0,
            last: u64::try_from(now).unwrap_or(0),
        }
    }

    /// The number of the newest event.
    pub(super) fn seq(&self) -> u64 {
        self.last
    }

    /// Numbers and keeps an event.
    pub(super) fn push(&mut self, conversation: &str, turn: &str, kind: ChatEventKind) -> ChatEvent {
        self.last += 1;
        let event = ChatEvent {
            conversation: conversation.to_owned(),
            seq: self.last,
            turn: turn.to_owned(),
            kind,
        };
        let size = serde_json::to_vec(&event).map_or(0, |json| json.len());
        self.bytes += size;
        self.events.push_back((size, event.clone()));
        while self.events.len() > EVENTS_HELD || self.bytes > EVENT_BYTES_HELD {
            let Some((size, _)) = self.events.pop_front() else {
                break;
            };
            self.bytes -= size;
        }
        event
    }

    /// What came after `seq`; `None` when some of it is not held any more, or `seq` was never given.
    pub(super) fn after(&self, seq: u64) -> Option<Vec<ChatEvent>> {
        let first = self.last - self.events.len() as u64;
        if seq < first || seq > self.last {
            return None;
        }
        let missed = self
            .events
            .iter()
            .map(|(_, event)| event)
            .filter(|event| event.seq > seq);
        Some(missed.cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(delta: String) -> ChatEventKind {
        ChatEventKind::Text { delta }
    }

    #[test]
    fn what_was_missed_is_given_again_in_order() {
        let mut log = EventLog::new(100);
        for n in 0..5 {
            log.push("c", "t", text(n.to_string()));
        }
        let seqs: Vec<u64> = log.after(102).unwrap().iter().map(|event| event.seq).collect();
        assert_eq!(seqs, [103, 104, 105]);
        assert_eq!(log.after(105).unwrap(), []);
        assert_eq!(log.after(100).unwrap().len(), 5);
    }

    #[test]
    fn numbers_that_were_never_given_or_are_not_held_are_refused() {
        let mut log = EventLog::new(100);
        log.push("c", "t", text("x".into()));
        assert!(log.after(99).is_none());
        assert!(log.after(102).is_none());
        for _ in 0..EVENTS_HELD {
            log.push("c", "t", text("x".into()));
        }
        assert!(log.after(100).is_none());
    }

    #[test]
    fn many_bytes_push_out_the_oldest() {
        let mut log = EventLog::new(0);
        for _ in 0..20 {
            log.push("c", "t", text("x".repeat(EVENT_BYTES_HELD / 10)));
        }
        assert!(log.events.len() < 11 && log.bytes <= EVENT_BYTES_HELD);
    }
}
