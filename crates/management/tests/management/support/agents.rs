//! The port to cells in platform custody, in memory: agents that say again what they were told, and a little more when asked to.

mod conversation;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use management::{AgentError, AgentEvent, CellRef, Listening, ModelParams, PlatformAgents, RemovedCell};
use protocol::channel::ChannelError;
use protocol::chat::{CellEvent, CellPhase, ChatEventKind};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use conversation::{Conversation, answer, call, results, send};

#[derive(Clone, Default)]
pub struct Agents(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    cells: HashMap<CellRef, Cell>,
    removed: Vec<CellRef>,
    /// Cells that were left, each time.
    left: Vec<CellRef>,
    /// There is room for nothing but what somebody waits for.
    crowded: bool,
    /// Jobs that were run, each time that a keeper was told to.
    runs: Vec<String>,
    /// Which calls of which cells fail.
    broken: Option<Broken>,
    /// Calls wait while it is true; where a method is named, those of it alone.
    held: watch::Sender<bool>,
    held_at: Option<&'static str>,
    /// What is answered to this method is lost on its way.
    lost: Option<&'static str>,
    /// How many messages are shown at once, where that has an end.
    page: Option<usize>,
    /// Months that have ended since November.
    months: usize,
}

type Broken = Box<dyn FnMut(CellRef, &str) -> bool + Send>;

#[derive(Default)]
struct Cell {
    /// What was told of the model, the key in clear.
    model: Option<Value>,
    /// The same of those that come after it.
    fallbacks: Vec<Value>,
    spending: Option<Value>,
    /// What it has spent, today and this month.
    spent: (u64, u64),
    /// What it was told to be, each time.
    templates: Vec<Value>,
    conversations: HashMap<String, Conversation>,
    /// What it has used, by month.
    tokens: HashMap<String, u64>,
    /// Requests that wait, as `approval.list` has them; and those that were answered.
    asked: Vec<Value>,
    answered: Vec<(Value, Value)>,
    asks_before_commands: bool,
}

/// Why a home cannot be sealed.
const DISK_FULL: &str = "The disk of the server is full.";

/// What every request here is bound to.
pub const HASH: &str = "3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

impl Agents {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub fn break_down(&self) {
        self.break_where(|_, _| true);
    }

    /// From now on these calls of these cells fail, as one does that cannot be reached.
    pub fn break_where(&self, broken: impl FnMut(CellRef, &str) -> bool + Send + 'static) {
        self.state().broken = Some(Box::new(broken));
    }

    /// From now on what this method is answered does not arrive.
    pub fn lose_answers_to(&self, method: &'static str) {
        self.state().lost = Some(method);
    }

    pub fn repair(&self) {
        self.state().broken = None;
        self.state().lost = None;
    }

    /// From now on whoever calls a cell waits.
    pub fn hold(&self) {
        self.state().held.send_replace(true);
    }

    /// From now on whoever calls this method of a cell waits.
    pub fn hold_at(&self, method: &'static str) {
        self.state().held_at = Some(method);
        self.hold();
    }

    pub fn go_on(&self) {
        let mut state = self.state();
        state.held_at = None;
        state.held.send_replace(false);
    }

    /// Until somebody waits who calls a cell.
    pub async fn until_somebody_waits(&self) {
        while self.state().held.receiver_count() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// How many wait who call a cell.
    pub fn waiting(&self) -> usize {
        self.state().held.receiver_count()
    }

    /// From now on there is room for nothing but what somebody waits for, or there is again.
    pub fn crowd(&self, crowded: bool) {
        self.state().crowded = crowded;
    }

    /// The cells that nobody needed any more, each time.
    pub fn left(&self) -> Vec<CellRef> {
        self.state().left.clone()
    }

    async fn let_go(&self, method: &str) {
        let mut held = {
            let state = self.state();
            if state.held_at.is_some_and(|held| held != method) {
                return;
            }
            state.held.subscribe()
        };
        held.wait_for(|held| !held).await.unwrap();
    }

    /// The jobs that keepers were told to run, each time.
    pub fn runs(&self) -> Vec<String> {
        self.state().runs.clone()
    }

    /// How many turns wait for [`Agents::release`], in all cells.
    pub fn running(&self) -> usize {
        let state = self.state();
        let conversations = state.cells.values().flat_map(|cell| cell.conversations.values());
        conversations
            .filter(|conversation| conversation.running.is_some())
            .count()
    }

    /// How many calls of functions wait for their results, in all cells.
    pub fn called(&self) -> usize {
        let state = self.state();
        let conversations = state.cells.values().flat_map(|cell| cell.conversations.values());
        conversations.map(|conversation| conversation.calls.len()).sum()
    }

    pub fn removed(&self) -> Vec<CellRef> {
        self.state().removed.clone()
    }

    /// What the one cell there is was told of its model.
    pub fn model(&self) -> Option<Value> {
        self.state().cells.values().next()?.model.clone()
    }

    /// The same of those that come after it.
    pub fn fallbacks(&self) -> Vec<Value> {
        let state = self.state();
        let cell = state.cells.values().next();
        cell.map(|cell| cell.fallbacks.clone()).unwrap_or_default()
    }

    pub fn spending(&self) -> Option<Value> {
        self.state().cells.values().next()?.spending.clone()
    }

    /// What the one cell there is was told to be, each time.
    pub fn templates(&self) -> Vec<Value> {
        let state = self.state();
        state
            .cells
            .values()
            .next()
            .map(|cell| cell.templates.clone())
            .unwrap_or_default()
    }

    /// What this cell was told of its model.
    pub fn model_of(&self, cell: &Value) -> Option<Value> {
        self.with(cell, |cell| cell.model.clone())
    }

    pub fn spending_of(&self, cell: &Value) -> Option<Value> {
        self.with(cell, |cell| cell.spending.clone())
    }

    pub fn templates_of(&self, cell: &Value) -> Vec<Value> {
        self.with(cell, |cell| cell.templates.clone())
    }

    /// This cell has spent so much of its tenant's money.
    pub fn spends(&self, cell: &Value, spent: (u64, u64)) {
        self.with(cell, |cell| cell.spent = spent);
    }

    /// How many cells there are.
    pub fn cells(&self) -> usize {
        self.state().cells.len()
    }

    fn with<T>(&self, cell: &Value, look: impl FnOnce(&mut Cell) -> T) -> T {
        let mut state = self.state();
        let of = state.cells.iter_mut().find(|(of, _)| cell["id"] == of.cell.to_string());
        look(of.expect("there is no such cell").1)
    }

    /// Conversations in all cells.
    pub fn conversations(&self) -> usize {
        self.state().cells.values().map(|cell| cell.conversations.len()).sum()
    }

    /// What was said to requests, in all cells: their ids, and the answers.
    pub fn answered(&self) -> Vec<(Value, Value)> {
        let state = self.state();
        state.cells.values().flat_map(|cell| cell.answered.clone()).collect()
    }

    /// From now on no more messages are shown at once.
    pub fn page_of(&self, messages: usize) {
        self.state().page = Some(messages);
    }

    /// The month is over.
    pub fn month_ends(&self) {
        self.state().months += 1;
    }

    /// No home can be sealed any more.
    pub fn fill_the_disk(&self) {
        for cell in self.state().cells.values_mut() {
            for (id, conversation) in &mut cell.conversations {
                conversation.is_full = true;
                for turn in conversation.unsealed.clone() {
                    let message = DISK_FULL.to_owned();
                    conversation.tell(id, &turn, ChatEventKind::NotSaved { message });
                }
            }
        }
    }

    /// Seals the homes of all cells, with what was answered.
    pub fn seal(&self) {
        for cell in self.state().cells.values_mut() {
            for (id, conversation) in &mut cell.conversations {
                for turn in std::mem::take(&mut conversation.unsealed) {
                    conversation.tell(id, &turn, ChatEventKind::Saved);
                }
            }
        }
    }

    /// Ends the connections of everybody who listens.
    pub fn hang_up(&self) {
        for cell in self.state().cells.values_mut() {
            for conversation in cell.conversations.values_mut() {
                conversation.hearers.clear();
            }
        }
    }

    /// Lets the turns that wait be answered.
    pub fn release(&self) {
        self.release_with("at last");
    }

    /// The same, with this answer.
    pub fn release_with(&self, text: &str) {
        for cell in self.state().cells.values_mut() {
            for (id, conversation) in &mut cell.conversations {
                conversation.calls.clear();
                if let Some(turn) = conversation.running.take() {
                    answer(id, conversation, &turn, text);
                }
            }
        }
    }

    fn handle(&self, cell: CellRef, method: &str, params: &Value) -> Result<Value, AgentError> {
        let mut state = self.state();
        if state.broken.as_mut().is_some_and(|broken| broken(cell, method)) {
            return Err(out_of_reach());
        }
        if method == "chat.run" {
            state.runs.push(params["job"].as_str().unwrap().to_owned());
        }
        let page = state.page;
        let this_month = format!("2026-{}", 11 + state.months);
        let cell = state.cells.entry(cell).or_default();
        let id = params["conversation"].as_str().unwrap_or_default().to_owned();
        if method == "chat.create" {
            let chosen = params["id"].as_str().map(str::to_owned);
            let id = chosen.unwrap_or_else(|| Uuid::now_v7().to_string());
            cell.conversations.entry(id.clone()).or_default();
            return Ok(json!({"conversation": {"id": id}}));
        }
        match method {
            "spending.get" => {
                let is_month =
                    |month: &str| month.len() == 7 && month.bytes().all(|byte| b"0123456789-".contains(&byte));
                if params["month"].as_str().is_some_and(|month| !is_month(month)) {
                    let words = "A month is written as 2026-11.";
                    return Err(AgentError::Refused(ChannelError::new("malformed", words)));
                }
                let limits = cell.spending.clone().unwrap_or(json!({"day": null, "month": null}));
                let month = params["month"].as_str().unwrap_or(&this_month);
                let tokens = cell.tokens.get(month).copied().unwrap_or_default();
                // Of each seven, two are read from the provider's cache, and one is written to it.
                let (cached, written) = (tokens / 7 * 2, tokens / 7);
                let used = json!({
                    "day": format!("{month}-01"), "provider": "p", "model": "m", "calls": 1, "failed": 0,
                    "input": tokens - cached - written, "cached": cached, "written": written, "output": tokens, "cost": 0, "estimated": 0, "unpriced": 1,
                });
                return Ok(json!({
                    "limits": limits, "spent": {"day": cell.spent.0, "month": cell.spent.1}, "month": month, "usage": [used],
                }));
            }
            "provider.list" => {
                let provider = cell.model.clone().map(|mut model| {
                    model.as_object_mut().unwrap().remove("key");
                    model
                });
                return Ok(json!({"providers": provider.as_slice()}));
            }
            "listen" => return Ok(json!({})),
            "approval.list" => {
                return Ok(json!({
                    "waiting": cell.asked, "decided": [], "rules": [], "ask_before_commands": cell.asks_before_commands,
                    "tell_when_away": true, "agent_waits": false,
                }));
            }
            "approval.decide" => return decide(cell, params),
            "approval.settings" => {
                cell.asks_before_commands = params["ask_before_commands"].as_bool().unwrap();
                return Ok(json!({}));
            }
            "spending.set" => {
                cell.spending = Some(params.clone());
                return Ok(json!({}));
            }
            "template.set" => {
                let template = params["template"].clone();
                if template["persona"]
                    .as_str()
                    .is_some_and(|persona| persona.contains("refused"))
                {
                    return Err(ChannelError::new("template_invalid", "no agent is like that").into());
                }
                cell.templates.push(template);
                return Ok(json!({}));
            }
            "chat.list" => {
                let rows = cell.conversations.iter().map(|(id, conversation)| {
                    json!({"id": id, "title": conversation.title, "updated": 1, "running": conversation.running.is_some(), "unread": false})
                });
                return Ok(json!({"conversations": rows.collect::<Vec<_>>()}));
            }
            _ => {}
        }
        if method == "chat.send" {
            *cell.tokens.entry(this_month).or_default() += 7;
            let text = params["text"].as_str().unwrap();
            if text.contains("approve") {
                let action = json!({"kind": "run_command", "command": text, "folder": "/home/agent"});
                cell.asked.push(json!({
                    "id": Uuid::now_v7(), "asked_at": 1, "expires_at": 1_800_001, "conversation": id, "action": action, "hash": HASH,
                    "state": "waiting", "at": null, "reason": "", "may": {"always": true, "conversation": true},
                }));
            }
        }
        let most = cell.spending.as_ref().and_then(|limits| limits["day"].as_u64());
        let is_spent = most.is_some_and(|most| cell.spent.0 >= most);
        let schedule = cell
            .templates
            .last()
            .map(|template| template["schedule"].clone())
            .unwrap_or_default();
        if method == "chat.delete" {
            return cell
                .conversations
                .remove(&id)
                .map(|_| json!({}))
                .ok_or_else(unknown_conversation);
        }
        let conversation = cell.conversations.get_mut(&id).ok_or_else(unknown_conversation)?;
        match method {
            "chat.rename" => conversation.title = params["title"].as_str().unwrap().to_owned(),
            "chat.open" => {
                let messages = &conversation.messages;
                let end = messages.iter().position(|message| params["before"] == message.id);
                let end = end.unwrap_or(messages.len());
                let begin = end.saturating_sub(page.unwrap_or(end));
                let mut opened = json!({"messages": messages[begin..end], "more": begin > 0, "seq": 0});
                opened["saving"] = json!(conversation.unsealed);
                if conversation.is_full {
                    opened["not_saved"] = json!(DISK_FULL);
                }
                if let Some(turn) = &conversation.running {
                    opened["running"] = json!({"turn": turn, "started": 1, "calls": conversation.calls});
                }
                return Ok(opened);
            }
            "chat.results" => {
                let turn = params["turn"].as_str().unwrap();
                return results(&id, conversation, turn, params["results"].as_array().unwrap());
            }
            "chat.abort" => {
                if let Some(turn) = conversation.running.take() {
                    conversation.tell(
                        &id,
                        &turn,
                        ChatEventKind::Aborted {
                            message: None,
                            saving: false,
                        },
                    );
                }
            }
            "chat.run" => {
                let (turn, job) = (params["key"].as_str().unwrap(), &params["job"]);
                let schedule = schedule.as_array().map(Vec::as_slice).unwrap_or_default();
                let Some(job) = schedule.iter().find(|known| known["name"] == *job) else {
                    return Err(AgentError::Refused(ChannelError::new(
                        "unknown_job",
                        "There is no such job.",
                    )));
                };
                send(&id, conversation, turn, job["message"].as_str().unwrap());
            }
            "chat.send" => {
                let (turn, text) = (params["key"].as_str().unwrap(), params["text"].as_str().unwrap());
                if let Some(code) = text.split("refuse with ").nth(1) {
                    return Err(ChannelError::new(code, "It is not taken.").into());
                }
                let asked = format!("u-{turn}");
                let again = conversation.messages.iter().any(|message| message.id == asked);
                if again {
                    return Ok(json!({"again": true}));
                }
                match params.get("functions") {
                    _ if is_spent => send(&id, conversation, turn, "fail with spending_limit"),
                    Some(offer) => call(&id, conversation, turn, text, offer),
                    None => send(&id, conversation, turn, text),
                }
            }
            other => panic!("{other} was not expected"),
        }
        Ok(json!({}))
    }
}

fn unknown_conversation() -> AgentError {
    ChannelError::new("unknown_conversation", "gone").into()
}

fn out_of_reach() -> AgentError {
    AgentError::Unavailable {
        message: "every cell is in use".into(),
        retry_after: Duration::from_secs(30),
    }
}

/// As a keeper does.
fn decide(cell: &mut Cell, params: &Value) -> Result<Value, AgentError> {
    let refused = |code: &str| Err(AgentError::Refused(ChannelError::new(code, "It is not answered.")));
    if let Some((id, answer)) = cell.answered.iter().find(|(id, _)| *id == params["id"]) {
        let is_same = params["hash"] == HASH && params["answer"] == *answer;
        return if is_same {
            Ok(json!({"id": id}))
        } else {
            refused("already_decided")
        };
    }
    let Some(place) = cell.asked.iter().position(|asked| asked["id"] == params["id"]) else {
        return refused("unknown_approval");
    };
    if params["hash"] != HASH {
        return refused("approval_changed");
    }
    let asked = cell.asked.remove(place);
    cell.answered.push((asked["id"].clone(), params["answer"].clone()));
    Ok(asked)
}

impl PlatformAgents for Agents {
    fn call<'a>(
        &'a self,
        cell: CellRef,
        method: &'static str,
        params: Value,
    ) -> BoxFuture<'a, Result<Value, AgentError>> {
        async move {
            self.let_go(method).await;
            let answer = self.handle(cell, method, &params)?;
            match self.state().lost == Some(method) {
                true => Err(out_of_reach()),
                false => Ok(answer),
            }
        }
        .boxed()
    }

    fn set_model(&self, cell: CellRef, model: ModelParams) -> BoxFuture<'_, Result<(), AgentError>> {
        async move {
            self.let_go("provider.set").await;
            self.handle(cell, "spending.get", &json!({}))?;
            let mut model = serde_json::to_value(model).unwrap();
            if model["base_url"].as_str().unwrap().contains("refused") {
                return Err(ChannelError::new("model_invalid", "the base URL is no good").into());
            }
            let mut state = self.state();
            let known = &mut state.cells.entry(cell).or_default().model;
            // As a keeper does.
            let same = known
                .take()
                .filter(|known| ["base_url", "model"].iter().all(|name| known[*name] == model[*name]));
            if let Some(price) = same.and_then(|known| known.get("price").cloned())
                && model.get("price").is_none()
            {
                model["price"] = price;
            }
            *known = Some(model);
            Ok(())
        }
        .boxed()
    }

    fn set_models(&self, cell: CellRef, models: Vec<ModelParams>) -> BoxFuture<'_, Result<(), AgentError>> {
        async move {
            let mut models = models.into_iter();
            self.set_model(cell, models.next().unwrap()).await?;
            let fallbacks = models.map(|model| serde_json::to_value(model).unwrap()).collect();
            self.state().cells.get_mut(&cell).unwrap().fallbacks = fallbacks;
            Ok(())
        }
        .boxed()
    }

    fn listen<'a>(&'a self, cell: CellRef, conversation: &'a str) -> BoxFuture<'a, Result<Listening, AgentError>> {
        async move {
            self.let_go("listen").await;
            self.handle(cell, "listen", &json!({}))?;
            let (sender, events) = mpsc::channel(1000);
            let phase = CellPhase::Ready;
            let ready = CellEvent {
                phase,
                since: 1,
                usual_ms: None,
                message: None,
            };
            sender.try_send(AgentEvent::Cell(ready)).unwrap();
            let mut state = self.state();
            let cell = state.cells.get_mut(&cell).unwrap();
            let conversation = cell.conversations.get_mut(conversation);
            let conversation = conversation.ok_or_else(unknown_conversation)?;
            conversation.hearers.push(sender);
            Ok(Listening {
                events,
                opened: std::future::ready(Ok(())).boxed(),
            })
        }
        .boxed()
    }

    fn has_room(&self, _: CellRef) -> bool {
        !self.state().crowded
    }

    fn leave(&self, cell: CellRef) -> BoxFuture<'_, bool> {
        self.state().left.push(cell);
        std::future::ready(true).boxed()
    }

    fn remove(&self, cell: CellRef) -> BoxFuture<'_, Result<RemovedCell, AgentError>> {
        async move {
            self.let_go("remove").await;
            self.handle(cell, "spending.get", &json!({}))?;
            let mut state = self.state();
            state.cells.remove(&cell);
            // Of one that was removed before, nothing is left.
            let (blobs, bytes) = match state.removed.contains(&cell) {
                true => (0, 0),
                false => (3, 99),
            };
            state.removed.push(cell);
            Ok(RemovedCell { blobs, bytes })
        }
        .boxed()
    }
}
