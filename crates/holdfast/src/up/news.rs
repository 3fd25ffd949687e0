//! What the relay says, told to management: whose a mailbox turned out to be, and that something waits in one. In the order in which it
//! comes, one after the other, so that who has come is not told of what has reached them. Where it ends, or management could not keep
//! it, the relay is heard anew, which begins with how things are: so nothing of it is lost for good.

mod far;

use std::sync::Arc;

use cells::Cells;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use management::Management;
use protocol::relay::news::News;
use relay::Lookout;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

use crate::limits;
pub use far::Far;

/// Which relay.
pub enum Source {
    /// The one of this process.
    Here(Lookout),
    /// One that runs by itself.
    Far(Far),
}

/// Why nothing is heard.
#[derive(Debug, thiserror::Error)]
enum NoNews {
    #[error("{0}")]
    Token(String),
    #[error("the relay does not take the token that is in `relay.news_token_file`")]
    TokenRefused,
    #[error("the relay answers {0}")]
    Refused(u16),
    #[error("the relay does not answer: {0}")]
    Unreachable(String),
    #[error("too many hear the relay's news already")]
    TooMany,
    #[error("the connection ended")]
    Ended,
    #[error("management could not keep it: {0}")]
    NotKept(String),
}

/// Management is told until this is dropped.
pub type Telling = AbortOnDropHandle<()>;

/// Tells management from now on. The cells know which connection is of whom.
pub fn tell(source: Source, management: &Arc<Management>, cells: &Cells) -> Telling {
    let hearer = Hearer {
        management: Arc::clone(management),
        cells: cells.clone(),
    };
    AbortOnDropHandle::new(tokio::spawn(async move { hearer.run(source).await }))
}

impl Source {
    async fn listen(&self) -> Result<BoxStream<'static, News>, NoNews> {
        match self {
            Self::Here(lookout) => {
                let listening = lookout.listen().ok_or(NoNews::TooMany)?;
                Ok(listening.into_stream().boxed())
            }
            Self::Far(far) => far.listen().await,
        }
    }
}

struct Hearer {
    management: Arc<Management>,
    cells: Cells,
}

impl Hearer {
    async fn run(self, source: Source) {
        let mut last = String::new();
        loop {
            let begun = Instant::now();
            let Err(trouble) = self.hear(&source).await;
            let trouble = trouble.to_string();
            // Once while it stays the same, and not with each try.
            if trouble != last || begun.elapsed() > limits::RELAY_NEWS_SILENCE {
                warn!(
                    trouble,
                    "the relay's news are not heard: who is told that something waits for their vault is told late"
                );
            }
            last = trouble;
            tokio::time::sleep(limits::RELAY_NEWS_RETRY).await;
        }
    }

    async fn hear(&self, source: &Source) -> Result<std::convert::Infallible, NoNews> {
        let mut news = source.listen().await?;
        while let Some(news) = news.next().await {
            self.heard(news)
                .await
                .map_err(|error| NoNews::NotKept(error.to_string()))?;
        }
        Err(NoNews::Ended)
    }

    async fn heard(&self, news: News) -> Result<(), management::StorageError> {
        match news {
            News::Opened { carrier, mailbox } => match self.cells.opened(carrier, &mailbox) {
                Some((cell, tenant)) => self.management.mailbox_opened(cell, tenant, &mailbox).await,
                // Carried by another platform, by one that ended, or by nobody.
                None => Ok(()),
            },
            News::Waits { mailbox } => self.management.something_waits(&mailbox).await,
        }
    }
}
