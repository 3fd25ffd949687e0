//! How mail leaves: through the server that the configuration names, or into the outbox.

use std::path::Path;
use std::sync::Arc;

use management::mail::{Encryption, Mailer, Outbox, Smtp, SmtpConfig};

use crate::config::{Mail, MailEncryption};
use crate::refusal::Refusal;

/// The configured way to send mail.
///
/// # Errors
/// The password's file cannot be read, or the sender's address is not one.
pub fn mailer(mail: &Mail, data_dir: &Path) -> Result<Arc<dyn Mailer>, Refusal> {
    let Some(host) = &mail.host else {
        return Ok(Arc::new(Outbox::new(data_dir.join("outbox"))));
    };
    let smtp = Smtp::new(&SmtpConfig {
        host: host.clone(),
        port: mail.port,
        encryption: match mail.encryption {
            MailEncryption::Tls => Encryption::Tls,
            MailEncryption::Starttls => Encryption::Starttls,
            MailEncryption::None => Encryption::None,
        },
        username: mail.username.clone(),
        password_file: mail.password_file.clone(),
        ca_file: mail.ca_file.clone(),
        from: mail.from.clone(),
    })
    .map_err(|error| Refusal::Mail(format!("{error}.")))?;
    Ok(Arc::new(smtp))
}
