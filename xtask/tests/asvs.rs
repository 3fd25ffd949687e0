//! The table of OWASP ASVS (`docs/asvs.md`) has one row for each requirement of levels 1 and 2, and what its rows name is there.

use std::fs;
use std::path::{Path, PathBuf};

/// The ids of the requirements, each with its level.
const REQUIREMENTS: &str = include_str!("asvs.txt");
const STATES: [&str; 4] = ["met", "partly", "not met", "does not apply"];
/// Where files of the repository are that rows name, and the files beside these.
const FOLDERS: [&str; 8] = ["bench", "crates", "deploy", "docs", "fuzz", "images", "tests", "ui"];
const FILES: [&str; 2] = [".toml", ".lock"];

struct Row {
    id: String,
    level: String,
    state: String,
    place: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn requirements() -> Vec<(&'static str, &'static str)> {
    let lines = REQUIREMENTS.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.split_once(' ').expect("a line is an id and a level"))
        .collect()
}

fn rows() -> Vec<Row> {
    let cells = |line: &str| -> Vec<String> { line.split('|').map(|cell| cell.trim().to_owned()).collect() };
    let table = text("docs/asvs.md");
    table
        .lines()
        .filter(|line| line.starts_with("| ") && line[2..].starts_with(|c: char| c.is_ascii_digit()))
        .map(|line| match cells(line).as_slice() {
            [_, id, level, _, state, place, _] => Row {
                id: id.clone(),
                level: level.clone(),
                state: state.clone(),
                place: place.clone(),
            },
            _ => panic!("not a row of five cells: {line}"),
        })
        .collect()
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Where the links of a text lead.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

fn is_path(word: &str) -> bool {
    match word.split_once('/') {
        Some((first, _)) => FOLDERS.contains(&first) || first == "xtask",
        None => FILES.iter().any(|end| word.ends_with(end)),
    }
}

/// A test's name has four words and more.
fn is_test(word: &str) -> bool {
    word.matches('_').count() >= 3
        && word
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// What a heading is linked by.
fn anchors(page: &str) -> Vec<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let words = line.trim_start_matches('#').trim().to_lowercase();
            let kept = words
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[test]
fn each_requirement_has_one_row_with_its_level() {
    let (rows, requirements) = (rows(), requirements());
    let mut wrong = Vec::new();
    for (id, level) in &requirements {
        match rows.iter().filter(|row| row.id == *id).collect::<Vec<_>>().as_slice() {
            [row] if row.level == *level => {}
            [row] => wrong.push(format!("{id} is of level {level}, not {}", row.level)),
            [] => wrong.push(format!("{id} has no row")),
            several => wrong.push(format!("{id} has {} rows", several.len())),
        }
    }
    for row in &rows {
        if !requirements.iter().any(|(id, _)| *id == row.id) {
            wrong.push(format!("{} is no requirement of level 1 or 2", row.id));
        }
        if !STATES.contains(&row.state.as_str()) {
            wrong.push(format!("{}: {:?} is none of {STATES:?}", row.id, row.state));
        }
        if row.place.is_empty() {
            wrong.push(format!("{} says neither where nor why not", row.id));
        }
    }
    assert!(wrong.is_empty(), "docs/asvs.md: {wrong:#?}");
}

#[test]
fn what_a_row_names_is_there() {
    let mut wrong = Vec::new();
    for Row { id, place, .. } in rows() {
        let (there, gone): (Vec<_>, Vec<_>) = quoted(&place)
            .filter(|word| is_path(word))
            .partition(|path| root().join(path).exists());
        wrong.extend(gone.iter().map(|path| format!("{id}: there is no {path}")));
        let files = there.iter().filter(|path| root().join(path).is_file());
        let files: String = files.map(|path| text(path)).collect();
        for test in quoted(&place).filter(|word| is_test(word)) {
            if !files.contains(&format!("fn {test}(")) {
                wrong.push(format!("{id}: no test {test} in the files that it names"));
            }
        }
        for link in links(&place) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            match fs::read_to_string(root().join("docs").join(file)) {
                Ok(page) if anchor.is_empty() || anchors(&page).iter().any(|one| one == anchor) => {}
                _ => wrong.push(format!("{id}: {link} leads nowhere")),
            }
        }
    }
    assert!(wrong.is_empty(), "docs/asvs.md: {wrong:#?}");
}

#[test]
fn the_counts_in_the_security_page_are_the_tables() {
    let (rows, page) = (rows(), text("docs/security.md"));
    for (name, levels) in [("level 1", &["1"][..]), ("level 2", &["2"]), ("both", &["1", "2"])] {
        let of_it: Vec<_> = rows.iter().filter(|row| levels.contains(&row.level.as_str())).collect();
        let counts: Vec<_> = STATES
            .iter()
            .map(|state| of_it.iter().filter(|row| row.state == *state).count().to_string())
            .collect();
        let line = format!("| {name} | {} | {} |", of_it.len(), counts.join(" | "));
        assert!(page.contains(&line), "docs/security.md does not say: {line}");
    }
}
