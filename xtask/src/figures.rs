//! Figures of the cryptography and of sealing: measured in the crates themselves, built as they are released, by tests that print rows.

use anyhow::{Result, bail};

use crate::build::cargo;
use crate::process;

/// Crate, the profile that it is released in, and where its figures are.
const SOURCES: [(&str, &str, &[&str]); 3] = [
    ("vault", "cell", &["--test", "speed"]),
    ("keeper", "cell", &["--lib"]),
    ("relay", "release", &["--test", "relay"]),
];

/// Rows for the bench's table.
pub fn measure() -> Result<String> {
    let mut rows = String::new();
    for (package, profile, place) in SOURCES {
        let mut command = cargo();
        command
            .args([
                "test",
                "--quiet",
                "--locked",
                "--profile",
                profile,
                "--package",
                package,
            ])
            .args(place);
        command.args(["--", "--ignored", "--nocapture", "--test-threads", "1", "speed_"]);
        // The home is in memory, as in a cell.
        if std::path::Path::new("/dev/shm").is_dir() {
            command.env("TMPDIR", "/dev/shm");
        }
        let done = process::watched(&mut command, |line| {
            // With one thread, a test's first line follows its name.
            if let Some((_, row)) = line.split_once("figure: ") {
                eprintln!("{row}");
                rows.push_str(&format!("| {row} |\n"));
            }
        })?;
        if !done {
            bail!("The figures of {package} could not be measured, or one of them is not good enough.");
        }
    }
    Ok(rows)
}
