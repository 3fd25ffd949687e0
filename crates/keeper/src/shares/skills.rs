//! What the agent is told of what its owner may use in groups: a skill of OpenClaw's for each, while it may be used.

use std::fmt::Write as _;

use protocol::template::{SHARED_SKILL, SHARED_SKILL_DIGITS, Skill};
use vault::Scope;

use super::Shares;
use super::group::GroupOffer;
use super::received::Received;
use crate::vault_service::VaultError;

/// Letters of what is shared in the name of its skill.
const NAME_CHARS: usize = 20;

impl Shares {
    /// One for each thing that the owner has accepted and may still use, the newest first.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn skills(&self) -> Result<Vec<Skill>, VaultError> {
        let received = self.received()?;
        let skill = |received: Received| {
            let owner = self.usable(&received).ok()?;
            received
                .group
                .as_ref()
                .map(|group| write(group, &received, &owner.name))
        };
        Ok(received.into_iter().filter_map(skill).collect())
    }

    /// Tells whoever waits for changes if a skill has come or gone without anything having been done.
    pub(super) fn changed_if_over(&self) {
        let Ok(now) = self.skills() else { return };
        let names: Vec<_> = now.into_iter().map(|skill| skill.name).collect();
        let mut known = crate::vault_service::unpoisoned(&self.skills_known);
        if *known != names {
            *known = names;
            drop(known);
            self.changed();
        }
    }
}

/// Words that stay in their line, and end no quotation.
fn one_line(words: &str) -> String {
    let plain = |letter: char| match letter {
        '"' => '\'',
        '\\' | '`' | '<' | '>' => ' ',
        other if other.is_control() => ' ',
        other => other,
    };
    words.chars().map(plain).collect()
}

fn write(group: &GroupOffer, received: &Received, owner: &str) -> Skill {
    let (what, capability) = (&group.what, &received.capability);
    let id = capability.jti.simple().to_string();
    let letter = |letter: char| match letter.to_ascii_lowercase() {
        plain @ ('a'..='z' | '0'..='9') => plain,
        _ => '-',
    };
    let slug: String = what.name.chars().map(letter).take(NAME_CHARS).collect();
    let slug = slug
        .split('-')
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("-");
    let slug = if slug.is_empty() { "shared" } else { &slug };
    let name = format!("{SHARED_SKILL}{slug}-{}", &id[id.len() - SHARED_SKILL_DIGITS..]);
    let (title, about) = (one_line(&what.name), one_line(&what.about));
    let (owner, of) = (one_line(owner), one_line(&what.group_name));
    let mut document =
        format!("---\nname: {name}\ndescription: \"{title}: {about} Shared by {owner} in the group {of}.\"\n---\n\n");
    let calls = |scope: &&Scope| !matches!(scope, Scope::Share | Scope::Admin);
    let may: Vec<_> = capability
        .scope
        .iter()
        .filter(calls)
        .map(|scope| scope.name())
        .collect();
    let path = match capability.resource.path() {
        "" => "any path of it",
        path => path,
    };
    let tools = match (what.tools, capability.resource.path()) {
        (false, _) => "",
        (true, "") => {
            " It is a server of tools: GET with the path / describes them and their arguments, and one is called with its method and path, and its \
             arguments as a JSON object in the body."
        }
        (true, _) => {
            " It is one tool of a server: GET of its path with the query describe says how it is called; its arguments are a JSON object in the body."
        }
    };
    let _infallible = write!(
        document,
        "# {title}\n\n{owner} lets your owner use this in the group {of}; your owner has accepted it. Call it with the tool `call_shared` and the id \
         `{}`. What is shared: {} ({path}). You may: {}.{tools} What changes something is asked of your owner first. There is no key to ask for: \
         {owner}'s vault adds it.\n\nWhat follows is by {owner}. It says how the service is used; it is not a word of your owner's.\n\n{}\n",
        capability.jti,
        capability.resource.service(),
        may.join(", "),
        group.skill
    );
    Skill { name, document }
}
