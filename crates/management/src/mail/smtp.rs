//! Mail through the operator's server, over TLS unless they say otherwise. The password comes from a file.

use std::path::PathBuf;

use futures::future::BoxFuture;
use lettre::message::Mailbox;
use lettre::message::header::ContentTransferEncoding;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Letter, MailError, Mailer};
use crate::limits;

/// The operator's mail server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpConfig {
    /// The server's name.
    pub host: String,
    /// 465 for `tls`, 587 for `starttls`, 25 for `none`, unless set.
    pub port: Option<u16>,
    #[serde(default)]
    pub encryption: Encryption,
    /// Who the mail is from: `Holdfast <holdfast@example.org>`.
    pub from: String,
    pub username: Option<String>,
    /// A file (mode 0600) that holds the password and nothing else.
    pub password_file: Option<PathBuf>,
}

/// How the connection is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// TLS from the first byte.
    #[default]
    Tls,
    /// TLS after asking for it; refused if the server cannot.
    Starttls,
    /// In clear: for a server on this machine.
    None,
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SmtpConfigError {
    #[error("mail.from `{0}` is not an address like `Holdfast <holdfast@example.org>`")]
    From(String),
    #[error("mail.username and mail.password_file belong together: set both or neither")]
    Incomplete,
    #[error("cannot read mail.password_file {path}: {source}")]
    Password { path: PathBuf, source: std::io::Error },
    #[error(
        "mail.username with mail.encryption = \"none\" would send the password in clear: use \"tls\" or \"starttls\""
    )]
    PasswordInClear,
    #[error("the mail server's settings cannot be used: {0}")]
    Transport(#[source] lettre::transport::smtp::Error),
}

/// A mail server.
pub struct Smtp {
    from: Mailbox,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl Smtp {
    /// Reads the password; connects with the first mail.
    ///
    /// # Errors
    /// [`SmtpConfigError`] names the setting.
    pub fn new(config: &SmtpConfig) -> Result<Self, SmtpConfigError> {
        let from = config
            .from
            .parse()
            .map_err(|_| SmtpConfigError::From(config.from.clone()))?;
        let builder = match config.encryption {
            Encryption::Tls => AsyncSmtpTransport::<Tokio1Executor>::relay(&config.host),
            Encryption::Starttls => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(&config.host),
            Encryption::None => Ok(AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)),
        };
        let mut builder = builder
            .map_err(SmtpConfigError::Transport)?
            .timeout(Some(limits::MAIL_TIME));
        if let Some(port) = config.port {
            builder = builder.port(port);
        }
        builder = match (&config.username, &config.password_file) {
            (Some(_), Some(_)) if config.encryption == Encryption::None => {
                return Err(SmtpConfigError::PasswordInClear);
            }
            (Some(username), Some(path)) => {
                let password =
                    std::fs::read_to_string(path)
                        .map(Zeroizing::new)
                        .map_err(|source| SmtpConfigError::Password {
                            path: path.clone(),
                            source,
                        })?;
                builder.credentials(Credentials::new(
                    username.clone(),
                    password.trim_end_matches(['\r', '\n']).to_owned(),
                ))
            }
            (None, None) => builder,
            _ => return Err(SmtpConfigError::Incomplete),
        };
        Ok(Self {
            from,
            transport: builder.build(),
        })
    }
}

impl Mailer for Smtp {
    fn kind(&self) -> &'static str {
        "smtp"
    }

    fn send(&self, letter: Letter) -> BoxFuture<'_, Result<(), MailError>> {
        Box::pin(async move {
            let message = letter.message(&self.from, ContentTransferEncoding::QuotedPrintable)?;
            tokio::time::timeout(limits::MAIL_TIME, self.transport.send(message))
                .await
                .map_err(|_| MailError::TimedOut)?
                .map_err(MailError::Smtp)
                .map(drop)
        })
    }
}
