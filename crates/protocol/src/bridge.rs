//! The bridge's control connection to its keeper (`docs/protocol.md`, section 4): JSON lines on a unix socket.

use serde::{Deserialize, Serialize};

/// Where OpenClaw's Gateway listens, on the agent container's loopback.
pub const GATEWAY_PORT: u16 = 18789;
/// Where the agent finds the broker (its model provider), on its loopback.
pub const BROKER_PORT: u16 = 18790;
/// Where the agent finds the egress proxy, on its loopback.
pub const EGRESS_PORT: u16 = 18791;
/// Where the bridge itself answers the model calls of a warm-up turn, on the agent container's loopback.
pub const WARM_UP_PORT: u16 = 18792;

/// Folder with the keeper's sockets: written by the keeper, mounted read-only by the agent container.
pub const SOCKET_DIR: &str = "/run/holdfast";
/// Socket names in [`SOCKET_DIR`].
pub const BRIDGE_SOCKET: &str = "bridge.sock";
pub const BROKER_SOCKET: &str = "broker.sock";
pub const EGRESS_SOCKET: &str = "egress.sock";
/// The agent's home, a tmpfs that both containers mount, at the same path.
pub const HOME_DIR: &str = "/home/node";
/// The keeper's own volume.
pub const VAULT_DIR: &str = "/vault";
/// Folder with the platform's socket, mounted read-only by the keeper container.
pub const PLATFORM_DIR: &str = "/run/platform";
pub const PLATFORM_SOCKET: &str = "platform.sock";
/// The keeper's binary in the agent's image. It is the agent's file, on a read-only disk: OpenClaw runs no provider of secrets that
/// belongs to somebody else.
pub const AGENT_BINARY: &str = "/usr/local/bin/holdfast-keeper";
/// The agent's uid and gid.
pub const AGENT_UID: u32 = 1000;
/// The keeper's uid and gid, after it has given up root.
pub const KEEPER_UID: u32 = 10001;

/// First line of a connection to the bridge socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Opening {
    /// This is the control connection.
    Control,
    /// This is the connection asked for by [`ToBridge::Dial`]; raw bytes follow.
    Dial(u64),
}

/// Keeper to bridge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToBridge {
    /// Load OpenClaw's code, and nothing else: the home is not there yet. A later `Start` goes on from there.
    Prepare,
    /// Forget what was prepared.
    Unprepare,
    /// The home is there: start OpenClaw.
    Start,
    /// End OpenClaw: SIGTERM, then SIGKILL after `grace_ms`.
    Stop { grace_ms: u64 },
    /// Open a connection to the Gateway's port and join it.
    Dial { id: u64 },
    /// Take what OpenClaw has deleted out of the files of its databases, where it stays until something is written over it.
    Scrub { id: u64 },
}

/// Bridge to keeper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromBridge {
    Started {
        pid: u32,
    },
    /// A dial that could not be joined.
    DialFailed {
        id: u64,
        message: String,
    },
    /// What was deleted is out of the files, or not yet.
    Scrubbed {
        id: u64,
        done: bool,
    },
    /// OpenClaw ended; `last_output` is the end of its standard error, for the owner only.
    Exited {
        code: Option<i32>,
        signal: Option<i32>,
        last_output: String,
    },
}
