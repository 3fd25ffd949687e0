//! Limits that several servers share, in Redis: one script that looks and takes in one step, and one for who fails again and again, by
//! Redis' own clock. Redis only ever refuses more than this server does by itself: where it cannot be asked, the server's own limits
//! stay, and the log says so.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use protocol::TenantId;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Script, ScriptInvocation};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

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

/// The rule of `backoff.rs`, for all servers. What is kept is how many failures there were in a row, which was the last, and until when they
/// have to wait, in microseconds. Answers how long that still is, or 0. A failure that is told twice, since the connection broke after the
/// first, is one.
const BACK_OFF: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local tried, free, longest, kept = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
if tried == 'came in' then redis.call('DEL', KEYS[1]) return 0 end
if tried == 'failed' and redis.call('HGET', KEYS[1], 'last') ~= ARGV[5] then
    redis.call('HSET', KEYS[1], 'last', ARGV[5])
    local more = redis.call('HINCRBY', KEYS[1], 'failures', 1) - free
    local wait = more > 0 and math.min(2 ^ math.min(more - 1, 20) * 1000000, longest) or 0
    redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + wait))
    redis.call('PEXPIRE', KEYS[1], kept)
end
return math.max(tonumber(redis.call('HGET', KEYS[1], 'until') or now) - now, 0)
";

/// Who fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failing {
    Client(IpAddr),
    Tenant(TenantId),
}

impl Failing {
    fn key(self) -> String {
        match self {
            Self::Client(address) => key("failures", "client", &address.to_string()),
            Self::Tenant(tenant) => key("failures", "tenant", &tenant.to_string()),
        }
    }

    fn free(self) -> u32 {
        match self {
            Self::Client(_) => limits::CLIENT_FAILURES_FREE,
            Self::Tenant(_) => limits::TENANT_FAILURES_FREE,
        }
    }
}

/// What became of somebody's try to come in, for the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tried {
    /// It is still to be made.
    NotYet,
    Failed,
    CameIn,
}

impl Tried {
    fn as_str(self) -> &'static str {
        match self {
            Self::NotYet => "not yet",
            Self::Failed => "failed",
            Self::CameIn => "came in",
        }
    }
}

/// The address of Redis cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the address of Redis is not like redis://127.0.0.1:6379 or redis+unix:///run/redis.sock: {0}")]
pub struct SharedLimitsError(redis::RedisError);

/// A Redis that counts for several servers. It is connected to when it is first asked, and again whenever it was away.
pub struct SharedLimits {
    connection: ConnectionManager,
    take: Script,
    back_off: Script,
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
            back_off: Script::new(BACK_OFF),
            away: Mutex::default(),
        })
    }

    /// Takes one of `times` tries in `period`, or says how long to wait. Who tries is kept as a hash.
    pub(crate) async fn take(&self, kind: &str, who: &str, times: u32, period: Duration) -> Result<(), Duration> {
        let every = period.as_micros() / u128::from(times.max(1));
        let mut take = self.take.key(key("limit", kind, who));
        self.ask(take.arg(every.to_string()).arg(times)).await
    }

    /// Tells what became of a try to come in, or asks before one; says how long to wait where that is not over. Who tries is kept as a hash.
    pub(crate) async fn back_off(&self, who: Failing, tried: Tried) -> Result<(), Duration> {
        let mut back_off = self.back_off.key(who.key());
        back_off
            .arg(tried.as_str())
            .arg(who.free())
            .arg(limits::CLIENT_WAIT.as_micros().to_string())
            .arg(limits::CLIENT_FAILURES_KEPT.as_millis().to_string())
            .arg(Uuid::now_v7().to_string());
        self.ask(&back_off).await
    }

    async fn ask(&self, script: &ScriptInvocation<'_>) -> Result<(), Duration> {
        if self.is_away() {
            return Ok(());
        }
        let mut connection = self.connection.clone();
        let asked = async {
            match script.invoke_async::<u64>(&mut connection).await {
                // The connection of before is gone; by this it is made anew.
                Err(_) => script.invoke_async::<u64>(&mut connection).await,
                answer => answer,
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

fn key(what: &str, kind: &str, who: &str) -> String {
    let hash: String = Sha256::digest(who).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("holdfast:{what}:v1:{kind}:{hash}")
}
