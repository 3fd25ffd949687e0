//! Loopback ports joined with unix sockets.

use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, UnixStream};
use tokio_util::task::AbortOnDropHandle;

/// Joins each connection to `127.0.0.1:port` with a new one to `socket`, until the handle is dropped.
pub async fn listen(port: u16, socket: PathBuf) -> std::io::Result<AbortOnDropHandle<()>> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    Ok(AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            let Ok((client, _)) = listener.accept().await else {
                // Out of descriptors: those that end make room.
                tokio::task::yield_now().await;
                continue;
            };
            let socket = socket.clone();
            tokio::spawn(async move {
                if client.set_nodelay(true).is_ok()
                    && let Ok(keeper) = UnixStream::connect(&socket).await
                {
                    both_ways(client, keeper).await;
                }
            });
        }
    })))
}

/// Copies both ways until both sides have ended.
pub async fn both_ways(mut one: impl AsyncRead + AsyncWrite + Unpin, mut other: impl AsyncRead + AsyncWrite + Unpin) {
    // That a side went away is how every connection ends.
    let _ = copy_bidirectional(&mut one, &mut other).await;
}
