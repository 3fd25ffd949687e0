//! Prints the OpenAPI document: `cargo xtask openapi` runs this.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    match management::document(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        Ok(document) => {
            print!("{document}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
