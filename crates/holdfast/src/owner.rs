//! `holdfast owner reset-factors`: the way back for the only owner of an organisation who has lost every second factor. It takes the data
//! directory for itself, so the server has to be stopped.

use std::path::PathBuf;
use std::sync::Arc;

use management::{NotReset, SoleOwner};

use crate::config::{self, Overrides};
use crate::data_dir::DataDir;
use crate::refusal::Refusal;
use crate::up::{database::Database, mail};

/// What can be done for somebody who owns an organisation.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Take the second factors away from the only owner of an organisation, who lost them: a link by mail then signs them in.
    ResetFactors {
        /// The owner's address.
        email: String,
        /// Where Holdfast keeps its data.
        #[arg(long, env = "HOLDFAST_DATA_DIR", default_value = "/var/lib/holdfast")]
        data_dir: PathBuf,
        /// The configuration, instead of `<data-dir>/holdfast.toml`.
        #[arg(long)]
        config: Option<PathBuf>,
    },
}

/// Runs the command.
///
/// # Errors
/// The server runs, the database does not open, or there is nothing that may be reset.
pub async fn run(command: Command) -> Result<(), Refusal> {
    let Command::ResetFactors {
        email,
        data_dir,
        config,
    } = command;
    if !data_dir.join("installation.json").exists() {
        return Err(Refusal::Other(format!(
            "No server has started with {}.",
            data_dir.display()
        )));
    }
    let config = config::load(&data_dir, config.as_deref(), &Overrides::default())
        .map_err(|error| Refusal::Config(format!("{error}.")))?;
    let held = DataDir::hold(&data_dir)?;
    let mailer = mail::mailer(&config.mail, held.path())?;
    let audit_key =
        management::audit::AuditKey::load_or_create(held.path()).map_err(|error| Refusal::Other(error.to_string()))?;
    let database = Database::open(&config, held.path()).await?;
    let handle = database.handle();
    let owner = SoleOwner {
        database: &handle,
        clock: Arc::new(management::SystemClock),
        audit_key,
        mailer: &*mailer,
    };
    let done = owner.reset_factors(&email).await;
    drop(handle);
    database.close().await;
    let (done, failed) = match done {
        Ok(done) => (done, None),
        Err(NotReset::Storage { done, error }) => (done, Some(error)),
        Err(refused) => return Err(Refusal::Other(format!("{refused}."))),
    };
    for reset in done {
        println!(
            "{}, the only owner of {}: second factors reset: {}, sessions ended: {}.",
            reset.owner, reset.organisation, reset.second_factors, reset.sessions
        );
        if let Some(error) = reset.not_mailed {
            println!("They could not be told by mail, so tell them: {error}.");
        }
    }
    if let Some(error) = failed {
        return Err(Refusal::Database(format!(
            "The database did not answer, so do it again: {error}."
        )));
    }
    println!(
        "Both audit logs have it. Start the server: a link by mail signs them in, and they set a second factor up again."
    );
    Ok(())
}
