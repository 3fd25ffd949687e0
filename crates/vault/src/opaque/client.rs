//! The client's steps. Finishing costs 64 MiB and some 0.1 to 1 s: call it where that does not block anything.

use opaque_ke::{
    ClientLogin as KeLogin, ClientLoginFinishParameters, ClientRegistration as KeRegistration,
    ClientRegistrationFinishParameters, CredentialResponse, RegistrationResponse,
};
use rand::rngs::OsRng;
use rand::{CryptoRng, RngCore};

use super::suite::{Stretch, Suite};
use super::{Agreed, Names, OpaqueError};
use crate::secret::{ClientSecret, ExportKey, SessionKey};

const LENGTH: &str = "the suite's hash is SHA-512: its keys have 64 bytes";

/// A registration that waits for the keeper's answer.
pub struct ClientRegistration {
    state: KeRegistration<Suite>,
    secret: ClientSecret,
}

/// What a registration gives.
pub struct Registered {
    /// For the keeper.
    pub record: Vec<u8>,
    pub export_key: ExportKey,
    /// The keeper's public key, to be compared with the one that a log-in gives.
    pub keeper_public_key: Vec<u8>,
}

impl ClientRegistration {
    /// The state, and the request for the keeper.
    ///
    /// # Errors
    /// [`OpaqueError::Malformed`] when the secret is longer than OPAQUE takes (65535 bytes).
    pub fn start(secret: &ClientSecret) -> Result<(Self, Vec<u8>), OpaqueError> {
        Self::start_with(&mut OsRng, secret)
    }

    pub(super) fn start_with(
        rng: &mut (impl CryptoRng + RngCore),
        secret: &ClientSecret,
    ) -> Result<(Self, Vec<u8>), OpaqueError> {
        let started = KeRegistration::<Suite>::start(rng, secret.expose()).map_err(|_| OpaqueError::Malformed)?;
        let request = started.message.serialize().to_vec();
        let state = Self {
            state: started.state,
            secret: secret.clone(),
        };
        Ok((state, request))
    }

    /// The record for the keeper, and the export key.
    ///
    /// # Errors
    /// [`OpaqueError::Malformed`] when the answer is not one of this suite.
    pub fn finish(self, response: &[u8], names: &Names) -> Result<Registered, OpaqueError> {
        let (client, server) = (names.client(), names.server());
        self.finish_with(&mut OsRng, response, Agreed::on(&client, &server), None)
    }

    /// As [`Self::finish`], with another cost of stretching than the suite's: for tests that a registration made cheap by
    /// somebody in between opens nothing.
    ///
    /// # Errors
    /// As [`Self::finish`]; also when the cost is below what Argon2 allows.
    #[doc(hidden)]
    pub fn finish_at_cost(
        self,
        response: &[u8],
        names: &Names,
        memory_kib: u32,
        passes: u32,
        lanes: u32,
    ) -> Result<Registered, OpaqueError> {
        let stretch = Stretch::with_cost(memory_kib, passes, lanes).ok_or(OpaqueError::Malformed)?;
        let (client, server) = (names.client(), names.server());
        self.finish_with(&mut OsRng, response, Agreed::on(&client, &server), Some(&stretch))
    }

    pub(super) fn finish_with(
        self,
        rng: &mut (impl CryptoRng + RngCore),
        response: &[u8],
        agreed: Agreed<'_>,
        stretch: Option<&Stretch>,
    ) -> Result<Registered, OpaqueError> {
        let response = RegistrationResponse::deserialize(response).map_err(|_| OpaqueError::Malformed)?;
        let parameters = ClientRegistrationFinishParameters::new(agreed.identifiers(), stretch);
        let finished = self
            .state
            .finish(rng, self.secret.expose(), response, parameters)
            .map_err(|_| OpaqueError::Malformed)?;
        Ok(Registered {
            record: finished.message.serialize().to_vec(),
            export_key: ExportKey::copy_from(&finished.export_key).expect(LENGTH),
            keeper_public_key: finished.server_s_pk.serialize().to_vec(),
        })
    }
}

/// A log-in that waits for the keeper's answer.
pub struct ClientLogin {
    state: KeLogin<Suite>,
    secret: ClientSecret,
}

/// What a log-in gives, once the keeper has proved itself.
pub struct LoggedIn {
    /// For the keeper.
    pub finish: Vec<u8>,
    pub session_key: SessionKey,
    pub export_key: ExportKey,
    /// The keeper's public key, which the registration vouches for.
    pub keeper_public_key: Vec<u8>,
}

impl ClientLogin {
    /// The state, and the request for the keeper.
    ///
    /// # Errors
    /// [`OpaqueError::Malformed`] when the secret is longer than OPAQUE takes (65535 bytes).
    pub fn start(secret: &ClientSecret) -> Result<(Self, Vec<u8>), OpaqueError> {
        Self::start_with(&mut OsRng, secret)
    }

    pub(super) fn start_with(
        rng: &mut (impl CryptoRng + RngCore),
        secret: &ClientSecret,
    ) -> Result<(Self, Vec<u8>), OpaqueError> {
        let started = KeLogin::<Suite>::start(rng, secret.expose()).map_err(|_| OpaqueError::Malformed)?;
        let request = started.message.serialize().to_vec();
        let state = Self {
            state: started.state,
            secret: secret.clone(),
        };
        Ok((state, request))
    }

    /// Checks the keeper's proof and gives the client's own.
    ///
    /// # Errors
    /// [`OpaqueError::WrongSecretOrKeeper`]; [`OpaqueError::Malformed`] when the answer is not one of this suite.
    pub fn finish(self, response: &[u8], names: &Names) -> Result<LoggedIn, OpaqueError> {
        let (client, server) = (names.client(), names.server());
        self.finish_with(response, Agreed::on(&client, &server), None)
    }

    pub(super) fn finish_with(
        self,
        response: &[u8],
        agreed: Agreed<'_>,
        stretch: Option<&Stretch>,
    ) -> Result<LoggedIn, OpaqueError> {
        let response = CredentialResponse::deserialize(response).map_err(|_| OpaqueError::Malformed)?;
        let parameters = ClientLoginFinishParameters::new(agreed.context, agreed.identifiers(), stretch);
        let finished = self
            .state
            .finish(&mut OsRng, self.secret.expose(), response, parameters)
            .map_err(|_| OpaqueError::WrongSecretOrKeeper)?;
        Ok(LoggedIn {
            finish: finished.message.serialize().to_vec(),
            session_key: SessionKey::copy_from(&finished.session_key).expect(LENGTH),
            export_key: ExportKey::copy_from(&finished.export_key).expect(LENGTH),
            keeper_public_key: finished.server_s_pk.serialize().to_vec(),
        })
    }
}
