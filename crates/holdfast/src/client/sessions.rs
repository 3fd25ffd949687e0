//! `holdfast sessions`: the conversations with the agent.

use protocol::chat::{Conversation, Message, Part, Role};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Context;
use super::failure::Failure;
use super::open::{Opened, Opening, Purpose, open};
use super::out::{plain, plain_line, time};

/// The command line of `holdfast sessions`.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List them, the newest first.
    List {
        #[command(flatten)]
        opening: Opening,
    },
    /// Show the last messages of one.
    Show {
        #[command(flatten)]
        opening: Opening,
        /// Its id, or its title.
        session: String,
    },
    /// Give one another title.
    Rename {
        #[command(flatten)]
        opening: Opening,
        /// Its id, or its title.
        session: String,
        title: String,
    },
    /// Delete one, for ever.
    Delete {
        #[command(flatten)]
        opening: Opening,
        /// Its id, or its title.
        session: String,
        /// Do not ask whether this is meant.
        #[arg(long)]
        yes: bool,
    },
}

impl Command {
    pub fn opening(&self) -> &Opening {
        match self {
            Self::List { opening }
            | Self::Show { opening, .. }
            | Self::Rename { opening, .. }
            | Self::Delete { opening, .. } => opening,
        }
    }
}

pub async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let purpose = match command {
        Command::Show { .. } => Purpose::Agent,
        _ => Purpose::Vault,
    };
    let opened = open(context, command.opening(), purpose).await?;
    match &command {
        Command::List { .. } => list(context, &opened).await?,
        Command::Show { session, .. } => show(context, &opened, session).await?,
        Command::Rename { session, title, .. } => {
            let found = find(&opened, session).await?;
            let params = json!({"conversation": found.id, "title": title});
            opened.channel.call("chat.rename", params).await?;
            let told = json!({"id": found.id, "title": title});
            context
                .out
                .result(&told, &format!("It is called {:?} now.", plain_line(title)));
        }
        Command::Delete { session, yes, .. } => {
            let found = find(&opened, session).await?;
            if !yes {
                let question = format!("Delete {:?} for ever? Type yes: ", plain_line(&found.title));
                context.ask.confirm("the confirmation", &question, "yes")?;
            }
            let params = json!({"conversation": found.id});
            opened.channel.call("chat.delete", params).await?;
            context
                .out
                .result(&json!({"id": found.id, "deleted": true}), "Deleted.");
        }
    }
    opened.close().await
}

async fn all(opened: &Opened) -> Result<Vec<Conversation>, Failure> {
    #[derive(Deserialize)]
    struct Listed {
        conversations: Vec<Conversation>,
    }
    let answer = opened.channel.call("chat.list", json!({})).await?;
    let mut listed: Listed = super::open::read(answer)?;
    listed.conversations.sort_by_key(|one| std::cmp::Reverse(one.updated));
    Ok(listed.conversations)
}

/// The conversation with this id, or the only one with this title.
///
/// # Errors
/// [`Failure::Unknown`], [`Failure::Ambiguous`].
pub async fn find(opened: &Opened, name: &str) -> Result<Conversation, Failure> {
    let all = all(opened).await?;
    if let Some(found) = all.iter().find(|one| one.id == name) {
        return Ok(found.clone());
    }
    let mut titled = all.into_iter().filter(|one| one.title == name);
    match (titled.next(), titled.next()) {
        (Some(found), None) => Ok(found),
        (None, _) => Err(Failure::Unknown {
            what: "session",
            name: name.to_owned(),
        }),
        (Some(_), Some(_)) => Err(Failure::Ambiguous {
            what: "session",
            name: name.to_owned(),
        }),
    }
}

async fn list(context: &Context, opened: &Opened) -> Result<(), Failure> {
    let all = all(opened).await?;
    let lines: Vec<_> = all
        .iter()
        .map(|one| {
            let running = if one.running { ", answering now" } else { "" };
            format!("{}  {}  {}{running}", one.id, time(one.updated), plain_line(&one.title))
        })
        .collect();
    let text = if lines.is_empty() {
        "There are no sessions yet.".to_owned()
    } else {
        lines.join("\n")
    };
    context.out.result(&json!({"sessions": all}), &text);
    Ok(())
}

async fn show(context: &Context, opened: &Opened, session: &str) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Page {
        messages: Vec<Message>,
        more: bool,
    }
    let found = find(opened, session).await?;
    let answer: Value = opened
        .channel
        .call("chat.open", json!({"conversation": found.id}))
        .await?;
    let page: Page = super::open::read(answer)?;
    let mut text = String::new();
    if page.more {
        text.push_str("(There are older messages: they are in the browser.)\n\n");
    }
    for message in &page.messages {
        let who = match message.role {
            Role::User => "You",
            Role::Assistant => "Agent",
        };
        text.push_str(&format!("{who}, {}:\n{}\n\n", time(message.at), plain(&words(message))));
    }
    let told = json!({"session": found, "messages": page.messages, "more": page.more});
    context.out.result(&told, text.trim_end());
    Ok(())
}

/// What a message says, with the names of the tools that were used.
pub fn words(message: &Message) -> String {
    let parts = message.parts.iter().map(|part| match part {
        Part::Text { text } => text.clone(),
        Part::Tool { name, .. } => format!("\n[{name}]\n"),
    });
    parts.collect()
}
