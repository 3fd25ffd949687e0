//! Signing in by a link that is mailed, and a second factor where one is asked for.

pub(crate) mod complete;
pub(crate) mod factor;
pub(crate) mod pending;
pub(crate) mod request;
