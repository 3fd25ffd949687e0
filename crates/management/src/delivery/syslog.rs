//! Messages of syslog (RFC 5424), each counted in octets (RFC 5425, 6587), over a connection of their own. Syslog acknowledges
//! nothing: what the connection took counts as taken.

use std::io::ErrorKind;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::destination::Reach;
use super::form::{Said, rfc3339};
use super::{Delivery, NotTaken};
use crate::audit::told::Told;
use crate::limits;
use crate::storage::audit::Stored;

/// "Log audit".
const FACILITY: u8 = 13;
const WARNING: u8 = 4;
const NOTICE: u8 = 5;

impl Delivery {
    pub(super) async fn syslog(&self, reach: &Reach, said: &Said<'_>) -> Result<(), NotTaken> {
        let mut text = String::new();
        match said {
            Said::Notice(notice) => {
                let words = format!("{}: {}", notice.title(), notice.line());
                text.push_str(&self.message(WARNING, &rfc3339(notice.at), "alert", &words));
            }
            Said::Events(_, events) => {
                for event in *events {
                    text.push_str(&self.event(event)?);
                }
            }
        }
        let mut connection = self.outside.connect(&reach.url).await?;
        let telling = async {
            connection.write_all(text.as_bytes()).await?;
            connection.flush().await?;
            connection.shutdown().await
        };
        let told = tokio::time::timeout(limits::PROVIDER_TIME, telling).await;
        told.map_err(|_| NotTaken::Broken("it takes nothing more".to_owned()))?
            .map_err(|error| NotTaken::Broken(error.to_string()))?;
        // A connection that was reset took nothing for sure.
        let mut rest = [0; 64];
        match tokio::time::timeout(limits::SYSLOG_CLOSE, connection.read(&mut rest)).await {
            Ok(Err(error)) if error.kind() == ErrorKind::ConnectionReset => Err(NotTaken::Broken(error.to_string())),
            _ => Ok(()),
        }
    }

    fn event(&self, event: &Stored) -> Result<String, NotTaken> {
        let told = Told::read(&event.body).map_err(|error| NotTaken::Broken(error.to_string()))?;
        let severity = if told.outcome == "refused" { WARNING } else { NOTICE };
        Ok(self.message(severity, &rfc3339(told.at), &told.action, &event.body))
    }

    fn message(&self, severity: u8, at: &str, id: &str, words: &str) -> String {
        let priority = FACILITY * 8 + severity;
        let id: String = id.chars().filter(char::is_ascii_graphic).take(32).collect();
        let message = format!("<{priority}>1 {at} {} holdfast - {id} - {words}", self.host);
        format!("{} {message}", message.len())
    }
}
