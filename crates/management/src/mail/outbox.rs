//! Where no mail server is configured, mail lands in `<data-dir>/outbox/*.eml`, readable by the operator alone.

use std::path::PathBuf;

use futures::future::BoxFuture;
use lettre::message::Mailbox;
use lettre::message::header::ContentTransferEncoding;

use super::{Letter, MailError, Mailer};
use crate::private_file;

/// A folder of mails. File names sort by time.
#[derive(Debug, Clone)]
pub struct Outbox {
    folder: PathBuf,
}

impl Outbox {
    /// Writes into this folder, which is made (0700) with the first mail.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }
}

impl Mailer for Outbox {
    fn kind(&self) -> &'static str {
        "outbox"
    }

    fn send(&self, letter: Letter) -> BoxFuture<'_, Result<(), MailError>> {
        Box::pin(async move {
            let from = Mailbox::new(
                Some("Holdfast".into()),
                lettre::Address::new("holdfast", "localhost")
                    .map_err(|_| MailError::Message(lettre::error::Error::MissingFrom))?,
            );
            let text = letter.message(&from, ContentTransferEncoding::EightBit)?.formatted();
            let folder = self.folder.clone();
            let path = folder.join(format!("{}.eml", uuid::Uuid::now_v7()));
            let written = path.clone();
            tokio::task::spawn_blocking(move || {
                private_file::folder(&folder).and_then(|()| private_file::replace(&path, &text))
            })
            .await
            .unwrap_or_else(|_| Err(std::io::Error::other("the writer stopped")))
            .map_err(|source| MailError::Outbox { path: written, source })
        })
    }
}
