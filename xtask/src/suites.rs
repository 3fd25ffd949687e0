//! One suite of checks or tests: run with its output shown, its passed and failed tests counted.

use std::process::Command;
use std::time::Instant;

use anyhow::{Result, bail};

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

/// What a suite came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    /// Also at a second try.
    passed: u64,
    failed: u64,
    /// Of those that passed: only at a second try.
    flaky: u64,
}

/// What all suites together came to.
#[derive(Default)]
pub struct Tally {
    all: Count,
    /// Tests that ran, without what is one check.
    tests: u64,
    lines: Vec<String>,
}

impl Tally {
    /// Runs a suite and counts it.
    pub fn run(&mut self, name: &str, counts: Counts, command: &mut Command) -> Result<()> {
        eprintln!("\n── {name}");
        let started = Instant::now();
        let mut count = Count::default();
        // Colours would stand among what is counted.
        command.env("NO_COLOR", "1").env_remove("FORCE_COLOR");
        let done = process::watched(command, |line| {
            eprintln!("{line}");
            count.add(counts.told(line));
        })?;
        self.tests += count.passed + count.failed;
        if matches!(counts, Counts::One) {
            count.passed = u64::from(done);
        }
        // A suite that fails without counting a failed test (it did not compile, it crashed) is one failure.
        if !done && count.failed == 0 {
            count.failed = 1;
        }
        self.add(name, count, started);
        Ok(())
    }

    /// Counts a check that is not a command.
    pub fn check(&mut self, name: &str, check: impl FnOnce() -> Result<()>) -> bool {
        let started = Instant::now();
        let result = check();
        if let Err(error) = &result {
            eprintln!("{error:#}");
        }
        let count = Count {
            passed: u64::from(result.is_ok()),
            failed: u64::from(result.is_err()),
            flaky: 0,
        };
        self.add(name, count, started);
        result.is_ok()
    }

    /// Says that something did not run, and why.
    pub fn skip(&mut self, name: &str, why: &str) {
        eprintln!("\n── {name}: not run, {why}");
        self.lines.push(format!("  – {name:<40} not run: {why}"));
    }

    fn add(&mut self, name: &str, count: Count, started: Instant) {
        self.all.add(count);
        let Count { passed, failed, .. } = count;
        let mark = if failed == 0 { '✓' } else { '✗' };
        let (flaky, seconds) = (count.flaky(), started.elapsed().as_secs_f64());
        self.lines.push(format!(
            "  {mark} {name:<40} {passed:>5} passed {failed:>4} failed {seconds:>7.1} s{flaky}"
        ));
    }

    /// Prints the table and the closing line.
    ///
    /// # Errors
    /// Something failed, or no test ran: none has the name that was asked for.
    pub fn close(&self, wanted: Option<&str>) -> Result<()> {
        eprintln!("\n{}\n", self.lines.join("\n"));
        println!(
            "{} passed, {} failed{}",
            self.all.passed,
            self.all.failed,
            self.all.flaky()
        );
        match (self.all.failed, self.tests, wanted) {
            (0, 0, Some(name)) => bail!("No test has a name that contains {name:?}: nothing was tested."),
            (0, 0, None) => bail!("No test ran."),
            (0, ..) => Ok(()),
            _ => bail!("Something failed: see above."),
        }
    }
}

impl Count {
    fn add(&mut self, more: Self) {
        self.passed += more.passed;
        self.failed += more.failed;
        self.flaky += more.flaky;
    }

    /// Words for what passed only at a second try, where there is any.
    fn flaky(self) -> String {
        match self.flaky {
            0 => String::new(),
            flaky => format!(", {flaky} flaky (passed only at a second try)"),
        }
    }
}

impl Counts {
    /// What a line of the suite's output tells: nothing, unless it is one of its closing lines.
    fn told(self, line: &str) -> Count {
        if !self.closes(line) {
            return Count::default();
        }
        let number = |word| number_before(line, word);
        let flaky = number("flaky");
        Count {
            // Playwright does not count what was flaky among what passed; nextest does.
            passed: number("passed") + if matches!(self, Self::Playwright) { flaky } else { 0 },
            failed: number("failed") + number("timed"),
            flaky,
        }
    }

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
                    && words
                        .next()
                        .is_some_and(|word| ["passed", "failed", "flaky"].contains(&word))
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
                (3, 2, 0),
            ),
            (
                Counts::Nextest,
                "     Summary [  60.2s] 3 tests run: 3 passed (1 slow, 2 flaky), 0 skipped",
                (3, 0, 2),
            ),
            (
                Counts::CargoTest,
                "test result: ok. 7 passed; 0 failed; 0 ignored; 0 measured",
                (7, 0, 0),
            ),
            (Counts::Vitest, "      Tests  1 failed | 11 passed (12)", (11, 1, 0)),
            (Counts::Playwright, "  14 passed (1.2m)", (14, 0, 0)),
            (Counts::Playwright, "  2 failed", (0, 2, 0)),
            (Counts::Playwright, "  1 flaky", (1, 0, 1)),
        ];
        for (counts, line, (passed, failed, flaky)) in cases {
            let expected = Count { passed, failed, flaky };
            assert_eq!(counts.told(line), expected, "{line}");
        }
    }

    #[test]
    fn other_lines_are_not_counted() {
        let others = [
            (Counts::Nextest, "        PASS [   0.01s] vault a_test"),
            (Counts::Nextest, "  FLAKY 2/2 [   0.01s] vault 3 passed things"),
            (Counts::Playwright, "  [chromium] 3 passed things"),
            (Counts::Vitest, " Test Files  2 passed (2)"),
        ];
        for (counts, line) in others {
            assert_eq!(counts.told(line), Count::default(), "{line}");
        }
    }

    /// A suite that writes this and ends well.
    fn ran(tally: &mut Tally, line: &str) {
        let mut echo = Command::new("echo");
        tally.run("Rust tests", Counts::Nextest, echo.arg(line)).unwrap();
    }

    #[test]
    fn a_name_that_no_test_has_is_no_success() {
        let mut tally = Tally::default();
        assert!(tally.check("Schemathesis", || Ok(())));
        ran(&mut tally, "Summary [ 0.1s] 0 tests run: 0 passed, 900 skipped");
        let said = tally.close(Some("TYPO")).unwrap_err().to_string();
        assert!(said.contains("TYPO"), "{said}");

        ran(&mut tally, "Summary [ 0.1s] 1 test run: 1 passed, 899 skipped");
        tally.close(Some("vault")).unwrap();
    }

    #[test]
    fn what_passed_only_at_a_second_try_is_told() {
        let mut tally = Tally::default();
        ran(&mut tally, "Summary [ 9.0s] 3 tests run: 3 passed (2 flaky), 0 skipped");
        tally.close(None).unwrap();
        assert!(tally.lines[0].contains("2 flaky"), "{}", tally.lines[0]);
        assert_eq!(tally.all.flaky(), ", 2 flaky (passed only at a second try)");
    }
}
