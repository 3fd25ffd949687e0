//! The keeper's steps: cheap, no key stretching.

use opaque_ke::{
    CredentialFinalization, CredentialRequest, RegistrationRequest, RegistrationUpload, ServerLogin,
    ServerLoginParameters, ServerRegistration, ServerSetup as KeSetup,
};
use rand::rngs::OsRng;
use rand::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use super::suite::Suite;
use super::{Agreed, Names, OpaqueError};
use crate::secret::SessionKey;

/// The keeper's long-term OPAQUE keys: made once for a vault. Whoever has them and a registration can guess at the
/// password offline, at the cost of one Argon2id a guess.
#[derive(Clone)]
pub struct ServerSetup(KeSetup<Suite>);

impl ServerSetup {
    /// New random keys.
    pub fn random() -> Self {
        Self(KeSetup::new(&mut OsRng))
    }

    /// The keys as bytes.
    pub fn serialize(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.serialize().to_vec())
    }

    /// Reads what [`Self::serialize`] gave.
    ///
    /// # Errors
    /// [`OpaqueError::Malformed`].
    pub fn deserialize(bytes: &[u8]) -> Result<Self, OpaqueError> {
        KeSetup::deserialize(bytes)
            .map(Self)
            .map_err(|_| OpaqueError::Malformed)
    }

    /// The public key that clients see.
    pub fn public_key(&self) -> Vec<u8> {
        self.0.keypair().public().serialize().to_vec()
    }

    /// Answers a registration request.
    ///
    /// # Errors
    /// [`OpaqueError::Malformed`] when the request is not one of this suite.
    pub fn registration_response(&self, request: &[u8], names: &Names) -> Result<Vec<u8>, OpaqueError> {
        self.registration_response_for(request, names.credential().as_bytes())
    }

    pub(super) fn registration_response_for(&self, request: &[u8], credential: &[u8]) -> Result<Vec<u8>, OpaqueError> {
        let request = RegistrationRequest::deserialize(request).map_err(|_| OpaqueError::Malformed)?;
        let started =
            ServerRegistration::<Suite>::start(&self.0, request, credential).map_err(|_| OpaqueError::Malformed)?;
        Ok(started.message.serialize().to_vec())
    }

    /// Answers a log-in request: the state to check the client's proof with, and the answer.
    ///
    /// # Errors
    /// [`OpaqueError::Malformed`] when the request is not one of this suite.
    pub fn login_response(
        &self,
        registration: &Registration,
        request: &[u8],
        names: &Names,
    ) -> Result<(LoginChallenge, Vec<u8>), OpaqueError> {
        let (client, server, credential) = (names.client(), names.server(), names.credential());
        let agreed = Agreed::on(&client, &server);
        let (state, response) =
            self.login_response_for(&mut OsRng, registration, request, credential.as_bytes(), agreed)?;
        let challenge = LoginChallenge { state, names: *names };
        Ok((challenge, response))
    }

    pub(super) fn login_response_for(
        &self,
        rng: &mut (impl CryptoRng + RngCore),
        registration: &Registration,
        request: &[u8],
        credential: &[u8],
        agreed: Agreed<'_>,
    ) -> Result<(ServerLogin<Suite>, Vec<u8>), OpaqueError> {
        let request = CredentialRequest::deserialize(request).map_err(|_| OpaqueError::Malformed)?;
        let record = Some(registration.0.clone());
        let started = ServerLogin::start(rng, &self.0, record, request, credential, parameters(agreed))
            .map_err(|_| OpaqueError::Malformed)?;
        let response = started.message.serialize().to_vec();
        Ok((started.state, response))
    }
}

fn parameters(agreed: Agreed<'_>) -> ServerLoginParameters<'_, '_> {
    ServerLoginParameters {
        context: agreed.context,
        identifiers: agreed.identifiers(),
    }
}

/// Checks the client's proof.
pub(super) fn session_key(
    state: ServerLogin<Suite>,
    finish: &[u8],
    agreed: Agreed<'_>,
) -> Result<SessionKey, OpaqueError> {
    let finish = CredentialFinalization::deserialize(finish).map_err(|_| OpaqueError::Malformed)?;
    let finished = state
        .finish(finish, parameters(agreed))
        .map_err(|_| OpaqueError::WrongProof)?;
    Ok(SessionKey::copy_from(&finished.session_key).expect("the suite's hash is SHA-512: its keys have 64 bytes"))
}

/// What the keeper keeps of a slot's secret.
#[derive(Clone)]
pub struct Registration(ServerRegistration<Suite>);

impl Registration {
    /// Takes the record that the client made.
    ///
    /// # Errors
    /// [`OpaqueError::Malformed`] when it is not one of this suite.
    pub fn from_record(record: &[u8]) -> Result<Self, OpaqueError> {
        let upload = RegistrationUpload::deserialize(record).map_err(|_| OpaqueError::Malformed)?;
        Ok(Self(ServerRegistration::finish(upload)))
    }

    /// The registration as bytes.
    pub fn serialize(&self) -> Vec<u8> {
        self.0.serialize().to_vec()
    }

    /// Reads what [`Self::serialize`] gave.
    ///
    /// # Errors
    /// [`OpaqueError::Malformed`].
    pub fn deserialize(bytes: &[u8]) -> Result<Self, OpaqueError> {
        ServerRegistration::deserialize(bytes)
            .map(Self)
            .map_err(|_| OpaqueError::Malformed)
    }
}

/// A log-in that waits for the client's proof.
pub struct LoginChallenge {
    state: ServerLogin<Suite>,
    names: Names,
}

impl LoginChallenge {
    /// Checks the client's proof and gives the session key.
    ///
    /// # Errors
    /// [`OpaqueError::WrongProof`]; [`OpaqueError::Malformed`] when the message is not one of this suite.
    pub fn finish(self, finish: &[u8]) -> Result<SessionKey, OpaqueError> {
        let (client, server) = (self.names.client(), self.names.server());
        session_key(self.state, finish, Agreed::on(&client, &server))
    }
}
