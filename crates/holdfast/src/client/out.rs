//! What a command tells: text for people, or with `--json` one JSON value on standard output. Progress and remarks go to standard
//! error. What comes from elsewhere is shown without control characters: an agent's answer must not be able to steer a terminal.

use std::io::Write as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::failure::Failure;

const TICK: Duration = Duration::from_millis(120);

/// Where a command tells what it has done.
#[derive(Debug, Clone, Copy)]
pub struct Out {
    json: bool,
}

impl Out {
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    pub fn is_json(self) -> bool {
        self.json
    }

    /// What came of it.
    pub fn result(self, value: &Value, text: &str) {
        let line = if self.json { escaped(value) } else { text.to_owned() };
        print(&format!("{line}\n"));
    }

    /// A remark for a person.
    pub fn note(self, text: &str) {
        if !self.json {
            eprintln!("{}", plain(text));
        }
    }

    /// A part of an answer, as it comes.
    pub fn piece(self, text: &str) {
        if !self.json {
            print(&plain(text));
        }
    }

    /// Something that takes a while.
    pub fn waiting(self, words: &str) -> ProgressBar {
        if self.json {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new_spinner().with_message(plain(words));
        bar.enable_steady_tick(TICK);
        bar
    }

    /// Something whose length is known.
    pub fn bar(self, words: &str, length: u64) -> ProgressBar {
        if self.json {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{msg} {wide_bar} {percent} %")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::new(length).with_style(style).with_message(plain(words))
    }

    /// Why it was not done.
    pub fn failed(self, failure: &Failure) {
        if self.json {
            let error = json!({"error": {"code": failure.code(), "message": failure.to_string()}});
            eprintln!("{}", escaped(&error));
        } else {
            eprintln!("holdfast: {}", plain(&failure.to_string()));
        }
    }
}

/// A reader that has gone away (`| head`) is no error.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Text without what steers a terminal: control characters but line breaks and tabs, and marks that turn the direction of writing.
pub fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| matches!(c, '\n' | '\t') || !steers(*c))
        .collect()
}

/// One line of it, for a list.
pub fn plain_line(text: &str) -> String {
    plain(text).replace(['\n', '\t'], " ")
}

fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// JSON in which nothing steers a terminal either.
fn escaped(value: &Value) -> String {
    let text = value.to_string();
    if !text.chars().any(steers) {
        return text;
    }
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if steers(c) {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
        out
    })
}

/// A time as people and programs read it: UTC, RFC 3339.
pub fn time(millis: i64) -> String {
    time::OffsetDateTime::from_unix_timestamp(millis.div_euclid(1000))
        .ok()
        .and_then(|at| at.format(&time::format_description::well_known::Rfc3339).ok())
        .unwrap_or_else(|| "?".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_cannot_steer_the_terminal() {
        // Setting the title, writing the clipboard, going up a line, one-byte CSI, turning the direction.
        let hostile = "a\x1b]0;title\x07\x1b]52;c;eA==\x07b\x1b[1A\u{9b}2Jc\u{202e}d\r\ne\tf";
        assert_eq!(plain(hostile), "a]0;title]52;c;eA==b[1A2Jcd\ne\tf");
        let json = escaped(&json!({"text": hostile}));
        assert!(!json.chars().any(steers), "{json}");
        let back: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(back["text"], hostile);
    }

    #[test]
    fn a_title_is_one_line() {
        assert_eq!(plain_line("one\ntwo\x1b[0m"), "one two[0m");
    }

    #[test]
    fn times_are_utc() {
        assert_eq!(time(1_794_096_000_500), "2026-11-08T00:00:00Z");
    }
}
