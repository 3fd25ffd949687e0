//! `POST /secrets`: the values that the owner lets the agent see, asked for and answered as OpenClaw's exec providers of secrets
//! do. Whoever runs in the agent's container can ask, so nothing else is told here; each telling is written down before it happens.

use std::collections::BTreeMap;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response};
use protocol::SecretId;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use super::Broker;
use super::error::BrokerError;
use super::forward::Answer;
use super::routes::Routes;
use crate::activity::{Deed, What};
use crate::channel::write_result;
use crate::limits;
use crate::secrets::{AgentMay, Secret, SecretError};

pub(super) const PATH: &str = "/secrets";
/// The one version of the protocol.
const VERSION: u8 = 1;
/// Behind an id: the user name of a login instead of its password.
const USERNAME: &str = "#username";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    protocol_version: u8,
    ids: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    protocol_version: u8,
    values: BTreeMap<&'a str, &'a str>,
    errors: BTreeMap<&'a str, Code>,
}

#[derive(Serialize)]
struct Code {
    code: &'static str,
}

impl Broker {
    pub(super) async fn tell(&self, request: Request<Incoming>) -> Result<Answer, BrokerError> {
        let routes = self.shared.routes.as_ref().ok_or(BrokerError::Path)?;
        if request.method() != Method::POST {
            return Err(BrokerError::Path);
        }
        let body = Limited::new(request.into_body(), limits::SECRETS_ASKED_BYTES)
            .collect()
            .await
            .map_err(|_| BrokerError::TooManyAsked)?
            .to_bytes();
        let asked: Asked = serde_json::from_slice(&body).map_err(|_| BrokerError::Asked)?;
        if asked.protocol_version != VERSION {
            return Err(BrokerError::Asked);
        }
        if asked.ids.len() > limits::SECRETS_ASKED {
            return Err(BrokerError::TooManyAsked);
        }
        routes.tell(&asked.ids).await
    }
}

impl Routes {
    async fn tell(&self, ids: &[String]) -> Result<Answer, BrokerError> {
        let mut found = BTreeMap::new();
        let mut deeds = Vec::new();
        for id in ids {
            let Ok(secret_id) = id.strip_suffix(USERNAME).unwrap_or(id).parse::<SecretId>() else {
                continue;
            };
            let secret = match self.secrets.get(secret_id) {
                Ok(secret) => secret,
                Err(SecretError::Vault(error)) => return Err(error.into()),
                Err(_) => continue,
            };
            if secret.agent < AgentMay::See {
                deeds.push(
                    Deed::new(What::SecretRefused, "")
                        .with(secret.id, secret.name)
                        .because("your agent may not see it"),
                );
                continue;
            }
            deeds.push(Deed::new(What::SecretSeen, "").with(secret.id, secret.name.as_str()));
            found.insert(id.as_str(), secret);
        }
        // Also for nothing that is found: whoever asks a locked vault is told that it is locked.
        self.activity.note_all_first(deeds).await?;
        let told = Told {
            protocol_version: VERSION,
            values: found.iter().map(|(id, secret)| (*id, part(id, secret))).collect(),
            errors: ids
                .iter()
                .filter(|id| !found.contains_key(id.as_str()))
                // The same for one that is not there and one that it may not see.
                .map(|id| (id.as_str(), Code { code: "NOT_FOUND" }))
                .collect(),
        };
        let json = write_result(&told).map_err(|_| BrokerError::TooManyAsked)?;
        let body = Full::new(Bytes::from_owner(json)).map_err(|never| match never {});
        let mut response = Response::new(body.boxed_unsync());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }
}

fn part<'a>(id: &str, secret: &'a Secret) -> &'a str {
    if id.ends_with(USERNAME) {
        &secret.username
    } else {
        secret.value.expose_secret()
    }
}
