//! Recovery by contacts, as far as the platform carries it: it shows who asks and passes on sealed bytes. What decides is in the
//! contacts' keepers.

pub(crate) mod contacts;
pub(crate) mod get;
pub(crate) mod release;
pub(crate) mod request;
pub(crate) mod stop;
