//! The form in which each kind of destination takes what it is told. Names and devices are somebody else's words: nothing in them
//! becomes a mention, a link or another field.

use axum::http::Request;
use axum::http::header::CONTENT_TYPE;
use protocol::{Millis, TenantId};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::destination::{Kind, Reach};
use super::notice::{Notice, What};
use super::webhook::Secret;
use super::{Delivery, NotTaken};
use crate::clock::moment;
use crate::ids::DeliveryId;
use crate::outside::Unreachable;
use crate::storage::audit::Stored;

/// What is said.
pub(super) enum Said<'a> {
    Notice(&'a Notice),
    /// A piece of a tenant's audit log.
    Events(TenantId, &'a [Stored]),
}

impl Delivery {
    /// The request that says it.
    pub(super) fn request(
        &self,
        kind: Kind,
        reach: &Reach,
        id: DeliveryId,
        said: &Said<'_>,
    ) -> Result<Request<Vec<u8>>, NotTaken> {
        let body = match (kind, said) {
            (Kind::Webhook, said) => return self.signed(reach, id.uuid(), self.webhook(said)?),
            (Kind::Slack, Said::Notice(notice)) => {
                json!({"text": self.slack(notice), "unfurl_links": false, "unfurl_media": false}).to_string()
            }
            (Kind::Discord, Said::Notice(notice)) => {
                json!({"content": self.discord(notice), "allowed_mentions": {"parse": []}}).to_string()
            }
            (Kind::Pagerduty, Said::Notice(notice)) => self.pagerduty(notice, &reach.key).to_string(),
            (Kind::Slack | Kind::Discord | Kind::Pagerduty, Said::Events(..)) => {
                return Err(NotTaken::NoStream(kind.as_str()));
            }
            (Kind::Syslog, _) => return Err(Unreachable::BadUrl.into()),
        };
        let request = Request::post(&reach.url).header(CONTENT_TYPE, "application/json");
        let request = request.body(body.into_bytes());
        request.map_err(|_| Unreachable::BadUrl.into())
    }

    /// The request that hands this to a webhook. Each try is signed anew, under the same id.
    pub(super) fn signed(&self, reach: &Reach, id: Uuid, body: String) -> Result<Request<Vec<u8>>, NotTaken> {
        let secret = Secret::parse(&reach.key).ok_or(NotTaken::Sealed)?;
        let id = format!("msg_{}", id.simple());
        let timestamp = self.clock.now().unix_timestamp();
        let request = Request::post(&reach.url)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-signature", secret.sign(&id, timestamp, body.as_bytes()))
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .body(body.into_bytes());
        request.map_err(|_| Unreachable::BadUrl.into())
    }

    fn webhook(&self, said: &Said<'_>) -> Result<String, NotTaken> {
        let (kind, at, data) = match said {
            Said::Notice(notice) => {
                let (kind, trigger) = match notice.what {
                    What::Alert(trigger) => ("alert", json!(trigger)),
                    What::Test => ("test", Value::Null),
                };
                let data = json!({
                    "trigger": trigger,
                    "words": notice.what.words(),
                    "organisation": notice.organisation,
                    "events": notice.events,
                    "summary": notice.summary,
                    "page": self.page,
                });
                (kind, rfc3339(notice.at), data.to_string())
            }
            Said::Events(tenant, events) => {
                // Byte for byte as they were hashed.
                let bodies: Vec<_> = events.iter().map(|event| event.body.as_str()).collect();
                let data = format!(r#"{{"tenant":"{tenant}","events":[{}]}}"#, bodies.join(","));
                ("audit", written(self.clock.now()), data)
            }
        };
        let broken = |_| NotTaken::Broken("an event cannot be read".to_owned());
        let data = RawValue::from_string(data).map_err(broken)?;
        let body = Envelope {
            r#type: kind,
            timestamp: at,
            data,
        };
        serde_json::to_string(&body).map_err(broken)
    }

    fn slack(&self, notice: &Notice) -> String {
        let escaped = |text: String| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        format!(
            "{}\n{}\n<{}|Audit log>",
            escaped(notice.title()),
            escaped(notice.line()),
            self.page
        )
    }

    fn discord(&self, notice: &Notice) -> String {
        // What Discord would read as markup, it reads as itself.
        let plain = |text: String| -> String {
            let marked = text.chars().flat_map(|c| {
                let mark = c.is_ascii_punctuation() && !matches!(c, '.' | ',' | '-' | '/' | '\'');
                mark.then_some('\\').into_iter().chain([c])
            });
            marked.collect()
        };
        format!("{}\n{}\n{}", plain(notice.title()), plain(notice.line()), self.page)
    }

    fn pagerduty(&self, notice: &Notice, key: &str) -> Value {
        json!({
            "routing_key": key,
            "event_action": "trigger",
            "dedup_key": format!("holdfast-{}", notice.about),
            "payload": {
                "summary": format!("{}: {}", notice.title(), notice.line()),
                "source": self.host,
                "severity": if notice.what == What::Test { "info" } else { "warning" },
                "timestamp": rfc3339(notice.at),
                "component": "Holdfast",
            },
            "client": "Holdfast",
            "client_url": self.page,
        })
    }
}

#[derive(serde::Serialize)]
struct Envelope {
    r#type: &'static str,
    timestamp: String,
    data: Box<RawValue>,
}

pub(super) fn rfc3339(at: Millis) -> String {
    written(moment(at).unwrap_or(OffsetDateTime::UNIX_EPOCH))
}

fn written(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}
