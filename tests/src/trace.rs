//! What a process read and wrote, all of it, as the kernel saw it (strace).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::process::{signal, wait_until};

const READS: [&str; 6] = ["read", "readv", "recvfrom", "recvmsg", "recvmmsg", "pread64"];
const WRITES: [&str; 7] = [
    "write", "writev", "sendto", "sendmsg", "sendmmsg", "pwrite64", "sendfile",
];

/// A trace under way.
#[derive(Debug)]
pub struct Trace {
    strace: Child,
    file: PathBuf,
}

impl Trace {
    /// Follows a process and all its threads from now on.
    pub async fn of(pid: u32, file: &Path) -> Self {
        let calls = format!("trace={},{}", READS.join(","), WRITES.join(","));
        let strace = Command::new("strace")
            .args(["-f", "-q", "-s", "1000000", "-e", &calls, "-e", "signal=none", "-o"])
            .arg(file)
            .args(["-p", &pid.to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("strace can be run");
        wait_until("strace follows the process", Duration::from_secs(20), async || {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"))?;
            (tracer.trim() != "0").then_some(())
        })
        .await;
        Self {
            strace,
            file: file.to_owned(),
        }
    }

    /// Stops following; what was seen, with strace's escapes undone.
    pub fn end(self) -> Vec<u8> {
        unescaped(&self.calls())
    }

    /// The same, of what it wrote alone.
    pub fn end_written(self) -> Vec<u8> {
        unescaped(&written(&self.calls()))
    }

    /// A line for each call.
    fn calls(mut self) -> Vec<u8> {
        signal(self.strace.id(), Signal::INT);
        let _ = self.strace.wait();
        fs::read(&self.file).expect("strace wrote a file")
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        if matches!(self.strace.try_wait(), Ok(None)) {
            let _ = self.strace.kill();
            let _ = self.strace.wait();
        }
    }
}

/// The lines of calls that write.
fn written(calls: &[u8]) -> Vec<u8> {
    let writes = |line: &&[u8]| {
        let name = line.splitn(2, |byte| *byte == b'(').next().unwrap_or_default();
        WRITES
            .iter()
            .any(|call| name.ends_with(&[b" ", call.as_bytes()].concat()))
    };
    let lines: Vec<_> = calls.split(|byte| *byte == b'\n').filter(writes).collect();
    lines.join(&b'\n')
}

/// What strace wrote with its escapes (`\"`, `\\`, `\n`, `\33`, …) as the bytes that they stand for.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let digits = rest
            .iter()
            .take(3)
            .take_while(|byte| (b'0'..=b'7').contains(*byte))
            .count();
        if digits > 0 {
            let value = rest[..digits]
                .iter()
                .fold(0_u16, |value, digit| value * 8 + u16::from(digit - b'0'));
            bytes.push(value.to_le_bytes()[0]);
            rest = &rest[digits..];
            continue;
        }
        let Some((&escaped, after)) = rest.split_first() else {
            bytes.push(byte);
            break;
        };
        rest = after;
        match escaped {
            b'n' => bytes.push(b'\n'),
            b't' => bytes.push(b'\t'),
            b'r' => bytes.push(b'\r'),
            b'v' => bytes.push(0x0B),
            b'f' => bytes.push(0x0C),
            b'"' | b'\\' => bytes.push(escaped),
            other => bytes.extend([b'\\', other]),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strace_escapes_is_seen_as_the_bytes_that_crossed() {
        let seen = unescaped(br#"write(9, "\50\265/\375\0\0011\r\n\"\\", 11) = 11"#);
        let crossed = [0x28, 0xB5, 0x2F, 0xFD, 0, 1, b'1', b'\r', b'\n', b'"', b'\\'];
        assert_eq!(seen, [b"write(9, \"".as_slice(), &crossed, b"\", 11) = 11"].concat());
        assert_eq!(unescaped(b"cut\\"), b"cut\\");
    }

    #[test]
    fn what_is_written_is_told_from_what_is_read() {
        let calls = b"12    write(9, \"out\", 3 <unfinished ...>\n12    <... write resumed>) = 3\n7     recvfrom(4, \" write(in\", 9, 0, NULL, NULL) = 9\n\
            7     sendmsg(4, {msg_iov=[{iov_base=\"told\"}]}, 0) = 4\n";
        let told = String::from_utf8(written(calls)).unwrap();
        assert!(
            told.contains("out") && told.contains("told") && !told.contains("in\""),
            "{told}"
        );
    }
}
