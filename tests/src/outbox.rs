//! Mail that was written to the outbox, as the person who gets it would read it.

use std::fs;
use std::path::Path;

/// The newest link to `page` in a mail to `address`.
pub fn newest_link(outbox: &Path, address: &str, page: &str) -> Option<String> {
    let mut mails: Vec<_> = fs::read_dir(outbox)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
        .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
        .collect();
    mails.sort();
    let marker = format!("/{page}#");
    mails.iter().rev().find_map(|(_, path)| {
        let text = unfolded(&fs::read_to_string(path).ok()?);
        let to = text.lines().find(|line| line.to_ascii_lowercase().starts_with("to:"))?;
        if !to.contains(address) {
            return None;
        }
        let word = text.split_whitespace().find(|word| word.contains(&marker))?;
        let start = word.find("http")?;
        let link = &word[start..];
        let end = link.find(['"', '<', '>']).unwrap_or(link.len());
        Some(link[..end].to_owned())
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
