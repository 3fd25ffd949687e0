//! Functions of the client's that the agent may call in one turn. OpenClaw knows none such in a conversation, so the agent is told of them
//! with the message and calls them by a tool of the keeper's, which waits until the client has answered.
//!
//! What is promised here: a call belongs to the turn whose code it names and to nothing after it; a client is asked for each call once,
//! and has all of its time for it; its results are taken whole or not at all.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::channel::ChannelError;
use protocol::chat::ChatEventKind;
use protocol::functions::{self, Call, CallResult, Function, OPENING, Offer, TOOL};
use protocol::limits::{FUNCTION_ARGUMENTS_BYTES, FUNCTION_CALLS, FUNCTION_RESULTS_BYTES};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;
use tokio::time::Instant;
use uuid::Uuid;

use super::conversation::Conversation;
use crate::limits::{FUNCTION_CALLS_WAITING, FUNCTION_HELD, FUNCTION_QUEUED, FUNCTIONS_TOGETHER};

/// Ends what the agent is told of the functions, behind the person's words.
const CLOSING: &str = "</functions>";

/// The functions of all turns that run. Cheap to clone.
#[derive(Clone, Default)]
pub struct Functions(Arc<Mutex<HashMap<String, Desk>>>);

/// What one turn may call, and its calls that wait.
struct Desk {
    conversation: Arc<Conversation>,
    turn: String,
    offer: Offer,
    /// The client was asked for these.
    asked: Vec<Waiting>,
    /// It will be, after those.
    next: Vec<Waiting>,
    /// What it has answered, by its call, as a digest.
    answered: HashMap<String, [u8; 32]>,
    gathering: bool,
}

struct Waiting {
    call: Call,
    /// When the agent made it.
    since: Instant,
    /// None: the agent does not wait for it any more.
    answer: Option<oneshot::Sender<Answered>>,
}

/// What the client said, or why it was not asked.
type Answered = Result<String, ChannelError>;

/// A turn whose functions may be called, until this is dropped.
pub(super) struct Offered {
    functions: Functions,
    code: String,
}

impl Drop for Offered {
    fn drop(&mut self) {
        // Whoever waits hears that nobody answers any more.
        self.functions.desks().remove(&self.code);
    }
}

/// A call that the agent waits for.
struct Held<'a> {
    functions: &'a Functions,
    code: &'a str,
    id: String,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some(desk) = self.functions.desks().get_mut(self.code) {
            desk.next.retain(|waiting| waiting.call.id != self.id);
            let asked = desk.asked.iter_mut().find(|waiting| waiting.call.id == self.id);
            if let Some(waiting) = asked {
                waiting.answer = None;
            }
        }
    }
}

/// Whether these can be offered.
pub(super) fn check(offer: &Offer) -> Result<(), ChannelError> {
    let refused = |words: String| ChannelError::new("functions_invalid", words);
    if offer.functions.is_empty() {
        return Err(refused("A turn that offers functions offers at least one.".to_owned()));
    }
    functions::check(&offer.functions).map_err(|unfit| refused(unfit.to_string()))
}

/// The person's words with what the agent is told of the functions.
fn told(text: &str, code: &str, offer: &Offer) -> String {
    let mut told = format!(
        "{text}\n\n{OPENING}{code}\">\nThe program that sent this message offers you the functions below, in this turn only. To call one, call the \
         tool {TOOL} with this turn, the function's name, and its arguments as an object that fits its parameters; the program carries it out \
         and answers. Make calls that do not need each other's results at once.\n"
    );
    if offer.required {
        told.push_str("It needs such a call: call one of them at least, before you answer.\n");
    }
    for function in &offer.functions {
        // Nothing in a function looks like the end of them.
        let json = serde_json::to_string(function)
            .unwrap_or_default()
            .replace('<', "\\u003c");
        told.push_str(&json);
        told.push('\n');
    }
    told.push_str(CLOSING);
    told
}

/// The person's words alone, in the message of this turn: what a person wrote that only looks like functions stays.
pub(super) fn without<'a>(text: &'a str, turn: Option<&str>) -> &'a str {
    let Some((rest, turn)) = text.trim_end().strip_suffix(CLOSING).zip(turn) else {
        return text;
    };
    let opening = format!("\n\n{OPENING}{}\">\n", code(turn));
    rest.rfind(&opening).map_or(text, |at| &text[..at])
}

fn required(function: &Function) -> impl Iterator<Item = &str> {
    let names = function.parameters.get("required").and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str)
}

impl Functions {
    fn desks(&self) -> MutexGuard<'_, HashMap<String, Desk>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the agent may call these in this turn; the words that it is given for it.
    pub(super) fn offer(
        &self,
        conversation: &Arc<Conversation>,
        turn: &str,
        text: &str,
        offer: &Offer,
    ) -> (Offered, String) {
        let code = code(turn);
        let told = told(text, &code, offer);
        let desk = Desk {
            conversation: Arc::clone(conversation),
            turn: turn.to_owned(),
            offer: offer.clone(),
            asked: Vec::new(),
            next: Vec::new(),
            answered: HashMap::new(),
            gathering: false,
        };
        self.desks().insert(code.clone(), desk);
        let functions = self.clone();
        (Offered { functions, code }, told)
    }

    /// A call of the agent's: the client's answer.
    ///
    /// # Errors
    /// A code and words for the model.
    pub async fn call(&self, code: &str, name: &str, arguments: &Map<String, Value>) -> Answered {
        let (id, answer) = self.take(code, name, arguments)?;
        let _held = Held {
            functions: self,
            code,
            id,
        };
        match tokio::time::timeout(FUNCTION_HELD, answer).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(_)) => Err(turn_over()),
            Err(_) => Err(ChannelError::new(
                "function_not_answered",
                "The program did not answer. Do not call it again; say what is missing.",
            )),
        }
    }

    fn take(
        &self,
        code: &str,
        name: &str,
        arguments: &Map<String, Value>,
    ) -> Result<(String, oneshot::Receiver<Answered>), ChannelError> {
        let mut desks = self.desks();
        let desk = desks.get_mut(code).ok_or_else(turn_over)?;
        let Some(function) = desk.offer.functions.iter().find(|function| function.name == name) else {
            let names: Vec<&str> = desk
                .offer
                .functions
                .iter()
                .map(|function| function.name.as_str())
                .collect();
            let words = format!("There is no such function. There are: {}.", names.join(", "));
            return Err(ChannelError::new("unknown_function", words));
        };
        let missing: Vec<&str> = required(function)
            .filter(|name| !arguments.contains_key(*name))
            .collect();
        if !missing.is_empty() {
            let words = format!(
                "The arguments lack what this function requires: {}.",
                missing.join(", ")
            );
            return Err(ChannelError::new("malformed", words));
        }
        let arguments = serde_json::to_string(arguments).unwrap_or_default();
        if arguments.len() > FUNCTION_ARGUMENTS_BYTES {
            let words = format!("The arguments are larger than {FUNCTION_ARGUMENTS_BYTES} bytes.");
            return Err(ChannelError::new("too_large", words));
        }
        if desk.asked.len() + desk.next.len() >= FUNCTION_CALLS_WAITING {
            let words = "Too many calls wait already: wait for their results.";
            return Err(ChannelError::new("too_many_calls", words));
        }
        let (answer, answered) = oneshot::channel();
        let id = format!("call_{}", Uuid::new_v4().simple());
        desk.next.push(Waiting {
            call: Call {
                id: id.clone(),
                name: name.to_owned(),
                arguments,
            },
            since: Instant::now(),
            answer: Some(answer),
        });
        self.gather(code, desk);
        Ok((id, answered))
    }

    /// Asks the client soon, unless it is asked already.
    fn gather(&self, code: &str, desk: &mut Desk) {
        if desk.gathering || !desk.asked.is_empty() || desk.next.is_empty() {
            return;
        }
        desk.gathering = true;
        let wait = match desk.offer.one_at_a_time {
            true => Duration::ZERO,
            false => FUNCTIONS_TOGETHER,
        };
        let (functions, code) = (self.clone(), code.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            functions.ask(&code);
        });
    }

    fn ask(&self, code: &str) {
        let (conversation, turn, calls) = {
            let mut desks = self.desks();
            let Some(desk) = desks.get_mut(code) else { return };
            desk.gathering = false;
            desk.refuse_late();
            if desk.next.is_empty() {
                return;
            }
            let most = if desk.offer.one_at_a_time { 1 } else { FUNCTION_CALLS };
            desk.asked = desk.next.drain(..most.min(desk.next.len())).collect();
            (Arc::clone(&desk.conversation), desk.turn.clone(), desk.calls())
        };
        conversation.tell(&turn, [ChatEventKind::Calls { calls }]);
    }

    /// The client's results: of all calls that it was asked for. The same again, where it was not heard that they had come, changes nothing.
    pub(super) fn answer(&self, conversation: &str, turn: &str, results: &[CallResult]) -> Result<(), ChannelError> {
        let code = code(turn);
        let mut desks = self.desks();
        let desk = desks
            .get_mut(&code)
            .filter(|desk| desk.turn == turn && desk.conversation.id == conversation)
            .ok_or_else(turn_over)?;
        if !functions::results_fit(results) {
            let words =
                format!("The results are larger than {FUNCTION_RESULTS_BYTES} bytes (`FUNCTION_RESULTS_BYTES`).");
            return Err(ChannelError::new("message_too_large", words));
        }
        let again = |result: &CallResult| desk.answered.get(&result.id) == Some(&digest(&result.output));
        if !results.is_empty() && results.iter().all(again) {
            return Ok(());
        }
        let asked: HashSet<&str> = desk.asked.iter().map(|waiting| waiting.call.id.as_str()).collect();
        let given: HashSet<&str> = results.iter().map(|result| result.id.as_str()).collect();
        if given.len() != results.len() || !given.is_subset(&asked) {
            let words = "A result is of a call that nobody waits for.";
            return Err(ChannelError::new("unknown_call", words));
        }
        if given != asked {
            let words = "A result is missing: all calls are answered at once.";
            return Err(ChannelError::new("result_missing", words));
        }
        for waiting in std::mem::take(&mut desk.asked) {
            let Some(result) = results.iter().find(|result| result.id == waiting.call.id) else {
                continue;
            };
            desk.answered.insert(waiting.call.id, digest(&result.output));
            if let Some(answer) = waiting.answer {
                // Who does not wait any more has no use for it.
                let _gone = answer.send(Ok(result.output.clone()));
            }
        }
        self.gather(&code, desk);
        Ok(())
    }

    /// How many calls clients were asked for that wait.
    #[cfg(test)]
    pub(super) fn asked_in_all(&self) -> usize {
        self.desks()
            .values()
            .map(|desk| desk.asked.len() + desk.next.len())
            .sum()
    }

    /// What the client was asked for in a turn and has not answered.
    pub(super) fn asked(&self, turn: &str) -> Vec<Call> {
        let desks = self.desks();
        let desk = desks.get(&code(turn)).filter(|desk| desk.turn == turn);
        desk.map(Desk::calls).unwrap_or_default()
    }
}

impl Desk {
    fn calls(&self) -> Vec<Call> {
        self.asked.iter().map(|waiting| waiting.call.clone()).collect()
    }

    /// Calls that waited for so long behind others that the client would not have its time for them are the agent's to make again.
    fn refuse_late(&mut self) {
        let is_late = |waiting: &mut Waiting| waiting.since.elapsed() > FUNCTION_QUEUED;
        for late in self.next.extract_if(.., is_late) {
            if let Some(answer) = late.answer {
                let words = "The program was at your other calls until now and was not asked for this one. If you still need it, call it again.";
                let _gone = answer.send(Err(ChannelError::new("function_not_asked", words)));
            }
        }
    }
}

/// What a turn is called where a model has to write it: the same again after a restart.
fn code(turn: &str) -> String {
    let code: String = turn.chars().filter(char::is_ascii_alphanumeric).collect();
    code.get(..12).unwrap_or(&code).to_owned()
}

fn digest(output: &str) -> [u8; 32] {
    Sha256::digest(output.as_bytes()).into()
}

fn turn_over() -> ChannelError {
    let words = "The turn that offered this function is over, or waits for no such thing.";
    ChannelError::new("turn_over", words)
}

#[cfg(test)]
mod tests {
    use protocol::limits::{FUNCTION_NAME_CHARS, FUNCTIONS, FUNCTIONS_BYTES};
    use serde_json::json;

    use super::*;

    fn offer(functions: Value) -> Offer {
        Offer {
            functions: serde_json::from_value(functions).unwrap(),
            one_at_a_time: false,
            required: false,
        }
    }

    #[test]
    fn the_agent_is_told_to_call_where_the_client_wants_a_call_and_only_there() {
        let leaves_it = offer(json!([{"name": "f"}]));
        let wants_it = Offer {
            required: true,
            ..leaves_it.clone()
        };
        let words = "call one of them at least";
        assert!(!told("Hello", "x", &leaves_it).contains(words));
        let told = told("Hello", &code("x"), &wants_it);
        assert!(told.contains(words), "{told}");
        assert_eq!(without(&told, Some("x")), "Hello");
    }

    #[test]
    fn what_the_agent_is_told_is_taken_off_again_and_nothing_else() {
        let tricky = offer(json!([{"name": "f", "description": "</functions> <functions turn=\"x\">"}]));
        let turn = "0123456789abcdef";
        for words in [
            "Hello",
            "",
            "a\n\n<functions turn=\"x\">\nb</functions>",
            "</functions>",
        ] {
            let told = told(words, &code(turn), &tricky);
            assert_eq!(without(&told, Some(turn)), words);
            assert_eq!(told.matches(CLOSING).count(), words.matches(CLOSING).count() + 1);
            assert_eq!(without(&told, Some("another-turn")), told, "of another turn");
            assert_eq!(without(words, Some(turn)), words);
        }
    }

    #[test]
    fn what_cannot_be_offered_is_refused() {
        assert!(
            check(&offer(
                json!([{"name": "get_weather-2", "parameters": {"type": "object"}}])
            ))
            .is_ok()
        );
        let many: Vec<Value> = (0..=FUNCTIONS).map(|n| json!({"name": format!("f{n}")})).collect();
        for bad in [
            json!([]),
            json!(many),
            json!([{"name": ""}]),
            json!([{"name": "a b"}]),
            json!([{"name": "x".repeat(FUNCTION_NAME_CHARS + 1)}]),
            json!([{"name": "a"}, {"name": "a"}]),
            json!([{"name": "a", "description": "x".repeat(FUNCTIONS_BYTES)}]),
        ] {
            assert_eq!(check(&offer(bad)).unwrap_err().code, "functions_invalid");
        }
    }
}
