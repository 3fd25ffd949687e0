//! What the agent is told of its keeper: the services that it may call and the secrets that it may see, by name and never by
//! value, written as a skill of OpenClaw's. The words in it are its owner's, in one line each.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use protocol::bridge::BROKER_PORT;
use protocol::template::Skill;
use reqwest::Url;

use crate::broker::{Route, RouteError, Routes};
use crate::secrets::{AgentMay, Secret, Secrets};
use crate::shares::Shares;
use crate::vault_service::unpoisoned;

/// Names in the line that every conversation begins with, in bytes; the whole list is in the skill.
const SHOWN: usize = 400;

/// What the agent of one vault is told. Cheap to clone.
#[derive(Clone)]
pub struct Guide {
    routes: Routes,
    secrets: Secrets,
    shares: Option<Shares>,
    /// What was last said of what is shared.
    said: Arc<Mutex<Vec<Skill>>>,
}

/// What an agent is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Of its keeper; none when there is nothing to tell.
    pub own: Option<String>,
    /// Of what its owner may use in groups.
    pub shared: Vec<Skill>,
}

impl Guide {
    pub fn new(routes: Routes, secrets: Secrets) -> Self {
        Self {
            routes,
            secrets,
            shares: None,
            said: Arc::default(),
        }
    }

    /// The same, which also tells what others share in groups.
    pub fn with_shares(self, shares: Shares) -> Self {
        Self {
            shares: Some(shares),
            ..self
        }
    }

    /// Waits until it says something else. For one who waits.
    pub async fn changed(&self) {
        tokio::select! {
            () = self.secrets.told_changes() => {}
            () = self.shared_changes() => {}
        }
    }

    async fn shared_changes(&self) {
        let Some(shares) = &self.shares else {
            return std::future::pending().await;
        };
        let mut changes = shares.changes();
        loop {
            // Looked at first: what changed while nobody waited has not been said either.
            if shares.skills().is_ok_and(|skills| skills != *unpoisoned(&self.said)) {
                return;
            }
            if changes.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// All that the agent is told now.
    ///
    /// # Errors
    /// When the vault is locked.
    pub fn told(&self) -> Result<Told, RouteError> {
        let shared = match &self.shares {
            Some(shares) => shares.skills()?,
            None => Vec::new(),
        };
        unpoisoned(&self.said).clone_from(&shared);
        let own = self.skill()?;
        Ok(Told { own, shared })
    }

    /// The skill; none when there is nothing to tell.
    ///
    /// # Errors
    /// When the vault is locked.
    pub fn skill(&self) -> Result<Option<String>, RouteError> {
        let usable = |route: &Route| {
            let secret = self.secrets.get(route.secret);
            secret.is_ok_and(|secret| secret.agent >= AgentMay::Use)
        };
        let routes: Vec<_> = self.routes.all()?.into_iter().filter(usable).collect();
        let visible = self.secrets.visible()?;
        if routes.is_empty() && visible.is_empty() {
            return Ok(None);
        }
        Ok(Some(write(&routes, &visible)))
    }
}

fn write(routes: &[Route], visible: &[Secret]) -> String {
    let mut shown = String::new();
    for name in routes.iter().map(|route| route.name.as_str()) {
        if shown.len() + name.len() > SHOWN {
            shown.push_str(", …");
            break;
        }
        if !shown.is_empty() {
            shown.push_str(", ");
        }
        shown.push_str(name);
    }
    let mut text = String::from("---\nname: holdfast\ndescription: \"");
    if routes.is_empty() {
        text.push_str("Secrets that your owner lets you see. ");
    } else {
        let _infallible = write!(
            text,
            "Web services that you may call for your owner without holding a key: {shown}. "
        );
    }
    text.push_str("Read it before you call a web service that wants a key, a token or a password.\"\n---\n\n");
    if !routes.is_empty() {
        text.push_str(
            "# Services\n\nCall these by their address here, over plain HTTP on this machine, with nothing to sign in: the key is put in on \
             the way, and you never see it. Send requests as the service's own documentation says, with the address here in the place \
             of the one there. Do not use a proxy for them.\n\n| service | address for you | leads to | what for |\n|---|---|---|---|\n",
        );
        for route in routes {
            let only = if route.read_only { " (only GET and HEAD)" } else { "" };
            let address = match route.tools {
                Some(_) => "a server of tools: with `call_integration`".to_owned(),
                None => format!("`{}`", route.agent_url()),
            };
            let _infallible = writeln!(
                text,
                "| {} | {address} | {}{only} | {} |",
                route.name,
                host(&route.base_url),
                one_line(&route.about)
            );
        }
        if let Some(route) = routes.iter().find(|route| route.tools.is_none()) {
            let _infallible = writeln!(
                text,
                "\nFor example: `curl --noproxy '*' {}/`. An answer with `vault_locked` says with which link your owner opens the \
                 vault: give it to them, and stop.",
                route.agent_url()
            );
        }
        text.push('\n');
    }
    if !visible.is_empty() {
        text.push_str("# Secrets that you may see\n\n| name | id | user name |\n|---|---|---|\n");
        for secret in visible {
            let _infallible = writeln!(
                text,
                "| {} | `{}` | {} |",
                one_line(&secret.name),
                secret.id,
                one_line(&secret.username)
            );
        }
        let _infallible = write!(
            text,
            "\nRead a value only when you need it, and do not write it into files, messages or logs. In a setting of OpenClaw refer to it: \
             `{{\"source\":\"exec\",\"provider\":\"holdfast\",\"id\":\"<id>\"}}`. In a command:\n\n    curl --noproxy '*' --silent --data \
             '{{\"protocolVersion\":1,\"ids\":[\"<id>\"]}}' http://127.0.0.1:{BROKER_PORT}/secrets\n\nEach time is shown to your owner.\n"
        );
    }
    text
}

/// Where a route leads, without its path.
fn host(base_url: &str) -> String {
    base_url
        .parse::<Url>()
        .ok()
        .and_then(|url| Some(url.host_str()?.to_owned()))
        .unwrap_or_default()
}

/// Words that stay in their cell of a table.
fn one_line(words: &str) -> String {
    let plain = |letter: char| match letter {
        '|' | '`' | '<' | '>' => ' ',
        other if other.is_control() => ' ',
        other => other,
    };
    words.chars().map(plain).collect()
}
