//! An OpenClaw in memory: the frames and rows are those that the real one (2026.9.6) was recorded with. What a message does
//! is in its words: `hold` answers `partial` and waits for [`OpenClaw::release`], `tool` calls one, `fail` fails, `silent` ends
//! without a word, `mute` writes an empty answer down and does not say that it has ended, anything else is echoed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures::{SinkExt as _, StreamExt as _};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::sync::{Notify, broadcast, mpsc, watch};
use tokio::task::AbortHandle;
use tokio_tungstenite::tungstenite::Message;

use crate::clock::{Clock as _, SystemClock};
use crate::gateway::Gateway;

/// What is in OpenClaw's state directory: rows by session.
pub type Home = HashMap<String, Vec<Value>>;

#[derive(Clone)]
pub struct OpenClaw {
    world: Arc<Mutex<World>>,
    events: broadcast::Sender<String>,
    release: Arc<Notify>,
    /// Each answer to a command that it was given: its id, and what it was to be.
    answers: Arc<watch::Sender<Vec<(String, String)>>>,
    /// How many answers are held.
    holds: Arc<watch::Sender<usize>>,
}

#[derive(Default)]
struct World {
    home: Home,
    runs: HashMap<String, Run>,
    connections: Vec<AbortHandle>,
    /// Every run that was begun, by its words.
    begun: Vec<String>,
    rows: u64,
    /// Commands that wait for somebody's yes, and what was said to those that do not any more, the newest last.
    commands: Vec<Value>,
    decided: Vec<(String, String)>,
    /// What was decided is not told to who asks for it.
    tells_nothing_decided: bool,
    /// Answers to this method wait until they are let go, as they were when it was asked for.
    held_method: Option<String>,
    held: Vec<(mpsc::UnboundedSender<Value>, Value)>,
    /// The next message is lost on its way: the connection breaks.
    lose_next: bool,
    /// What is too large for a list is not given by itself either.
    gives_none: bool,
    /// Nor is there an answer to who asks for it.
    says_nothing: bool,
    /// How often somebody has asked for it.
    asked_for: usize,
}

/// A row as the real one lists it: one of more than 128 KiB gives way to a few words.
fn listed(row: &Value) -> Value {
    if row.to_string().len() <= 128 * 1024 {
        return row.clone();
    }
    let mut meta = json!({"id": row["__openclaw"]["id"], "truncated": true, "reason": "oversized"});
    if row["idempotencyKey"].is_string() {
        meta["idempotencyKey"] = row["idempotencyKey"].clone();
    }
    let content = json!([{"type": "text", "text": "[chat.history omitted: message too large]"}]);
    json!({"role": row["role"], "timestamp": row["timestamp"], "content": content, "__openclaw": meta})
}

struct Run {
    session: String,
    task: AbortHandle,
    said: String,
}

impl OpenClaw {
    pub fn new(home: Home) -> Self {
        let rows = home.values().map(Vec::len).sum::<usize>() as u64;
        Self {
            world: Arc::new(Mutex::new(World {
                home,
                rows,
                ..World::default()
            })),
            events: broadcast::Sender::new(1024),
            release: Arc::new(Notify::new()),
            answers: Arc::default(),
            holds: Arc::default(),
        }
    }

    pub async fn connect(&self) -> Gateway {
        let (near, far) = tokio::io::duplex(1 << 20);
        let openclaw = self.clone();
        let task = tokio::spawn(async move { openclaw.serve(far).await }).abort_handle();
        self.world.lock().unwrap().connections.push(task);
        Gateway::connect(near, &SecretString::from("token")).await.unwrap()
    }

    /// The process dies: connections break, runs are gone, rows stay.
    pub fn crash(&self) {
        let mut world = self.world.lock().unwrap();
        for (_, run) in world.runs.drain() {
            run.task.abort();
        }
        for connection in world.connections.drain(..) {
            connection.abort();
        }
    }

    /// The process dies, and starts again, and stops what it finds interrupted, before anybody asks.
    pub fn crash_and_stop(&self) {
        let runs: Vec<String> = self.world.lock().unwrap().runs.keys().cloned().collect();
        for connection in self.world.lock().unwrap().connections.drain(..) {
            connection.abort();
        }
        for run in runs {
            self.abort(&run);
        }
    }

    /// Connections break, runs go on.
    pub fn drop_connections(&self) {
        for connection in self.world.lock().unwrap().connections.drain(..) {
            connection.abort();
        }
    }

    pub fn home(&self) -> Home {
        self.world.lock().unwrap().home.clone()
    }

    /// The words of every run that was begun.
    pub fn begun(&self) -> Vec<String> {
        self.world.lock().unwrap().begun.clone()
    }

    /// How many runs go on.
    pub fn running(&self) -> usize {
        self.world.lock().unwrap().runs.len()
    }

    /// Lets a run that holds go on.
    pub fn release(&self) {
        self.release.notify_one();
    }

    /// From now on, what is too large for a list is not given by itself either.
    pub fn give_none(&self) {
        self.world.lock().unwrap().gives_none = true;
    }

    /// From now on, who asks for what is too large for a list gets no answer.
    pub fn say_nothing(&self) {
        self.world.lock().unwrap().says_nothing = true;
    }

    /// How often somebody has asked for what is too large for a list.
    pub fn asked_for(&self) -> usize {
        self.world.lock().unwrap().asked_for
    }

    /// The next message breaks the connection before OpenClaw has it.
    pub fn lose_next(&self) {
        self.world.lock().unwrap().lose_next = true;
    }

    async fn serve(self, stream: tokio::io::DuplexStream) {
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        let mut events = self.events.subscribe();
        let challenge = json!({"type": "event", "event": "connect.challenge", "payload": {"nonce": "n", "ts": 1}});
        socket.send(Message::text(challenge.to_string())).await.unwrap();
        let (answers, mut answered) = mpsc::unbounded_channel::<Value>();
        loop {
            tokio::select! {
                frame = socket.next() => {
                    let Some(Ok(Message::Text(text))) = frame else { return };
                    let request: Value = serde_json::from_str(&text).unwrap();
                    if request["method"] == "chat.send" && std::mem::take(&mut self.world.lock().unwrap().lose_next) {
                        return;
                    }
                    if request["method"] == "chat.message.get" {
                        let mut world = self.world.lock().unwrap();
                        world.asked_for += 1;
                        if world.says_nothing {
                            continue;
                        }
                    }
                    let mut answer = match self.answer(request["method"].as_str().unwrap(), &request["params"]) {
                        Ok(payload) => json!({"ok": true, "payload": payload}),
                        Err((code, message)) => json!({"ok": false, "error": {"code": code, "message": message}}),
                    };
                    answer["type"] = json!("res");
                    answer["id"] = request["id"].clone();
                    let mut world = self.world.lock().unwrap();
                    if world.held_method.as_deref() == request["method"].as_str() {
                        world.held.push((answers.clone(), answer));
                        self.holds.send_modify(|count| *count += 1);
                    } else {
                        answers.send(answer).unwrap();
                    }
                }
                Some(answer) = answered.recv() => {
                    if socket.send(Message::text(answer.to_string())).await.is_err() { return }
                }
                event = events.recv() => {
                    if socket.send(Message::text(event.unwrap())).await.is_err() { return }
                }
            }
        }
    }

    fn answer(&self, method: &str, params: &Value) -> Result<Value, (&'static str, String)> {
        let session = params["sessionKey"].as_str().unwrap_or_default().to_owned();
        match method {
            "connect" => Ok(json!({"type": "hello-ok", "protocol": 4, "server": {"version": "2026.9.6"}})),
            "chat.send" => {
                let run = params["idempotencyKey"].as_str().unwrap().to_owned();
                if self.world.lock().unwrap().runs.contains_key(&run) {
                    return Ok(json!({"runId": run, "status": "in_flight"}));
                }
                self.begin(&session, &run, params["message"].as_str().unwrap());
                Ok(json!({"runId": run, "status": "started"}))
            }
            "chat.history" => {
                let world = self.world.lock().unwrap();
                let runs = world.runs.iter().filter(|(_, run)| run.session == session);
                let active: Vec<&String> = runs.map(|(id, _)| id).collect();
                let rows = world.home.get(&session).into_iter().flatten().map(listed);
                let rows: Vec<Value> = rows.collect();
                Ok(json!({"sessionKey": session, "messages": rows, "hasMore": false,
                    "sessionInfo": {"hasActiveRun": !active.is_empty(), "activeRunIds": active}}))
            }
            "chat.message.get" => {
                let world = self.world.lock().unwrap();
                let mut rows = world.home.get(&session).into_iter().flatten();
                let row = rows.find(|row| row["__openclaw"]["id"] == params["messageId"]);
                let row = row.filter(|_| !world.gives_none);
                Ok(row.map_or_else(
                    || json!({"ok": false, "unavailableReason": "oversized"}),
                    |row| json!({"ok": true, "message": row}),
                ))
            }
            "chat.abort" => {
                let run = params["runId"].as_str().map(str::to_owned);
                Ok(json!({"ok": true, "aborted": run.is_some_and(|run| self.abort(&run))}))
            }
            "sessions.rewind" => {
                let mut world = self.world.lock().unwrap();
                if world.runs.values().any(|run| run.session == session) {
                    return Err(("UNAVAILABLE", "session is active".to_owned()));
                }
                let rows = world.home.entry(session).or_default();
                let entry = params["entryId"].as_str().unwrap();
                let at = rows
                    .iter()
                    .position(|row| row["__openclaw"]["id"] == entry && row["role"] == "user");
                let at = at.ok_or(("INVALID_REQUEST", format!("message entry not found: {entry}")))?;
                let text = rows[at]["content"].clone();
                rows.truncate(at);
                Ok(json!({"editorText": text}))
            }
            "sessions.delete" => {
                let key = params["key"].as_str().unwrap();
                let found = self.world.lock().unwrap().home.remove(key).is_some();
                let archived = if found {
                    vec![format!("/home/node/{key}.deleted.zst")]
                } else {
                    vec![]
                };
                Ok(json!({"ok": true, "deleted": found, "archived": archived}))
            }
            "exec.approval.list" => {
                let world = self.world.lock().unwrap();
                let waits = |command: &&Value| world.decided.iter().all(|(id, _)| command["id"] != **id);
                Ok(json!(world.commands.iter().filter(waits).collect::<Vec<_>>()))
            }
            "approval.history" => {
                let world = self.world.lock().unwrap();
                if world.tells_nothing_decided {
                    return Err(("UNAVAILABLE", "approval storage unavailable".to_owned()));
                }
                let limit = usize::try_from(params["limit"].as_u64().unwrap()).unwrap();
                let newest = world.decided.iter().rev().take(limit);
                let item = |(id, decision): &(String, String)| {
                    let mut item = json!({"id": id, "decision": decision});
                    if let Some(command) = world.commands.iter().find(|command| command["id"] == **id) {
                        let text = &command["request"]["command"];
                        item["presentation"] = json!({"kind": "exec", "commandText": text, "host": null});
                    }
                    item
                };
                let items: Vec<_> = newest.map(item).collect();
                let mut answer = json!({"items": items});
                if world.decided.len() > limit {
                    answer["nextCursor"] = json!("older");
                }
                Ok(answer)
            }
            "exec.approval.resolve" => {
                let [id, decision] = ["id", "decision"].map(|name| params[name].as_str().unwrap().to_owned());
                let first = self.decided(&id, &decision);
                if first {
                    self.tell("exec.approval.resolved", &json!({"id": id, "decision": decision}));
                }
                let same = self
                    .world
                    .lock()
                    .unwrap()
                    .decided
                    .contains(&(id.clone(), decision.clone()));
                self.answers.send_modify(|answers| answers.push((id, decision)));
                match same {
                    true => Ok(json!({"ok": true})),
                    false => Err(("INVALID_REQUEST", "approval already resolved".to_owned())),
                }
            }
            other => Err(("INVALID_REQUEST", format!("unknown method {other}"))),
        }
    }

    fn row(&self, session: &str, run: &str, mut row: Value) {
        let mut world = self.world.lock().unwrap();
        world.rows += 1;
        let id = format!("entry-{}", world.rows);
        row["timestamp"] = json!(SystemClock.now());
        row["__openclaw"] = json!({"id": id, "runId": if row["role"] == "user" { Value::Null } else { json!(run) }});
        world.home.entry(session.to_owned()).or_default().push(row);
    }

    fn event(&self, name: &str, session: &str, run: &str, mut payload: Value) {
        payload["runId"] = json!(run);
        payload["sessionKey"] = json!(session);
        self.tell(name, &payload);
    }

    /// Says that something happened.
    pub fn tell(&self, name: &str, payload: &Value) {
        let frame = json!({"type": "event", "event": name, "payload": payload});
        let _ = self.events.send(frame.to_string());
    }

    /// A command is decided now, unless it was before; nobody is told.
    pub fn decided(&self, id: &str, decision: &str) -> bool {
        let mut world = self.world.lock().unwrap();
        let is_first = world.decided.iter().all(|(known, _)| known != id);
        if is_first {
            world.decided.push((id.to_owned(), decision.to_owned()));
        }
        is_first
    }

    /// From now on, who asks what was decided gets no answer.
    pub fn tell_nothing_decided(&self) {
        self.world.lock().unwrap().tells_nothing_decided = true;
    }

    /// From now on, answers to this are given as they are, but not before they are let go.
    pub fn hold(&self, method: &str) {
        self.world.lock().unwrap().held_method = Some(method.to_owned());
        self.holds.send_replace(0);
    }

    /// Waits until somebody waits for such an answer.
    pub async fn holds(&self) {
        self.holds.subscribe().wait_for(|count| *count > 0).await.unwrap();
    }

    /// Gives the answers that were held, and holds none any more.
    pub fn let_go(&self) {
        let mut world = self.world.lock().unwrap();
        world.held_method = None;
        for (to, answer) in world.held.drain(..) {
            to.send(answer).unwrap();
        }
    }

    /// Waits until it was given an answer to this command, and says which.
    pub async fn answer_to(&self, id: &str) -> String {
        let of_it = |answers: &Vec<(String, String)>| answers.iter().find(|(of, _)| of == id).cloned();
        let mut answers = self.answers.subscribe();
        let answers = answers.wait_for(|answers| of_it(answers).is_some()).await.unwrap();
        of_it(&answers).unwrap().1
    }

    /// A command waits for somebody's yes, and is told of when it is asked which do.
    pub fn waits_for(&self, command: Value) {
        self.world.lock().unwrap().commands.push(command);
    }

    fn begin(&self, session: &str, run: &str, text: &str) {
        self.row(
            session,
            run,
            json!({"role": "user", "content": text, "idempotencyKey": format!("{run}:user")}),
        );
        let (openclaw, session_key, run_id, words) =
            (self.clone(), session.to_owned(), run.to_owned(), text.to_owned());
        let mut world = self.world.lock().unwrap();
        world.begun.push(text.to_owned());
        let task = tokio::spawn(async move { openclaw.run(&session_key, &run_id, &words).await }).abort_handle();
        let run_state = Run {
            session: session.to_owned(),
            task,
            said: String::new(),
        };
        world.runs.insert(run.to_owned(), run_state);
    }

    fn say(&self, session: &str, run: &str, delta: &str) {
        if let Some(run) = self.world.lock().unwrap().runs.get_mut(run) {
            run.said.push_str(delta);
        }
        self.event("chat", session, run, json!({"state": "delta", "deltaText": delta}));
    }

    async fn run(&self, session: &str, run: &str, text: &str) {
        self.event(
            "chat",
            session,
            run,
            json!({"state": "status", "phase": "starting_model"}),
        );
        let answer = if text.contains("fail") {
            let words = "⚠️ main/scripted request failed (authentication failed, HTTP 401). Re-authenticate the provider and try again.";
            self.row(
                session,
                run,
                json!({"role": "assistant", "content": [{"type": "text", "text": words}], "stopReason": "error"}),
            );
            self.world.lock().unwrap().runs.remove(run);
            let payload = json!({"state": "error", "errorMessage": words, "errorDetail": {"failoverReason": "auth"}});
            self.event("chat", session, run, payload);
            return;
        } else if text.contains("silent") {
            self.world.lock().unwrap().runs.remove(run);
            self.event("chat", session, run, json!({"state": "final"}));
            return;
        } else if text.contains("mute") {
            self.row(
                session,
                run,
                json!({"role": "assistant", "content": [], "stopReason": "stop"}),
            );
            self.event("chat", session, run, json!({"state": "status", "phase": "mute"}));
            return self.release.notified().await;
        } else if text.contains("hold") {
            self.say(session, run, "partial");
            self.release.notified().await;
            self.say(session, run, " answer");
            "partial answer".to_owned()
        } else if text.contains("tool") {
            self.tool(session, run);
            self.say(session, run, "\n\nall done");
            "all done".to_owned()
        } else {
            self.say(session, run, "echo:");
            self.say(session, run, &format!(" {text}"));
            format!("echo: {text}")
        };
        self.row(
            session,
            run,
            json!({"role": "assistant", "content": [{"type": "text", "text": answer}], "stopReason": "stop"}),
        );
        self.world.lock().unwrap().runs.remove(run);
        let message = json!({"role": "assistant", "content": [{"type": "text", "text": answer}]});
        self.event(
            "chat",
            session,
            run,
            json!({"state": "final", "stopReason": "stop", "message": message}),
        );
    }

    fn tool(&self, session: &str, run: &str) {
        let (call, look) = ("call_1", "let me look");
        let preamble = json!({"stream": "item", "data": {"kind": "preamble", "phase": "update", "itemId": "c0", "progressText": look}});
        self.event("agent", session, run, preamble);
        self.row(
            session,
            run,
            json!({"role": "assistant", "content": [{"type": "text", "text": look}]}),
        );
        let arguments = json!({"command": "ls"});
        let content = json!([{"type": "toolCall", "id": call, "name": "exec", "arguments": arguments}]);
        self.row(
            session,
            run,
            json!({"role": "assistant", "content": content, "stopReason": "toolUse"}),
        );
        let start = json!({"stream": "tool", "data": {"phase": "start", "name": "exec", "toolCallId": call, "args": arguments}});
        self.event("agent", session, run, start);
        let output = json!([{"type": "text", "text": "a.txt"}]);
        let row =
            json!({"role": "toolResult", "toolCallId": call, "toolName": "exec", "content": output, "isError": false});
        self.row(session, run, row);
        let data = json!({"phase": "result", "name": "exec", "toolCallId": call, "isError": false, "result": {"content": output}});
        self.event("agent", session, run, json!({"stream": "tool", "data": data}));
    }

    fn abort(&self, run_id: &str) -> bool {
        let Some(run) = self.world.lock().unwrap().runs.remove(run_id) else {
            return false;
        };
        run.task.abort();
        let content = json!([{"type": "text", "text": run.said}]);
        if !run.said.is_empty() {
            let row = json!({"role": "assistant", "content": content, "stopReason": "stop", "openclawAbort": {"aborted": true}});
            self.row(&run.session, run_id, row);
        }
        let payload =
            json!({"state": "aborted", "stopReason": "rpc", "message": {"role": "assistant", "content": content}});
        self.event("chat", &run.session, run_id, payload);
        true
    }
}
