//! A relay that runs by itself is asked for its news, by HTTP and with the token that both have. It is not trusted: what it says is
//! short, and is about ids that mean something here or nothing.

use std::io;
use std::path::PathBuf;

use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use protocol::relay::news::{self, News};
use reqwest::{StatusCode, redirect};
use tokio_util::codec::{FramedRead, LinesCodec};
use tokio_util::io::StreamReader;
use tracing::info;

use super::NoNews;
use crate::refusal::Refusal;
use crate::{limits, news_token};

/// One relay.
pub struct Far {
    url: String,
    token_file: PathBuf,
    http: reqwest::Client,
}

impl Far {
    /// The one at `host:port`.
    ///
    /// # Errors
    /// The file holds no token.
    pub fn new(address: &str, token_file: PathBuf) -> Result<Self, Refusal> {
        news_token::read(&token_file)?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .connect_timeout(limits::RELAY_NEWS_CONNECT)
            .read_timeout(limits::RELAY_NEWS_SILENCE)
            .build()
            .map_err(|error| Refusal::Other(format!("The relay cannot be asked for its news: {error}.")))?;
        Ok(Self {
            url: format!("http://{address}{}", news::PATH),
            token_file,
            http,
        })
    }

    /// Hears it until the connection ends, says nothing for too long, or says something too long.
    pub(super) async fn listen(&self) -> Result<BoxStream<'static, News>, NoNews> {
        // Each time: another one counts without a restart.
        let token = news_token::read(&self.token_file).map_err(|refusal| NoNews::Token(refusal.to_string()))?;
        let asked = self.http.get(&self.url).bearer_auth(token.as_str()).send().await;
        // Without the address, which is in the configuration.
        let answer = asked.map_err(|error| NoNews::Unreachable(error.without_url().to_string()))?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED => return Err(NoNews::TokenRefused),
            status => return Err(NoNews::Refused(status.as_u16())),
        }
        info!(relay = self.url, "the relay's news are heard");
        let bytes = answer.bytes_stream().map_err(io::Error::other).boxed();
        let codec = LinesCodec::new_with_max_length(limits::RELAY_NEWS_LINE_BYTES);
        let lines = FramedRead::new(StreamReader::new(bytes), codec);
        let events = stream::unfold(lines, async |mut lines| {
            loop {
                let line: String = lines.next().await?.ok()?;
                // What is between them keeps the connection open; what is not known here is a later relay's.
                let news: Option<News> = line
                    .strip_prefix("data:")
                    .and_then(|data| serde_json::from_str(data).ok());
                if let Some(news) = news {
                    return Some((news, lines));
                }
            }
        });
        Ok(events.boxed())
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::HeaderMap;
    use axum::http::header::AUTHORIZATION;
    use axum::routing::get;
    use protocol::relay::MailboxKey;
    use tempfile::TempDir;
    use tokio::net::TcpListener;

    use super::*;

    /// Something that says this to who presents the token of `folder`, and is asked with it.
    async fn relay(said: String) -> (TempDir, Far) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        crate::token_file::ensure(&file).unwrap();
        let expected = format!("Bearer {}", *news_token::read(&file).unwrap());
        let answer = move |headers: HeaderMap| {
            let presented = headers.get(AUTHORIZATION).map(|token| token.as_bytes().to_vec());
            let is_right = presented.is_some_and(|token| token == expected.as_bytes());
            let answer = is_right.then(|| said.clone()).ok_or(StatusCode::UNAUTHORIZED);
            std::future::ready(answer)
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let router = Router::new().route("/relay/news", get(answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
        // The one choice of the process, which another test may have made.
        let _made = rustls::crypto::ring::default_provider().install_default();
        let far = Far::new(&address, file).unwrap();
        (folder, far)
    }

    fn waits(byte: u8) -> News {
        News::Waits {
            mailbox: MailboxKey([byte; 32]),
        }
    }

    fn event(news: News) -> String {
        format!("data: {}\n\n", serde_json::to_string(&news).unwrap())
    }

    #[tokio::test]
    async fn what_a_relay_says_is_read_and_what_is_not_understood_passed_over() {
        let said = [
            ":\n\n".to_owned(),
            event(waits(1)),
            "event: other\ndata: {\"type\":\"later\"}\n\n".to_owned(),
            event(waits(2)),
        ];
        let (_folder, far) = relay(said.concat()).await;
        let heard: Vec<News> = far.listen().await.unwrap().collect().await;
        assert_eq!(heard, [waits(1), waits(2)]);
    }

    #[tokio::test]
    async fn promise_11_a_relay_that_says_something_too_long_is_not_heard_further() {
        let long = format!("data: {}\n\n", "x".repeat(limits::RELAY_NEWS_LINE_BYTES));
        let (_folder, far) = relay([event(waits(1)), long, event(waits(2))].concat()).await;
        let heard: Vec<News> = far.listen().await.unwrap().collect().await;
        assert_eq!(heard, [waits(1)]);
    }

    #[tokio::test]
    async fn a_token_that_is_not_taken_is_said_to_be_so_and_another_counts_at_once() {
        let (folder, far) = relay(event(waits(1))).await;
        let file = folder.path().join("token");
        let right = std::fs::read(&file).unwrap();
        std::fs::write(&file, protocol::b64::encode([1; 32])).unwrap();
        assert!(matches!(far.listen().await, Err(NoNews::TokenRefused)));
        std::fs::write(&file, "short").unwrap();
        assert!(matches!(far.listen().await, Err(NoNews::Token(_))));
        std::fs::write(&file, right).unwrap();
        assert!(far.listen().await.is_ok());
    }
}
