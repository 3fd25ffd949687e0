//! What a process read and wrote, all of it, as the kernel saw it (strace).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::process::{signal, wait_until};

/// A trace under way.
#[derive(Debug)]
pub struct Trace {
    strace: Child,
    file: PathBuf,
}

impl Trace {
    /// Follows a process and all its threads from now on.
    pub async fn of(pid: u32, file: &Path) -> Self {
        let calls =
            "trace=read,readv,recvfrom,recvmsg,recvmmsg,write,writev,sendto,sendmsg,sendmmsg,pread64,pwrite64,sendfile";
        let strace = Command::new("strace")
            .args(["-f", "-q", "-s", "1000000", "-e", calls, "-e", "signal=none", "-o"])
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

    /// Stops following; what was seen, with strace's escapes of quotes, tabs and line ends undone.
    pub fn end(mut self) -> Vec<u8> {
        signal(self.strace.id(), Signal::INT);
        let _ = self.strace.wait();
        let text = fs::read(&self.file).expect("strace wrote a file");
        unescaped(&text)
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

/// `\"`, `\\`, `\n` and `\t` as the bytes that they stand for; octal escapes stay: no canary holds such bytes.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next() {
            Some(b'n') => bytes.push(b'\n'),
            Some(b't') => bytes.push(b'\t'),
            Some(other @ (b'"' | b'\\')) => bytes.push(other),
            Some(other) => bytes.extend([b'\\', other]),
            None => bytes.push(b'\\'),
        }
    }
    bytes
}
