//! Why a command of the client ends with an error: a sentence that says what to do, a code that programs look at, and an exit
//! code (sysexits.h) for scripts.

use std::io;
use std::path::PathBuf;

use client::ClientError;

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(
        "There is no terminal to ask for {0} on. Pass --stdin and write it to standard input: a line for each thing that is asked for."
    )]
    NoTerminal(&'static str),
    #[error("Standard input ended where {0} was due.")]
    InputEnded(&'static str),
    #[error("What was given for {what} is longer than {most} bytes ({limit}).")]
    InputTooLong {
        what: &'static str,
        most: usize,
        limit: &'static str,
    },
    #[error("What was given for {0} is not UTF-8 text.")]
    NotText(&'static str),
    #[error("It cannot be read: {0}.")]
    Input(io::Error),
    #[error("{0}")]
    Usage(String),
    #[error("{0} Nothing was changed.")]
    NotSure(&'static str),
    #[error("Not signed in: run `holdfast login` first.")]
    NotSignedIn,
    #[error("{server} cannot be reached: {reason}.")]
    Unreachable { server: String, reason: String },
    #[error("{server} does not answer as Holdfast does (status {status}).")]
    NotHoldfast { server: String, status: u16 },
    #[error("{message}")]
    Platform { status: u16, code: String, message: String },
    #[error("{}", channel(.0))]
    Channel(#[from] ClientError),
    #[error("There is no vault yet: make it in the browser first, where its recovery phrase is shown.")]
    NewVault,
    #[error("No model is connected yet, so the agent cannot answer: connect one in the browser first.")]
    NoModel,
    #[error("{0}")]
    Typed(String),
    #[error("There is no {0} among the ways into this vault.")]
    NoSuchWay(&'static str),
    #[error("The vault has no password, recovery phrase or backup key. Passkeys work in the browser.")]
    NoTypedWay,
    #[error("There is no {what} {name:?}.")]
    Unknown { what: &'static str, name: String },
    #[error("There is more than one {what} {name:?}: give its id.")]
    Ambiguous { what: &'static str, name: String },
    #[error("The agent does not start: {0}")]
    Agent(String),
    #[error("The answer was not finished: {message}")]
    Turn { code: String, message: String },
    #[error("{} cannot be used: {reason}.", .path.display())]
    State { path: PathBuf, reason: io::Error },
    #[error("{} can be read by others, and it signs in as you: `chmod 600` it, or delete it and sign in again.", .0.display())]
    StateOpen(PathBuf),
    #[error("{} was written by a newer version of Holdfast.", .0.display())]
    StateNewer(PathBuf),
    #[error("{} cannot be read: {reason}.", .path.display())]
    NoFile { path: PathBuf, reason: io::Error },
    #[error("{} cannot be written: {reason}.", .path.display())]
    File { path: PathBuf, reason: io::Error },
    #[error("{server} does not serve the interface of {of}, and what it does serve may tell others your password: {}.", .differing.join("; "))]
    Interface {
        server: String,
        of: String,
        differing: Vec<String>,
    },
    #[error("{} is not what the holder of the key has signed: {reason}.", .path.display())]
    Unsigned { path: PathBuf, reason: String },
    #[error("{} is there already: choose another name, or pass --force to replace it.", .0.display())]
    FileExists(PathBuf),
}

/// A channel's error, with what a person at a terminal can do about it.
fn channel(error: &ClientError) -> String {
    let known =
        "If you know why (you made a new vault, say), `holdfast logout --forget-keeper` forgets the one that is known.";
    match error {
        ClientError::AnotherCell { .. } | ClientError::VaultGone | ClientError::AnotherKeeper => {
            format!("Refused, and nothing secret was sent: {error}. {known}")
        }
        ClientError::RolledBack { .. } => format!("Refused: {error}. {known}"),
        ClientError::WrongSecretOrKeeper {
            retry_after_ms: Some(wait),
        } if *wait > 0 => {
            format!(
                "Not opened: {error}. The next try has to wait {} s.",
                wait.div_ceil(1000)
            )
        }
        ClientError::WrongSecretOrKeeper { .. } => format!("Not opened: {error}."),
        ClientError::Refused(error) => {
            let wait = error
                .retry_after_ms
                .map(|wait| format!(" Try again in {} s.", wait.div_ceil(1000)));
            format!("{}{}", error.message, wait.unwrap_or_default())
        }
        error => format!("The channel to your vault failed: {error}."),
    }
}

impl Failure {
    /// What programs look at; a code never changes its meaning.
    pub fn code(&self) -> &str {
        match self {
            Self::NoTerminal(_) => "no_terminal",
            Self::InputEnded(_) => "input_ended",
            Self::InputTooLong { .. } | Self::NotText(_) | Self::Typed(_) => "input_invalid",
            Self::Input(_) => "input_failed",
            Self::Usage(_) => "usage",
            Self::NotSure(_) => "not_confirmed",
            Self::NotSignedIn => "not_signed_in",
            Self::Unreachable { .. } => "unreachable",
            Self::NotHoldfast { .. } => "not_holdfast",
            Self::Platform { code, .. } | Self::Turn { code, .. } => code,
            Self::Channel(error) => match error {
                ClientError::Refused(error) => &error.code,
                ClientError::WrongSecretOrKeeper { .. } => "wrong_secret",
                ClientError::AnotherCell { .. } => "another_cell",
                ClientError::AnotherKeeper => "another_keeper",
                ClientError::VaultGone => "vault_gone",
                ClientError::RolledBack { .. } => "rolled_back",
                ClientError::Unproved => "unproved",
                _ => "channel",
            },
            Self::NewVault => "vault_new",
            Self::NoModel => "no_model",
            Self::NoSuchWay(_) | Self::NoTypedWay => "no_such_way",
            Self::Unknown { .. } => "unknown",
            Self::Ambiguous { .. } => "ambiguous",
            Self::Agent(_) => "agent_failed",
            Self::State { .. } | Self::StateOpen(_) | Self::StateNewer(_) => "state",
            Self::NoFile { .. } => "no_file",
            Self::Interface { .. } => "interface_differs",
            Self::Unsigned { .. } => "unsigned",
            Self::File { .. } => "file",
            Self::FileExists(_) => "file_exists",
        }
    }

    /// What the process ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Agent(_) | Self::Turn { .. } | Self::NotSure(_) | Self::Interface { .. } => 1,
            Self::Usage(_) | Self::NoTerminal(_) => 64, // EX_USAGE
            Self::InputEnded(_)
            | Self::InputTooLong { .. }
            | Self::NotText(_)
            | Self::Typed(_)
            | Self::Unknown { .. }
            | Self::Unsigned { .. }
            | Self::Ambiguous { .. } => 65, // EX_DATAERR
            Self::Input(_) | Self::NoFile { .. } => 66, // EX_NOINPUT
            Self::Unreachable { .. } | Self::NotHoldfast { .. } => 69, // EX_UNAVAILABLE
            Self::File { .. } | Self::FileExists(_) | Self::State { .. } => 73, // EX_CANTCREAT
            Self::Platform { status: 429 | 503, .. } => 75, // EX_TEMPFAIL
            Self::Platform { status: 500.., .. } => 69,
            Self::NotSignedIn
            | Self::Platform { .. }
            | Self::NewVault
            | Self::NoModel
            | Self::NoSuchWay(_)
            | Self::NoTypedWay => 77, // EX_NOPERM
            Self::StateOpen(_) | Self::StateNewer(_) => 78, // EX_CONFIG
            Self::Channel(error) => match error {
                ClientError::WrongSecretOrKeeper { .. } => 77,
                ClientError::Refused(error) => match error.code.as_str() {
                    "backoff" | "too_many_backups" | "too_many_requests" | "store" | "disk" | "disk_full" => 75,
                    "backup_refused" | "backup_cut" | "secret_invalid" | "too_large" => 65,
                    _ => 77,
                },
                ClientError::Closed(_) => 69,
                ClientError::NotOpened(_) => 69,
                // Not the keeper that is known, or one that does not keep to the protocol.
                _ => 76, // EX_PROTOCOL
            },
        }
    }
}
