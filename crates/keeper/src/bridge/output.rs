//! The end of what OpenClaw printed: kept in memory, shown to the owner alone when it ends unexpectedly.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::limits::LAST_OUTPUT_BYTES;

/// A ring of the last bytes.
#[derive(Clone, Default)]
pub struct Output(Arc<Mutex<VecDeque<u8>>>);

impl Output {
    /// Reads a stream to its end in the background.
    pub fn follow(&self, mut stream: impl AsyncRead + Unpin + Send + 'static) {
        let output = self.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                output.push(&buffer[..read]);
            }
        });
    }

    /// What is kept, as text.
    pub fn text(&self) -> String {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(kept.make_contiguous()).into_owned()
    }

    fn push(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(bytes);
        let surplus = kept.len().saturating_sub(LAST_OUTPUT_BYTES);
        kept.drain(..surplus);
    }
}
