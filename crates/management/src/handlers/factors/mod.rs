//! One's second factors.

pub(crate) mod backup_codes;
pub(crate) mod begin;
pub(crate) mod confirm;
pub(crate) mod list;
pub(crate) mod remove;
