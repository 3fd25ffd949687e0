// Makes OpenClaw's compile cache: runs real turns against a model that answers from this process, then ends OpenClaw in
// an orderly way, which is when Node writes the cache. Runs in the image, as the agent's user, from standard input.
// CONFIG (images/agent/openclaw.json) is put in front of this, so that the modules that get compiled are those of a real start, and
// the text of PREPARE and RECORD (prepare.mjs, record.mjs): the last start records what prepare.mjs is to load ahead.

import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";

const GATEWAY = 18789;
const MODEL = 18790;
const HOME = "/home/node";
const STATE = `${HOME}/.openclaw`;
const CACHE = "/opt/openclaw/compile-cache";
const PREPARED = "/opt/openclaw/prepared";
const ENTRY = "/opt/openclaw/node_modules/openclaw/openclaw.mjs";
const TOKEN = "for-the-baking-alone-0123456789-abcdefghij";
const STARTS = 2;

const fail = (why) => {
  console.error(why);
  process.exit(1);
};
setTimeout(() => fail("the baking took longer than 15 minutes"), 15 * 60_000).unref();

// A model that answers with a word, and calls a tool where it is asked to: OpenAI's and Anthropic's streaming forms.
const last = (messages) => JSON.stringify(messages.filter((message) => message.role === "user").slice(-2));
const wantsTool = (body) => last(body.messages).includes("[[tool]]") && !JSON.stringify(body.messages).includes("baked-tool");
const COMMAND = JSON.stringify({ command: "echo baked-tool" });

function openai(body, send) {
  const chunk = (delta, finish_reason = null) =>
    send(`data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta, finish_reason }] })}\n\n`);
  if (wantsTool(body)) {
    chunk({ role: "assistant", content: "I will look. ", tool_calls: [{ index: 0, id: "call_1", type: "function", function: { name: "exec", arguments: COMMAND } }] });
    chunk({}, "tool_calls");
  } else {
    chunk({ role: "assistant", content: "Done." });
    chunk({}, "stop");
  }
  send("data: [DONE]\n\n");
}

function anthropic(body, send) {
  const event = (type, data) => send(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
  event("message_start", { message: { id: "m", type: "message", role: "assistant", model: "m", content: [], stop_reason: null, stop_sequence: null, usage: { input_tokens: 1, output_tokens: 1 } } });
  if (wantsTool(body)) {
    event("content_block_start", { index: 0, content_block: { type: "tool_use", id: "toolu_1", name: "exec", input: {} } });
    event("content_block_delta", { index: 0, delta: { type: "input_json_delta", partial_json: COMMAND } });
    event("content_block_stop", { index: 0 });
    event("message_delta", { delta: { stop_reason: "tool_use", stop_sequence: null }, usage: { output_tokens: 1 } });
  } else {
    event("content_block_start", { index: 0, content_block: { type: "text", text: "" } });
    event("content_block_delta", { index: 0, delta: { type: "text_delta", text: "Done." } });
    event("content_block_stop", { index: 0 });
    event("message_delta", { delta: { stop_reason: "end_turn", stop_sequence: null }, usage: { output_tokens: 1 } });
  }
  event("message_stop", {});
}

createServer((request, response) => {
  let text = "";
  request.on("data", (part) => (text += part));
  request.on("end", () => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    const send = (part) => response.write(part);
    const body = text ? JSON.parse(text) : { messages: [] };
    (request.url.includes("/messages") ? anthropic : openai)(body, send);
    response.end();
  });
}).listen(MODEL, "127.0.0.1");

const model = { id: "m", name: "m", reasoning: false, input: ["text"], cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 }, contextWindow: 128000, maxTokens: 8192 };
const config = structuredClone(CONFIG);
delete config.proxy;
config.gateway.auth.token = TOKEN;
config.models.providers = {
  main: { baseUrl: `http://127.0.0.1:${MODEL}/v1`, apiKey: "none", api: "openai-completions", models: [model] },
  other: { baseUrl: `http://127.0.0.1:${MODEL}`, apiKey: "none", api: "anthropic-messages", models: [model] },
};
mkdirSync(`${STATE}/workspace`, { recursive: true });
chmodSync(STATE, 0o700);

const environment = {
  PATH: process.env.PATH, NODE_ENV: "production", HOME, OPENCLAW_HOME: HOME, OPENCLAW_STATE_DIR: STATE,
  OPENCLAW_CONFIG_PATH: `${STATE}/openclaw.json`, OPENCLAW_WORKSPACE_DIR: `${STATE}/workspace`, XDG_CACHE_HOME: `${STATE}/cache`,
  OPENCLAW_DISABLE_BONJOUR: "1", OPENCLAW_NO_RESPAWN: "1", OPENCLAW_EXEC_SHELL_SNAPSHOT: "0", MALLOC_ARENA_MAX: "2",
  NODE_COMPILE_CACHE: CACHE, OPENCLAW_PACKAGED_COMPILE_CACHE_RESPAWNED: "1",
};

// One connection to the Gateway: `call` for requests, `until` for events.
async function connect() {
  const socket = new WebSocket(`ws://127.0.0.1:${GATEWAY}`);
  const answers = new Map();
  const waiting = [];
  let next = 0;
  socket.onmessage = ({ data }) => {
    const frame = JSON.parse(data);
    if (frame.type === "res") answers.get(frame.id)?.(frame);
    else for (const wait of waiting) if (wait.test(frame)) wait.done(frame);
  };
  const until = (test) => new Promise((done) => waiting.push({ test, done }));
  const call = (method, params) =>
    new Promise((done) => {
      const id = String(next++);
      answers.set(id, done);
      socket.send(JSON.stringify({ type: "req", id, method, params }));
    });
  const closed = new Promise((done) => (socket.onclose = socket.onerror = () => done(null)));
  if (!(await Promise.race([until((frame) => frame.event === "connect.challenge"), closed]))) return null;
  const hello = await Promise.race([
    call("connect", {
      minProtocol: 4, maxProtocol: 4, client: { id: "gateway-client", version: "0", platform: "linux", mode: "backend" },
      role: "operator", scopes: ["operator.read", "operator.write", "operator.admin", "operator.approvals"],
      caps: ["tool-events", "approvals", "exec-approvals"], auth: { token: TOKEN },
    }),
    closed,
  ]);
  return hello?.ok ? { call, until } : null;
}

async function turn(gateway, session, message, run) {
  const end = gateway.until((frame) => frame.event === "chat" && frame.payload.runId === run && ["final", "aborted", "error"].includes(frame.payload.state));
  const sent = await gateway.call("chat.send", { sessionKey: session, message, idempotencyKey: run, deliver: false });
  if (!sent.ok) fail(`chat.send: ${JSON.stringify(sent.error)}`);
  const { payload } = await end;
  if (payload.state !== "final") fail(`a turn ended with ${JSON.stringify(payload).slice(0, 800)}`);
}

writeFileSync(`${PREPARED}/prepare.mjs`, PREPARE);
writeFileSync(`${PREPARED}/record.mjs`, RECORD);
for (let start = 0; start < STARTS; start++) {
  config.agents.defaults.model = { primary: start % 2 ? "other/m" : "main/m" };
  writeFileSync(`${STATE}/openclaw.json`, JSON.stringify(config), { mode: 0o600 });
  const recording = start === STARTS - 1 ? ["--import", `${PREPARED}/record.mjs`] : [];
  const child = spawn("node", [...recording, ENTRY, "gateway", "run"], { env: environment, stdio: ["ignore", "inherit", "inherit"] });
  const ended = new Promise((done) => child.on("exit", (code, signal) => done(code ?? signal)));
  ended.then((how) => console.error(`OpenClaw ended: ${how}`));
  let gateway = null;
  for (let tries = 0; tries < 600 && !gateway && child.exitCode === null; tries++) {
    gateway = await connect();
    if (!gateway) await new Promise((done) => setTimeout(done, 200));
  }
  if (!gateway) fail("OpenClaw did not start");
  const session = `agent:main:bake-${start}`;
  await turn(gateway, session, "hello", `hello-${start}`);
  await turn(gateway, session, "[[tool]] please", `tool-${start}`);
  const history = await gateway.call("chat.history", { sessionKey: session });
  const entry = history.payload.messages.findLast((message) => message.role === "user").__openclaw.id;
  const rewound = await gateway.call("sessions.rewind", { sessionKey: session, entryId: entry });
  if (!rewound.ok) fail(`sessions.rewind: ${JSON.stringify(rewound.error)}`);
  await turn(gateway, session, "again", `again-${start}`);
  for (const [method, params] of [["sessions.list", {}], ["cron.status", {}], ["sessions.delete", { key: session, deleteTranscript: true }]]) {
    const answer = await gateway.call(method, params);
    if (!answer.ok) fail(`${method}: ${JSON.stringify(answer.error)}`);
  }
  child.kill("SIGTERM");
  if ((await ended) !== 0) console.error("OpenClaw did not end by itself");
}
// What is loaded ahead must load, and must not care for a home: in a cell there is none yet.
rmSync(`${PREPARED}/record.mjs`);
const modules = JSON.parse(readFileSync(`${PREPARED}/modules.json`, "utf8")).length;
console.error(`${modules} modules are loaded ahead`);
if (modules < 1000) fail("too few: they were not recorded");
rmSync(STATE, { recursive: true });
const left = readdirSync(HOME).join();
const prepared = spawn("node", [`${PREPARED}/prepare.mjs`, "gateway", "run"], { env: environment, stdio: ["ignore", "inherit", "inherit"] });
if ((await new Promise((done) => prepared.on("exit", (code, signal) => done(code ?? signal)))) !== 0) fail("what is loaded ahead does not load");
if (readdirSync(HOME).join() !== left) fail(`loading ahead wrote into the home: ${readdirSync(HOME)}`);
const entries = readdirSync(CACHE, { recursive: true }).length;
console.error(`${entries} entries in the compile cache`);
process.exit(entries > 500 ? 0 : 1);
