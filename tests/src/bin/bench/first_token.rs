//! The first token through the encrypted channel, beside the same turn sent straight to the Gateway from inside its container.

use std::time::{Duration, Instant};

use serde_json::json;
use system_tests::docker::{Part, container, exec};
use system_tests::{Person, Session};

use crate::report::{Report, Samples, ms};

const ROUNDS: usize = 20;
/// Before each turn: what the one before left to do, and the client's own start, are over. The client below waits as long.
const QUIET: Duration = Duration::from_millis(500);
const MESSAGE: &str = "[[say: one two three four five]]";

/// Takes turns, so that both meet the same machine.
pub async fn compare(owner: &Person, session: &Session, report: &mut Report) {
    // The platform does not see the turns that go straight to the Gateway: without a granted time it would pause the cell.
    session.call("vault.grant", json!({"minutes": 60})).await;
    let conversation = session.conversation().await;
    session.ask(&conversation, "[[say: warm]]").await;
    let agent = container(owner.cell(), Part::Agent).expect("the agent runs");
    let (mut begun, mut through) = (Vec::new(), Vec::new());
    let (mut sealing, mut straight) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        tokio::time::sleep(QUIET).await;
        let started = Instant::now();
        let turn = session.send(&conversation, MESSAGE).await;
        first_sign(session, &turn).await;
        begun.push(started.elapsed());
        let first = session.event(Duration::from_secs(60), |event| {
            event["data"]["turn"] == turn.as_str() && event["data"]["kind"] == "text"
        });
        first.await.expect("a first token");
        through.push(started.elapsed());
        session.turn_event(&turn, "answered").await;
        let answered = Instant::now();
        session.turn_event(&turn, "saved").await;
        sealing.push(answered.elapsed());
        straight.extend(straight_to_gateway(&agent));
    }
    session.call("vault.grant", json!({"minutes": 0})).await;
    report.row(
        "one turn sealed (answered to saved)",
        &Samples::new(sealing).spread(),
        "≤ 100 ms",
    );
    report.row("awake: first sign of the agent", &Samples::new(begun).spread(), "");
    let through = Samples::new(through);
    report.row("first token, through the channel", &through.spread(), "");
    if straight.is_empty() {
        report.row("first token, straight to the Gateway", "could not be measured", "");
        return;
    }
    let straight = Samples::new(straight);
    report.row("first token, straight to the Gateway", &straight.spread(), "");
    let (a, b) = (through.at(0.5), straight.at(0.5));
    let added = if a >= b { ms(a - b) } else { format!("−{}", ms(b - a)) };
    report.row("first token, added at the median", &added, "≤ 3 ms");
}

/// Waits for the first sign that OpenClaw works on a turn.
pub async fn first_sign(session: &Session, turn: &str) {
    let sign = session.event(Duration::from_secs(60), |event| {
        let data = &event["data"];
        data["turn"] == turn && matches!(data["kind"].as_str(), Some("phase" | "text"))
    });
    sign.await.expect("the agent works on it");
}

/// A client of the Gateway's own protocol, inside the container: connect, send, time to the first text.
const CLIENT: &str = r#"
import { readFileSync } from 'node:fs';
const { token } = JSON.parse(readFileSync('/home/node/.openclaw/openclaw.json', 'utf8')).gateway.auth;
const socket = new WebSocket('ws://127.0.0.1:18789');
const run = crypto.randomUUID();
let started;
const send = (id, method, params) => socket.send(JSON.stringify({ type: 'req', id, method, params }));
socket.onmessage = ({ data }) => {
  const frame = JSON.parse(data);
  if (frame.event === 'connect.challenge') {
    send('1', 'connect', { minProtocol: 4, maxProtocol: 4, role: 'operator', auth: { token },
      client: { id: 'gateway-client', version: '0.1.0', platform: 'linux', mode: 'backend' },
      scopes: ['operator.read', 'operator.write', 'operator.admin'], caps: ['tool-events'] });
  } else if (frame.id === '1') {
    setTimeout(() => {
      started = performance.now();
      send('2', 'chat.send', { sessionKey: 'agent:main:bench', message: process.argv[1], idempotencyKey: run });
    }, 500);
  } else if (frame.event === 'chat' && frame.payload.runId === run) {
    if (frame.payload.state === 'delta' && started) { console.log(performance.now() - started); started = 0; }
    if (frame.payload.state === 'final') process.exit(0);
  }
};
setTimeout(() => process.exit(1), 60000);
"#;

fn straight_to_gateway(agent: &str) -> Option<Duration> {
    let (done, said) = exec(agent, &["node", "--input-type=module", "-e", CLIENT, MESSAGE]);
    if !done {
        eprintln!("straight to the Gateway: {said}");
        return None;
    }
    let ms: f64 = said.lines().next()?.trim().parse().ok()?;
    Some(Duration::from_secs_f64(ms / 1000.0))
}
