//! One's own accounts at other sites.

pub(crate) mod link;
pub(crate) mod list;
pub(crate) mod unlink;
