//! Canaries: secrets that a test plants, and a search for them in everything that was written, in the forms in which text
//! is carried (as it is, as base64 at any offset, as hexadecimal, as a URL would carry it), also inside what was compressed with zstd.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem::find_iter;

use crate::docker::{Part, process};

/// How every zstd frame begins (RFC 8878, section 3.1.1).
const ZSTD: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();
/// How much of one frame is unpacked: several times the largest piece of a home.
const UNPACKED: u64 = 64 << 20;
/// How deep frames within frames are followed.
const DEPTH: u8 = 2;

/// Something secret that must not be found.
#[derive(Debug, Clone)]
pub struct Canary {
    /// What it stands for, for the message.
    pub name: String,
    /// Bytes that are no text are here in hexadecimal.
    pub text: String,
    bytes: Vec<u8>,
}

impl Canary {
    /// A secret text, different in every run. It has no part that repeats, so compression keeps it whole.
    pub fn new(name: &str) -> Self {
        let random = uuid::Uuid::new_v4().simple().to_string();
        Self::of(name, &format!("{name}{random}").replace(' ', ""))
    }

    /// A secret that the system made, such as a recovery phrase.
    pub fn of(name: &str, text: &str) -> Self {
        Self {
            name: name.to_owned(),
            text: text.to_owned(),
            bytes: text.as_bytes().to_vec(),
        }
    }

    /// A secret that is no text, such as a share.
    pub fn of_bytes(name: &str, bytes: &[u8]) -> Self {
        Self {
            name: name.to_owned(),
            text: String::from_utf8(hex(bytes)).expect("hexadecimal is text"),
            bytes: bytes.to_vec(),
        }
    }

    /// All forms in which it may have been written.
    fn forms(&self) -> Vec<(&'static str, Vec<u8>)> {
        let bytes = self.bytes.as_slice();
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
    /// Name and form of each text that is looked for, in the order of the machine's.
    texts: Vec<(String, &'static str)>,
    machine: AhoCorasick,
    found: Vec<String>,
    bytes: u64,
    frames: u64,
}

impl Search {
    pub fn new(canaries: &[Canary]) -> Self {
        let (texts, bytes): (Vec<_>, Vec<_>) = canaries
            .iter()
            .flat_map(|canary| {
                let forms = canary.forms().into_iter();
                forms.map(|(form, bytes)| ((canary.name.clone(), form), bytes))
            })
            .unzip();
        Self {
            texts,
            machine: AhoCorasick::new(bytes).expect("a few texts are searched for"),
            found: Vec::new(),
            bytes: 0,
            frames: 0,
        }
    }

    /// Searches some bytes, and what is in each zstd frame among them.
    pub fn bytes(&mut self, place: &str, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.look(place, bytes, 0);
    }

    fn look(&mut self, place: &str, bytes: &[u8], depth: u8) {
        let seen: BTreeSet<usize> = self
            .machine
            .find_overlapping_iter(bytes)
            .map(|found| found.pattern().as_usize())
            .collect();
        for text in seen {
            let (name, form) = &self.texts[text];
            self.found.push(format!("{name} ({form}) in {place}"));
        }
        if depth == DEPTH {
            return;
        }
        for at in find_iter(bytes, &ZSTD) {
            let unpacked = unpacked(&bytes[at..]);
            if !unpacked.is_empty() {
                self.frames += 1;
                self.look(&format!("a zstd frame at {at} of {place}"), &unpacked, depth + 1);
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

    /// How many zstd frames were unpacked and searched.
    pub fn frames(&self) -> u64 {
        self.frames
    }
}

/// Which of these are in the home of a cell's agent, or in what else it writes, and where; `None` where it does not run.
///
/// Looked at from outside: a `docker exec` that is under way when a snapshot freezes the agent would hold up its thaw.
pub fn found_in_home(cell: &str, canaries: &[Canary]) -> Option<Vec<String>> {
    let root = PathBuf::from(format!("/proc/{}/root", process(cell, Part::Agent)?));
    let mut search = Search::new(canaries);
    for folder in ["home/node", "tmp"] {
        search.folder(&root.join(folder));
    }
    Some(search.found().to_vec())
}

/// Until none of these is there any more.
pub async fn go_from_home(cell: &str, canaries: &[Canary]) {
    let started = Instant::now();
    loop {
        let found = found_in_home(cell, canaries);
        if found.as_ref().is_some_and(Vec::is_empty) {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(120), "{found:#?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// What is in the zstd frame that begins here, as far as it can be read: a frame that is cut gives what comes before the cut.
fn unpacked(frame: &[u8]) -> Vec<u8> {
    let mut unpacked = Vec::new();
    let decoder = zstd::stream::read::Decoder::with_buffer(frame).expect("a decoder can be made");
    // Four bytes that look like a frame and are none end in an error, and so does what is cut.
    let _ = decoder.single_frame().take(UNPACKED).read_to_end(&mut unpacked);
    unpacked
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

    #[test]
    fn a_canary_that_is_no_text_is_found() {
        let bytes: Vec<u8> = (0..32).map(|n| n * 7 + 3).collect();
        let mut search = Search::new(&[Canary::of_bytes("share", &bytes)]);
        search.bytes("here", &[b"\x00".as_slice(), &bytes, b"\xff"].concat());
        search.bytes(
            "there",
            STANDARD_NO_PAD.encode([b"\x01", bytes.as_slice()].concat()).as_bytes(),
        );
        for place in ["here", "there"] {
            let found = search.found().iter().any(|found| found.ends_with(place));
            assert!(found, "{place}: {:?}", search.found());
        }
    }

    #[test]
    fn a_canary_is_found_within_a_zstd_frame_also_a_cut_one_and_one_within_another() {
        // Noise around it: so it is packed, and in the middle.
        let noise: Vec<u8> = (0..40_000_u32)
            .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
            .collect();
        let words = b"sk-canary 0123456789abcdef and again: sk-canary 0123456789abcdef and again".repeat(50);
        let plain = [noise.as_slice(), &words, &noise].concat();
        let frame = zstd::encode_all(plain.as_slice(), 3).unwrap();
        assert!(frame.len() < plain.len(), "it was not packed");
        let twice = zstd::encode_all([b"before".as_slice(), &frame].concat().as_slice(), 3).unwrap();
        let long = [frame.as_slice(), &frame].concat();
        let cut = &frame[..frame.len() - 8];
        for (what, packed) in [
            ("whole", &frame),
            ("twice", &twice),
            ("two", &long),
            ("cut", &cut.to_vec()),
        ] {
            let mut search = Search::new(&[Canary::of("key", "again: sk-canary 0123456789abcdef")]);
            search.bytes(
                "a file",
                &[&[0x28, 0xB5, 0x2F, 0xFD, 0, 1, 2], b"x".as_slice(), packed, b"after"].concat(),
            );
            assert!(search.frames() > 0, "{what}");
            let found = search.found();
            assert!(
                found.iter().any(|found| found.contains("zstd frame at 8 of a file")),
                "{what}: {found:?}"
            );
        }
    }
}
