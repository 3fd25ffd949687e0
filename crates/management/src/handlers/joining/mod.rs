//! Joining with a link that was mailed to an address whose domain may.

pub(crate) mod accept;
pub(crate) mod preview;
