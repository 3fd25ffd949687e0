//! Signing in by a link that is mailed or with another site, and a second factor where one is asked for.

pub(crate) mod back;
pub(crate) mod complete;
pub(crate) mod factor;
pub(crate) mod pending;
pub(crate) mod provider;
pub(crate) mod providers;
pub(crate) mod request;
