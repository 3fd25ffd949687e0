//! The keeper: the only place where a user's plaintext secrets exist, only while unlocked, and only in memory.

pub mod limits;
pub mod platform;
