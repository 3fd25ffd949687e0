//! The first token through the encrypted channel, beside the same turn sent straight to the Gateway from inside its container. The two
//! take turns, so that what a pair differs by is what the channel adds and not what the machine did meanwhile.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use system_tests::docker::{Part, container};
use system_tests::{Person, Session};

use crate::report::{Differences, Report, Samples};

/// Two turns each, in either order.
const PAIRS: usize = 120;
/// Before each turn: what the one before left to do is over. OpenClaw is suspended once a pair, which it allows 30 times a minute.
const QUIET: Duration = Duration::from_millis(750);
pub const MESSAGE: &str = "[[say: one two three four five]]";

/// Turns through the encrypted channel.
pub async fn compare(owner: &Person, session: &Session, report: &mut Report) {
    // The platform does not see the turns that go straight to the Gateway: without a granted time it would pause the cell.
    session.call("vault.grant", json!({"minutes": 60})).await;
    let conversation = session.conversation().await;
    session.ask(&conversation, "[[say: warm]]").await;
    let (mut begun, mut sealing) = (Vec::new(), Vec::new());
    let pairs = Pairs::take(owner.cell(), async || {
        let started = Instant::now();
        let turn = session.send(&conversation, MESSAGE).await;
        first_sign(session, &turn).await;
        begun.push(started.elapsed());
        let first = session.event(Duration::from_secs(60), |event| {
            event["data"]["turn"] == turn.as_str() && event["data"]["kind"] == "text"
        });
        first.await.expect("a first token");
        let first = started.elapsed();
        session.turn_event(&turn, "answered").await;
        let answered = Instant::now();
        session.turn_event(&turn, "saved").await;
        sealing.push(answered.elapsed());
        first
    });
    let pairs = pairs.await;
    session.call("vault.grant", json!({"minutes": 0})).await;
    report.row(
        "one turn sealed (answered to saved)",
        &Samples::new(sealing).spread(),
        "≤ 100 ms",
    );
    report.row("awake: first sign of the agent", &Samples::new(begun).spread(), "");
    pairs.rows(
        report,
        "first token, through the channel",
        "first token, straight to the Gateway",
        ("first token, added (median of the pairs)", "≤ 3 ms"),
    );
}

/// Times to the first token of turns that go through something, and of the same turns straight to the Gateway.
pub struct Pairs {
    through: Vec<Duration>,
    straight: Vec<Duration>,
}

impl Pairs {
    /// The two take turns, so that both meet the same machine.
    pub async fn take(cell: &str, mut through: impl AsyncFnMut() -> Duration) -> Self {
        let agent = container(cell, Part::Agent).expect("the agent runs");
        let mut inside = Straight::connect(&agent).expect("a client in the agent's container");
        inside.turn().expect("a turn straight to the Gateway");
        let mut pairs = Self {
            through: Vec::new(),
            straight: Vec::new(),
        };
        for pair in 0..PAIRS {
            for half in 0..2 {
                tokio::time::sleep(QUIET).await;
                if pair % 2 == half {
                    pairs
                        .straight
                        .push(inside.turn().expect("a turn straight to the Gateway"));
                } else {
                    pairs.through.push(through().await);
                }
            }
        }
        pairs
    }

    /// Both, and what a pair differs by, beside its target.
    pub fn rows(self, report: &mut Report, through: &str, straight: &str, (added, target): (&str, &str)) {
        let differences = Differences::new(&self.through, &self.straight);
        report.row(through, &Samples::new(self.through).spread(), "");
        report.row(straight, &Samples::new(self.straight).spread(), "");
        report.row(added, &differences.middle(), target);
    }
}

/// Waits for the first sign that OpenClaw works on a turn.
pub async fn first_sign(session: &Session, turn: &str) {
    let sign = session.event(Duration::from_secs(60), |event| {
        let data = &event["data"];
        data["turn"] == turn && matches!(data["kind"].as_str(), Some("phase" | "text"))
    });
    sign.await.expect("the agent works on it");
}

/// A client of the Gateway's own protocol, inside the container: connects once; for each line that it reads, a turn and the time to its
/// first text.
const CLIENT: &str = r#"
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
const { token } = JSON.parse(readFileSync('/home/node/.openclaw/openclaw.json', 'utf8')).gateway.auth;
const socket = new WebSocket('ws://127.0.0.1:18789');
let run, started, first;
const send = (id, method, params) => socket.send(JSON.stringify({ type: 'req', id, method, params }));
socket.onclose = () => process.exit(1);
socket.onmessage = ({ data }) => {
  const frame = JSON.parse(data);
  if (frame.event === 'connect.challenge') {
    send('connect', 'connect', { minProtocol: 4, maxProtocol: 4, role: 'operator', auth: { token },
      client: { id: 'gateway-client', version: '0.1.0', platform: 'linux', mode: 'backend' },
      scopes: ['operator.read', 'operator.write', 'operator.admin'], caps: ['tool-events'] });
  } else if (frame.id === 'connect') {
    createInterface({ input: process.stdin }).on('line', (message) => {
      run = crypto.randomUUID();
      first = undefined;
      started = performance.now();
      send(run, 'chat.send', { sessionKey: 'agent:main:bench', message, idempotencyKey: run });
    });
  } else if (frame.event === 'chat' && frame.payload.runId === run) {
    if (frame.payload.state === 'delta') first ??= performance.now() - started;
    if (['final', 'error', 'aborted'].includes(frame.payload.state)) console.log(first);
  }
};
"#;

/// That client.
struct Straight {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Straight {
    fn connect(agent: &str) -> Option<Self> {
        let mut process = Command::new("docker")
            .args([
                "exec",
                "--interactive",
                agent,
                "node",
                "--input-type=module",
                "-e",
                CLIENT,
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let (to, from) = (process.stdin.take()?, BufReader::new(process.stdout.take()?));
        Some(Self { process, to, from })
    }

    /// One turn; the time to its first text.
    fn turn(&mut self) -> Option<Duration> {
        writeln!(self.to, "{MESSAGE}").ok()?;
        let mut line = String::new();
        self.from.read_line(&mut line).ok()?;
        let ms: f64 = line.trim().parse().ok()?;
        Some(Duration::from_secs_f64(ms / 1000.0))
    }
}

impl Drop for Straight {
    fn drop(&mut self) {
        // The client in the container ends with its connection.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
