//! One suite of checks or tests: run with its output shown, its passed and failed tests counted.

use std::process::Command;
use std::time::Instant;

use anyhow::Result;

use crate::process;

/// How a suite says how many tests passed.
#[derive(Clone, Copy)]
pub enum Counts {
    /// The command is one check.
    One,
    /// cargo-nextest's summary line.
    Nextest,
    /// The `test result:` lines of `cargo test`.
    CargoTest,
    /// vitest's `Tests` line.
    Vitest,
    /// Playwright's closing lines.
    Playwright,
}

/// What all suites together came to.
#[derive(Default)]
pub struct Tally {
    passed: u64,
    failed: u64,
    lines: Vec<String>,
}

impl Tally {
    /// Runs a suite and counts it.
    pub fn run(&mut self, name: &str, counts: Counts, command: &mut Command) -> Result<()> {
        eprintln!("\n── {name}");
        let started = Instant::now();
        let (mut passed, mut failed) = (0, 0);
        // Colours would stand among what is counted.
        command.env("NO_COLOR", "1").env_remove("FORCE_COLOR");
        let done = process::watched(command, |line| {
            eprintln!("{line}");
            if counts.closes(line) {
                passed += number_before(line, "passed");
                failed += number_before(line, "failed") + number_before(line, "timed");
            }
        })?;
        if matches!(counts, Counts::One) {
            passed = u64::from(done);
        }
        // A suite that fails without counting a failed test (it did not compile, it crashed) is one failure.
        if !done && failed == 0 {
            failed = 1;
        }
        self.add(name, passed, failed, started);
        Ok(())
    }

    /// Counts a check that is not a command.
    pub fn check(&mut self, name: &str, check: impl FnOnce() -> Result<()>) -> bool {
        let started = Instant::now();
        let result = check();
        if let Err(error) = &result {
            eprintln!("{error:#}");
        }
        self.add(name, u64::from(result.is_ok()), u64::from(result.is_err()), started);
        result.is_ok()
    }

    /// Says that something did not run, and why.
    pub fn skip(&mut self, name: &str, why: &str) {
        eprintln!("\n── {name}: not run, {why}");
        self.lines.push(format!("  – {name:<40} not run: {why}"));
    }

    fn add(&mut self, name: &str, passed: u64, failed: u64, started: Instant) {
        self.passed += passed;
        self.failed += failed;
        let mark = if failed == 0 { '✓' } else { '✗' };
        let seconds = started.elapsed().as_secs_f64();
        self.lines.push(format!(
            "  {mark} {name:<40} {passed:>5} passed {failed:>4} failed {seconds:>7.1} s"
        ));
    }

    /// Prints the table and the closing line; returns whether all passed and something ran.
    pub fn close(&self) -> bool {
        eprintln!("\n{}\n", self.lines.join("\n"));
        println!("{} passed, {} failed", self.passed, self.failed);
        self.failed == 0
    }
}

impl Counts {
    fn closes(self, line: &str) -> bool {
        let line = line.trim_start();
        match self {
            Self::One => false,
            Self::Nextest => line.starts_with("Summary ["),
            Self::CargoTest => line.starts_with("test result:"),
            Self::Vitest => line.starts_with("Tests "),
            Self::Playwright => {
                let mut words = line.split_whitespace();
                words.next().is_some_and(|word| word.parse::<u64>().is_ok())
                    && words.next().is_some_and(|word| word == "passed" || word == "failed")
            }
        }
    }
}

/// The number right before a word, 0 where there is none.
fn number_before(line: &str, word: &str) -> u64 {
    let words: Vec<&str> = line
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    words
        .windows(2)
        .find(|pair| pair[1] == word)
        .and_then(|pair| pair[0].parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_of_each_runner_are_counted() {
        let cases = [
            (
                Counts::Nextest,
                "     Summary [   0.1s] 5 tests run: 3 passed (1 slow), 1 failed, 1 timed out, 2 skipped",
                3,
                2,
            ),
            (
                Counts::CargoTest,
                "test result: ok. 7 passed; 0 failed; 0 ignored; 0 measured",
                7,
                0,
            ),
            (Counts::Vitest, "      Tests  1 failed | 11 passed (12)", 11, 1),
            (Counts::Playwright, "  14 passed (1.2m)", 14, 0),
            (Counts::Playwright, "  2 failed", 0, 2),
        ];
        for (counts, line, passed, failed) in cases {
            assert!(counts.closes(line), "{line}");
            assert_eq!(number_before(line, "passed"), passed, "{line}");
            assert_eq!(
                number_before(line, "failed") + number_before(line, "timed"),
                failed,
                "{line}"
            );
        }
    }

    #[test]
    fn other_lines_are_not_counted() {
        assert!(!Counts::Nextest.closes("        PASS [   0.01s] vault a_test"));
        assert!(!Counts::Playwright.closes("  [chromium] 3 passed things"));
        assert!(!Counts::Vitest.closes(" Test Files  2 passed (2)"));
    }
}
