//! Signing in by a link that is mailed.

pub(crate) mod complete;
pub(crate) mod request;
