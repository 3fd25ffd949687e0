//! `holdfast restore FILE`: the keeper reads and checks all of a backup before it replaces anything, and the person is asked first.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use client::{ClientError, RestoreProgress, RestoreState};
use indicatif::ProgressBar;
use protocol::channel::{ChannelError, VaultState};
use protocol::limits::BACKUP_PART_BYTES;
use serde_json::json;

use super::Context;
use super::failure::Failure;
use super::open::{Opened, Opening, Purpose, ask_secret, open};
use super::way::{Way, choose};
use crate::limits::CLIENT_TRIES;

/// The command line of `holdfast restore`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub opening: Opening,
    /// The backup (.hfb).
    file: PathBuf,
    /// The way into the backup that is asked for, as it was when the backup was made. Default: as for the vault.
    #[arg(long, value_enum, value_name = "WAY")]
    backup_with: Option<Way>,
    /// Which one, where the backup has several of this kind: its name or id.
    #[arg(long, value_name = "NAME")]
    backup_named: Option<String>,
    /// Only read and check it: replace nothing.
    #[arg(long)]
    check: bool,
    /// Do not ask whether this is meant.
    #[arg(long)]
    yes: bool,
}

/// A backup's file, and how much of it was handed over.
struct Source<'a> {
    path: &'a Path,
    file: File,
    part: Vec<u8>,
    bar: ProgressBar,
}

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let missing = |reason| Failure::NoFile {
        path: args.file.clone(),
        reason,
    };
    let file = File::open(&args.file).map_err(missing)?;
    let length = file.metadata().map_err(missing)?.len();
    let opened = open(context, &args.opening, Purpose::Vault).await?;

    let state = opened.channel.start_restore().await?;
    let mut source = Source {
        path: &args.file,
        file,
        part: vec![0; BACKUP_PART_BYTES],
        bar: context.out.bar("Reading the backup", length.max(1)),
    };
    let state = hand_over(&opened, &mut source, state, |state| state == RestoreProgress::Reading).await?;
    source.bar.finish_and_clear();
    let state = open_backup(context, &opened, &args, state).await?;
    source.bar = context.out.bar("Checking the backup", length.max(1));
    let state = hand_over(&opened, &mut source, state, |state| {
        matches!(state, RestoreProgress::Checking | RestoreProgress::Complete)
    })
    .await?;
    source.bar.finish_and_clear();
    if state.state != RestoreProgress::Complete {
        return Err(cut());
    }

    let content = format!(
        "{} is whole: {} conversations, {} files and folders.",
        args.file.display(),
        state.conversations,
        state.files
    );
    if args.check {
        let told = json!({"file": args.file.display().to_string(), "whole": true, "restored": false, "files": state.files, "conversations": state.conversations});
        context.out.result(&told, &format!("{content} Nothing was replaced."));
        return opened.close().await;
    }
    context.out.note(&content);
    if !args.yes {
        context.out.note(
            "What is in this vault now, and all files of your agent, are replaced by what is in the backup. Your ways into this vault stay.",
        );
        context
            .ask
            .confirm("the confirmation", "Replace everything? Type replace: ", "replace")?;
    }
    apply(context, &opened, &state).await?;
    opened.close().await?;
    let told = json!({"file": args.file.display().to_string(), "whole": true, "restored": true, "files": state.files, "conversations": state.conversations});
    context
        .out
        .result(&told, "Restored. The vault is locked: open it as you open it today.");
    Ok(())
}

/// Hands the file over while `until` takes the state.
async fn hand_over(
    opened: &Opened,
    source: &mut Source<'_>,
    mut state: RestoreState,
    until: impl Fn(RestoreProgress) -> bool,
) -> Result<RestoreState, Failure> {
    while until(state.state) {
        let length = fill(&mut source.file, &mut source.part).map_err(|reason| Failure::NoFile {
            path: source.path.to_owned(),
            reason,
        })?;
        if length == 0 {
            break;
        }
        state = opened
            .channel
            .write_restore(&state.backup, &source.part[..length])
            .await?;
        source.bar.inc(length as u64);
    }
    Ok(state)
}

/// As much as fits a part, less only at the end.
fn fill(file: &mut File, part: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < part.len() {
        match file.read(&mut part[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// Asks for one of the backup's own ways in, and opens it.
async fn open_backup(
    context: &Context,
    opened: &Opened,
    args: &Args,
    state: RestoreState,
) -> Result<RestoreState, Failure> {
    if state.state != RestoreProgress::NeedsKey {
        return Err(cut());
    }
    let (way, slot) = choose(&state.slots, args.backup_with, args.backup_named.as_deref())?;
    let slot = slot.id;
    let mut tries = 1;
    loop {
        let prompt = format!("The {} of the backup, as it was when it was made", way.words());
        let secret = ask_secret(context, way, &prompt)?;
        let waiting = context.out.waiting("Opening the backup");
        let outcome = opened.channel.open_restore(&state, slot, &secret).await;
        waiting.finish_and_clear();
        match outcome {
            Err(ClientError::WrongSecretOrKeeper { .. }) if context.ask.is_terminal() && tries < CLIENT_TRIES => {
                tries += 1;
                context.out.note("That does not open this backup.");
            }
            Err(ClientError::WrongSecretOrKeeper { .. }) => {
                let error = ChannelError::new("wrong_secret", "That does not open this backup. Nothing was replaced.");
                return Err(ClientError::Refused(error).into());
            }
            outcome => return Ok(outcome?),
        }
    }
}

/// Puts it in place. Reading and asking may have taken longer than a proof is fresh.
async fn apply(context: &Context, opened: &Opened, state: &RestoreState) -> Result<(), Failure> {
    let waiting = context.out.waiting("Restoring");
    let mut outcome = opened.channel.apply_restore(&state.backup).await;
    if matches!(&outcome, Err(error) if error.code() == Some("proof_needed")) {
        opened.prove().await?;
        outcome = opened.channel.apply_restore(&state.backup).await;
    }
    waiting.finish_and_clear();
    match outcome {
        // The lock that ends a restore may have come before its answer.
        Err(ClientError::Closed(_)) if opened.channel.vault() == VaultState::Locked => Ok(()),
        outcome => Ok(outcome?),
    }
}

fn cut() -> Failure {
    let message = "This file ends before the backup does: it was cut. Nothing was replaced.";
    ClientError::Refused(ChannelError::new("backup_cut", message)).into()
}
