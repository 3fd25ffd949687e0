//! The cell of whoever is signed in. No route names a cell, so nobody can ask for another's.

pub(crate) mod get;
pub(crate) mod token;
pub(crate) mod wake;
