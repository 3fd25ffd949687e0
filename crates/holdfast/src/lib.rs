//! The platform in one process: configuration, the parts wired together, the interface, and the scripted model; and the client on
//! the command line, which is a program of its own in the same binary.

pub mod audit;
pub mod client;
pub mod config;
pub mod data_dir;
pub mod dev_model;
pub mod doctor;
pub mod http;
pub mod keys;
pub mod limits;
pub mod log;
pub mod news_token;
pub mod operator_token;
pub mod owner;
mod platform;
pub mod refusal;
pub mod relay_alone;
pub mod token_file;
pub mod up;
