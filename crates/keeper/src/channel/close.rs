use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// Why the keeper closes a connection; the numbers are in `docs/protocol.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Close {
    Malformed,
    FrameRefused,
    TicketSpent,
    SlotRemoved,
    TooSlow,
    HandshakeTooLong,
    TooMany,
}

impl Close {
    pub fn frame(self) -> CloseFrame {
        let (code, reason) = match self {
            Self::Malformed => (4000, "malformed message"),
            Self::FrameRefused => (4001, "a frame was refused"),
            Self::TicketSpent => (4002, "this ticket was used: log in"),
            Self::SlotRemoved => (4003, "this way in was replaced: log in again"),
            Self::TooSlow => (4008, "too much waits to be read: connect again"),
            Self::HandshakeTooLong => (4009, "the handshake took too long"),
            Self::TooMany => (4013, "too many channels to this keeper (CHANNELS_PER_CELL)"),
        };
        CloseFrame {
            code: CloseCode::Library(code),
            reason: reason.into(),
        }
    }
}
