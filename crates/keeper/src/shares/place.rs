//! Which service something that was given is of: not any that has its name some day, but the one that had it then, with its address, its secret and
//! its kind.

use vault::Hash;

use super::given::Given;
use super::{ShareError, Shares};
use crate::broker::{Route, RouteError};

impl Given {
    /// Whether this is the service that it was given of. A right to write in a plain service would be one to say anything to a server of tools.
    fn is_of(&self, route: &Route) -> bool {
        route.tools.is_some() == self.tools && self.place.is_none_or(|place| place == route.place())
    }
}

impl Shares {
    /// # Errors
    /// [`ShareError::OtherKind`], [`ShareError::Route`].
    pub(super) fn check_place(&self, given: &Given) -> Result<(), ShareError> {
        let route = self.routes.get(given.capability.resource.service())?;
        if given.is_of(&route) {
            Ok(())
        } else {
            Err(ShareError::OtherKind)
        }
    }

    /// Whether the service that it was given of is there no more.
    pub(super) fn is_elsewhere(&self, given: &Given) -> Result<bool, ShareError> {
        if given.through.is_some() {
            return Ok(false);
        }
        match self.check_place(given) {
            Ok(()) => Ok(false),
            Err(ShareError::OtherKind | ShareError::Route(RouteError::Unknown)) => Ok(true),
            // It is there: one that a newer version wrote says nothing of the others.
            Err(ShareError::Route(RouteError::Newer)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What an earlier version gave is of the service that has the name now, from now on. Whether that is to be written down.
    pub(super) fn bind(&self, given: &mut Given) -> Result<bool, ShareError> {
        if given.place.is_some() || given.through.is_some() {
            return Ok(false);
        }
        given.place = Some(match self.routes.get(given.capability.resource.service()) {
            Ok(route) => route.place(),
            // What has the name later is another one.
            Err(RouteError::Unknown) => Hash::new([0; 32]),
            Err(error) => return Err(error.into()),
        });
        Ok(true)
    }

    /// The same of all that was given. `one_at_a_time` is held.
    pub(super) async fn bind_all(&self) -> Result<(), ShareError> {
        let mut records = Vec::new();
        for mut given in self.given()? {
            match self.bind(&mut given) {
                Ok(true) => records.push(given.record()),
                Ok(false) | Err(ShareError::Route(RouteError::Newer)) => {}
                Err(error) => return Err(error),
            }
        }
        match records.is_empty() {
            true => Ok(()),
            false => Ok(self.vault.put_records(records).await?),
        }
    }
}
