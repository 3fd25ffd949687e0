//! Limits that several servers share, in Redis: one script that looks and takes in one step, by Redis' own clock. Redis only ever
//! refuses more than this server does by itself: where it cannot be asked, the server's own limits stay, and the log says so.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::Script;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use sha2::{Digest as _, Sha256};

use crate::limits;

/// The generic cell rate algorithm: what is kept is when the bucket is full again, in microseconds. Answers how long to wait, or 0.
const TAKE: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local every, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now) + every
local wait = full - every * burst - now
if wait > 0 then return math.ceil(wait) end
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
return 0
";

/// The address of Redis cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the address of Redis is not like redis://127.0.0.1:6379 or redis+unix:///run/redis.sock: {0}")]
pub struct SharedLimitsError(redis::RedisError);

/// A Redis that counts for several servers. It is connected to when it is first asked, and again whenever it was away.
pub struct SharedLimits {
    connection: ConnectionManager,
    take: Script,
    /// Since it could not be asked: when to try again.
    away: Mutex<Option<Instant>>,
}

impl SharedLimits {
    /// Prepares asking the Redis at this URL. Needs a Tokio runtime.
    ///
    /// # Errors
    /// When the URL cannot be read. A Redis that does not answer is no error.
    pub fn at(url: &str) -> Result<Self, SharedLimitsError> {
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(limits::SHARED_LIMITS_WAIT))
            .set_response_timeout(Some(limits::SHARED_LIMITS_WAIT));
        let client = redis::Client::open(url).map_err(SharedLimitsError)?;
        Ok(Self {
            connection: ConnectionManager::new_lazy_with_config(client, config).map_err(SharedLimitsError)?,
            take: Script::new(TAKE),
            away: Mutex::default(),
        })
    }

    /// Takes one of `times` tries in `period`, or says how long to wait. Who tries is kept as a hash.
    pub(crate) async fn take(&self, kind: &str, who: &str, times: u32, period: Duration) -> Result<(), Duration> {
        if self.is_away() {
            return Ok(());
        }
        let hash: String = Sha256::digest(who).iter().map(|byte| format!("{byte:02x}")).collect();
        let every = period.as_micros() / u128::from(times.max(1));
        let mut connection = self.connection.clone();
        let mut take = self.take.key(format!("holdfast:limit:v1:{kind}:{hash}"));
        take.arg(every.to_string()).arg(times);
        let asked = async {
            match take.invoke_async::<u64>(&mut connection).await {
                // The connection of before is gone; by this it is made anew.
                Err(_) => take.invoke_async::<u64>(&mut connection).await,
                taken => taken,
            }
        };
        match tokio::time::timeout(limits::SHARED_LIMITS_WAIT, asked).await {
            Ok(Ok(wait)) => {
                self.is_back();
                match wait {
                    0 => Ok(()),
                    wait => Err(Duration::from_micros(wait)),
                }
            }
            Ok(Err(error)) => {
                self.is_lost(&error.to_string());
                Ok(())
            }
            Err(_) => {
                self.is_lost("it does not answer");
                Ok(())
            }
        }
    }

    fn is_away(&self) -> bool {
        let away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        away.is_some_and(|until| until > Instant::now())
    }

    fn is_lost(&self, error: &str) {
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        if away.replace(Instant::now() + limits::SHARED_LIMITS_PAUSE).is_none() {
            tracing::warn!(
                error,
                "Redis cannot be asked: the limits are those of this server alone until it can"
            );
        }
    }

    fn is_back(&self) {
        if self
            .away
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .is_some()
        {
            tracing::info!("Redis answers again: the limits are shared");
        }
    }
}
