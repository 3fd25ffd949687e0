//! `holdfast audit verify FILE`: checks an export of the audit log, on any machine, without the server.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use management::audit::verify;

use crate::refusal::Refusal;

/// The command line of `holdfast audit`.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Check that nothing in an export was changed, left out, added or cut.
    Verify {
        /// The export: JSON lines from the page "Audit".
        file: PathBuf,
        /// The installation's public key: its file `keys/audit.pub`. Without it, the key in the export is believed.
        #[arg(long)]
        key: Option<PathBuf>,
    },
}

/// Runs a command.
///
/// # Errors
/// The export is broken, or cannot be read; the message says where.
pub fn run(command: Command) -> Result<(), Refusal> {
    let Command::Verify { file, key } = command;
    let read =
        |path: &PathBuf, error: std::io::Error| Refusal::Other(format!("{} cannot be read: {error}.", path.display()));
    let public = match &key {
        Some(path) => Some(std::fs::read_to_string(path).map_err(|error| read(path, error))?),
        None => None,
    };
    let export = File::open(&file).map_err(|error| read(&file, error))?;
    let found = verify(BufReader::new(export), public.as_deref())
        .map_err(|error| Refusal::Broken(format!("{} is not whole: {error}.", file.display())))?;
    println!(
        "{} is whole: {} events of {}, {} signatures.",
        file.display(),
        found.events,
        found.whose,
        found.signatures
    );
    if found.unsigned > 0 {
        println!(
            "Events up to {} were written before this log was signed on its way: compare them with an earlier export.",
            found.unsigned
        );
    }
    if key.is_none() {
        println!(
            "It was signed by the key {}. Compare it with the installation's keys/audit.pub, or name that file with --key.",
            found.key
        );
    }
    Ok(())
}
