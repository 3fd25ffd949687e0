//! Canaries: secrets that a test plants, and a search for them in everything that was written, in the forms in which text
//! is carried (as it is, as base64 at any offset, as hexadecimal, as a URL would carry it).

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem::Finder;

/// Something secret that must not be found.
#[derive(Debug, Clone)]
pub struct Canary {
    /// What it stands for, for the message.
    pub name: String,
    pub text: String,
}

impl Canary {
    /// A secret text, different in every run. It has no part that repeats, so compression keeps it whole.
    pub fn new(name: &str) -> Self {
        let random = uuid::Uuid::new_v4().simple().to_string();
        Self {
            name: name.to_owned(),
            text: format!("{name}{random}").replace(' ', ""),
        }
    }

    /// A secret that the system made, such as a recovery phrase.
    pub fn of(name: &str, text: &str) -> Self {
        Self {
            name: name.to_owned(),
            text: text.to_owned(),
        }
    }

    /// All forms in which the text may have been written.
    fn forms(&self) -> Vec<(&'static str, Vec<u8>)> {
        let bytes = self.text.as_bytes();
        let mut forms = vec![
            ("as it is", bytes.to_vec()),
            ("in hexadecimal", hex(bytes)),
            ("in UTF-16", bytes.iter().flat_map(|byte| [*byte, 0]).collect()),
        ];
        if self.text.contains(' ') {
            forms.push(("in a URL", self.text.replace(' ', "%20").into_bytes()));
            forms.push(("in a form", self.text.replace(' ', "+").into_bytes()));
        }
        for offset in 0..3 {
            // What stands before shifts the groups of three bytes; the first and last characters depend on neighbours.
            let shifted: Vec<u8> = [vec![0; offset], bytes.to_vec()].concat();
            let whole = shifted.len() / 3 * 3;
            let skip = if offset == 0 { 0 } else { 4 };
            for text in [
                STANDARD_NO_PAD.encode(&shifted[..whole]),
                URL_SAFE_NO_PAD.encode(&shifted[..whole]),
            ] {
                forms.push(("in base64", text.as_bytes()[skip..].to_vec()));
            }
        }
        forms
    }
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    bytes
        .iter()
        .flat_map(|byte| format!("{byte:02x}").into_bytes())
        .collect()
}

/// A search for canaries.
pub struct Search {
    finders: Vec<(String, &'static str, Finder<'static>)>,
    found: Vec<String>,
    bytes: u64,
}

impl Search {
    pub fn new(canaries: &[Canary]) -> Self {
        let finders = canaries
            .iter()
            .flat_map(|canary| {
                canary
                    .forms()
                    .into_iter()
                    .map(|(form, bytes)| (canary.name.clone(), form, Finder::new(&bytes).into_owned()))
            })
            .collect();
        Self {
            finders,
            found: Vec::new(),
            bytes: 0,
        }
    }

    /// Searches some bytes.
    pub fn bytes(&mut self, place: &str, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        for (name, form, finder) in &self.finders {
            if finder.find(bytes).is_some() {
                self.found.push(format!("{name} ({form}) in {place}"));
            }
        }
    }

    /// Searches every file below a folder, and the names of the files.
    pub fn folder(&mut self, folder: &Path) {
        for path in files_below(folder) {
            self.bytes("the name of a file", path.as_os_str().as_encoded_bytes());
            match fs::read(&path) {
                Ok(bytes) => self.bytes(&path.display().to_string(), &bytes),
                // A running database renames its files; what it wrote is searched under the new name.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => panic!("cannot search {}: {error}", path.display()),
            }
        }
    }

    /// What was found, and where.
    pub fn found(&self) -> &[String] {
        &self.found
    }

    /// How much was searched, in bytes.
    pub fn searched(&self) -> u64 {
        self.bytes
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(haystack: &[u8]) -> bool {
        let mut search = Search::new(&[Canary::of("key", "sk-canary 0123456789abcdef")]);
        search.bytes("here", haystack);
        !search.found().is_empty()
    }

    #[test]
    fn a_canary_is_found_in_every_form() {
        let text = b"sk-canary 0123456789abcdef";
        assert!(finds(&[b"xx".as_slice(), text, b"yy"].concat()));
        assert!(finds(&hex(text)));
        assert!(finds(b"?q=sk-canary%200123456789abcdef"));
        for before in ["", "a", "ab", "abc", "abcd"] {
            for after in ["", "z", "zy"] {
                let whole = [before.as_bytes(), text, after.as_bytes()].concat();
                assert!(finds(STANDARD_NO_PAD.encode(&whole).as_bytes()), "{before}…{after}");
                assert!(finds(URL_SAFE_NO_PAD.encode(&whole).as_bytes()), "{before}…{after}");
            }
        }
        assert!(!finds(b"sk-canary 0123456789abcdeX and something else"));
    }
}
