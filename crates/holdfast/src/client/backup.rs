//! `holdfast backup FILE`: one encrypted file of vault and agent. It is there whole or not at all.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::Context;
use super::failure::Failure;
use super::open::{Opened, Opening, Purpose, open};

/// The command line of `holdfast backup`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub opening: Opening,
    /// Where to write it, such as mine.hfb.
    file: PathBuf,
    /// Replace a file that is there.
    #[arg(long)]
    force: bool,
}

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let path = &args.file;
    let failed = |reason| Failure::File {
        path: path.clone(),
        reason,
    };
    if !args.force && path.exists() {
        return Err(Failure::FileExists(path.clone()));
    }
    // Beside its place, for its owner alone, and gone when this is left half done.
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut part = tempfile::Builder::new()
        .prefix(".holdfast-backup-")
        .tempfile_in(folder)
        .map_err(failed)?;
    let opened = open(context, &args.opening, Purpose::Vault).await?;
    let bytes = read(context, &opened, part.as_file_mut(), path).await?;
    opened.close().await?;
    part.as_file().sync_all().map_err(failed)?;
    if args.force {
        part.persist(path).map_err(|error| failed(error.error))?;
    } else {
        part.persist_noclobber(path).map_err(|error| match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => Failure::FileExists(path.clone()),
            _ => failed(error.error),
        })?;
    }
    std::fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed)?;
    let told = json!({"file": path.display().to_string(), "bytes": bytes});
    let text = format!(
        "{} holds your vault and what your agent keeps ({} KiB). It opens with each way into the vault as it is now.",
        path.display(),
        bytes.div_ceil(1024)
    );
    context.out.result(&told, &text);
    Ok(())
}

async fn read(context: &Context, opened: &Opened, file: &mut std::fs::File, path: &Path) -> Result<u64, Failure> {
    let started = opened.channel.start_backup().await?;
    let bar = context.out.bar("Writing the backup", started.pieces.max(1));
    let mut bytes = 0;
    loop {
        let part = opened.channel.read_backup(&started.backup).await?;
        file.write_all(&part.data).map_err(|reason| Failure::File {
            path: path.to_owned(),
            reason,
        })?;
        bytes += part.data.len() as u64;
        bar.set_position(started.pieces.saturating_sub(part.left));
        if part.done {
            bar.finish_and_clear();
            return Ok(bytes);
        }
    }
}
