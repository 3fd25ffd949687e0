//! A platform that does not only forward.

use futures::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::Message;

use super::bench::{Socket, TestKeeper, pair};

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    ToKeeper,
    ToClient,
}

/// A connection to `keeper` through somebody who passes on what `meddle` makes of each message.
pub async fn through(
    keeper: &TestKeeper,
    mut meddle: impl FnMut(Way, Message) -> Vec<Message> + Send + 'static,
) -> Socket {
    let (client, mut near) = pair().await;
    let mut far = keeper.connect().await;
    tokio::spawn(async move {
        loop {
            let (way, message) = tokio::select! {
                message = near.next() => (Way::ToKeeper, message),
                message = far.next() => (Way::ToClient, message),
            };
            let Some(Ok(message)) = message else { return };
            let is_close = message.is_close();
            let passed = if is_close { vec![message] } else { meddle(way, message) };
            for message in passed {
                let sent = match way {
                    Way::ToKeeper => far.send(message).await,
                    Way::ToClient => near.send(message).await,
                };
                if sent.is_err() || is_close {
                    // What is left of a closing is for both to see.
                    let _ = near.close(None).await;
                    let _ = far.close(None).await;
                    return;
                }
            }
        }
    });
    client
}

/// Changes the text of one field of a handshake message of this type.
pub fn rewrite(message: &Message, kind: &str, change: impl FnOnce(&mut serde_json::Value)) -> Option<Message> {
    let Message::Text(text) = message else { return None };
    let mut value: serde_json::Value = serde_json::from_str(text).unwrap();
    if value["type"] != kind {
        return None;
    }
    change(&mut value);
    Some(Message::text(value.to_string()))
}
