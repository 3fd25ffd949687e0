//! The keeper: the only place where a user's plaintext secrets exist, only while unlocked, and only in memory.

pub mod activity;
pub mod agent;
pub mod backup;
pub mod bridge;
pub mod broker;
pub mod cell;
pub mod channel;
pub mod chat;
pub mod clock;
pub mod contacts;
pub mod egress;
pub mod gateway;
pub mod guide;
pub mod home;
pub mod limits;
pub mod platform;
pub mod post;
pub mod recovery;
pub mod relay;
pub mod secrets;
pub mod serve;
pub mod services;
pub mod spending;
pub mod vault_service;
pub mod write_behind;
