mod liar;
mod lies;
mod life;
mod person;
mod revoking;
