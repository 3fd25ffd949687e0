//! `holdfast login`: asks for a mailed link, takes it from whoever reads the mail, and a second factor where one is asked for.

use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::failure::Failure;
use super::out::plain_line;
use super::server::Server;
use super::state::Session;
use super::{Common, Context};
use crate::limits::CLIENT_TRIES;

/// The command line of `holdfast login`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    /// Where the Holdfast is, such as https://agents.example.org. Default: where you were signed in last.
    server: Option<String>,
    /// The e-mail address that you are known by. Asked for where it is missing.
    #[arg(long)]
    email: Option<String>,
}

/// Who is signed in, as the platform says.
#[derive(Deserialize)]
pub struct Me {
    pub user: User,
    pub tenant: Tenant,
    pub cell: Cell,
}

#[derive(Deserialize)]
pub struct User {
    pub id: protocol::UserId,
    pub name: String,
    pub email: String,
    pub role: String,
}

#[derive(Deserialize)]
pub struct Tenant {
    pub name: String,
}

#[derive(Deserialize)]
pub struct Cell {
    pub id: protocol::CellId,
}

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let before = match context.state.session() {
        Ok(session) => Some(session),
        Err(Failure::NotSignedIn) => None,
        Err(failure) => return Err(failure),
    };
    let address = args
        .server
        .or_else(|| before.as_ref().map(|session| session.server.clone()))
        .ok_or_else(|| Failure::Usage("Name the server: `holdfast login https://agents.example.org`.".to_owned()))?;
    let server = Server::at(&address)?;
    let email = match args.email {
        Some(email) => email,
        None => context.ask.line("the e-mail address", "E-mail address: ")?.to_string(),
    };

    let instance = server.get("/api/v1/instance").await?;
    if instance["needs_setup"] == true {
        return Err(Failure::Usage(format!(
            "{} is not set up yet: open its setup link in a browser first.",
            server.base()
        )));
    }
    server.post("/api/v1/sign-in", &json!({"email": email})).await?;
    context.out.note(&format!(
        "If {email} is known to {}, a mail with a link is on its way. The link works here alone, for 10 minutes.",
        server.base()
    ));
    if instance["mail"] == "outbox" {
        context
            .out
            .note("This Holdfast has no mail server: the mail lands in its outbox, <data-dir>/outbox/.");
    }
    let answer = sign_in(context, &server).await?;
    let me: Me = match serde_json::from_value(answer) {
        Ok(me) => me,
        Err(_) => {
            return Err(Failure::NotHoldfast {
                server: server.base().to_owned(),
                status: 200,
            });
        }
    };
    let cookies = server.session_cookies().ok_or_else(|| Failure::NotHoldfast {
        server: server.base().to_owned(),
        status: 200,
    })?;
    context.state.sign_in(Session {
        server: server.base().to_owned(),
        user: me.user.id,
        email: me.user.email.clone(),
        cookies,
    })?;
    if let Some(before) = before
        && let Ok(server) = Server::of(&before)
    {
        // It may be over already.
        let _ = server.post("/api/v1/sign-out", &Value::Null).await;
    }
    let told = json!({
        "server": server.base(),
        "user": {"id": me.user.id, "name": me.user.name, "email": me.user.email, "role": me.user.role},
        "organisation": me.tenant.name,
        "cell": me.cell.id,
    });
    let text = format!(
        "Signed in to {} as {} ({}).",
        plain_line(&me.tenant.name),
        plain_line(&me.user.name),
        plain_line(&me.user.email)
    );
    context.out.result(&told, &text);
    Ok(())
}

/// The link, and whatever else is asked for, up to who is signed in.
async fn sign_in(context: &Context, server: &Server) -> Result<Value, Failure> {
    let link = context
        .ask
        .line("the link from the mail", "Paste the link from the mail: ")?;
    let token = token(&link)?;
    let body = json!({"token": &*token});
    let answer = server.post("/api/v1/sign-in/complete", &body).await?;
    match answer["pending"].as_str() {
        None => Ok(answer),
        Some("factor") => {
            let mut factors = answer["factors"].as_array().into_iter().flatten();
            let prompt = if factors.any(|one| one == "authenticator") {
                "Code of your authenticator app, or a backup code: "
            } else {
                "A backup code (your passkey works in the browser): "
            };
            factor(context, server, prompt).await
        }
        Some(_) => {
            // Half a session is of no use here.
            let _ = server.post("/api/v1/sign-out", &Value::Null).await;
            Err(Failure::Usage(
                "Your organisation asks for a second factor: set one up in the browser first, then sign in here."
                    .to_owned(),
            ))
        }
    }
}

async fn factor(context: &Context, server: &Server, prompt: &str) -> Result<Value, Failure> {
    let mut tries = 1;
    loop {
        let code = context.ask.line("the second factor", prompt)?;
        match server
            .post("/api/v1/sign-in/factor", &json!({"code": code.trim()}))
            .await
        {
            Err(Failure::Platform { code, message, .. })
                if code == "code_wrong" && context.ask.is_terminal() && tries < CLIENT_TRIES =>
            {
                tries += 1;
                context.out.note(&message);
            }
            outcome => return outcome,
        }
    }
}

/// The part of a link that only its receiver knows. It works together with the cookie that this client was given, so a link that was
/// pasted to another platform gives nothing away.
fn token(link: &str) -> Result<Zeroizing<String>, Failure> {
    let link = link.trim();
    let token = match link.split_once('#') {
        Some((before, token)) if before.ends_with("/sign-in") => token,
        _ => "",
    };
    if token.is_empty() {
        return Err(Failure::Typed(
            "That is no sign-in link: paste all of it, from http to its end.".to_owned(),
        ));
    }
    Ok(Zeroizing::new(token.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_taken_whole() {
        assert_eq!(*token(" https://agents.example/sign-in#abc_DEF\n").unwrap(), "abc_DEF");
        for odd in [
            "",
            "abc",
            "https://agents.example/sign-in",
            "https://agents.example/sign-in#",
            "https://x/join#abc",
        ] {
            assert!(matches!(token(odd), Err(Failure::Typed(_))), "{odd}");
        }
    }
}
