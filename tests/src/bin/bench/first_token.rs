//! The first token through the encrypted channel, beside the same turn sent straight to the Gateway from inside its container.

use std::time::{Duration, Instant};

use system_tests::docker::{Part, container, exec};
use system_tests::{Installation, Person, Session};

use crate::report::{Report, Samples, ms};

const ROUNDS: usize = 20;
const MESSAGE: &str = "[[say: one two three four five]]";

/// Takes turns, so that both meet the same machine.
pub async fn compare(_installation: &Installation, owner: &Person, session: &Session, report: &mut Report) {
    let conversation = session.conversation().await;
    session.ask(&conversation, "[[say: warm]]").await;
    let agent = container(owner.cell(), Part::Agent).expect("the agent runs");
    let (mut through, mut sealing, mut straight) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let turn = session.send(&conversation, MESSAGE).await;
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
    report.row(
        "one turn sealed (answered to saved)",
        &Samples::new(sealing).spread(),
        "≤ 100 ms",
    );
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

/// A client of the Gateway's own protocol, inside the container: connect, send, time to the first text.
const CLIENT: &str = r#"
import { readFileSync, readdirSync } from 'node:fs';
const environments = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map((pid) => {
  try { return readFileSync(`/proc/${pid}/environ`, 'utf8'); } catch { return ''; }
});
const token = environments.join('\0').match(/OPENCLAW_GATEWAY_TOKEN=([^\0]+)/)?.[1];
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
    started = performance.now();
    send('2', 'chat.send', { sessionKey: 'agent:main:bench', message: process.argv[1], idempotencyKey: run });
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
