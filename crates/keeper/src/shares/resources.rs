//! What an admin of a group lets its members use: `share/resource/<id>`. The service and its key stay in this vault; each member gets a
//! capability of their own, for what the admin has chosen for them.

use protocol::{GroupId, GroupResourceId, Millis, UserId};
use serde::{Deserialize, Serialize};
use vault::{Constraints, Resource, Scopes};

use super::given::{Given, Terms};
use super::group::{GroupOffer, InGroup, is_first};
use super::{ShareError, Shares, Tie};
use crate::limits;
use crate::vault_service::VaultError;
use crate::versioned::{decode, encode};
use protocol::control::{GroupTie, Side};

const RESOURCES: &str = "share/resource/";

/// Something that is there for a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupResource {
    pub id: GroupResourceId,
    pub group: GroupId,
    pub group_name: String,
    pub name: String,
    pub about: String,
    pub resource: Resource,
    /// What the members' agents are told, in Markdown.
    pub skill: String,
    pub at: Millis,
    /// It is a server of tools.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tools: bool,
    /// When its words were last changed, in milliseconds, or later, so that it only rises; zero for the first ones. Earlier versions counted.
    #[serde(default, skip_serializing_if = "is_first")]
    pub revision: u64,
}

/// A new one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewResource {
    pub group: GroupId,
    pub group_name: String,
    pub name: String,
    pub about: String,
    pub resource: Resource,
    pub skill: String,
}

/// Who may do what with one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    pub resource: GroupResourceId,
    pub with: UserId,
    pub scope: Scopes,
    pub until: Millis,
}

impl GroupResource {
    pub(super) fn record_name(id: GroupResourceId) -> String {
        format!("{RESOURCES}{id}")
    }

    pub(super) fn offer(&self) -> GroupOffer {
        GroupOffer {
            what: InGroup {
                resource: self.id,
                group: self.group,
                group_name: self.group_name.clone(),
                name: self.name.clone(),
                about: self.about.clone(),
                tools: self.tools,
                revision: self.revision,
            },
            skill: self.skill.clone(),
        }
    }
}

impl Shares {
    /// Everything that is there for groups, the newest first.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn resources(&self) -> Result<Vec<GroupResource>, VaultError> {
        let mut names = self.vault.list_records(RESOURCES)?;
        names.reverse();
        let read = |name: String| decode(&self.vault.get_record(&name).ok()??);
        Ok(names.into_iter().filter_map(read).collect())
    }

    pub(super) fn resource(&self, id: GroupResourceId) -> Result<GroupResource, ShareError> {
        let record = self.vault.get_record(&GroupResource::record_name(id))?;
        record.and_then(|bytes| decode(&bytes)).ok_or(ShareError::NoResource)
    }

    /// Keeps something for a group; nobody may use it yet.
    ///
    /// # Errors
    /// [`ShareError::ResourceWords`], [`ShareError::TooManyResources`], [`ShareError::Route`]; the vault's errors.
    pub async fn offer(&self, new: NewResource) -> Result<GroupResource, ShareError> {
        let _one = self.one_at_a_time.lock().await;
        let tools = self.routes.get(new.resource.service())?.tools.is_some();
        if self.resources()?.len() >= limits::GROUP_RESOURCES {
            return Err(ShareError::TooManyResources);
        }
        let resource = GroupResource {
            id: GroupResourceId::new(),
            group: new.group,
            group_name: new.group_name.trim().to_owned(),
            name: new.name.trim().to_owned(),
            about: new.about.trim().to_owned(),
            resource: new.resource,
            skill: new.skill.trim().to_owned(),
            at: self.clock.now(),
            tools,
            revision: 0,
        };
        resource.offer().check()?;
        let record = (GroupResource::record_name(resource.id), Some(encode(&resource)));
        self.vault.put_records(vec![record]).await?;
        self.changed();
        Ok(resource)
    }

    /// Lets one member use it; what they had of it before ends.
    ///
    /// # Errors
    /// [`ShareError::NoResource`], [`ShareError::NotInGroup`], [`ShareError::GroupUnknown`], and those of [`Self::issue`].
    pub async fn grant(&self, grant: Grant) -> Result<Given, ShareError> {
        self.grant_by(grant, None).await
    }

    /// The same; it may be somebody's doing who manages it, and who has been asked for already: never to those who manage it, too.
    pub(super) async fn grant_by(&self, grant: Grant, by: Option<&Given>) -> Result<Given, ShareError> {
        let resource = self.resource(grant.resource)?;
        let tie = GroupTie {
            group: resource.group,
            other: grant.with,
            own: Side::Gives,
            since: self.clock.now(),
        };
        match self.tie(tie).await {
            Tie::Stands => {}
            Tie::Gone => return Err(ShareError::NotInGroup),
            Tie::Unknown => return Err(ShareError::GroupUnknown),
        }
        let _one = self.one_at_a_time.lock().await;
        // It may have been withdrawn, or granted otherwise, while the group was asked.
        let resource = self.resource(grant.resource)?;
        let before = self.given_of(resource.id, Some(grant.with))?;
        if let Some(by) = by {
            self.may_change(by, &before)?;
            if self.contacts.get(grant.with)?.is_none() {
                return Err(ShareError::HolderUnknown);
            }
        }
        let terms = Terms {
            with: grant.with,
            resource: resource.resource.clone(),
            scope: grant.scope,
            until: grant.until,
            constraints: Constraints::default(),
            // Of what it was when they were let manage it, and not of another service that has its name now.
            place: by.and_then(|by| by.place),
            cached: None,
        };
        self.issue_of(terms, Some(resource.offer()), before, by).await
    }

    /// Takes it from everybody at once, and forgets it.
    ///
    /// # Errors
    /// [`ShareError::NoResource`], [`ShareError::Relay`], the vault's errors: then it is as it was.
    pub async fn withdraw(&self, id: GroupResourceId) -> Result<(), ShareError> {
        let _one = self.one_at_a_time.lock().await;
        self.resource(id)?;
        let gone = (GroupResource::record_name(id), None);
        let given = self.given_of(id, None)?.iter().map(Given::ending).collect();
        self.revoke_all(given, vec![gone], None).await
    }

    /// What was given of it, has not ended and was not taken back; of one person, or of all.
    pub(super) fn given_of(&self, id: GroupResourceId, with: Option<UserId>) -> Result<Vec<Given>, VaultError> {
        let now = self.clock.now();
        let mut of_it = Vec::new();
        for each in self.given()? {
            let same = each.group.as_ref().is_some_and(|group| group.resource == id);
            let theirs = with.is_none_or(|with| each.with == with);
            if same && theirs && each.capability.exp > now && !self.is_revoked(each.capability.jti)? {
                of_it.push(each);
            }
        }
        Ok(of_it)
    }

    /// What is said beside the capability when it is offered again.
    pub(super) fn group_offer(&self, given: &Given) -> Result<Option<GroupOffer>, ShareError> {
        match &given.group {
            Some(group) => Ok(Some(self.resource(group.resource)?.offer())),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the first version that had groups wrote it.
    const RESOURCE: &str = r##"{"id":"01890a5d-ac96-774b-bcce-b302099a8057","group":"01890a5d-ac96-774b-bcce-b302099a8058","group_name":"Support",
        "name":"Customer list","about":"Who our customers are.","resource":"service/crm/customers","skill":"Look before you write.","at":1700000000000}"##;

    #[test]
    fn what_an_earlier_version_shared_with_a_group_is_read() {
        let resource: GroupResource = decode(&[&[1], RESOURCE.as_bytes()].concat()).unwrap();
        assert_eq!(resource.resource, Resource::parse("service/crm/customers").unwrap());
        assert_eq!(
            (resource.group_name.as_str(), resource.at),
            ("Support", 1_700_000_000_000)
        );
        let written: serde_json::Value = serde_json::from_slice(&encode(&resource)[1..]).unwrap();
        assert_eq!(written, serde_json::from_str::<serde_json::Value>(RESOURCE).unwrap());
    }

    #[test]
    fn what_is_said_of_a_group_beside_a_capability_keeps_its_form() {
        let offer: GroupOffer = serde_json::from_str(
            r#"{"resource":"01890a5d-ac96-774b-bcce-b302099a8057","group":"01890a5d-ac96-774b-bcce-b302099a8058","group_name":"Support",
            "name":"Customer list","about":"Who our customers are.","skill":"Look before you write."}"#,
        )
        .unwrap();
        assert_eq!(offer.what.name, "Customer list");
        let what: InGroup = serde_json::from_value(serde_json::to_value(&offer).unwrap()).unwrap();
        assert_eq!(what, offer.what);
    }
}
