//! What an agent does by the clock: a message that it gets at certain times. The times are the platform's to keep; what is said stays in
//! the vault.

use serde::{Deserialize, Serialize};

use super::{TemplateError, is_name, is_text, wrong};
use crate::limits::{
    JOB_CRON_CHARS, JOB_EVERY_MINUTES, JOB_MESSAGE_BYTES, JOB_ZONE_CHARS, TEMPLATE_JOBS, TEMPLATE_NAME_CHARS,
};

/// A message that the agent gets at the times of `cron`, or every so many minutes: one of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = TemplateJob))]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// `a-z`, `0-9` and `-`. Its turns are in the session `schedule-<name>`.
    pub name: String,
    /// Five fields, as of `cron`: minute, hour, day of the month, month, day of the week.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// Where the clock of `cron` hangs, by its name in the database of time zones, such as `Europe/Berlin`. Absent: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// So many minutes after the job was given, and after each time that it was due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_minutes: Option<u32>,
    /// What the agent is told.
    pub message: String,
}

/// Whether all of these can be used, but for the meaning of their times.
pub(super) fn check(jobs: &[Job]) -> Result<(), TemplateError> {
    if jobs.len() > TEMPLATE_JOBS {
        let most = format!("A schedule has {TEMPLATE_JOBS} jobs at most (TEMPLATE_JOBS).");
        return wrong("schedule", most);
    }
    for (at, job) in jobs.iter().enumerate() {
        if !is_name(&job.name) {
            let name = format!(
                "A job's name is 1 to {TEMPLATE_NAME_CHARS} of a-z, 0-9 and - (TEMPLATE_NAME_CHARS), with no - at its ends."
            );
            return wrong("schedule.name", name);
        }
        if jobs[..at].iter().any(|other| other.name == job.name) {
            return wrong("schedule.name", format!("There are two jobs {}.", job.name));
        }
        job.check()?;
    }
    Ok(())
}

impl Job {
    fn check(&self) -> Result<(), TemplateError> {
        match (&self.cron, self.every_minutes) {
            (Some(cron), None) => {
                if cron.len() > JOB_CRON_CHARS || !cron.is_ascii() {
                    let most =
                        format!("An expression has {JOB_CRON_CHARS} characters of ASCII at most (JOB_CRON_CHARS).");
                    return wrong("schedule.cron", most);
                }
            }
            (None, Some(minutes)) => {
                let (least, most) = JOB_EVERY_MINUTES;
                if !(least..=most).contains(&minutes) {
                    let bounds = format!("A job comes every {least} to {most} minutes (JOB_EVERY_MINUTES).");
                    return wrong("schedule.every_minutes", bounds);
                }
                if self.time_zone.is_some() {
                    return wrong(
                        "schedule.time_zone",
                        "A time zone belongs to a `cron`: minutes are as long everywhere.",
                    );
                }
            }
            _ => {
                let one = format!("The job {} needs one of `cron` and `every_minutes`.", self.name);
                return wrong("schedule.cron", one);
            }
        }
        if self.time_zone.as_ref().is_some_and(|zone| zone.len() > JOB_ZONE_CHARS) {
            let most = format!("The name of a time zone has {JOB_ZONE_CHARS} characters at most (JOB_ZONE_CHARS).");
            return wrong("schedule.time_zone", most);
        }
        if self.message.len() > JOB_MESSAGE_BYTES {
            let most = format!("A job's message has {JOB_MESSAGE_BYTES} bytes at most (JOB_MESSAGE_BYTES).");
            return wrong("schedule.message", most);
        }
        if self.message.trim().is_empty() || !is_text(&self.message) {
            return wrong(
                "schedule.message",
                "A job's message is text, not empty, without control characters.",
            );
        }
        Ok(())
    }
}
