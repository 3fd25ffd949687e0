//! What is asked for, with every parameter as it would be carried out.

use protocol::{Millis, SecretId, UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vault::{Constraints, Hash, PublicIdentity, Resource, Scopes, SignerKey, steering};

use crate::activity::{Asked, Deed, What};

/// Something that would be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Action {
    /// A call to a service that changes something there.
    CallService {
        service: String,
        /// Where the service is, and with which secret: an answer is not good for another place.
        base_url: String,
        secret: SecretId,
        method: String,
        path: String,
        query: String,
        /// Names in lower case, in the order of names.
        headers: Vec<(String, String)>,
        /// Text; base64url where it is none.
        body: String,
        body_is_text: bool,
        /// For a tool of a server: how it was described when its owner allowed it (SHA-256). An answer is not good for another description.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tool: Option<String>,
    },
    /// OpenClaw's own question, before it runs a command in the agent's container.
    RunCommand {
        command: String,
        folder: String,
        /// Where OpenClaw runs it, and the program that it found for it. It and what follows are as OpenClaw says; requests of earlier versions
        /// say nothing of them.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        host: String,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        program: String,
        /// The names of the variables that are set for it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        variables: Vec<String>,
        /// What OpenClaw warns of.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        warning: String,
    },
    /// To let somebody use a service of the owner's.
    Share(ShareTerms),
    /// A call to what somebody else shares that changes something there.
    CallShared {
        /// What is shared, and by whom: the one who passed it on, where it was.
        share: Uuid,
        owner: UserId,
        name: String,
        /// Whose it is, where it was passed on: what is done is done there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<Whose>,
        service: String,
        method: String,
        path: String,
        query: String,
        content_type: String,
        /// Text.
        body: String,
    },
    /// To ask somebody to share something.
    AskForShare { of: UserId, name: String, words: String },
}

/// Whose something is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whose {
    /// Their public keys.
    #[serde(with = "protocol::b64")]
    pub keys: Vec<u8>,
    /// As whoever asks knows them; none where they do not.
    pub name: Option<String>,
    /// The digits of the keys.
    pub fingerprint: String,
}

/// What is to be shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareTerms {
    pub with: UserId,
    /// As the owner knows them.
    pub name: String,
    /// Their key, as it is pinned.
    pub holder: SignerKey,
    pub resource: Resource,
    pub scope: Scopes,
    pub until: Millis,
    pub constraints: Constraints,
    /// Which service it is: its address, its secret and its kind (SHA-256). Requests of earlier versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Hash>,
}

impl Action {
    /// What an answer is bound to: SHA-256 of the canonical writing.
    pub fn hash(&self) -> Hash {
        let text = serde_json_canonicalizer::to_vec(self).expect("a struct of text and numbers serialises");
        Hash::of(&text)
    }

    /// Whether a service may take this for a call of something else than its method and path say.
    pub(super) fn is_steered(&self) -> bool {
        let Self::CallService {
            query,
            headers,
            body,
            body_is_text,
            tool: None,
            ..
        } = self
        else {
            return false;
        };
        let kinds = headers.iter().filter(|(name, _)| name == "content-type");
        let kinds: Vec<_> = kinds.map(|(_, kind)| kind.as_str()).collect();
        let is_steered = |body: &[u8]| steering(query, &kinds.join(" "), body).is_some();
        match body_is_text {
            true => is_steered(body.as_bytes()),
            // What cannot be read may be either.
            false => protocol::b64::decode(body).map_or(true, |body| is_steered(&body)),
        }
    }

    /// Somebody else whom this is about, by their key: whom it is to be shared with, or whose it is.
    pub(super) fn concerns(&self) -> Option<SignerKey> {
        match self {
            Self::Share(terms) => Some(terms.holder),
            Self::CallShared { of, .. } => Some(PublicIdentity::decode(&of.as_ref()?.keys).ok()?.signer()),
            _ => None,
        }
    }

    /// Whom something would be shared with, and their key; or who would be asked.
    pub(super) fn contact(&self) -> Option<(UserId, Option<SignerKey>)> {
        match self {
            Self::Share(terms) => Some((terms.with, Some(terms.holder))),
            Self::AskForShare { of, .. } => Some((*of, None)),
            _ => None,
        }
    }

    /// How many bytes a person would have to read.
    pub(super) fn size(&self) -> usize {
        serde_json_canonicalizer::to_vec(self).map_or(usize::MAX, |text| text.len())
    }

    /// That this was done with it, for the activity.
    pub(super) fn deed(&self, what: What) -> Deed {
        let of_kind = |kind: &str, service: &str| Asked {
            kind: kind.to_owned(),
            service: service.to_owned(),
            ..Asked::default()
        };
        let asked = match self {
            Self::CallService { .. } => of_kind("call_service", ""),
            Self::RunCommand { .. } => of_kind("run_command", ""),
            Self::Share(terms) => Asked::share(terms.resource.service(), &terms.scope, terms.until),
            Self::CallShared { service, .. } => of_kind("call_shared", service),
            Self::AskForShare { .. } => of_kind("ask_for_share", ""),
        };
        Deed::new(what, self.to()).of(asked)
    }

    /// What it is done to, in a word.
    fn to(&self) -> String {
        match self {
            Self::CallService { service, .. } => service.clone(),
            Self::RunCommand { .. } => "command".to_owned(),
            Self::Share(terms) => terms.name.clone(),
            Self::CallShared { name, .. } | Self::AskForShare { name, .. } => name.clone(),
        }
    }

    /// As it is kept when it is over: without what was sent.
    pub(super) fn shortened(&self) -> Self {
        match self {
            Self::CallService {
                service,
                base_url,
                secret,
                method,
                path,
                tool,
                ..
            } => Self::CallService {
                service: service.clone(),
                base_url: base_url.clone(),
                secret: *secret,
                method: method.clone(),
                path: path.clone(),
                query: String::new(),
                headers: Vec::new(),
                body: String::new(),
                body_is_text: true,
                tool: tool.clone(),
            },
            Self::RunCommand {
                command,
                folder,
                host,
                program,
                ..
            } => Self::RunCommand {
                command: command.chars().take(500).collect(),
                folder: folder.clone(),
                host: host.clone(),
                program: program.clone(),
                variables: Vec::new(),
                warning: String::new(),
            },
            Self::Share(_) | Self::AskForShare { .. } => self.clone(),
            Self::CallShared {
                share,
                owner,
                name,
                of,
                service,
                method,
                path,
                ..
            } => Self::CallShared {
                share: *share,
                owner: *owner,
                name: name.clone(),
                of: of.clone(),
                service: service.clone(),
                method: method.clone(),
                path: path.clone(),
                query: String::new(),
                content_type: String::new(),
                body: String::new(),
            },
        }
    }
}
