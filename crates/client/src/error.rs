use protocol::CellId;
use protocol::channel::ChannelError;
use vault::FrameError;

/// Why a client refuses a keeper, or a keeper a client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("the connection ended{}", .0.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default())]
    Closed(Option<String>),
    #[error("the platform did not open the channel (it answered {0})")]
    NotOpened(u16),
    #[error("the other end does not speak the channel's protocol: {0}")]
    Protocol(String),
    #[error("the other end speaks version {0} of the channel, which is not known here")]
    Version(u32),
    #[error("this is cell {found}, not {expected}")]
    AnotherCell { expected: CellId, found: CellId },
    #[error(
        "this keeper says that there is no vault, but there was one: it is another keeper, or the vault was taken away"
    )]
    VaultGone,
    /// OPAQUE does not tell the two apart.
    #[error("the password or phrase is wrong, or this is not the keeper that it was registered with")]
    WrongSecretOrKeeper {
        /// How long the keeper will make the next attempt wait.
        retry_after_ms: Option<u64>,
    },
    #[error("this keeper has another public key than the one that is known")]
    AnotherKeeper,
    #[error("this keeper did not prove that it knows the channel's keys")]
    Unproved,
    #[error("the vault is older ({found}) than one that was seen before ({seen}): it was rolled back")]
    RolledBack { seen: u64, found: u64 },
    #[error("a frame was refused: {0}")]
    Frame(#[from] FrameError),
    #[error("{0}")]
    Refused(ChannelError),
    #[error("this handshake has become a channel already")]
    Used,
    #[error("a slot's key is needed for this: log in with the password or phrase instead of resuming")]
    NoKey,
    #[error("events were not read: more than {0} wait")]
    EventsNotRead(usize),
}

impl ClientError {
    /// The keeper's code, if it was the keeper that refused.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(error) => Some(&error.code),
            _ => None,
        }
    }
}
