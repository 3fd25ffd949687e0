//! What the fuzz targets reach of conversations: OpenClaw's transcript on its way to a client.

use std::collections::HashSet;

use super::{size, title, transcript};
use crate::gateway::History;
use crate::limits::MESSAGE_SHOWN_BYTES;

/// Shows a transcript.
///
/// # Panics
/// When a message would not fit a frame.
pub fn shown(history: &History) {
    for message in transcript::messages(&history.entries, &HashSet::new()) {
        for part in &message.parts {
            if let protocol::chat::Part::Text { text } = part {
                let _title = title::automatic(text);
                assert!(
                    title::given(text).is_ok()
                        || text.trim().is_empty()
                        || text.chars().count() > 200
                        || text.chars().all(|letter| letter.is_control() || letter.is_whitespace())
                );
            }
        }
        assert!(size::bytes(&size::fit(message)) <= MESSAGE_SHOWN_BYTES);
    }
}
