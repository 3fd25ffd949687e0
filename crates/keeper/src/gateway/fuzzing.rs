//! What the fuzz targets reach of OpenClaw's protocol: the agent is hostile, and this is what it says to its keeper.

use super::connection::Frame;
use super::{History, event};

/// Reads a message as it comes from OpenClaw, as an event and as a transcript.
pub fn frame(text: &str) -> Option<History> {
    let frame: Frame = serde_json::from_str(text).ok()?;
    let history = History::read(&frame.payload);
    let _nobody_listens = event::parse(&frame.event, frame.payload);
    Some(history)
}
