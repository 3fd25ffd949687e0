//! The template of this vault's agent: what it is, as whoever made it chose. It is kept in the vault, where the agent does not reach it;
//! the keeper puts it into the home once for each version, and its tools into every configuration of OpenClaw.

mod methods;

use std::collections::BTreeSet;

use protocol::channel::ChannelError;
use protocol::template::AgentTemplate;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::limits;
use crate::vault_service::{VaultError, VaultService};

const RECORD: &str = "template/agent";
const VERSION: u32 = 1;
/// The version of having none.
const NONE: &str = "none";

/// The template, and what earlier ones left in the home that is not wanted any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Furnishing {
    version: u32,
    template: Option<AgentTemplate>,
    skills_gone: BTreeSet<String>,
    persona_gone: bool,
}

impl Furnishing {
    fn of(template: Option<AgentTemplate>, before: Option<Self>) -> Self {
        let mut skills_gone = BTreeSet::new();
        let mut persona_gone = false;
        if let Some(before) = before {
            skills_gone = before.skills_gone;
            persona_gone = before.persona_gone;
            if let Some(old) = before.template {
                persona_gone |= !old.persona.is_empty();
                skills_gone.extend(old.skills.into_iter().map(|skill| skill.name));
            }
        }
        if let Some(new) = &template {
            persona_gone &= new.persona.is_empty();
            skills_gone.retain(|name| new.skills.iter().all(|skill| skill.name != *name));
        }
        while skills_gone.len() > limits::TEMPLATE_SKILLS_GONE {
            skills_gone.pop_first();
        }
        Self {
            version: VERSION,
            template,
            skills_gone,
            persona_gone,
        }
    }

    /// What the home is to have; none where it once had one.
    pub fn template(&self) -> Option<&AgentTemplate> {
        self.template.as_ref()
    }

    /// Skills of earlier templates, which are put out of the way.
    pub fn skills_gone(&self) -> impl Iterator<Item = &str> {
        self.skills_gone.iter().map(String::as_str)
    }

    /// An earlier template had a persona and this one has none.
    pub fn persona_gone(&self) -> bool {
        self.persona_gone
    }

    /// Names what it says, to know again what a home was furnished with.
    pub fn version(&self) -> String {
        let template = self.template.as_ref();
        template.map_or_else(|| NONE.to_owned(), AgentTemplate::version)
    }
}

fn read(vault: &VaultService) -> Result<Option<Furnishing>, VaultError> {
    let Some(json) = vault.get_record(RECORD)? else {
        return Ok(None);
    };
    let furnishing: Furnishing = serde_json::from_slice(&json).map_err(|_| VaultError::Newer)?;
    match furnishing.version {
        VERSION => Ok(Some(furnishing)),
        _ => Err(VaultError::Newer),
    }
}

/// What the agent of a vault is told when a job of its schedule is due.
///
/// # Errors
/// `unknown_job` where its template has none of this name; the vault's errors.
pub fn message_of_job(vault: &VaultService, job: &str) -> Result<String, ChannelError> {
    let furnishing = read(vault)?;
    let template = furnishing.as_ref().and_then(Furnishing::template);
    let found = template.and_then(|template| template.schedule.iter().find(|known| known.name == job));
    found.map(|job| job.message.clone()).ok_or_else(|| {
        let words = "The agent's template has no job of this name any more.";
        ChannelError::new("unknown_job", words)
    })
}

/// The template of one vault's agent. Cheap to clone.
#[derive(Clone)]
pub struct Templates {
    vault: VaultService,
    changes: watch::Sender<()>,
}

impl Templates {
    pub fn new(vault: VaultService) -> Self {
        Self {
            vault,
            changes: watch::Sender::new(()),
        }
    }

    /// Changes when there is another template.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// What the home is to be furnished with; none where there never was a template.
    ///
    /// # Errors
    /// [`VaultError::Locked`]; [`VaultError::Newer`] for one that a later keeper wrote.
    pub fn furnishing(&self) -> Result<Option<Furnishing>, VaultError> {
        read(&self.vault)
    }

    /// Has the agent be what the template says from its next start on, which comes at once if it runs. The same template again changes
    /// nothing, whatever the agent made of it.
    ///
    /// # Errors
    /// `template_invalid` with what is wrong; the vault's errors.
    pub async fn set(&self, template: Option<AgentTemplate>) -> Result<(), ChannelError> {
        if let Some(template) = &template {
            template
                .check()
                .map_err(|error| ChannelError::new("template_invalid", error.reason))?;
        }
        let before = self.furnishing()?;
        if before.as_ref().and_then(Furnishing::template) == template.as_ref() {
            return Ok(());
        }
        let json = serde_json::to_vec(&Furnishing::of(template, before))
            .map_err(|error| ChannelError::new("internal", error.to_string()))?;
        self.vault.put_record(RECORD, &json).await?;
        self.changes.send_replace(());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use protocol::template::{Skill, ToolsPolicy};

    use super::*;

    fn template(persona: &str, skills: &[&str]) -> AgentTemplate {
        let skill = |name: &&str| Skill {
            name: (*name).to_owned(),
            document: format!("---\nname: {name}\ndescription: x\n---\n"),
        };
        AgentTemplate {
            name: "writer".to_owned(),
            persona: persona.to_owned(),
            skills: skills.iter().map(skill).collect(),
            tools: ToolsPolicy::default(),
            schedule: Vec::new(),
        }
    }

    #[test]
    fn what_an_earlier_template_had_is_remembered_until_another_has_it_again() {
        let gone = |furnishing: &Furnishing| furnishing.skills_gone().map(str::to_owned).collect::<Vec<_>>();
        let first = Furnishing::of(Some(template("Write.", &["edit", "outline"])), None);
        assert_eq!((gone(&first), first.persona_gone()), (vec![], false));
        let second = Furnishing::of(Some(template("", &["edit"])), Some(first));
        assert_eq!((gone(&second), second.persona_gone()), (vec!["outline".into()], true));
        let none = Furnishing::of(None, Some(second));
        assert_eq!(gone(&none), ["edit", "outline"]);
        assert_eq!((none.persona_gone(), none.version().as_str()), (true, "none"));
        let again = Furnishing::of(Some(template("Write.", &["outline"])), Some(none));
        assert_eq!((gone(&again), again.persona_gone()), (vec!["edit".into()], false));
    }

    #[test]
    fn a_record_of_the_first_version_is_read() {
        let json = r#"{"version":1,"template":{"name":"writer","persona":"Write.","skills":[{"name":"edit","document":"---\nname: edit\ndescription: x\n---\n"}],
            "tools":{"allow":[],"deny":["exec"]}},"skills_gone":["outline"],"persona_gone":false}"#;
        let furnishing: Furnishing = serde_json::from_str(json).unwrap();
        let mut wanted = template("Write.", &["edit"]);
        wanted.tools.deny.push("exec".to_owned());
        assert_eq!(furnishing.template(), Some(&wanted));
        assert_eq!(furnishing.skills_gone().collect::<Vec<_>>(), ["outline"]);
    }
}
