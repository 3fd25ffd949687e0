//! The operator of the installation: who can read its data directory. They sign in with the token that lies in it, have sessions of
//! their own, and reach the operator's routes and no others; nobody's session of an organisation reaches those.

mod access;
mod session;
mod token;

pub(crate) use access::{FreshOperator, Operator};
pub(crate) use session::{Given, NAME_OVER_TLS, clear, cookies, is_operators, presented};
pub(crate) use token::{ShownToken, TokenFile};
