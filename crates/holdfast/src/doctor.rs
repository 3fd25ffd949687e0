//! `holdfast doctor`: looks at the machine and says, a line each, what is there and what to do about what is not.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use crate::config::{self, Config, Overrides};
use crate::data_dir::free_mib;
use crate::limits::RELAY_LOOK;
use crate::news_token;
use crate::refusal::{NEEDED_MIB, Refusal};

/// What the machine itself, the server, PostgreSQL and Docker take, in MiB.
const OWN_MEMORY_MIB: u64 = 512;
/// As much as is read of a relay's answer.
const STATUS_LINE_BYTES: u64 = 256;

/// How one look ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Good,
    /// Works, but weaker or slower than it could.
    Weak,
    /// Holdfast does not run without it.
    Bad,
}

/// What one look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub mark: Mark,
    pub found: String,
    /// What to do, where something is not in order.
    pub fix: Option<String>,
}

fn good(found: impl Into<String>) -> Finding {
    Finding {
        mark: Mark::Good,
        found: found.into(),
        fix: None,
    }
}

fn weak(found: impl Into<String>, fix: &str) -> Finding {
    Finding {
        mark: Mark::Weak,
        found: found.into(),
        fix: Some(fix.to_owned()),
    }
}

fn bad(found: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding {
        mark: Mark::Bad,
        found: found.into(),
        fix: Some(fix.into()),
    }
}

/// Looks at everything that this configuration needs, in the order in which it is told. Runs other programs and waits for them.
pub fn look(data_dir: &Path, config: &Config) -> Vec<(&'static str, Finding)> {
    vec![
        ("Docker", docker()),
        ("Firewall", firewall()),
        ("PostgreSQL", postgres(&config.database)),
        ("Relay", relay(&config.relay)),
        ("Disk", disk(data_dir)),
        ("Memory", memory(total_memory_mib(), &config.cells)),
        ("Swap", swap()),
    ]
}

/// Prints the findings; an error if Holdfast would not run here.
///
/// # Errors
/// Something that Holdfast needs is missing.
pub async fn run(data_dir: &Path) -> Result<(), Refusal> {
    let mut missing = 0;
    let (config, mut findings) = match config::load(data_dir, None, &Overrides::default()) {
        Ok(config) => (config, Vec::new()),
        Err(error) => {
            let wrong = bad(format!("{error}."), "Correct that; the rest is looked at without it.");
            (Config::default(), vec![("Settings", wrong)])
        }
    };
    findings.extend(look(data_dir, &config));
    for (name, finding) in findings {
        let mark = match finding.mark {
            Mark::Good => "ok  ",
            Mark::Weak => "weak",
            Mark::Bad => {
                missing += 1;
                "bad "
            }
        };
        let fix = finding.fix.map(|fix| format!(" {fix}")).unwrap_or_default();
        println!("{mark}  {name:<11} {}{fix}", finding.found);
    }
    if missing > 0 {
        return Err(Refusal::Other(format!(
            "{missing} of the above must be mended before Holdfast can run."
        )));
    }
    Ok(())
}

fn docker() -> Finding {
    match output(
        "docker",
        &[
            "info",
            "--format",
            "{{.ServerVersion}} {{.Driver}} cgroup {{.CgroupVersion}}",
        ],
    ) {
        Ok(text) => good(format!("Docker Engine {}.", text.trim())),
        Err(why) => bad(
            format!("{why}."),
            "Install Docker Engine, start it, and run this as a user who may use it.",
        ),
    }
}

fn firewall() -> Finding {
    match output("iptables", &["-w", "-S", "INPUT"]) {
        Ok(_) => good("iptables keeps keepers away from this host and from private networks."),
        Err(why) => bad(format!("{why}."), "Install iptables, and run this as root."),
    }
}

fn postgres(database: &config::Database) -> Finding {
    if let Some(file) = &database.url_file {
        return good(format!("{} names a server.", file.display()));
    }
    if std::env::var_os("DATABASE_URL").is_some_and(|url| !url.is_empty()) {
        return good("DATABASE_URL names a server.");
    }
    let newest = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest: Option<PathBuf> = newest
        .map(|entry| entry.path())
        .filter(|path| path.join("bin/postgres").is_file())
        .max();
    match newest {
        Some(path) => good(format!("The server's programs are in {}.", path.display())),
        None => bad(
            "No server's programs are in /usr/lib/postgresql.",
            "Install postgresql, or name a server in `database.url_file`.",
        ),
    }
}

/// One that runs by itself is asked whether it takes the token.
fn relay(relay: &config::Relay) -> Finding {
    let Some(address) = &relay.address else {
        return good("Part of the server.");
    };
    let Some(file) = &relay.news_token_file else {
        return weak(
            format!("The one at {address} is not asked for its news."),
            "Name its token in `relay.news_token_file`: until then nobody is told that something waits for their locked vault.",
        );
    };
    let token = match news_token::read(file) {
        Ok(token) => token,
        Err(refusal) => return bad(refusal.to_string(), "Put a copy of the relay's `news-token` there."),
    };
    if fs::metadata(file).is_ok_and(|file| file.permissions().mode() & 0o077 != 0) {
        return weak(
            format!("{} can be read by other accounts.", file.display()),
            "Let its owner alone read it (`chmod 600`).",
        );
    }
    match news_status(address, &token) {
        Ok(200) => good(format!("The one at {address} tells its news.")),
        Ok(401) => weak(
            format!("The one at {address} does not take the token in {}.", file.display()),
            "Put a copy of its `news-token` there.",
        ),
        Ok(status) => weak(
            format!("The one at {address} answers {status} when it is asked for its news."),
            "Look at its log, and at its version.",
        ),
        Err(error) => weak(
            format!("The one at {address} does not answer: {error}."),
            "Start it (`holdfast relay`), or correct `relay.address`.",
        ),
    }
}

/// What the relay answers who asks for its news.
fn news_status(address: &str, token: &str) -> io::Result<u16> {
    let address = address.to_socket_addrs()?.next();
    let address = address.ok_or_else(|| io::Error::other("the name leads nowhere"))?;
    let mut stream = TcpStream::connect_timeout(&address, RELAY_LOOK)?;
    stream.set_read_timeout(Some(RELAY_LOOK))?;
    stream.set_write_timeout(Some(RELAY_LOOK))?;
    let path = protocol::relay::news::PATH;
    let head =
        format!("HEAD {path} HTTP/1.1\r\nhost: relay\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n");
    stream.write_all(Zeroizing::new(head).as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream.take(STATUS_LINE_BYTES)).read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::Error::other("it does not speak HTTP"))
}

fn disk(data_dir: &Path) -> Finding {
    let existing = data_dir
        .ancestors()
        .find(|path| path.exists())
        .unwrap_or(Path::new("/"));
    let free = free_mib(existing);
    let text = format!("{free} MiB free for {}", data_dir.display());
    if free < NEEDED_MIB {
        bad(format!("{text}."), format!("Make room: {NEEDED_MIB} MiB are needed."))
    } else if free < 10 * 1024 {
        weak(
            format!("{text}."),
            "Make room: images take 2 GiB, and each home its own size.",
        )
    } else {
        good(format!("{text}."))
    }
}

fn total_memory_mib() -> u64 {
    fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| text.lines().next()?.split_whitespace().nth(1)?.parse::<u64>().ok())
        .map_or(0, |kib| kib / 1024)
}

/// One cell at its limits should fit.
fn memory(total_mib: u64, cells: &config::Cells) -> Finding {
    let config::Cells {
        agent_memory_mib,
        home_mib,
        ..
    } = cells;
    if total_mib < agent_memory_mib + home_mib + OWN_MEMORY_MIB {
        weak(
            format!("{total_mib} MiB."),
            &format!(
                "Add memory: an awake agent takes up to {agent_memory_mib} MiB, its home up to {home_mib} MiB \
                 (`cells.agent_memory_mib`, `cells.home_mib`)."
            ),
        )
    } else {
        good(format!("{total_mib} MiB."))
    }
}

/// A home is plaintext in a tmpfs: it must not reach a disk through swap.
fn swap() -> Finding {
    let text = fs::read_to_string("/proc/swaps").unwrap_or_default();
    let devices: Vec<&str> = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    if devices.is_empty() {
        return good("None: what is in memory stays in memory.");
    }
    let open: Vec<&str> = devices.iter().copied().filter(|device| !is_closed(device)).collect();
    if open.is_empty() {
        good("Compressed memory or encrypted only.")
    } else {
        weak(
            format!("{} may write people's homes to a disk in the clear.", open.join(", ")),
            "Use zram, or encrypt it with a key of the boot.",
        )
    }
}

fn is_closed(device: &str) -> bool {
    let real = fs::canonicalize(device).unwrap_or_else(|_| PathBuf::from(device));
    let name = real.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mapped_by_crypt =
        fs::read_to_string(format!("/sys/block/{name}/dm/uuid")).is_ok_and(|uuid| uuid.starts_with("CRYPT-"));
    name.starts_with("zram") || mapped_by_crypt
}

fn output(program: &str, args: &[&str]) -> Result<String, String> {
    let path = format!(
        "{}:/usr/local/sbin:/usr/sbin:/sbin",
        std::env::var("PATH").unwrap_or_default()
    );
    let output = Command::new(program)
        .args(args)
        .env("PATH", path)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{program} cannot be run ({error})"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} says {:?}", said.lines().next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Something that gives this answer to who presents this token, and another one to everybody else, twice.
    fn answers(status: u16, token: String) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            for stream in listener.incoming().take(2) {
                let mut stream = stream.unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let head: Vec<_> = lines.map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
                assert_eq!(head[0], "HEAD /relay/news HTTP/1.1");
                let is_right = head
                    .iter()
                    .any(|line| *line == format!("authorization: Bearer {token}"));
                let status = if is_right { status } else { 401 };
                stream
                    .write_all(format!("HTTP/1.1 {status} \r\n\r\n").as_bytes())
                    .unwrap();
            }
        });
        address
    }

    #[test]
    fn a_relay_by_itself_that_is_not_heard_is_weak_and_a_file_without_a_token_bad() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        crate::token_file::ensure(&file).unwrap();
        let token = news_token::read(&file).unwrap();
        let config = |address: &str, file: Option<&Path>| config::Relay {
            address: Some(address.to_owned()),
            news_token_file: file.map(Path::to_owned),
            ..config::Relay::default()
        };
        let mark = |config: &config::Relay| relay(config).mark;
        assert_eq!(mark(&config::Relay::default()), Mark::Good);
        let serving = config(&answers(200, token.to_string()), Some(&file));
        assert_eq!(mark(&serving), Mark::Good);

        assert_eq!(mark(&config("127.0.0.1:1", None)), Mark::Weak);
        assert_eq!(mark(&config("127.0.0.1:1", Some(&file))), Mark::Weak);
        let full = relay(&config(&answers(503, token.to_string()), Some(&file)));
        assert!(full.mark == Mark::Weak && full.found.contains("503"), "{full:?}");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let open = relay(&serving);
        assert!(
            open.mark == Mark::Weak && open.found.contains("other accounts"),
            "{open:?}"
        );
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&file, protocol::b64::encode([1; 32])).unwrap();
        let other = relay(&serving);
        assert!(
            other.mark == Mark::Weak && other.found.contains("does not take"),
            "{other:?}"
        );
        fs::write(&file, "short").unwrap();
        assert_eq!(mark(&serving), Mark::Bad);
    }

    #[test]
    fn memory_is_weighed_against_what_the_configuration_gives_an_agent() {
        let usual = config::Cells::default();
        let wide = config::Cells {
            agent_memory_mib: 6000,
            ..config::Cells::default()
        };
        assert_eq!(memory(4096, &usual).mark, Mark::Good);
        let finding = memory(4096, &wide);
        assert_eq!(finding.mark, Mark::Weak);
        let fix = finding.fix.unwrap();
        assert!(fix.contains("up to 6000 MiB"), "{fix}");
    }

    #[test]
    fn a_postgresql_that_the_configuration_names_is_enough() {
        let named = config::Database {
            url_file: Some("/etc/holdfast/database-url".into()),
        };
        let finding = postgres(&named);
        assert_eq!(finding.mark, Mark::Good);
        assert!(
            finding.found.contains("/etc/holdfast/database-url"),
            "{}",
            finding.found
        );
    }
}
