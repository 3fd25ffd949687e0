//! `secret.export`: all values, part by part, to whoever has shown a way into the vault a moment ago.

use protocol::SecretId;
use protocol::channel::ChannelError;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use super::error::SecretError;
use super::secret::{Secret, SecretKind};
use super::store::Secrets;
use crate::activity::{Deed, What};
use crate::channel::{SecretJson, write_result};
use crate::limits;
use crate::vault_service::FreshProof;

/// What the client is going to make of them: a word for the activity, which the keeper cannot check.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Form {
    Sealed,
    Json,
    Env,
}

#[derive(Deserialize)]
pub(super) struct Export {
    form: Form,
    after: Option<SecretId>,
}

#[derive(Serialize)]
struct Exported<'a> {
    name: &'a str,
    kind: SecretKind,
    username: &'a str,
    url: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
struct Page<'a> {
    secrets: Vec<Exported<'a>>,
    /// The last one's id while there are more.
    next: Option<SecretId>,
}

impl Secrets {
    /// One part, ascending by id. The first one is noted before it is answered, with how many there are.
    pub(super) async fn export(
        &self,
        _proof: &FreshProof,
        Export { form, after }: Export,
    ) -> Result<SecretJson, ChannelError> {
        let ids = self.ids()?;
        if after.is_none() {
            let to = match form {
                Form::Sealed => "an encrypted file",
                Form::Json | Form::Env => "a readable file",
            };
            let deed = Deed::new(What::SecretsExported, to).because(format!("{} secrets", ids.len()));
            self.activity.note_first(deed).await?;
        }
        let mut secrets: Vec<Secret> = Vec::new();
        let (mut bytes, mut next) = (0, None);
        for id in ids.into_iter().filter(|id| after.is_none_or(|after| *id > after)) {
            if bytes > limits::SECRETS_EXPORT_PART_BYTES {
                next = secrets.last().map(|secret| secret.id);
                break;
            }
            match self.get(id) {
                Ok(secret) => {
                    bytes += json_bytes(&secret);
                    secrets.push(secret);
                }
                // Deleted meanwhile.
                Err(SecretError::Unknown) => {}
                // A file that lacks some would be taken for all of them.
                Err(error) => return Err(error.into()),
            }
        }
        write_result(&Page {
            next,
            secrets: secrets
                .iter()
                .map(|secret| Exported {
                    name: &secret.name,
                    kind: secret.kind,
                    username: &secret.username,
                    url: &secret.url,
                    value: secret.value.expose_secret(),
                })
                .collect(),
        })
    }
}

/// What one takes of an answer: a control character is six bytes of JSON.
fn json_bytes(secret: &Secret) -> usize {
    let texts = [
        secret.name.as_str(),
        &secret.username,
        &secret.url,
        secret.value.expose_secret(),
    ];
    let written = |byte: u8| match byte {
        0..0x20 => 6,
        b'"' | b'\\' => 2,
        _ => 1,
    };
    100 + texts.into_iter().flat_map(str::bytes).map(written).sum::<usize>()
}
