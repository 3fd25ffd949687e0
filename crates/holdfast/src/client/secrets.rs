//! `holdfast secrets`: the named secrets of the vault. A value goes in from the terminal or standard input, and does not come out here.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Context;
use super::failure::Failure;
use super::open::{Opened, Opening, Purpose, open, read};
use super::out::{plain_line, time};

/// The command line of `holdfast secrets`.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List them: everything but their values.
    List {
        #[command(flatten)]
        opening: Opening,
    },
    /// Keep a new one, or give one that is there another value. The value is typed without being shown, or all that is left of standard
    /// input.
    Set(Set),
    /// Delete one, for ever.
    Delete {
        #[command(flatten)]
        opening: Opening,
        /// Its name, or its id.
        secret: String,
        /// Do not ask whether this is meant.
        #[arg(long)]
        yes: bool,
    },
}

/// The command line of `holdfast secrets set`.
#[derive(Debug, clap::Args)]
pub struct Set {
    #[command(flatten)]
    opening: Opening,
    /// Its name, or the id of one that is there.
    name: String,
    /// What it is. Default: an API key, or what it was.
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// What your agent may do with it. Default: nothing, or what it was.
    #[arg(long, value_enum)]
    agent: Option<Agent>,
    /// The user name that belongs to it.
    #[arg(long)]
    username: Option<String>,
    /// The address that it is for.
    #[arg(long)]
    url: Option<String>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Kind {
    ApiKey,
    OauthToken,
    Login,
    Text,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::OauthToken => "oauth_token",
            Self::Login => "login",
            Self::Text => "text",
        }
    }
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Agent {
    /// It is only kept.
    Nothing,
    /// Its keeper puts it into requests to the services that you named; the agent does not see it.
    Use,
    /// OpenClaw may ask for it, and then the model may learn it, too.
    See,
}

impl Agent {
    fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Use => "use",
            Self::See => "see",
        }
    }
}

impl Command {
    pub fn opening(&self) -> &Opening {
        match self {
            Self::List { opening } | Self::Delete { opening, .. } => opening,
            Self::Set(set) => &set.opening,
        }
    }
}

/// A secret as the keeper lists it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Listed {
    id: String,
    name: String,
    kind: String,
    agent: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    url: String,
    changed: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_use: Option<LastUse>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct LastUse {
    at: i64,
    to: String,
}

/// A secret as it is sent. Borrowed: the value is nowhere else.
#[derive(Serialize)]
struct Given<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    name: &'a str,
    kind: &'a str,
    agent: &'a str,
    username: &'a str,
    url: &'a str,
    value: &'a str,
}

pub async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let opened = open(context, command.opening(), Purpose::Vault).await?;
    match &command {
        Command::List { .. } => list(context, &opened).await?,
        Command::Set(set) => keep(context, &opened, set).await?,
        Command::Delete { secret, yes, .. } => delete(context, &opened, secret, *yes).await?,
    }
    opened.close().await
}

async fn all(opened: &Opened) -> Result<Vec<Listed>, Failure> {
    #[derive(Deserialize)]
    struct Page {
        secrets: Vec<Listed>,
        more: bool,
    }
    let mut all: Vec<Listed> = Vec::new();
    loop {
        let after = all.last().map(|last| last.id.clone());
        let page: Page = read(opened.channel.call("secret.list", json!({"after": after})).await?)?;
        let last = !page.more || page.secrets.is_empty();
        all.extend(page.secrets);
        if last {
            break;
        }
    }
    all.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(all)
}

/// The secret with this id, or the only one with this name.
fn find<'a>(all: &'a [Listed], name: &str) -> Result<Option<&'a Listed>, Failure> {
    if let Some(found) = all.iter().find(|one| one.id == name) {
        return Ok(Some(found));
    }
    let mut named = all.iter().filter(|one| one.name == name);
    match (named.next(), named.next()) {
        (found, None) => Ok(found),
        (_, Some(_)) => Err(Failure::Ambiguous {
            what: "secret",
            name: name.to_owned(),
        }),
    }
}

async fn list(context: &Context, opened: &Opened) -> Result<(), Failure> {
    let all = all(opened).await?;
    let lines: Vec<_> = all
        .iter()
        .map(|one| {
            let may = match one.agent.as_str() {
                "nothing" => "only kept",
                "use" => "the agent may use it",
                _ => "the agent may see it",
            };
            format!(
                "{}  {}  {}, {may}, changed {}",
                one.id,
                plain_line(&one.name),
                plain_line(&one.kind).replace('_', " "),
                time(one.changed)
            )
        })
        .collect();
    let text = if lines.is_empty() {
        "There are no secrets yet.".to_owned()
    } else {
        lines.join("\n")
    };
    context.out.result(&json!({"secrets": all}), &text);
    Ok(())
}

async fn keep(context: &Context, opened: &Opened, set: &Set) -> Result<(), Failure> {
    let all = all(opened).await?;
    let found = find(&all, &set.name)?;
    let value = context
        .ask
        .value("the value", &format!("Value of {}", plain_line(&set.name)))?;
    let kind = set.kind.map(Kind::as_str);
    let agent = set.agent.map(Agent::as_str);
    let given = Given {
        id: found.map(|one| one.id.as_str()),
        name: found.map_or(&set.name, |one| &one.name),
        kind: kind.or(found.map(|one| one.kind.as_str())).unwrap_or("api_key"),
        agent: agent.or(found.map(|one| one.agent.as_str())).unwrap_or("nothing"),
        username: set
            .username
            .as_deref()
            .or(found.map(|one| one.username.as_str()))
            .unwrap_or(""),
        url: set.url.as_deref().or(found.map(|one| one.url.as_str())).unwrap_or(""),
        value: &value,
    };
    let answer = opened.channel.call("secret.set", &given).await?;
    let told = json!({"id": answer["id"], "name": given.name, "new": found.is_none()});
    let text = match found {
        Some(_) => format!("{} has its new value.", plain_line(given.name)),
        None => format!("{} is kept in the vault.", plain_line(given.name)),
    };
    context.out.result(&told, &text);
    Ok(())
}

async fn delete(context: &Context, opened: &Opened, name: &str, yes: bool) -> Result<(), Failure> {
    let all = all(opened).await?;
    let found = find(&all, name)?.ok_or_else(|| Failure::Unknown {
        what: "secret",
        name: name.to_owned(),
    })?;
    if !yes {
        let question = format!("Delete {:?} for ever? Type yes: ", plain_line(&found.name));
        context.ask.confirm("the confirmation", &question, "yes")?;
    }
    opened.channel.call("secret.delete", json!({"id": found.id})).await?;
    context
        .out
        .result(&json!({"id": found.id, "deleted": true}), "Deleted.");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(id: &str, name: &str) -> Listed {
        Listed {
            id: id.to_owned(),
            name: name.to_owned(),
            kind: "api_key".to_owned(),
            agent: "use".to_owned(),
            username: String::new(),
            url: String::new(),
            changed: 0,
            last_use: None,
        }
    }

    #[test]
    fn a_secret_is_found_by_its_id_or_by_a_name_that_only_it_has() {
        let all = [named("1", "GitHub"), named("2", "Mail"), named("3", "Mail")];
        assert_eq!(find(&all, "GitHub").unwrap().unwrap().id, "1");
        assert_eq!(find(&all, "3").unwrap().unwrap().id, "3");
        assert!(find(&all, "nothing").unwrap().is_none());
        assert!(matches!(find(&all, "Mail"), Err(Failure::Ambiguous { .. })));
    }
}
