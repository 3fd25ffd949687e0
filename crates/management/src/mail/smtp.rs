//! Mail through the operator's server, over TLS unless they say otherwise. The password comes from a file.

use std::path::{Path, PathBuf};

use futures::future::BoxFuture;
use lettre::message::Mailbox;
use lettre::message::header::ContentTransferEncoding;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
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
    /// A file with the certificates (PEM) that the server's is signed by, where those are none of the system's.
    pub ca_file: Option<PathBuf>,
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
    #[error("mail.ca_file {path} cannot be used: {reason}")]
    Authority { path: PathBuf, reason: String },
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
    /// By the name that the operator gave it.
    server: String,
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
        if let Some(path) = &config.ca_file {
            let tls = trusting(path, &config.host)?;
            builder = match config.encryption {
                Encryption::Tls => builder.tls(Tls::Wrapper(tls)),
                Encryption::Starttls => builder.tls(Tls::Required(tls)),
                Encryption::None => builder,
            };
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
        let server = match config.port {
            Some(port) => format!("{}:{port}", config.host),
            None => config.host.clone(),
        };
        Ok(Self {
            from,
            server,
            transport: builder.build(),
        })
    }

    fn not_taken(&self, error: lettre::transport::smtp::Error) -> MailError {
        let answered = error.is_response() || error.is_transient() || error.is_permanent();
        // RFC 4954, section 6.
        match error.status().map(u16::from) {
            Some(530 | 534 | 535) => MailError::Login(error),
            _ if answered || error.is_client() => MailError::Smtp(error),
            _ => MailError::Unreachable {
                server: self.server.clone(),
                source: error,
            },
        }
    }
}

/// TLS with a server of this name whose certificate is signed by one of those in the file, or of the system's.
fn trusting(path: &Path, host: &str) -> Result<TlsParameters, SmtpConfigError> {
    let wrong = |reason: String| SmtpConfigError::Authority {
        path: path.to_owned(),
        reason,
    };
    let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let certificate = Certificate::from_pem(&pem).map_err(|error| wrong(error.to_string()))?;
    TlsParameters::builder(host.to_owned())
        .add_root_certificate(certificate)
        .build_rustls()
        .map_err(|error| wrong(error.to_string()))
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
                .map_err(|error| self.not_taken(error))
                .map(drop)
        })
    }
}

#[cfg(test)]
mod tests;
