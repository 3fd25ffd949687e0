//! The requests of OpenClaw's protocol that the keeper makes, typed.

use protocol::Millis;
use serde_json::{Value, json};

use super::event::text;
use super::{Gateway, GatewayError, History};
use crate::limits;

/// How OpenClaw took a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendStatus {
    Started,
    /// The same run was sent before and is still under way.
    InFlight,
    /// The same run was sent before and has ended, in OpenClaw's word for how.
    Ended(String),
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    pub key: String,
    pub session_id: String,
    pub updated_at: Millis,
    pub active: bool,
    pub running: Vec<String>,
}

/// What OpenClaw means to do by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cron {
    pub jobs: u64,
    pub next_wake_at: Option<Millis>,
}

/// Answer to a request to suspend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    /// Names it; `None` when OpenClaw is busy and did not begin to suspend.
    pub id: Option<String>,
    /// Nothing runs and nothing new begins until it is resumed or the lease of two minutes is over.
    pub ready: bool,
}

impl Gateway {
    /// Sends a person's message. `run_id` is the idempotency key and the id of the run.
    ///
    /// # Errors
    /// [`GatewayError`]; after [`GatewayError::Closed`] send again with the same `run_id`.
    pub async fn chat_send(&self, session: &str, run_id: &str, message: &str) -> Result<SendStatus, GatewayError> {
        let params = json!({"sessionKey": session, "message": message, "idempotencyKey": run_id, "deliver": false});
        let answer = self.call("chat.send", params).await?;
        Ok(match answer["status"].as_str() {
            Some("started") => SendStatus::Started,
            Some("in_flight" | "accepted" | "queued") => SendStatus::InFlight,
            other => SendStatus::Ended(other.unwrap_or("unknown").to_owned()),
        })
    }

    /// Stops a run. `false` when it was over already.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn chat_abort(&self, session: &str, run_id: &str) -> Result<bool, GatewayError> {
        let answer = self
            .call("chat.abort", json!({"sessionKey": session, "runId": run_id}))
            .await?;
        Ok(answer["aborted"].as_bool().unwrap_or(false))
    }

    /// A session's transcript; empty for one that OpenClaw does not know. What OpenClaw leaves out of it as too large is asked for by itself,
    /// the newest first, up to [`limits::HISTORY_LARGE`] rows and [`limits::HISTORY_LARGE_BYTES`]; what does not come stays left out.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn history(&self, session: &str) -> Result<History, GatewayError> {
        let mut history = self.listed(session).await?;
        let mut left = limits::HISTORY_LARGE_BYTES;
        for id in history.left_out().into_iter().take(limits::HISTORY_LARGE) {
            let params = json!({"sessionKey": session, "messageId": id, "maxChars": limits::HISTORY_TEXT_CHARS});
            let answer = match self.call("chat.message.get", params).await {
                Ok(answer) => answer,
                Err(GatewayError::Refused { .. }) => continue,
                Err(error @ (GatewayError::Closed | GatewayError::Starting { .. })) => return Err(error),
                Err(error) => {
                    tracing::info!("a row of a transcript is too large for OpenClaw to give: {error}");
                    break;
                }
            };
            history.fill(&id, &answer["message"]);
            left = match left.checked_sub(answer.to_string().len()) {
                Some(left) => left,
                None => break,
            };
        }
        Ok(history)
    }

    /// The runs that go on in a session, where OpenClaw knows them exactly.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn runs(&self, session: &str) -> Result<Vec<String>, GatewayError> {
        let answer = self
            .call("chat.history", json!({"sessionKey": session, "limit": 1}))
            .await?;
        Ok(History::read(&answer).running)
    }

    async fn listed(&self, session: &str) -> Result<History, GatewayError> {
        let mut history = History::default();
        let mut offset = 0;
        loop {
            let params = json!({
                "sessionKey": session,
                "limit": limits::HISTORY_MESSAGES,
                "offset": offset,
                // Without it, OpenClaw cuts each text at 8000 characters.
                "maxChars": limits::HISTORY_TEXT_CHARS,
            });
            let answer = self.call("chat.history", params).await?;
            let older = History::read(&answer);
            if offset == 0 {
                history = older;
            } else {
                history.entries.splice(0..0, older.entries);
            }
            match answer["nextOffset"].as_u64() {
                Some(next)
                    if answer["hasMore"] == true
                        && next > offset
                        && history.entries.len() < limits::HISTORY_ENTRIES =>
                {
                    offset = next;
                }
                _ => return Ok(history),
            }
        }
    }

    /// Takes a session back to just before a user's message, whose text is returned. Files that tools wrote stay.
    ///
    /// # Errors
    /// [`GatewayError::Refused`] while a run is active or when the entry is not a user's.
    pub async fn rewind(&self, session: &str, entry_id: &str) -> Result<String, GatewayError> {
        let answer = self
            .call("sessions.rewind", json!({"sessionKey": session, "entryId": entry_id}))
            .await?;
        Ok(text(&answer, "editorText").unwrap_or_default())
    }

    /// All sessions.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn sessions(&self) -> Result<Vec<SessionRow>, GatewayError> {
        let answer = self.call("sessions.list", json!({"limit": 1000})).await?;
        Ok(answer["sessions"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(row)
            .collect())
    }

    /// Deletes a session and its transcript; answers with the paths of the archives that OpenClaw keeps of it.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn session_delete(&self, session: &str) -> Result<Vec<String>, GatewayError> {
        let answer = self
            .call("sessions.delete", json!({"key": session, "deleteTranscript": true}))
            .await?;
        let archived = answer["archived"].as_array().into_iter().flatten();
        Ok(archived.filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// What OpenClaw's scheduler will do next.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn cron(&self) -> Result<Cron, GatewayError> {
        let answer = self.call("cron.status", json!({})).await?;
        Ok(Cron {
            jobs: answer["jobs"].as_u64().unwrap_or(0),
            next_wake_at: answer["nextWakeAtMs"].as_i64(),
        })
    }

    /// When OpenClaw next wants to be awake.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn next_wake_at(&self) -> Result<Option<Millis>, GatewayError> {
        Ok(self.cron().await?.next_wake_at)
    }

    /// Asks OpenClaw to begin nothing new, so that it can be frozen or copied. Not ready: something runs; ask again.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn suspend(&self, request_id: &str) -> Result<Suspension, GatewayError> {
        let params = json!({"requestId": request_id, "terminalPolicy": "preserve", "drain": true});
        Ok(suspension(&self.call("gateway.suspend.prepare", params).await?))
    }

    /// How far a suspension is.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn suspend_status(&self, id: &str) -> Result<Suspension, GatewayError> {
        Ok(suspension(
            &self.call("gateway.suspend.status", json!({"suspensionId": id})).await?,
        ))
    }

    /// Ends a suspension.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn suspend_resume(&self, id: &str) -> Result<(), GatewayError> {
        self.call("gateway.suspend.resume", json!({"suspensionId": id})).await?;
        Ok(())
    }
}

fn suspension(answer: &Value) -> Suspension {
    Suspension {
        id: text(answer, "suspensionId"),
        ready: answer["status"] == "ready",
    }
}

fn row(row: &Value) -> Option<SessionRow> {
    Some(SessionRow {
        key: text(row, "key")?,
        session_id: text(row, "sessionId").unwrap_or_default(),
        updated_at: row["updatedAt"].as_i64().unwrap_or_default(),
        active: row["hasActiveRun"].as_bool().unwrap_or(false),
        running: row["activeRunIds"]
            .as_array()
            .map(|ids| ids.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            .unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::tests::openclaw::{Home, OpenClaw};
    use crate::limits::HISTORY_LARGE;

    /// A transcript of rows that OpenClaw leaves out of a list.
    fn left_out(rows: usize) -> OpenClaw {
        let row = |number| {
            let meta = json!({"id": format!("entry-{number}"), "truncated": true, "reason": "oversized"});
            json!({"role": "user", "content": "[omitted]", "timestamp": number, "__openclaw": meta})
        };
        OpenClaw::new(Home::from([("s".to_owned(), (0..rows).map(row).collect())]))
    }

    #[tokio::test]
    async fn so_many_rows_that_are_left_out_are_asked_for_and_none_to_learn_what_runs() {
        let openclaw = left_out(HISTORY_LARGE + 2);
        openclaw.give_none();
        let gateway = openclaw.connect().await;
        gateway.chat_send("s", "run", "hold").await.unwrap();
        assert_eq!(gateway.runs("s").await.unwrap(), ["run"]);
        assert_eq!(openclaw.asked_for(), 0);
        let history = gateway.history("s").await.unwrap();
        assert_eq!(history.left_out().len(), HISTORY_LARGE + 2);
        assert_eq!(openclaw.asked_for(), HISTORY_LARGE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_row_that_openclaw_says_nothing_of_stays_left_out_and_the_others_are_read() {
        let openclaw = left_out(3);
        openclaw.say_nothing();
        let gateway = openclaw.connect().await;
        let history = gateway.history("s").await.unwrap();
        assert_eq!((history.entries.len(), history.left_out().len()), (3, 3));
        assert_eq!(openclaw.asked_for(), 1, "it is not waited for each of them");
    }

    #[test]
    fn a_row_that_was_asked_for_takes_the_place_of_the_one_that_was_meant() {
        let meta = json!({"id": "e", "truncated": true, "reason": "oversized"});
        let listed = json!({"role": "user", "content": "[omitted]", "__openclaw": meta});
        let mut history = History::read(&json!({"messages": [listed]}));
        history.fill(
            "e",
            &json!({"role": "user", "content": "words", "__openclaw": {"id": "other"}}),
        );
        assert_eq!(
            (history.entries[0].id.as_str(), history.entries[0].left_out),
            ("e", false)
        );
    }
}
