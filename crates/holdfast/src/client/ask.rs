//! What a person types, or a script writes to standard input. Nothing secret is ever an argument or in the environment.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::os::fd::AsFd as _;
use std::sync::Mutex;

use zeroize::Zeroizing;

use super::failure::Failure;
use crate::limits::{CLIENT_LINE_BYTES, CLIENT_TEXT_BYTES};

const TERMINAL: &str = "/dev/tty";

/// Where answers come from.
pub enum Ask {
    /// Asked on the terminal, whatever standard input is.
    Terminal,
    /// Standard input, unbuffered: what one answer leaves is there for the next.
    Stdin(Mutex<File>),
}

impl Ask {
    /// The terminal, or with `--stdin` standard input.
    ///
    /// # Errors
    /// There is no standard input.
    pub fn new(stdin: bool) -> Result<Self, Failure> {
        if !stdin {
            return Ok(Self::Terminal);
        }
        let input = io::stdin().as_fd().try_clone_to_owned().map_err(Failure::Input)?;
        Ok(Self::Stdin(Mutex::new(File::from(input))))
    }

    /// Whether somebody can be asked again.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Terminal)
    }

    /// Something that nobody may see. Blocks.
    ///
    /// # Errors
    /// There is no terminal; the input ended.
    pub fn secret(&self, what: &'static str, prompt: &str) -> Result<Zeroizing<String>, Failure> {
        match self {
            Self::Stdin(input) => line(&mut *held(input), what),
            Self::Terminal => {
                let asked = tokio::task::block_in_place(|| rpassword::prompt_password(format!("{prompt}: ")));
                let typed = Zeroizing::new(asked.map_err(|error| no_terminal(error, what))?);
                if typed.len() > CLIENT_LINE_BYTES {
                    return Err(long_line(what));
                }
                Ok(typed)
            }
        }
    }

    /// A line that may be seen while it is typed. Blocks.
    ///
    /// # Errors
    /// There is no terminal; the input ended.
    pub fn line(&self, what: &'static str, prompt: &str) -> Result<Zeroizing<String>, Failure> {
        match self {
            Self::Stdin(input) => line(&mut *held(input), what),
            Self::Terminal => {
                tokio::task::block_in_place(|| typed_line(what, prompt))?.ok_or(Failure::InputEnded(what))
            }
        }
    }

    /// Goes on only if this word is typed.
    ///
    /// # Errors
    /// There is no terminal; another word was typed.
    pub fn confirm(&self, what: &'static str, prompt: &str, word: &str) -> Result<(), Failure> {
        if self.line(what, prompt)?.trim() == word {
            return Ok(());
        }
        Err(Failure::NotSure("That was not confirmed."))
    }

    /// All that is left of standard input, without the line break at its end; on a terminal one line that nobody sees.
    ///
    /// # Errors
    /// There is no terminal; the input cannot be read, or is too long.
    pub fn value(&self, what: &'static str, prompt: &str) -> Result<Zeroizing<String>, Failure> {
        match self {
            Self::Stdin(input) => rest(&mut *held(input), what),
            Self::Terminal => self.secret(what, prompt),
        }
    }
}

fn held(input: &Mutex<File>) -> std::sync::MutexGuard<'_, File> {
    input.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// All of standard input, for what is no secret: a message.
///
/// # Errors
/// It cannot be read, or is too long.
pub fn piped(what: &'static str) -> Result<Zeroizing<String>, Failure> {
    rest(&mut io::stdin().lock(), what)
}

/// One line from the terminal; none at its end.
///
/// # Errors
/// There is no terminal.
pub fn typed_line(what: &'static str, prompt: &str) -> Result<Option<Zeroizing<String>>, Failure> {
    let missing = |error| no_terminal(error, what);
    let mut terminal = OpenOptions::new()
        .read(true)
        .write(true)
        .open(TERMINAL)
        .map_err(missing)?;
    terminal
        .write_all(prompt.as_bytes())
        .and_then(|()| terminal.flush())
        .map_err(missing)?;
    let mut typed = Zeroizing::new(String::with_capacity(CLIENT_LINE_BYTES));
    let read = BufReader::new(terminal).read_line(&mut typed).map_err(Failure::Input)?;
    if read == 0 {
        return Ok(None);
    }
    let length = typed.trim_end_matches(['\n', '\r']).len();
    typed.truncate(length);
    Ok(Some(typed))
}

fn no_terminal(error: io::Error, what: &'static str) -> Failure {
    match error.raw_os_error() {
        // Opening /dev/tty without a controlling terminal, or where there is no such file.
        Some(_) => Failure::NoTerminal(what),
        None => Failure::Input(error),
    }
}

fn long_line(what: &'static str) -> Failure {
    Failure::InputTooLong {
        what,
        most: CLIENT_LINE_BYTES,
        limit: "CLIENT_LINE_BYTES",
    }
}

fn long_text(what: &'static str) -> Failure {
    Failure::InputTooLong {
        what,
        most: CLIENT_TEXT_BYTES,
        limit: "CLIENT_TEXT_BYTES",
    }
}

fn text(bytes: Zeroizing<Vec<u8>>, what: &'static str) -> Result<Zeroizing<String>, Failure> {
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(Failure::NotText(what)),
    }
}

/// One line, a byte at a time: nothing after it is taken.
fn line(input: &mut impl Read, what: &'static str) -> Result<Zeroizing<String>, Failure> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(CLIENT_LINE_BYTES));
    let mut byte = Zeroizing::new([0_u8]);
    loop {
        match input.read(byte.as_mut_slice()) {
            Ok(0) if bytes.is_empty() => return Err(Failure::InputEnded(what)),
            Ok(0) => break,
            Ok(_) if byte[0] == b'\n' => break,
            Ok(_) if bytes.len() == CLIENT_LINE_BYTES => return Err(long_line(what)),
            Ok(_) => bytes.push(byte[0]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Failure::Input(error)),
        }
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    text(bytes, what)
}

/// All that is left.
fn rest(input: &mut impl Read, what: &'static str) -> Result<Zeroizing<String>, Failure> {
    // One byte more than is taken, so that a longer input is seen; with all its room from the start no copy is left behind.
    let mut bytes = Zeroizing::new(vec![0; CLIENT_TEXT_BYTES + 1]);
    let mut length = 0;
    while length < bytes.len() {
        match input.read(&mut bytes[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Failure::Input(error)),
        }
    }
    if length > CLIENT_TEXT_BYTES {
        return Err(long_text(what));
    }
    bytes.truncate(length);
    for end in [b'\n', b'\r'] {
        if bytes.last() == Some(&end) {
            bytes.pop();
        }
    }
    text(bytes, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_takes_its_line_and_the_value_takes_the_rest() {
        let mut input: &[u8] = b" pass word \r\nline one\nline two\n";
        assert_eq!(*line(&mut input, "the password").unwrap(), " pass word ");
        assert_eq!(*rest(&mut input, "the value").unwrap(), "line one\nline two");
        assert!(matches!(
            line(&mut input, "the code"),
            Err(Failure::InputEnded("the code"))
        ));
    }

    #[test]
    fn a_last_line_needs_no_line_break() {
        let mut input: &[u8] = b"secret";
        assert_eq!(*line(&mut input, "the password").unwrap(), "secret");
    }

    #[test]
    fn what_is_too_long_or_no_text_is_named() {
        let long = vec![b'x'; CLIENT_TEXT_BYTES + 2];
        assert!(matches!(
            line(&mut long.as_slice(), "a"),
            Err(Failure::InputTooLong { .. })
        ));
        assert!(matches!(
            rest(&mut long.as_slice(), "a"),
            Err(Failure::InputTooLong { .. })
        ));
        assert!(matches!(line(&mut &b"\xff\n"[..], "a"), Err(Failure::NotText("a"))));
    }
}
