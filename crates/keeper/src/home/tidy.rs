//! Deleting what nothing refers to any more. Only what a success made superfluous is deleted, after that success.

use futures::StreamExt as _;

use super::Home;
use crate::limits;

impl Home {
    /// Deletes garbage; what cannot be deleted now stays for the next time. Returns how many objects are left.
    pub async fn tidy(&self) -> usize {
        let mut state = self.shared.state.lock().await;
        if self.held() {
            return state.garbage.len();
        }
        let names: Vec<String> = state.garbage.iter().cloned().collect();
        let deleted: Vec<String> = futures::stream::iter(names)
            .map(|name| async move {
                match self.shared.blobs.delete(&name).await {
                    Ok(()) => Some(name),
                    Err(error) => {
                        tracing::info!("garbage stays for now: {error}");
                        None
                    }
                }
            })
            .buffer_unordered(limits::BLOB_CONNECTIONS)
            .filter_map(|name| async move { name })
            .collect()
            .await;
        for name in deleted {
            state.garbage.remove(&name);
        }
        state.garbage.len()
    }
}
