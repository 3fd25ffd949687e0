pub(crate) mod liar;
mod lies;
mod life;
pub(crate) mod person;
mod revoking;
