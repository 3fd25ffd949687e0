//! The life of a cell against the driver in memory, with the clock stopped: hours pass in milliseconds. Keepers attach
//! without a socket here; `tests/` has them on real ones.

mod adoption;
mod bench;
mod failures;
mod keeper_requests;
mod ladder;
mod waking;
