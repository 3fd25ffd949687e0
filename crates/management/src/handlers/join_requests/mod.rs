//! People who wait to be let in.

pub(crate) mod approve;
pub(crate) mod list;
pub(crate) mod refuse;
