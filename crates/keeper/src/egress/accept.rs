//! Accepting what the agent connects: so many at once and no more, and no end of it because of an error that passes. An
//! agent that opens all of them keeps only itself waiting.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

/// Out of descriptors or memory: both come back when connections end.
const PAUSE: Duration = Duration::from_millis(100);

/// Gives each connection a task of its own; at most `most` live at once.
pub(crate) async fn accept<F>(listener: UnixListener, most: usize, each: impl Fn(UnixStream) -> F) -> Infallible
where
    F: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(most));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            // Nobody closes it.
            return std::future::pending().await;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let work = each(stream);
                tokio::spawn(async move {
                    work.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!("a connection of the agent was not accepted: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
