//! One's own devices that are told by Web Push that something waits. Where a browser is reached goes in and never comes out.

pub(crate) mod add;
pub(crate) mod list;
pub(crate) mod remove;
pub(crate) mod renew;

use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::SignedIn;
use crate::app::App;
use crate::delivery::Wrong;
use crate::ids::PushDeviceId;
use crate::problem::ApiError;

/// A browser's subscription, as `PushSubscription.toJSON()` gives it. Its keys are not needed: no content is sent that would be
/// encrypted to them.
#[derive(Deserialize, ToSchema)]
#[schema(as = PushSubscription)]
pub(crate) struct Subscription {
    /// `https://…`, where the browser's push service takes messages for it.
    endpoint: String,
}

impl Subscription {
    /// Checks it, and seals it for a device of this person.
    fn seal(&self, app: &App, person: &SignedIn, id: PushDeviceId) -> Result<Vec<u8>, ApiError> {
        let push = app.delivery.push.as_ref().ok_or(ApiError::PushOff)?;
        let sealed = push.seal(&*app.entropy, person.session().tenant, id, &self.endpoint);
        sealed.map_err(|wrong| match wrong {
            Wrong::Field { reason, .. } => ApiError::InvalidField {
                field: "endpoint",
                reason,
            },
            Wrong::Entropy(error) => error.into(),
        })
    }
}
