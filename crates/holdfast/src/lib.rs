//! The platform in one process: configuration, the parts wired together, the interface, and the scripted model.

pub mod audit;
pub mod config;
pub mod data_dir;
pub mod dev_model;
pub mod doctor;
pub mod http;
pub mod log;
pub mod operator_token;
pub mod refusal;
pub mod up;
