//! One log, on standard error: lines for people, or JSON for machines.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};
use crate::refusal::Refusal;

/// Starts the log of this process.
///
/// # Errors
/// The filter is not in the syntax of tracing's EnvFilter.
pub fn start(config: &Log) -> Result<(), Refusal> {
    let filter = EnvFilter::builder()
        .parse(&config.filter)
        .map_err(|error| Refusal::Config(format!("log.filter is wrong: {error}")))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    match config.format {
        LogFormat::Human => builder.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    Ok(())
}
