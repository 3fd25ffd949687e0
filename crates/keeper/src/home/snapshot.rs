//! Sealing the home: large changed files while the agent runs, then everything that is left while it is still; new
//! chunks, then the manifest, then reading it back, then the pin in the vault. Only then it counts.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::{Stream, TryStreamExt as _};
use protocol::control::FREEZE_LIMIT_MS;
use tokio::sync::mpsc;

use super::chunk::{self, ChunkName, ChunkRef, PlainChunk};
use super::manifest::{self, Manifest, Pin};
use super::reading::{self, Cache, Reading};
use super::seal::HomeVault;
use super::{Home, HomeError, State, Still, blocking};
use crate::limits;

/// How much of the home is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Files whose times, size or inode changed.
    Changed,
    /// Every file: also finds what was written through a mapping. For the last snapshot before the home goes away.
    Everything,
}

/// A snapshot that counts: it survives anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// Number of the newest sealed home.
    pub number: u64,
    /// Whether anything had changed since the one before.
    pub changed: bool,
    pub chunks_sent: usize,
    /// How long the agent was held still.
    pub still: Duration,
    pub took: Took,
}

/// Where the time of a snapshot went, beside [`Snapshot::still`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Took {
    /// Reading large files while the agent ran.
    pub live: Duration,
    /// Until the agent was still, and until it went on.
    pub hold: Duration,
    /// Sealing and storing what was read while it was still.
    pub chunks: Duration,
    /// Storing the manifest and reading it back.
    pub manifest: Duration,
    /// Recording it in the vault.
    pub pin: Duration,
}

/// Names of the chunks that one attempt stored.
pub(super) type Sent = Arc<Mutex<HashSet<ChunkName>>>;

/// A complete set of files that is not sealed yet.
struct Copied {
    reading: Reading,
    /// Chunks that are not stored yet.
    kept: Vec<PlainChunk>,
    still: Duration,
    took: Took,
}

impl Home {
    /// Seals the home as it is now. When this returns, it survives anything; when it fails, the one before still does.
    ///
    /// # Errors
    /// [`HomeError`]; nothing that was acknowledged is lost.
    pub async fn snapshot(
        &self,
        vault: &Arc<dyn HomeVault>,
        still: &dyn Still,
        depth: Depth,
    ) -> Result<Snapshot, HomeError> {
        let mut state = self.shared.state.lock().await;
        if !state.known {
            return Err(HomeError::NotRestored);
        }
        // A cache is only true together with the chunks of its manifest: after a failure it is gone.
        let mut cache = std::mem::take(&mut state.cache);
        if depth == Depth::Everything {
            cache.clear();
        }
        // Read whole, every name and every chunk is of the newest key: then, and only then, no old one is needed any more.
        let rotation = match depth {
            Depth::Everything => vault.unfinished_rotation()?,
            Depth::Changed => None,
        };
        let sent = Sent::default();
        let result = self
            .attempt(&mut state, vault, still, cache, &sent, rotation.is_some())
            .await;
        match (&result, rotation) {
            (Err(_), _) => {
                let names = sent.lock().unwrap_or_else(PoisonError::into_inner);
                state.strays.extend(names.iter().map(chunk::object));
            }
            (Ok(_), Some(number)) => {
                if let Err(error) = vault.finish_rotation(number).await {
                    tracing::warn!("the old key stays until the home is sealed whole the next time: {error}");
                }
            }
            (Ok(_), None) => {}
        }
        result
    }

    async fn attempt(
        &self,
        state: &mut State,
        vault: &Arc<dyn HomeVault>,
        still: &dyn Still,
        cache: Cache,
        sent: &Sent,
        anew: bool,
    ) -> Result<Snapshot, HomeError> {
        let copied = self.copy(&state.stored, vault, still, cache, sent).await?;
        // The agent goes on while what was read is sealed.
        let thaw = async {
            let began = Instant::now();
            still.thaw().await;
            began.elapsed()
        };
        let (thawing, kept) = tokio::join!(thaw, self.keep(state, vault, copied, sent, anew));
        kept.map(|mut snapshot| {
            snapshot.took.hold += thawing;
            snapshot
        })
    }

    /// Seals and stores a complete set of files, and has the vault acknowledge it.
    async fn keep(
        &self,
        state: &mut State,
        vault: &Arc<dyn HomeVault>,
        copied: Copied,
        sent: &Sent,
        anew: bool,
    ) -> Result<Snapshot, HomeError> {
        let entries = copied.reading.entries;
        let parent = state.pin;
        let manifest = Manifest {
            number: parent.map_or(1, |pin| pin.number + 1),
            parent: parent.map(|pin| pin.digest),
            made: now_millis(),
            entries,
        };
        let digest = manifest.entries_digest()?;
        let chunks_sent = sent.lock().unwrap_or_else(PoisonError::into_inner).len();
        let (still, mut took) = (copied.still, copied.took);
        if let Some(pin) = parent.filter(|_| !anew && state.entries == Some(digest)) {
            // What was sent belongs to files that changed back or went away; no manifest names it.
            let names = std::mem::take(&mut *sent.lock().unwrap_or_else(PoisonError::into_inner));
            state.garbage.extend(names.iter().map(chunk::object));
            state.cache = copied.reading.cache;
            return Ok(Snapshot {
                number: pin.number,
                changed: false,
                chunks_sent,
                still,
                took,
            });
        }
        let started = Instant::now();
        self.upload(vault, futures::stream::iter(copied.kept)).await?;
        took.chunks = started.elapsed();
        let named: HashSet<ChunkName> = manifest.chunk_names().collect();
        {
            let sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
            if named
                .iter()
                .any(|name| !state.stored.contains(name) && !sent.contains(name))
            {
                return Err(HomeError::Internal(
                    "a manifest would name a chunk that is not stored".to_owned(),
                ));
            }
        }
        let started = Instant::now();
        let pin = self.write_manifest(vault, manifest, &mut state.strays).await?;
        took.manifest = started.elapsed();
        vault.set_pin(pin).await?;
        took.pin = started.elapsed() - took.manifest;

        // From here on it counts. Everything else that this keeper ever stored is superfluous.
        let sent = std::mem::take(&mut *sent.lock().unwrap_or_else(PoisonError::into_inner));
        let mut garbage = std::mem::take(&mut state.strays);
        garbage.extend(std::mem::take(&mut state.garbage));
        garbage.extend(
            state
                .stored
                .iter()
                .chain(&sent)
                .filter(|name| !named.contains(*name))
                .map(chunk::object),
        );
        garbage.extend(parent.as_ref().map(manifest::object));
        garbage.remove(&manifest::object(&pin));
        for name in &named {
            garbage.remove(&chunk::object(name));
        }
        *state = State {
            known: true,
            pin: Some(pin),
            entries: Some(digest),
            stored: Arc::new(named),
            garbage,
            strays: HashSet::new(),
            cache: copied.reading.cache,
        };
        Ok(Snapshot {
            number: pin.number,
            changed: true,
            chunks_sent,
            still,
            took,
        })
    }

    /// Reads until everything that is not stored fits in memory while the agent is still. It still is when this returns something.
    async fn copy(
        &self,
        stored: &Arc<HashSet<ChunkName>>,
        vault: &Arc<dyn HomeVault>,
        still: &dyn Still,
        mut cache: Cache,
        sent: &Sent,
    ) -> Result<Copied, HomeError> {
        let mut took = Took::default();
        for attempt in 0..limits::LIVE_PASSES {
            let began = Instant::now();
            let pass_over = if attempt == 0 { limits::LIVE_READ_BYTES } else { 0 };
            cache = self.read_live(stored, vault, cache, pass_over, sent).await?;
            let before = Arc::new(cache);
            let read = Instant::now();
            took.live += read - began;
            still.freeze().await?;
            let started = Instant::now();
            let copied = self.read_still(stored, vault, before.clone(), sent).await;
            let held = started.elapsed();
            took.hold += started - read;
            match copied {
                Ok(Some((reading, kept))) if held < Duration::from_millis(FREEZE_LIMIT_MS / 10 * 9) => {
                    return Ok(Copied {
                        reading,
                        kept,
                        still: held,
                        took,
                    });
                }
                again => {
                    let thawing = Instant::now();
                    still.thaw().await;
                    took.hold += thawing.elapsed();
                    again?;
                    cache = Arc::unwrap_or_clone(before);
                }
            }
        }
        Err(HomeError::Restless(limits::LIVE_PASSES))
    }

    /// Large changed files, sealed and stored while they are read.
    async fn read_live(
        &self,
        stored: &Arc<HashSet<ChunkName>>,
        vault: &Arc<dyn HomeVault>,
        cache: Cache,
        pass_over: u64,
        sent: &Sent,
    ) -> Result<Cache, HomeError> {
        let (reader, chunks) = self.reader(stored, vault, cache, pass_over, sent);
        let (read, uploaded) = tokio::join!(reader, self.upload(vault, chunks));
        uploaded?;
        Ok(read?.cache)
    }

    /// Reads changed files of more than `pass_over` bytes; what is not stored of them comes out of the stream meanwhile.
    pub(super) fn reader(
        &self,
        stored: &Arc<HashSet<ChunkName>>,
        vault: &Arc<dyn HomeVault>,
        cache: Cache,
        pass_over: u64,
        sent: &Sent,
    ) -> (
        impl Future<Output = Result<Reading, HomeError>> + use<>,
        impl Stream<Item = PlainChunk> + use<>,
    ) {
        let (sender, mut chunks) = mpsc::channel(limits::CHUNKS_IN_FLIGHT);
        let (home, keys) = (self.shared.folder.clone(), vault.clone());
        let (stored, sent) = (stored.clone(), sent.clone());
        let reader = blocking(move || {
            let mut sink = |at: ChunkRef, bytes: &[u8]| {
                if is_new(&stored, &sent, &at) {
                    sender
                        .blocking_send(PlainChunk::copy(at, bytes))
                        .map_err(|_| HomeError::Internal("the upload ended early".to_owned()))?;
                }
                Ok(())
            };
            reading::read(&home, &*keys, &cache, Some(pass_over), &mut sink)
        });
        let chunks = futures::stream::poll_fn(move |context| chunks.poll_recv(context));
        (reader, chunks)
    }

    /// Everything that changed; chunks that are not stored are kept in memory. `None` if they are too many.
    async fn read_still(
        &self,
        stored: &Arc<HashSet<ChunkName>>,
        vault: &Arc<dyn HomeVault>,
        before: Arc<Cache>,
        sent: &Sent,
    ) -> Result<Option<(Reading, Vec<PlainChunk>)>, HomeError> {
        let (home, keys) = (self.shared.folder.clone(), vault.clone());
        let (stored, sent) = (stored.clone(), sent.clone());
        blocking(move || {
            let mut kept = Vec::new();
            let mut names = HashSet::new();
            let mut bytes_kept = 0_u64;
            let mut sink = |at: ChunkRef, bytes: &[u8]| {
                let is_sent = || sent.lock().unwrap_or_else(PoisonError::into_inner).contains(&at.name);
                if stored.contains(&at.name) || is_sent() || !names.insert(at.name) {
                    return Ok(());
                }
                bytes_kept += bytes.len() as u64;
                if bytes_kept > limits::FROZEN_COPY_BYTES {
                    return Err(HomeError::Restless(0));
                }
                kept.push(PlainChunk::copy(at, bytes));
                Ok(())
            };
            match reading::read(&home, &*keys, &before, None, &mut sink) {
                Ok(reading) => {
                    sent.lock().unwrap_or_else(PoisonError::into_inner).extend(names);
                    Ok(Some((reading, kept)))
                }
                Err(HomeError::Restless(0)) => Ok(None),
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// Seals and stores chunks, several at once.
    async fn upload(
        &self,
        vault: &Arc<dyn HomeVault>,
        chunks: impl Stream<Item = PlainChunk>,
    ) -> Result<(), HomeError> {
        chunk::sealed(vault, chunks)
            .try_for_each_concurrent(limits::CHUNKS_IN_FLIGHT, |(name, sealed)| async move {
                Ok(self.shared.blobs.put(&name, sealed).await?)
            })
            .await
    }

    /// Stores the manifest and reads it back.
    async fn write_manifest(
        &self,
        vault: &Arc<dyn HomeVault>,
        manifest: Manifest,
        strays: &mut HashSet<String>,
    ) -> Result<Pin, HomeError> {
        let keys = vault.clone();
        let (sealed, number) = blocking(move || Ok((manifest.seal(&*keys)?, manifest.number))).await?;
        let pin = Pin {
            number,
            digest: manifest::digest(&sealed),
        };
        let object = manifest::object(&pin);
        strays.insert(object.clone());
        self.shared.blobs.put(&object, sealed).await?;
        let stored = self.shared.blobs.get(&object).await?;
        if manifest::digest(&stored) != pin.digest {
            return Err(HomeError::ReadBack(object));
        }
        let keys = vault.clone();
        blocking(move || Manifest::open(&*keys, number, &stored))
            .await
            .map_err(|error| HomeError::ReadBack(error.to_string()))?;
        Ok(pin)
    }
}

/// Whether a chunk must be stored; says so once.
fn is_new(stored: &HashSet<ChunkName>, sent: &Sent, at: &ChunkRef) -> bool {
    !stored.contains(&at.name) && sent.lock().unwrap_or_else(PoisonError::into_inner).insert(at.name)
}

fn now_millis() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}
