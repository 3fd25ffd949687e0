//! The API in the form that programs read, and as a page.

pub(crate) mod document;
pub(crate) mod page;
pub(crate) mod style;
