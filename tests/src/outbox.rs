//! Mail that was written to the outbox, as the person who gets it would read it.

use std::fs;
use std::path::Path;

/// The newest link to `page` in a mail to `address`.
pub fn newest_link(outbox: &Path, address: &str, page: &str) -> Option<String> {
    newest_first(outbox, address).find_map(|text| link(&text, page))
}

/// The first link to `page` in a mail, as it was sent.
pub fn link_in(mail: &str, page: &str) -> Option<String> {
    link(&unfolded(mail), page)
}

fn link(text: &str, page: &str) -> Option<String> {
    let marker = format!("/{page}#");
    let word = text.split_whitespace().find(|word| word.contains(&marker))?;
    let start = word.find("http")?;
    let link = &word[start..];
    let end = link.find(['"', '<', '>']).unwrap_or(link.len());
    Some(link[..end].to_owned())
}

/// The newest mail to `address` with this subject.
pub fn newest_letter(outbox: &Path, address: &str, subject: &str) -> Option<String> {
    let wanted = format!("Subject: {subject}");
    newest_first(outbox, address).find(|text| text.lines().any(|line| line == wanted))
}

fn newest_first(outbox: &Path, address: &str) -> impl Iterator<Item = String> {
    let mut mails: Vec<_> = fs::read_dir(outbox)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
        .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
        .collect();
    mails.sort();
    mails.into_iter().rev().filter_map(move |(_, path)| {
        let text = unfolded(&fs::read_to_string(path).ok()?);
        let to = text.lines().find(|line| line.to_ascii_lowercase().starts_with("to:"))?;
        to.contains(address).then_some(text)
    })
}

/// Quoted-printable text with its soft line breaks and escapes undone.
fn unfolded(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    if text
        .to_ascii_lowercase()
        .contains("content-transfer-encoding: quoted-printable")
    {
        text.replace("=\n", "").replace("=3D", "=")
    } else {
        text
    }
}
