//! Through whom and to whom what the owner shares was passed on: `share/link/<id>`, since it was told or used first.
//!
//! What is promised here: what was passed on is carried out only after each one through whom it came was asked for, at the relay, whether they
//! have taken their link back; who cannot be asked for has. Nobody but who holds a valid chain from something that was given here is
//! remembered, and not more than [`limits::SHARE_LINKS`] below one share.

use protocol::relay::MailboxKey;
use protocol::{Millis, b64};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;
use vault::{Capability, CapabilityError, Presentation, PublicIdentity, SignerKey, verify_chain};

use super::given::{Given, kept};
use super::{ShareError, Shares};
use crate::contacts::{Contact, ContactError};
use crate::limits;
use crate::relay::{self, REVOKED, Record, Revocations as _};
use crate::vault_service::VaultError;
use crate::versioned::{decode, encode};

const LINKS: &str = "share/link/";

/// One time that it was passed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Link {
    pub capability: Capability,
    /// Those before it; the first was given here.
    above: Vec<Uuid>,
    /// The public keys of whoever holds it; empty while they are not known.
    #[serde(default, with = "b64", skip_serializing_if = "Vec::is_empty")]
    to: Vec<u8>,
    at: Millis,
}

impl Link {
    fn name(&self) -> String {
        format!("{LINKS}{}", self.capability.jti)
    }

    fn record(&self) -> Record {
        (self.name(), Some(encode(self)))
    }

    pub(super) fn is_below(&self, share: Uuid) -> bool {
        self.above.first() == Some(&share)
    }
}

impl Shares {
    pub(super) fn links(&self) -> Result<Vec<Link>, VaultError> {
        let names = self.vault.list_records(LINKS)?;
        let read = |name: String| decode(&self.vault.get_record(&name).ok()??);
        Ok(names.into_iter().filter_map(read).collect())
    }

    pub(super) fn link(&self, id: Uuid) -> Result<Option<Link>, VaultError> {
        let record = self.vault.get_record(&format!("{LINKS}{id}"))?;
        Ok(record.and_then(|bytes| decode(&bytes)))
    }

    /// What of a chain was taken back, here or by who made it, as far as this vault has seen.
    pub(super) fn revoked_of(&self, chain: &[Capability]) -> Result<Vec<Uuid>, ShareError> {
        let mut revoked = Vec::new();
        for link in chain {
            if self.is_stopped(link)? {
                revoked.push(link.jti);
            }
        }
        Ok(revoked)
    }

    pub(super) fn is_stopped(&self, link: &Capability) -> Result<bool, ShareError> {
        let by = MailboxKey(link.iss.0);
        Ok(self.is_revoked(link.jti)? || self.relay.has_seen_revoked(by, link.jti.into())?)
    }

    /// What was given here, and is just this.
    pub(super) fn root(&self, chain: &[Capability]) -> Result<Given, ShareError> {
        let first = chain.first().ok_or(ShareError::Unknown)?;
        let given = self.was_given(first.jti)?;
        given
            .filter(|given| given.capability == *first)
            .ok_or(ShareError::Unknown)
    }

    /// Before something is used that was passed on: remembers through whom it came, and asks whether each of them still wants it.
    pub(super) async fn look_at_links(
        &self,
        own: &SignerKey,
        presentation: &Presentation,
        from: &PublicIdentity,
    ) -> Result<(), ShareError> {
        let chain = &presentation.chain;
        {
            let _one = self.one_at_a_time.lock().await;
            let known = self.tidy_links().await?;
            self.verified(own, presentation)?;
            let records = self.remembered(&known, chain, from)?;
            if !records.is_empty() {
                self.vault.put_records(records).await?;
                self.changed();
            }
        }
        for link in chain.iter().skip(1) {
            let standing = self.relay.check(MailboxKey(link.iss.0), link.jti.into()).await?;
            if standing == relay::Standing::Revoked {
                return Err(CapabilityError::Revoked(link.jti).into());
            }
        }
        Ok(())
    }

    /// What is to be remembered of somebody's word that they have passed something on, whose holder has these keys.
    pub(super) async fn take_link(
        &self,
        from: &PublicIdentity,
        chain: &[Capability],
        to: &[u8],
    ) -> Result<Vec<Record>, ShareError> {
        let own = self.vault.identity().await?.public().signer();
        let revoked = self.revoked_of(chain)?;
        let granted = verify_chain(chain, &own, self.clock.now(), |id| revoked.contains(&id))?;
        self.root(chain)?;
        let to = PublicIdentity::decode(to).map_err(ContactError::from)?;
        let by_them = chain.last().is_some_and(|link| link.iss == from.signer());
        if !by_them || granted.holder != to.signer() {
            return Err(CapabilityError::NotHeld.into());
        }
        self.remembered(&self.links()?, chain, &to)
    }

    /// Each link of a verified chain that is not among those known, to be stored; the last one is held by `to`.
    fn remembered(&self, known: &[Link], chain: &[Capability], to: &PublicIdentity) -> Result<Vec<Record>, ShareError> {
        let (mut records, mut new) = (Vec::new(), 0);
        for (at, capability) in chain.iter().enumerate().skip(1) {
            let to = if at + 1 == chain.len() { to.encode() } else { Vec::new() };
            match known.iter().find(|link| link.capability.jti == capability.jti) {
                Some(there) if there.capability != *capability => return Err(ShareError::Unknown),
                Some(there) if there.to.is_empty() && !to.is_empty() => {
                    records.push(Link { to, ..there.clone() }.record());
                }
                Some(_) => {}
                // Under the id of something else it would be counted as that.
                None if self.was_given(capability.jti)?.is_some() => return Err(ShareError::Unknown),
                None => {
                    new += 1;
                    let link = Link {
                        capability: capability.clone(),
                        above: chain[..at].iter().map(|link| link.jti).collect(),
                        to,
                        at: self.clock.now(),
                    };
                    records.push(link.record());
                }
            }
        }
        let below = chain
            .first()
            .map_or(0, |first| known.iter().filter(|link| link.is_below(first.jti)).count());
        if new > 0 && (below + new > limits::SHARE_LINKS || known.len() + new > limits::SHARE_LINKS_ALL) {
            return Err(ShareError::TooManyLinks);
        }
        Ok(records)
    }

    /// Forgets links that ended long ago: those that are left. `one_at_a_time` is held.
    pub(super) async fn tidy_links(&self) -> Result<Vec<Link>, ShareError> {
        let now = self.clock.now();
        let (left, gone): (Vec<_>, Vec<_>) = self.links()?.into_iter().partition(|link| kept(&link.capability, now));
        if gone.is_empty() {
            return Ok(left);
        }
        let mut records = Vec::new();
        for link in &gone {
            records.push((link.name(), None));
            records.push((format!("{REVOKED}{}", link.capability.jti), None));
        }
        self.vault.put_records(records).await?;
        self.follow_makers().await?;
        Ok(left)
    }

    /// Whoever of those whom the owner knows has this key.
    pub(super) fn contact_with(&self, key: SignerKey) -> Result<Option<Contact>, ContactError> {
        let contacts = self.contacts.list()?;
        Ok(contacts.into_iter().find(|contact| contact.identity.signer() == key))
    }

    /// Whoever has this key: as the owner knows them, and the digits of their keys where these are known.
    pub(super) fn person(&self, key: SignerKey, bundle: &[u8]) -> Result<Value, ShareError> {
        let contact = self.contact_with(key)?;
        let identity = match &contact {
            Some(contact) => Some(contact.identity.clone()),
            None => PublicIdentity::decode(bundle).ok(),
        };
        Ok(json!({
            "user": contact.as_ref().map(|contact| contact.user), "name": contact.map(|contact| contact.name),
            "fingerprint": identity.map(|identity| identity.fingerprint()),
        }))
    }

    /// How the owner calls whoever holds a link: by their name, or by that of the one to whom they gave what it hangs on.
    pub(super) fn called(&self, link: &Link) -> Result<String, ShareError> {
        let holder = self.person(link.capability.sub, &link.to)?;
        if let Some(name) = holder["name"].as_str() {
            return Ok(name.to_owned());
        }
        let given = link.above.first().map(|id| self.was_given(*id)).transpose()?.flatten();
        Ok(given.map(|given| given.name).unwrap_or_default())
    }

    /// To whom, of all links that are known, something that was given here was passed on, as its owner and their agent see it.
    pub(super) fn shown_links(&self, known: &[Link], share: Uuid) -> Result<Vec<Value>, ShareError> {
        let mut shown = Vec::new();
        for link in known.iter().filter(|link| link.is_below(share)) {
            let capability = &link.capability;
            let mut stopped = self.is_stopped(capability)? || self.is_revoked(share)?;
            for above in known.iter().filter(|above| link.above.contains(&above.capability.jti)) {
                stopped |= self.is_stopped(&above.capability)?;
            }
            let state = self.state(capability, stopped);
            let above = known.iter().find(|above| above.capability.sub == capability.iss);
            let uses = self.uses(capability.jti)?;
            shown.push(json!({
                "id": capability.jti, "by": self.person(capability.iss, above.map_or(&[], |above| &above.to))?,
                "to": self.person(capability.sub, &link.to)?, "resource": capability.resource, "scope": capability.scope,
                "from": capability.iat, "until": capability.exp, "constraints": capability.constraints, "state": state,
                "calls": uses.calls, "last_used": uses.last, "at": link.at,
            }));
        }
        Ok(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shares::Received;

    /// As the first version in which something was passed on wrote them: of the vectors of `docs/protocol.md`, section 1.9.
    fn written(form: &str) -> Vec<u8> {
        let vectors = include_str!("../../../vault/tests/vectors/capability.json");
        let vectors: Value = serde_json::from_str(vectors).unwrap();
        let text = |name: &str| vectors[name].as_str().unwrap().to_owned();
        let form = form.replace("FIRST", &text("first")).replace("SECOND", &text("second"));
        [&[1], form.as_bytes()].concat()
    }

    fn keeps_its_form<T: Serialize + serde::de::DeserializeOwned>(form: &str) -> T {
        let bytes = written(form);
        let read: T = decode(&bytes).unwrap();
        let again: Value = serde_json::from_slice(&encode(&read)[1..]).unwrap();
        assert_eq!(again, serde_json::from_slice::<Value>(&bytes[1..]).unwrap());
        read
    }

    #[test]
    fn what_an_earlier_version_remembered_of_what_was_passed_on_is_read() {
        let link: Link = keeps_its_form(
            r#"{"capability":SECOND,"above":["0198a2c4-1b7e-7c3a-9d11-000000000011"],"to":"AQID","at":1763800000000}"#,
        );
        assert!(link.is_below(link.above[0]) && link.to == [1, 2, 3]);
        let received: Received = keeps_its_form(
            r#"{"from":"AQID","capability":SECOND,"at":1763800000000,"left":false,"through":{"above":[FIRST],"owner":"AQID"}}"#,
        );
        assert_eq!(received.chain().len(), 2);
        let given: Given = keeps_its_form(
            r#"{"with":"01890a5d-ac96-774b-bcce-b302099a8057","name":"Carla","capability":SECOND,"arrived":null,"lost":false,
            "through":{"above":[FIRST],"owner":"AQID"}}"#,
        );
        assert_eq!(given.through.unwrap().above.len(), 1);
    }
}
