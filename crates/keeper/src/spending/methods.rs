//! `spending.*`: limits and usage.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use protocol::channel::ChannelError;
use serde::Deserialize;
use serde_json::{Value, json};

use super::book::{Limits, Spending};
use super::price::dollars;
use crate::channel::{Methods, Subscriber, read_value, unknown_method};

#[derive(Deserialize, Default)]
struct Get {
    month: Option<String>,
}

impl Spending {
    fn get(&self, Get { month }: Get) -> Result<Value, ChannelError> {
        let is_month = |month: &str| {
            month.len() == 7
                && month
                    .bytes()
                    .enumerate()
                    .all(|(at, byte)| if at == 4 { byte == b'-' } else { byte.is_ascii_digit() })
        };
        if month.as_deref().is_some_and(|month| !is_month(month)) {
            return Err(ChannelError::new("malformed", "A month is written as 2026-11."));
        }
        let (limits, (today, this_month), month, rows) = self.overview(month.as_deref())?;
        let usage: Vec<Value> = rows
            .into_iter()
            .rev()
            .flat_map(|(day, rows)| {
                let date = format!("{month}-{day}");
                rows.into_iter().map(move |row| {
                    let mut row = json!(row);
                    row["day"] = json!(date);
                    row
                })
            })
            .collect();
        Ok(json!({
            "limits": limits, "spent": {"day": today, "month": this_month}, "month": month, "usage": usage,
        }))
    }

    async fn set(&self, limits: Limits) -> Result<Value, ChannelError> {
        let words = |limit: Option<u64>, period: &str| match limit {
            Some(limit) => format!("{} a {period}", dollars(limit)),
            None => format!("no limit a {period}"),
        };
        let words = format!("{}, {}", words(limits.day, "day"), words(limits.month, "month"));
        self.set_limits(limits, words).await?;
        Ok(json!({}))
    }
}

impl Methods for Spending {
    fn call<'a>(
        &'a self,
        method: &'a str,
        params: Value,
        _subscriber: &'a Subscriber,
    ) -> BoxFuture<'a, Result<Value, ChannelError>> {
        async move {
            match method {
                "spending.get" if params.is_null() => self.get(Get::default()),
                "spending.get" => self.get(read_value(params)?),
                "spending.set" => self.set(read_value(params)?).await,
                _ => Err(unknown_method(method)),
            }
        }
        .boxed()
    }
}
