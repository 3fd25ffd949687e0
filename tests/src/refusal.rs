//! A server that is expected not to start.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::installation::binary;

/// How a server that did not start has ended.
#[derive(Debug)]
pub struct Refusal {
    pub code: Option<i32>,
    /// The last line that it wrote.
    pub sentence: String,
}

/// Runs `holdfast up` on this data directory and waits for it to end.
pub fn refused(data_dir: &Path, args: &[&str], environment: &[(&str, &str)]) -> Refusal {
    // `timeout` ends a server that starts after all, so that the test fails instead of hanging.
    let output = Command::new("timeout")
        .arg("60")
        .arg(binary())
        .args(["up", "--data-dir"])
        .arg(data_dir)
        .args(args)
        .env_remove("DATABASE_URL")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("the server's binary can be run");
    let text = String::from_utf8_lossy(&output.stderr);
    Refusal {
        code: output.status.code(),
        sentence: text.lines().last().unwrap_or_default().to_owned(),
    }
}
