//! The channel from end to end: the real client, the real vault on disk, the real keeper's end, in one process; and a hostile
//! platform in between where the promise is that it changes nothing.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod agent_side;
mod approvals;
mod away;
mod backoff;
mod bench;
mod contacts;
mod egress;
mod export;
mod frames;
mod hostile_keeper;
mod hostile_platform;
mod middle;
mod models;
mod policy;
mod proof;
mod rates;
mod recovery;
mod released;
mod requests;
mod rollback;
mod rotation;
mod routes;
mod secrets;
mod shares;
mod slots;
mod templates;
mod tickets;
mod told;
mod tool_servers;
mod tools;
mod vault_life;
mod ways_in;
