//! `secret.*`: a value goes in, and comes out through `secret.reveal`, and after a fresh proof `secret.export`.

use std::collections::BTreeMap;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use protocol::channel::ChannelError;
use protocol::{Millis, SecretId};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::error::SecretError;
use super::secret::{AgentMay, Secret, SecretKind};
use super::store::Secrets;
use crate::activity::{Deed, LastUse, What};
use crate::channel::{SecretJson, SecretMethods, Subscriber, read_params, unknown_method, write_result};
use crate::limits;

/// Who a value is shown to, in the activity.
const YOU: &str = "you";

#[derive(Deserialize)]
struct List {
    after: Option<SecretId>,
}

/// A secret as the list tells it: everything but the value.
#[derive(Serialize)]
struct Listed {
    id: SecretId,
    name: String,
    kind: SecretKind,
    agent: AgentMay,
    username: String,
    url: String,
    changed: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_use: Option<LastUse>,
}

#[derive(Serialize)]
struct ListResult {
    secrets: Vec<Listed>,
    more: bool,
}

/// What a client sends of a secret. With an id, that one is changed; without a value, the one that is stored stays.
#[derive(Deserialize)]
struct Given {
    id: Option<SecretId>,
    name: String,
    kind: SecretKind,
    agent: AgentMay,
    #[serde(default)]
    username: String,
    #[serde(default)]
    url: String,
    value: Option<SecretString>,
}

#[derive(Deserialize)]
struct Add {
    secrets: Vec<Given>,
    /// Where they come from, for the activity.
    #[serde(default)]
    from: String,
}

#[derive(Serialize, Deserialize)]
struct One {
    id: SecretId,
}

#[derive(Serialize)]
struct Revealed<'a> {
    value: &'a str,
    username: &'a str,
}

#[derive(Serialize)]
struct Added {
    ids: Vec<SecretId>,
}

#[derive(Serialize)]
struct Done {}

impl Given {
    fn into_secret(self, id: SecretId, value: SecretString, changed: Millis) -> Secret {
        Secret {
            id,
            name: self.name.trim().to_owned(),
            kind: self.kind,
            agent: self.agent,
            username: self.username,
            url: self.url,
            value,
            changed,
        }
    }
}

impl Secrets {
    fn list(&self, List { after }: List) -> Result<ListResult, ChannelError> {
        let ids = self.ids()?;
        let mut last_uses: BTreeMap<_, _> = self.activity.last_uses()?;
        let rest: Vec<_> = ids
            .into_iter()
            .filter(|id| after.is_none_or(|after| *id > after))
            .collect();
        let more = rest.len() > limits::SECRETS_PAGE;
        let mut secrets = Vec::new();
        for id in rest.into_iter().take(limits::SECRETS_PAGE) {
            // Deleted meanwhile, or of a newer version: the others are listed.
            let Ok(secret) = self.get(id) else { continue };
            secrets.push(Listed {
                id,
                name: secret.name,
                kind: secret.kind,
                agent: secret.agent,
                username: secret.username,
                url: secret.url,
                changed: secret.changed,
                last_use: last_uses.remove(&id),
            });
        }
        Ok(ListResult { secrets, more })
    }

    async fn set(&self, mut given: Given) -> Result<One, ChannelError> {
        let (id, value) = match (given.id, given.value.take()) {
            (Some(id), Some(value)) => (self.get(id)?.id, value),
            (Some(id), None) => (id, self.get(id)?.value),
            (None, Some(value)) => (SecretId::new(), value),
            (None, None) => return Err(SecretError::NoValue.into()),
        };
        let secret = given.into_secret(id, value, self.vault.now());
        self.put(std::slice::from_ref(&secret)).await?;
        self.activity
            .note_first(Deed::new(What::SecretSaved, "").with(id, secret.name))
            .await?;
        Ok(One { id })
    }

    async fn add(&self, Add { secrets, from }: Add) -> Result<Added, ChannelError> {
        if secrets.len() > limits::SECRETS_PAGE {
            let most = limits::SECRETS_PAGE;
            return Err(ChannelError::new(
                "too_many_secrets",
                format!("At most {most} secrets are added at once (SECRETS_PAGE): send the rest after them."),
            ));
        }
        let now = self.vault.now();
        let secrets: Vec<_> = secrets
            .into_iter()
            .map(|mut given| {
                let value = given.value.take().ok_or(SecretError::NoValue)?;
                Ok(given.into_secret(SecretId::new(), value, now))
            })
            .collect::<Result<_, SecretError>>()?;
        self.put(&secrets).await?;
        let deed = Deed::new(What::SecretsImported, from).because(format!("{} secrets", secrets.len()));
        self.activity.note_first(deed).await?;
        Ok(Added {
            ids: secrets.iter().map(|secret| secret.id).collect(),
        })
    }

    async fn delete(&self, id: SecretId) -> Result<Done, ChannelError> {
        let name = match self.get(id) {
            Ok(secret) => secret.name,
            Err(SecretError::Newer) => String::new(),
            Err(error) => return Err(error.into()),
        };
        self.vault.delete_record(&Secret::record(id)).await?;
        self.told_changed();
        self.activity
            .note_first(Deed::new(What::SecretDeleted, "").with(id, name))
            .await?;
        Ok(Done {})
    }

    async fn reveal(&self, id: SecretId) -> Result<SecretJson, ChannelError> {
        let secret = self.get(id)?;
        self.activity
            .note_first(Deed::new(What::SecretRevealed, YOU).with(id, secret.name.as_str()))
            .await?;
        write_result(&Revealed {
            value: secret.value.expose_secret(),
            username: &secret.username,
        })
    }
}

impl SecretMethods for Secrets {
    fn call<'a>(
        &'a self,
        method: &'a str,
        params: &'a RawValue,
        subscriber: &'a Subscriber,
    ) -> BoxFuture<'a, Result<SecretJson, ChannelError>> {
        async move {
            match method {
                "secret.list" => write_result(&self.list(read_params(params)?)?),
                "secret.set" => write_result(&self.set(read_params(params)?).await?),
                "secret.add" => write_result(&self.add(read_params(params)?).await?),
                "secret.delete" => write_result(&self.delete(read_params::<One>(params)?.id).await?),
                "secret.export" => {
                    let proof = self.vault.fresh_proof(subscriber.id())?;
                    self.export(&proof, read_params(params)?).await
                }
                "secret.reveal" => self.reveal(read_params::<One>(params)?.id).await,
                _ => Err(unknown_method(method)),
            }
        }
        .boxed()
    }
}
