//! `identity.*` and `contact.*` of the channel (`docs/protocol.md`, section 2).

use futures::future::BoxFuture;
use protocol::channel::ChannelError;
use protocol::{Millis, UserId, b64};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Contact, Contacts};
use crate::channel::{Methods, Subscriber, read_value, unknown_method};

#[derive(Deserialize)]
struct Pin {
    user: UserId,
    name: String,
    #[serde(with = "b64")]
    bundle: Vec<u8>,
}

#[derive(Deserialize)]
struct Compared {
    user: UserId,
    fingerprint: String,
}

#[derive(Deserialize)]
struct Which {
    user: UserId,
}

#[derive(Serialize)]
struct Shown {
    user: UserId,
    name: String,
    fingerprint: String,
    pinned_at: Millis,
    compared_at: Option<Millis>,
}

impl From<Contact> for Shown {
    fn from(contact: Contact) -> Self {
        Self {
            fingerprint: contact.identity.fingerprint(),
            user: contact.user,
            name: contact.name,
            pinned_at: contact.pinned_at,
            compared_at: contact.compared_at,
        }
    }
}

impl Contacts {
    async fn answer(&self, method: &str, params: Value) -> Result<Value, ChannelError> {
        match method {
            "identity.get" => {
                let public = self.vault.identity().await?.public();
                Ok(json!({"bundle": b64::encode(public.encode()), "fingerprint": public.fingerprint()}))
            }
            "contact.list" => {
                let contacts: Vec<Shown> = self.list()?.into_iter().map(Shown::from).collect();
                Ok(json!({ "contacts": contacts }))
            }
            "contact.pin" => {
                let Pin { user, name, bundle } = read_value(params)?;
                Ok(json!(Shown::from(self.pin(user, &name, &bundle).await?)))
            }
            "contact.compared" => {
                let Compared { user, fingerprint } = read_value(params)?;
                Ok(json!(Shown::from(self.compared(user, &fingerprint).await?)))
            }
            "contact.forget" => {
                self.forget(read_value::<Which>(params)?.user).await?;
                Ok(json!({}))
            }
            _ => Err(unknown_method(method)),
        }
    }
}

impl Methods for Contacts {
    fn call<'a>(
        &'a self,
        method: &'a str,
        params: Value,
        _subscriber: &'a Subscriber,
    ) -> BoxFuture<'a, Result<Value, ChannelError>> {
        Box::pin(self.answer(method, params))
    }
}
