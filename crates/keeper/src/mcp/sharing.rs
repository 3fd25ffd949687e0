//! `issue_capability`, `list_capabilities`, `revoke_capability`, `call_shared` and `request_share`.

use protocol::Millis;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;
use vault::{Constraints, Resource, Scope};

use super::Tools;
use super::answer::{Answered, Refused};
use super::integrations::told;
use crate::activity::{Deed, What};
use crate::approvals::{Action, ApprovalError, Ceiling, ShareTerms, Verdict};
use crate::broker::changes;
use crate::contacts::{Contact, ContactError};
use crate::limits;
use crate::rates::{By, RateError};
use crate::shares::{ShareError, Terms, UseReceived, words_to_send};

const HOUR: Millis = 60 * 60 * 1000;
/// Longest time of a share that an agent may ask for, in hours: a month.
const LONGEST_HOURS: i64 = 31 * 24;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IssueCapability {
    with: String,
    service: String,
    #[serde(default)]
    path: String,
    #[serde(default = "read")]
    may: Vec<Scope>,
    hours: i64,
    max_calls: Option<u64>,
}

fn read() -> Vec<Scope> {
    vec![Scope::Read, Scope::List]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokeCapability {
    id: Uuid,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestShare {
    of: String,
    words: String,
}

impl From<ShareError> for Refused {
    fn from(error: ShareError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<ApprovalError> for Refused {
    fn from(error: ApprovalError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<RateError> for Refused {
    fn from(error: RateError) -> Self {
        ApprovalError::from(error).into()
    }
}

impl From<ContactError> for Refused {
    fn from(error: ContactError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl Tools {
    /// Somebody by the name that the owner knows them under.
    fn contact(&self, name: &str) -> Result<Contact, Refused> {
        let all = self.contacts.list()?;
        let mut found = all
            .iter()
            .filter(|contact| contact.name.to_lowercase() == name.trim().to_lowercase());
        match (found.next(), found.next()) {
            (Some(contact), None) => Ok(contact.clone()),
            (Some(_), Some(_)) => Err(Refused::new(
                "unclear",
                "Your owner knows several people of this name: ask whom they mean.",
            )),
            (None, _) => {
                let names: Vec<_> = all.iter().take(20).map(|contact| contact.name.as_str()).collect();
                let known = if names.is_empty() {
                    "nobody yet".to_owned()
                } else {
                    names.join(", ")
                };
                Err(Refused::new(
                    "unknown_contact",
                    format!("Your owner knows nobody of this name. They know: {known}."),
                ))
            }
        }
    }

    /// Ends well when the owner allows exactly this, now and once.
    async fn ask_owner(&self, action: &Action, ceiling: Option<Ceiling<'_>>) -> Result<(), Refused> {
        match self.approvals.ask(action, ceiling, limits::APPROVAL_HELD).await? {
            Verdict::Allowed => Ok(()),
            Verdict::Denied { reason } => Err(Refused::new("approval_denied", format!("Your owner said no. {reason}"))),
            Verdict::Waiting { second: true, .. } => {
                let words = "Your owner has allowed this, and a second person has to agree, too, and has been asked; nothing was done. Make the very same call again when both have answered.";
                Err(Refused::new("approval_needed", words))
            }
            Verdict::Waiting { .. } => {
                let words = "Your owner has been asked and has not answered yet; nothing was done. Make the very same call again when they have.";
                Err(Refused::new("approval_needed", words))
            }
        }
    }

    pub(super) async fn issue_capability(&self, call: IssueCapability) -> Answered {
        let contact = self.contact(&call.with)?;
        let path = call.path.trim_matches('/');
        let resource = if path.is_empty() {
            format!("service/{}", call.service)
        } else {
            format!("service/{}/{path}", call.service)
        };
        let resource = Resource::parse(&resource).map_err(|_| {
            Refused::new(
                "path_refused",
                "A service's name and a plain path below it, without dots or percent signs.",
            )
        })?;
        let route = self
            .routes
            .get(resource.service())
            .map_err(|error| Refused::new(error.code(), error.to_string()))?;
        if !(1..=LONGEST_HOURS).contains(&call.hours) {
            return Err(Refused::new("malformed", format!("hours is 1 to {LONGEST_HOURS}.")));
        }
        let until_from = |now: Millis| (now / HOUR + 1 + call.hours) * HOUR;
        let constraints = Constraints {
            max_calls: call.max_calls,
            rate: None,
        };
        let mut terms = ShareTerms {
            with: contact.user,
            name: contact.name,
            holder: contact.identity.signer(),
            resource,
            scope: call.may.into_iter().collect(),
            until: until_from(self.clock.now()),
            constraints,
            place: Some(route.place()),
        };
        // The same call later is the same request, also when a second person took a day.
        let open = self.approvals.open_share(&terms, until_from);
        if let Some(open) = open.map_err(ApprovalError::from)? {
            terms = open;
        }
        let wanted = Terms {
            with: terms.with,
            resource: terms.resource.clone(),
            scope: terms.scope.clone(),
            until: terms.until,
            constraints: terms.constraints,
            place: terms.place,
            cached: None,
        };
        // Before anybody is asked: what cannot be shared is not worth a yes.
        self.shares.check(wanted.clone()).await?;
        self.ask_owner(&Action::Share(terms.clone()), None).await?;
        // Their key may have been forgotten and another pinned meanwhile: what was allowed was for the one that was shown.
        if self.contacts.known(terms.with)?.identity.signer() != terms.holder {
            return Err(Refused::new(
                "identity_changed",
                "The keys of this person have changed since your owner was asked.",
            ));
        }
        let given = self.shares.issue(wanted).await?;
        Ok(json!({"shared": self.shares.shown(&given)?}))
    }

    pub(super) fn list_capabilities(&self) -> Answered {
        let given = self.shares.shown_given()?;
        let received = self.shares.received()?;
        let others = received
            .iter()
            .filter(|each| each.is_for_the_agent())
            .map(|each| self.shares.shown_received(each))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(json!({"given": given, "received": others}))
    }

    pub(super) async fn revoke_capability(&self, call: RevokeCapability) -> Answered {
        self.shares.revoke(call.id).await?;
        Ok(json!({"stopped": call.id}))
    }

    pub(super) async fn request_share(&self, call: RequestShare) -> Answered {
        let contact = self.contact(&call.of)?;
        // Before anybody is asked: what cannot be sent is not worth a yes.
        let words = words_to_send(&call.words)?;
        let action = Action::AskForShare {
            of: contact.user,
            name: contact.name.clone(),
            words: words.to_owned(),
        };
        self.ask_owner(&action, None).await?;
        self.shares.ask(contact.user, words).await?;
        let note = "It is on its way. If it does not reach them, your owner reads that in their activity.";
        Ok(json!({"asked": contact.name, "note": note}))
    }

    pub(super) async fn call_shared(&self, mut call: UseReceived) -> Answered {
        let received = self.shares.one_received(call.id)?;
        let owner = self.shares.usable(&received)?;
        if call.content_type.is_empty() && !call.body.is_empty() {
            "application/json".clone_into(&mut call.content_type);
        }
        // The ceiling of an agent: reading. Whoever shares may have allowed more; that is for the owner to use.
        let (rates, by) = (&self.rates, By::agent_at(owner.user, &owner.name));
        let service = received.capability.resource.service();
        rates.check(by, service)?;
        if changes(&call.method) {
            let ceiling = Some(Ceiling { rates, by, service });
            self.ask_owner(&self.shares.asked_call(&received, &call)?, ceiling)
                .await?;
        } else {
            rates.count(by, service, false).await?;
        }
        self.activity.note(Deed::new(What::ReceivedUsed, owner.name.as_str()))?;
        let used = self.shares.use_as_asked(&received, call).await?;
        let mut told = told(&used.answer.into());
        if let Some(copy) = used.copy {
            told["copy"] = json!(copy);
        }
        Ok(told)
    }
}
