use crate::gateway::GatewayError;

use super::files::HomeFileError;

/// What went wrong with the agent.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    #[error("cannot listen for the agent: {0}")]
    Listen(std::io::Error),
    #[error("the agent's container does not answer")]
    Absent,
    #[error(transparent)]
    Home(#[from] HomeFileError),
    /// `last_output` is for the owner only.
    #[error("OpenClaw ended {how}")]
    Ended { how: String, last_output: String },
    /// Why is in the log of the agent's container.
    #[error("what was deleted could not be taken out of OpenClaw's files")]
    NotScrubbed,
    #[error("OpenClaw did not become ready within {} s", .0.as_secs())]
    Slow(std::time::Duration),
    #[error("its start was broken off")]
    GivenUp,
    #[error("OpenClaw is not running")]
    NotRunning,
    #[error(transparent)]
    Gateway(#[from] GatewayError),
}
