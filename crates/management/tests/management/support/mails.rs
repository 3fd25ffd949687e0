//! The real outbox, and an event for each mail that lands in it.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use management::mail::{Letter, MailError, Mailer, Outbox};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub struct Mails {
    outbox: Outbox,
    folder: PathBuf,
    sent: UnboundedSender<()>,
    seen: tokio::sync::Mutex<UnboundedReceiver<()>>,
    read: Mutex<Vec<PathBuf>>,
    hangs: AtomicBool,
}

impl Mails {
    pub fn new(folder: PathBuf) -> Self {
        let (sent, seen) = unbounded_channel();
        let outbox = Outbox::new(&folder);
        Self {
            outbox,
            folder,
            sent,
            seen: seen.into(),
            read: Mutex::default(),
            hangs: AtomicBool::new(false),
        }
    }

    /// The text of the next mail.
    pub async fn next(&self) -> String {
        let arrived = tokio::time::timeout(Duration::from_secs(10), async { self.seen.lock().await.recv().await });
        arrived.await.expect("a mail arrives").unwrap();
        let mut read = self.read.lock().unwrap();
        let mut unread: Vec<_> = self.files().into_iter().filter(|path| !read.contains(path)).collect();
        unread.sort();
        let path = unread.remove(0);
        let text = std::fs::read_to_string(&path).unwrap();
        read.push(path);
        text
    }

    /// The next mail is taken by a server that never answers.
    pub fn hang_next(&self) {
        self.hangs.store(true, Ordering::SeqCst);
    }

    pub fn files(&self) -> Vec<PathBuf> {
        std::fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().path())
            .collect()
    }
}

impl Mailer for Mails {
    fn kind(&self) -> &'static str {
        self.outbox.kind()
    }

    fn send(&self, letter: Letter) -> BoxFuture<'_, Result<(), MailError>> {
        Box::pin(async {
            if self.hangs.swap(false, Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            self.outbox.send(letter).await?;
            let _gone = self.sent.send(());
            Ok(())
        })
    }
}

/// The token of the link to `page` in a mail.
pub fn token(mail: &str, page: &str) -> String {
    let (_, rest) = mail
        .split_once(&format!("/{page}#"))
        .unwrap_or_else(|| panic!("no link to {page} in: {mail}"));
    rest.split_whitespace().next().unwrap().to_owned()
}
