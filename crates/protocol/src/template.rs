//! What an agent is when it is made: a persona, skills, the tools that it may use, and what it does by the clock. It goes from whoever chose it to the keeper, which
//! writes it into the agent's home and into OpenClaw's configuration (`docs/protocol.md`, section 2).

mod job;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::limits::{
    TEMPLATE_BYTES, TEMPLATE_NAME_CHARS, TEMPLATE_PERSONA_BYTES, TEMPLATE_SKILL_BYTES, TEMPLATE_SKILLS,
    TEMPLATE_TOOL_CHARS, TEMPLATE_TOOLS,
};

pub use job::Job;

/// The name of the skill in which a keeper tells its agent of itself; no template's is called so.
pub const OWN_SKILL: &str = "holdfast";

/// What the names of skills begin with that a keeper writes for what is shared in groups; no template's begins so.
pub const SHARED_SKILL: &str = "holdfast-";

/// How many hexadecimal digits such a name ends with, after a `-`: the last of its capability's id.
pub const SHARED_SKILL_DIGITS: usize = 8;

/// A template, as it is kept and sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentTemplate {
    /// `a-z`, `0-9` and `-`.
    pub name: String,
    /// Who the agent is and how it speaks, in Markdown; empty: OpenClaw's own words.
    #[serde(default)]
    pub persona: String,
    #[serde(default)]
    pub skills: Vec<Skill>,
    #[serde(default)]
    pub tools: ToolsPolicy,
    /// Absent where it has none, so that the versions of those from before there were schedules stay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedule: Vec<Job>,
}

/// Instructions for one kind of work, as OpenClaw reads them from a file `SKILL.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = TemplateSkill))]
#[serde(deny_unknown_fields)]
pub struct Skill {
    /// `a-z`, `0-9` and `-`; also the folder that it is put into.
    pub name: String,
    /// The whole file: `---`, a line `name: …` with the same name, a line `description: …`, `---`, and the instructions.
    pub document: String,
}

/// The tools that OpenClaw offers its model, by its own names: a tool (`exec`), a group (`group:web`), or a part with `*`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = TemplateTools))]
#[serde(default, deny_unknown_fields)]
pub struct ToolsPolicy {
    /// Only these; empty: all that OpenClaw has.
    pub allow: Vec<String>,
    /// None of these, whatever is allowed.
    pub deny: Vec<String>,
}

impl ToolsPolicy {
    /// Nothing is said: OpenClaw's own defaults.
    pub fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty()
    }
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct TemplateError {
    /// Which part of it.
    pub field: &'static str,
    /// A sentence for whoever wrote it.
    pub reason: String,
}

fn wrong(field: &'static str, reason: impl Into<String>) -> Result<(), TemplateError> {
    Err(TemplateError {
        field,
        reason: reason.into(),
    })
}

/// Whether this may be the name of a template or of a skill: 1 to [`TEMPLATE_NAME_CHARS`] of `a-z`, `0-9` and `-`, the first and the last
/// of them no `-`. So it is one segment of a path, and never one that leads elsewhere.
pub fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=TEMPLATE_NAME_CHARS).contains(&name.len())
        && name.bytes().all(plain)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// Text of files: nothing that a terminal, a database or a YAML reader takes for something else.
fn is_text(text: &str) -> bool {
    text.chars()
        .all(|letter| matches!(letter, '\n' | '\t') || !letter.is_control())
}

impl AgentTemplate {
    /// Whether it can be used: its names, its sizes, its skills' heads. What the times of its jobs mean is looked at where the clock is.
    ///
    /// # Errors
    /// The first thing that is wrong; where it is too much, the limit by its name.
    pub fn check(&self) -> Result<(), TemplateError> {
        let name = format!(
            "A name is 1 to {TEMPLATE_NAME_CHARS} of a-z, 0-9 and - (TEMPLATE_NAME_CHARS), with no - at its ends."
        );
        if !is_name(&self.name) {
            return wrong("name", name);
        }
        if self.persona.len() > TEMPLATE_PERSONA_BYTES {
            let most = format!("A persona has {TEMPLATE_PERSONA_BYTES} bytes at most (TEMPLATE_PERSONA_BYTES).");
            return wrong("persona", most);
        }
        if !is_text(&self.persona) {
            return wrong("persona", "A persona is text without control characters.");
        }
        if self.skills.len() > TEMPLATE_SKILLS {
            let most = format!("A template has {TEMPLATE_SKILLS} skills at most (TEMPLATE_SKILLS).");
            return wrong("skills", most);
        }
        for (at, skill) in self.skills.iter().enumerate() {
            if !is_name(&skill.name) {
                return wrong("skills.name", name);
            }
            if skill.name.starts_with(SHARED_SKILL) {
                return wrong(
                    "skills.name",
                    format!("Skills whose names begin with {SHARED_SKILL} are the keeper's own."),
                );
            }
            if skill.name == OWN_SKILL {
                return wrong("skills.name", format!("The skill {OWN_SKILL} is the keeper's own."));
            }
            if self.skills[..at].iter().any(|other| other.name == skill.name) {
                return wrong("skills.name", format!("There are two skills {}.", skill.name));
            }
            skill.check()?;
        }
        self.tools.check()?;
        job::check(&self.schedule)?;
        let documents = self.skills.iter().map(|skill| skill.document.len());
        if self.persona.len() + documents.sum::<usize>() > TEMPLATE_BYTES {
            let most =
                format!("A persona and its skills have {TEMPLATE_BYTES} bytes together at most (TEMPLATE_BYTES).");
            return wrong("skills", most);
        }
        Ok(())
    }

    /// What it says, in 16 letters: another for everything that it might say instead.
    pub fn version(&self) -> String {
        let text = serde_json::to_vec(self).expect("texts and lists serialise");
        let digest = Sha256::new_with_prefix(b"holdfast/agent-template/v1\0")
            .chain_update(text)
            .finalize();
        digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Skill {
    fn check(&self) -> Result<(), TemplateError> {
        if self.document.len() > TEMPLATE_SKILL_BYTES {
            let most = format!("A skill has {TEMPLATE_SKILL_BYTES} bytes at most (TEMPLATE_SKILL_BYTES).");
            return wrong("skills.document", most);
        }
        if !is_text(&self.document) {
            return wrong("skills.document", "A skill is text without control characters.");
        }
        let head = self
            .document
            .strip_prefix("---\n")
            .and_then(|rest| rest.split_once("\n---\n"));
        let Some((head, _)) = head else {
            let shape = "A skill begins with ---, has lines `name: …` and `description: …`, and then another ---.";
            return wrong("skills.document", shape);
        };
        let value = |key: &str| {
            let line = head.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            line.map(|value| value.trim().trim_matches('"')).unwrap_or_default()
        };
        if value("name") != self.name {
            let same = format!("The head of the skill {} needs a line `name: {0}`.", self.name);
            return wrong("skills.document", same);
        }
        if value("description").is_empty() {
            let missing = format!("The head of the skill {} needs a line `description: …`.", self.name);
            return wrong("skills.document", missing);
        }
        Ok(())
    }
}

impl ToolsPolicy {
    fn check(&self) -> Result<(), TemplateError> {
        for (field, tools) in [("tools.allow", &self.allow), ("tools.deny", &self.deny)] {
            if tools.len() > TEMPLATE_TOOLS {
                return wrong(
                    field,
                    format!("A list has {TEMPLATE_TOOLS} tools at most (TEMPLATE_TOOLS)."),
                );
            }
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-:*".contains(&byte);
            let good = |tool: &String| (1..=TEMPLATE_TOOL_CHARS).contains(&tool.len()) && tool.bytes().all(plain);
            if !tools.iter().all(good) {
                let shape = format!(
                    "A tool is 1 to {TEMPLATE_TOOL_CHARS} of a-z, 0-9, _, -, : and * (TEMPLATE_TOOL_CHARS), such as `exec` or `group:web`."
                );
                return wrong(field, shape);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{JOB_MESSAGE_BYTES, TEMPLATE_JOBS};

    fn skill(name: &str) -> Skill {
        Skill {
            name: name.to_owned(),
            document: format!("---\nname: {name}\ndescription: \"What for\"\n---\n\nDo it.\n"),
        }
    }

    fn template() -> AgentTemplate {
        AgentTemplate {
            name: "writer".to_owned(),
            persona: "# You write\n".to_owned(),
            skills: vec![skill("outline"), skill("edit")],
            tools: ToolsPolicy {
                allow: Vec::new(),
                deny: vec!["exec".to_owned(), "group:web".to_owned(), "mcp__*".to_owned()],
            },
            schedule: vec![
                job("morning"),
                Job {
                    cron: None,
                    time_zone: None,
                    every_minutes: Some(60),
                    ..job("hourly")
                },
            ],
        }
    }

    fn job(name: &str) -> Job {
        Job {
            name: name.to_owned(),
            cron: Some("0 9 * * 1-5".to_owned()),
            time_zone: Some("Europe/Berlin".to_owned()),
            every_minutes: None,
            message: "What is new?".to_owned(),
        }
    }

    #[test]
    fn what_can_be_used_is_taken() {
        template().check().unwrap();
    }

    /// What is wrong with the template that `change` makes of a good one.
    fn refused(change: impl FnOnce(&mut AgentTemplate)) -> (&'static str, String) {
        let mut template = template();
        change(&mut template);
        let error = template.check().unwrap_err();
        (error.field, error.reason)
    }

    #[test]
    fn a_name_is_one_segment_of_a_path_and_leads_nowhere() {
        for name in [
            "",
            "-",
            "a-",
            "-a",
            ".",
            "..",
            "a/b",
            "../a",
            "A",
            "a b",
            "ä",
            "a\0",
            "a_b",
            &"a".repeat(41),
        ] {
            assert_eq!(refused(|it| it.name = name.to_owned()).0, "name", "{name:?}");
            assert_eq!(refused(|it| it.skills[0] = skill(name)).0, "skills.name", "{name:?}");
        }
        assert_eq!(refused(|it| it.skills[0] = skill("holdfast")).0, "skills.name");
        assert_eq!(refused(|it| it.skills[0] = skill("holdfast-crm")).0, "skills.name");
        assert_eq!(refused(|it| it.skills[0] = skill("edit")).0, "skills.name");
    }

    #[test]
    fn what_is_too_much_is_said_with_the_name_of_its_limit() {
        let (field, reason) = refused(|it| it.persona = "a".repeat(TEMPLATE_PERSONA_BYTES + 1));
        assert!(
            field == "persona" && reason.contains("TEMPLATE_PERSONA_BYTES"),
            "{reason}"
        );
        let many = |count| (0..count).map(|at| skill(&format!("s{at}"))).collect::<Vec<_>>();
        let (field, reason) = refused(|it| it.skills = many(TEMPLATE_SKILLS + 1));
        assert!(field == "skills" && reason.contains("TEMPLATE_SKILLS"), "{reason}");
        let (field, reason) = refused(|it| it.skills[0].document.push_str(&"a".repeat(TEMPLATE_SKILL_BYTES)));
        assert!(
            field == "skills.document" && reason.contains("TEMPLATE_SKILL_BYTES"),
            "{reason}"
        );
        let (field, reason) = refused(|it| {
            it.skills = many(TEMPLATE_SKILLS);
            for skill in &mut it.skills {
                skill.document.push_str(&"a".repeat(TEMPLATE_BYTES / TEMPLATE_SKILLS));
            }
        });
        assert!(field == "skills" && reason.contains("TEMPLATE_BYTES"), "{reason}");
        let (field, reason) = refused(|it| it.tools.allow = vec!["exec".to_owned(); TEMPLATE_TOOLS + 1]);
        assert!(field == "tools.allow" && reason.contains("TEMPLATE_TOOLS"), "{reason}");
        let (field, reason) = refused(|it| it.tools.deny.push("a".repeat(TEMPLATE_TOOL_CHARS + 1)));
        assert!(
            field == "tools.deny" && reason.contains("TEMPLATE_TOOL_CHARS"),
            "{reason}"
        );
    }

    #[test]
    fn a_skill_has_the_head_that_openclaw_needs() {
        for document in [
            "",
            "Do it.",
            "---\nname: outline\ndescription: x\n",
            "---\nname: other\ndescription: x\n---\n",
            "---\nname: outline\n---\nDo it.\n",
            "---\nname: outline\ndescription: \"\"\n---\nDo it.\n",
            "---\nname: outline\ndescription: x\n---\n\u{1b}[2J",
        ] {
            let (field, _) = refused(|it| it.skills[0].document = document.to_owned());
            assert_eq!(field, "skills.document", "{document:?}");
        }
        assert_eq!(refused(|it| it.persona = "a\0".to_owned()).0, "persona");
    }

    #[test]
    fn a_job_has_a_name_of_its_own_one_kind_of_times_and_a_message() {
        for (field, change) in [
            ("schedule.name", (|job| job.name = "../x".to_owned()) as fn(&mut Job)),
            ("schedule.name", |job| job.name = "hourly".to_owned()),
            ("schedule.cron", |job| job.cron = None),
            ("schedule.cron", |job| job.every_minutes = Some(60)),
            ("schedule.cron", |job| job.cron = Some("0 ".repeat(51))),
            ("schedule.cron", |job| job.cron = Some("0 9 * * ä".to_owned())),
            ("schedule.time_zone", |job| job.time_zone = Some("Z".repeat(65))),
            ("schedule.message", |job| job.message = " \n".to_owned()),
            ("schedule.message", |job| job.message = "a\u{1b}".to_owned()),
            ("schedule.message", |job| {
                job.message = "a".repeat(JOB_MESSAGE_BYTES + 1)
            }),
        ] {
            let (wrong, reason) = refused(|it| change(&mut it.schedule[0]));
            assert_eq!(wrong, field, "{reason}");
        }
        for minutes in [0, 14, 366 * 24 * 60 + 1] {
            let (wrong, reason) = refused(|it| it.schedule[1].every_minutes = Some(minutes));
            assert!(
                wrong == "schedule.every_minutes" && reason.contains("JOB_EVERY_MINUTES"),
                "{reason}"
            );
        }
        let zone = refused(|it| it.schedule[1].time_zone = Some("UTC".to_owned()));
        assert_eq!(zone.0, "schedule.time_zone");
        let many = refused(|it| it.schedule = (0..=TEMPLATE_JOBS).map(|at| job(&format!("j{at}"))).collect());
        assert!(many.0 == "schedule" && many.1.contains("TEMPLATE_JOBS"), "{many:?}");
    }

    #[test]
    fn one_without_a_schedule_has_the_version_that_it_had_before_there_were_schedules() {
        let plain = AgentTemplate {
            schedule: Vec::new(),
            ..template()
        };
        assert!(!serde_json::to_string(&plain).unwrap().contains("schedule"));
        assert_ne!(plain.version(), template().version());
    }

    #[test]
    fn whatever_it_says_otherwise_makes_another_version() {
        let first = template().version();
        assert_eq!((first.len(), &first), (16, &template().version()));
        let changes: [fn(&mut AgentTemplate); 6] = [
            |it| it.schedule[0].message.push('s'),
            |it| it.name.push('s'),
            |it| it.persona.push('s'),
            |it| it.skills.reverse(),
            |it| it.skills[0].document.push('s'),
            |it| it.tools.deny.clear(),
        ];
        for change in changes {
            let mut other = template();
            change(&mut other);
            assert_ne!(other.version(), first);
        }
    }
}
