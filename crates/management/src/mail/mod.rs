//! Mail: through the operator's server, or into an outbox folder where there is none.

mod letter;
mod outbox;
mod smtp;

use futures::future::BoxFuture;

pub use letter::Letter;
pub(crate) use letter::{
    alert, factors_reset, invitation, join_approved, join_asked, join_refused, owner_invitation, recovery_asked,
    recovery_help, sign_in, something_waits, waits_for_owner,
};
pub use outbox::Outbox;
pub use smtp::{Encryption, Smtp, SmtpConfig, SmtpConfigError};

/// Why a mail was not handed over.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error("the mail cannot be written as a message: {0}")]
    Message(#[source] lettre::error::Error),
    #[error("cannot write {path}: {source}. Check that the data directory is writable and the disk is not full")]
    Outbox {
        path: std::path::PathBuf,
        source: std::io::Error,
    },
    #[error("the mail server {server} cannot be reached: {source}")]
    Unreachable {
        server: String,
        source: lettre::transport::smtp::Error,
    },
    #[error("the mail server does not let us log in: {0}. Look at mail.username and mail.password_file")]
    Login(#[source] lettre::transport::smtp::Error),
    #[error("the mail server did not take the mail: {0}")]
    Smtp(#[source] lettre::transport::smtp::Error),
    #[error("the mail server did not answer in {} seconds", crate::limits::MAIL_TIME.as_secs())]
    TimedOut,
}

/// A way to send mail.
pub trait Mailer: Send + Sync + 'static {
    /// `smtp` or `outbox`: what `GET /api/v1/instance` tells.
    fn kind(&self) -> &'static str;
    /// Hands the letter over. Done means: the mail server took it, or it is in the outbox.
    fn send(&self, letter: Letter) -> BoxFuture<'_, Result<(), MailError>>;
}
