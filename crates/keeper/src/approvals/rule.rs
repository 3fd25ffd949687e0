//! What its owner allows beforehand: `approval-rule/<id>`, a version byte and JSON. Rules are made by an answer, never by a request.

use protocol::{ApprovalId, Millis, SecretId};
use serde::{Deserialize, Serialize};

use super::action::Action;
use crate::versioned;

pub(super) const PREFIX: &str = "approval-rule/";
const DAY: Millis = 24 * 60 * 60 * 1000;

/// What a rule is about: the same kind of call to the same address, whatever is sent along; or the very same command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Pattern {
    CallService {
        service: String,
        base_url: String,
        /// With which account. Rules of earlier versions do not say, and allow nothing any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        secret: Option<SecretId>,
        method: String,
        path: String,
        /// For a tool of a server: as it was described then. Another description is asked about anew.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tool: Option<String>,
    },
    RunCommand {
        command: String,
        folder: String,
        /// Where, which program and with which variables: what rules of earlier versions do not say is nothing.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        host: String,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        program: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        variables: Vec<String>,
    },
}

impl Pattern {
    /// The pattern that this action is of; none for what is asked every time, such as a call that a service may take for one of another path.
    pub(super) fn of(action: &Action) -> Option<Self> {
        match action {
            Action::CallService { .. } if action.is_steered() => None,
            Action::CallService {
                service,
                base_url,
                secret,
                method,
                path,
                tool,
                ..
            } => Some(Self::CallService {
                service: service.clone(),
                base_url: base_url.clone(),
                secret: Some(*secret),
                method: method.clone(),
                path: path.clone(),
                tool: tool.clone(),
            }),
            Action::RunCommand {
                command,
                folder,
                host,
                program,
                variables,
                ..
            } => Some(Self::RunCommand {
                command: command.clone(),
                folder: folder.clone(),
                host: host.clone(),
                program: program.clone(),
                variables: variables.clone(),
            }),
            Action::Share(_) | Action::CallShared { .. } | Action::AskForShare { .. } => None,
        }
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// The request that it was made by answering.
    pub id: ApprovalId,
    pub made_at: Millis,
    pub until: Millis,
    /// Only while the agent works on this conversation.
    pub conversation: Option<String>,
    pub per_day: u32,
    pub pattern: Pattern,
    /// The day (of UTC, since the epoch) that is counted, and how often it was used on it.
    day: i64,
    used: u32,
}

impl Rule {
    pub(super) fn new(
        id: ApprovalId,
        pattern: Pattern,
        conversation: Option<String>,
        per_day: u32,
        now: Millis,
        until: Millis,
    ) -> Self {
        Self {
            id,
            made_at: now,
            until,
            conversation,
            per_day,
            pattern,
            day: now.div_euclid(DAY),
            used: 0,
        }
    }

    pub(super) fn record(&self) -> String {
        format!("{PREFIX}{}", self.id)
    }

    /// How often it was used today.
    pub fn used_on(&self, now: Millis) -> u32 {
        if self.day == now.div_euclid(DAY) { self.used } else { 0 }
    }

    /// Uses it for an action of this pattern, if it is for it and has room; the caller stores it.
    pub(super) fn take(&mut self, pattern: &Pattern, running: &[String], now: Millis) -> bool {
        let here = self.conversation.as_ref().is_none_or(|id| running.contains(id));
        let used = self.used_on(now);
        if !here || now >= self.until || used >= self.per_day || *pattern != self.pattern {
            return false;
        }
        self.day = now.div_euclid(DAY);
        self.used = used + 1;
        true
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        versioned::encode(self)
    }

    pub(super) fn decode(name: &str, bytes: &[u8]) -> Option<Self> {
        let id: ApprovalId = name.strip_prefix(PREFIX)?.parse().ok()?;
        let rule: Self = versioned::decode(bytes)?;
        (rule.id == id).then_some(rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(secret: SecretId) -> Pattern {
        let action = Action::CallService {
            service: "crm".to_owned(),
            base_url: "https://crm.example.org".to_owned(),
            secret,
            method: "POST".to_owned(),
            path: "/items".to_owned(),
            query: String::new(),
            headers: Vec::new(),
            body: String::new(),
            body_is_text: true,
            tool: None,
        };
        Pattern::of(&action).unwrap()
    }

    #[test]
    fn promise_07_a_rule_allows_nothing_with_another_account_nor_where_it_does_not_say_with_which() {
        let mine = SecretId::new();
        let rule = |pattern| Rule::new(ApprovalId::new(), pattern, None, 9, 0, 1);
        assert!(rule(call(mine)).take(&call(mine), &[], 0));
        assert!(!rule(call(mine)).take(&call(SecretId::new()), &[], 0));
        // As an earlier version wrote it.
        let earlier = r#"{"kind":"call_service","service":"crm","base_url":"https://crm.example.org","method":"POST","path":"/items"}"#;
        let earlier: Pattern = serde_json::from_str(earlier).unwrap();
        assert!(!rule(earlier).take(&call(mine), &[], 0));
    }
}
