//! `holdfast logout`: ends the session, here and at the platform.

use serde_json::{Value, json};

use super::failure::Failure;
use super::server::Server;
use super::{Common, Context};

/// The command line of `holdfast logout`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    /// Also forget the key of this vault's keeper: the next one that is seen is believed.
    #[arg(long)]
    forget_keeper: bool,
}

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let session = match context.state.session() {
        Ok(session) => session,
        Err(Failure::NotSignedIn) if !args.forget_keeper => {
            context
                .out
                .result(&json!({"signed_out": false}), "Nobody was signed in.");
            return Ok(());
        }
        Err(failure) => return Err(failure),
    };
    if args.forget_keeper {
        context.state.forget(&session)?;
    }
    let ended = match Server::of(&session) {
        Ok(server) => server.post("/api/v1/sign-out", &Value::Null).await.map(|_| ()),
        Err(failure) => Err(failure),
    };
    context.state.sign_out()?;
    match ended {
        Ok(()) | Err(Failure::NotSignedIn) => {}
        Err(failure) => context.out.note(&format!(
            "The session is forgotten here. It could not be ended there: {failure} It ends by itself 30 minutes after its last use."
        )),
    }
    context.out.result(&json!({"signed_out": true}), "Signed out.");
    Ok(())
}
