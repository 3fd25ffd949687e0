//! The templates that are there without anybody having made them. Their texts are in `crates/management/templates`.

use std::sync::LazyLock;

use protocol::template::{AgentTemplate, Skill, ToolsPolicy};

/// What changes OpenClaw itself is for none of them; nor is it for any agent with a policy, which the keeper sees to.
const RULERS: [&str; 3] = ["gateway", "openclaw", "plugins"];

macro_rules! template {
    ($name:literal, skills: [$($skill:literal),+], deny: $deny:expr) => {
        AgentTemplate {
            name: $name.to_owned(),
            persona: include_str!(concat!("../../../templates/", $name, "/SOUL.md")).to_owned(),
            skills: vec![$(Skill {
                name: $skill.to_owned(),
                document: include_str!(concat!("../../../templates/", $name, "/skills/", $skill, ".md")).to_owned(),
            }),+],
            tools: ToolsPolicy {
                allow: Vec::new(),
                deny: $deny.iter().chain(&RULERS).map(|&tool: &&str| tool.to_owned()).collect(),
            },
            // When somebody wants to hear from it, nobody knows here.
            schedule: Vec::new(),
        }
    };
}

static ALL: LazyLock<[AgentTemplate; 3]> = LazyLock::new(|| {
    [
        template!("butler", skills: ["day-brief", "errands"], deny: []),
        // Reads the web, and runs nothing: neither commands nor, later, by the clock.
        template!("scout", skills: ["report", "compare"], deny: ["group:runtime", "automations", "cron", "message"]),
        // Works on files in its workspace alone.
        template!("writer", skills: ["draft", "edit"], deny: [
            "group:runtime", "group:web", "browser", "automations", "cron", "message"
        ]),
    ]
});

/// All of them, by name.
pub(crate) fn all() -> &'static [AgentTemplate] {
    &*ALL
}

/// One of them.
pub(crate) fn find(name: &str) -> Option<&'static AgentTemplate> {
    all().iter().find(|template| template.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_can_be_used_and_they_stand_in_order() {
        for template in all() {
            template
                .check()
                .unwrap_or_else(|error| panic!("{}: {error}", template.name));
        }
        assert!(all().is_sorted_by(|one, other| one.name < other.name));
    }
}
