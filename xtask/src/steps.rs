//! Progress: each step has a name, a running clock while it works, and its time when it is done.

use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

use crate::machine;

/// Runs one named step.
pub fn step<T>(name: &str, work: impl FnOnce(&Step) -> Result<T>) -> Result<T> {
    let step = Step::start(name);
    let result = work(&step);
    step.end(result.is_ok());
    result
}

/// A step under way.
pub struct Step {
    name: String,
    started: Instant,
    bar: Option<ProgressBar>,
}

impl Step {
    fn start(name: &str) -> Self {
        let bar = machine::has_terminal().then(|| {
            let bar = ProgressBar::new_spinner().with_message(name.to_owned());
            bar.set_style(
                ProgressStyle::with_template("  {spinner} {msg}  {elapsed}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        if bar.is_none() {
            eprintln!("  … {name}");
        }
        Self {
            name: name.to_owned(),
            started: Instant::now(),
            bar,
        }
    }

    /// Says what the step is doing now.
    pub fn detail(&self, text: &str) {
        if let Some(bar) = &self.bar {
            let text: String = text.chars().take(100).collect();
            bar.set_message(format!("{}: {text}", self.name));
        }
    }

    fn end(self, done: bool) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        let mark = if done { "✓" } else { "✗" };
        eprintln!(
            "  {mark} {:<52} {:>7.1} s",
            self.name,
            self.started.elapsed().as_secs_f64()
        );
    }
}
