//! `rate.*` of the channel (`docs/protocol.md`, section 2).

use futures::future::BoxFuture;
use protocol::UserId;
use protocol::channel::ChannelError;
use serde::Deserialize;
use serde_json::{Value, json};

use super::book::Row;
use super::{Rates, Who};
use crate::channel::{Methods, Subscriber, read_value, unknown_method};

#[derive(Deserialize)]
struct Resume {
    /// None for the agent at its owner's services.
    user: Option<UserId>,
    /// The agent, at what this person shares.
    #[serde(default)]
    own_agent: bool,
    service: String,
    /// Twice as many are fine from then on.
    #[serde(default = "yes")]
    raise: bool,
}

fn yes() -> bool {
    true
}

impl Row {
    /// As its owner is told of it, with what else there is to say.
    fn told(&self, mut told: Value) -> Value {
        told["user"] = json!(self.who.user());
        told["name"] = json!(self.name);
        told["service"] = json!(self.service);
        if matches!(self.who, Who::AgentAt(_)) {
            told["own_agent"] = json!(true);
        }
        told
    }
}

impl Rates {
    /// What is paused, the latest first.
    fn paused(&self) -> Result<Value, ChannelError> {
        let mut paused: Vec<_> = self
            .rows()?
            .into_iter()
            .filter_map(|row| Some((row.kept.pause.clone()?, row)))
            .collect();
        paused.sort_by_key(|(pause, _)| std::cmp::Reverse(pause.at));
        let shown = paused.iter().map(|(pause, row)| {
            row.told(json!({
                "at": pause.at, "changes": pause.changes, "calls": pause.calls, "usual": pause.usual,
            }))
        });
        Ok(json!({"paused": shown.collect::<Vec<_>>()}))
    }

    /// The last seven days, what was called most first.
    fn this_week(&self) -> Result<Value, ChannelError> {
        let (first, since) = self.week();
        let mut rows = Vec::new();
        for row in self.rows()? {
            let days = row.kept.days.iter().filter(|day| day.day >= first);
            let [reads, changes] = days.fold([0_u64; 2], |[reads, changes], day| {
                [reads + u64::from(day.calls[0]), changes + u64::from(day.calls[1])]
            });
            let pauses = row.kept.paused.iter().filter(|at| **at >= since).count();
            if reads + changes > 0 || pauses > 0 {
                let told = row.told(json!({"reads": reads, "changes": changes, "pauses": pauses}));
                rows.push((reads + changes, told));
            }
        }
        rows.sort_by_key(|(calls, _)| std::cmp::Reverse(*calls));
        let rows: Vec<_> = rows.into_iter().map(|(_, row)| row).collect();
        Ok(json!({"since": since, "rows": rows}))
    }

    async fn answer(&self, method: &str, params: Value) -> Result<Value, ChannelError> {
        match method {
            "rate.paused" => self.paused(),
            "rate.week" => self.this_week(),
            "rate.resume" => {
                let Resume {
                    user,
                    own_agent,
                    service,
                    raise,
                } = read_value(params)?;
                self.resume(Who::new(user, own_agent), &service, raise).await?;
                Ok(json!({}))
            }
            _ => Err(unknown_method(method)),
        }
    }
}

impl Methods for Rates {
    fn call<'a>(
        &'a self,
        method: &'a str,
        params: Value,
        _subscriber: &'a Subscriber,
    ) -> BoxFuture<'a, Result<Value, ChannelError>> {
        Box::pin(self.answer(method, params))
    }
}
