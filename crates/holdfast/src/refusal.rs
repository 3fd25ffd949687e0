//! Why Holdfast does not start: one sentence that says what to do, and an exit code (sysexits.h) for scripts.

use std::io;
use std::path::{Path, PathBuf};

/// Why `holdfast` ends with an error.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("The configuration is wrong: {0}")]
    Config(String),
    #[error("Port {port} on {address} is taken: stop what uses it, or choose another with --port.")]
    PortTaken { address: std::net::IpAddr, port: u16 },
    #[error("Holdfast cannot listen on {address} port {port}: {reason}.")]
    Listen {
        address: std::net::IpAddr,
        port: u16,
        reason: io::Error,
    },
    #[error("Another Holdfast{} already uses {}: stop it, or choose another folder with --data-dir.", holder(.pid), .dir.display())]
    DataDirInUse { dir: PathBuf, pid: Option<u32> },
    #[error("The disk that holds {} is full ({free_mib} MiB free, {NEEDED_MIB} needed): make room and start again.", .dir.display())]
    DiskFull { dir: PathBuf, free_mib: u64 },
    #[error("{} cannot be used: {reason}. Choose another folder with --data-dir, or correct its permissions.", .path.display())]
    DataDir { path: PathBuf, reason: io::Error },
    #[error("{0}")]
    Docker(String),
    #[error("{0}")]
    Database(String),
    #[error("{0}")]
    Cells(String),
    #[error("{0}")]
    Mail(String),
    #[error("{0}")]
    Broken(String),
    #[error("{0}")]
    Other(String),
}

/// Free space that starting takes, in MiB.
pub const NEEDED_MIB: u64 = 200;

impl Refusal {
    /// What the process ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Mail(_) => 78,              // EX_CONFIG
            Self::DiskFull { .. } | Self::DataDir { .. } => 73, // EX_CANTCREAT
            Self::DataDirInUse { .. } => 75,                    // EX_TEMPFAIL
            Self::PortTaken { .. } | Self::Listen { .. } | Self::Docker(_) | Self::Database(_) | Self::Cells(_) => 69, // EX_UNAVAILABLE
            Self::Broken(_) => 65, // EX_DATAERR
            Self::Other(_) => 70,  // EX_SOFTWARE
        }
    }

    /// An error of binding an address.
    pub fn listen(address: std::net::IpAddr, port: u16, reason: io::Error) -> Self {
        if reason.kind() == io::ErrorKind::AddrInUse {
            return Self::PortTaken { address, port };
        }
        Self::Listen { address, port, reason }
    }

    /// An error of reading or writing below the data directory.
    pub fn file(path: &Path, reason: io::Error) -> Self {
        if reason.kind() == io::ErrorKind::StorageFull {
            return Self::DiskFull {
                dir: path.to_owned(),
                free_mib: 0,
            };
        }
        Self::DataDir {
            path: path.to_owned(),
            reason,
        }
    }
}

fn holder(pid: &Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}
