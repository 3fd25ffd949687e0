use argon2::{Algorithm, Argon2, Params, Version};
use opaque_ke::errors::InternalError;
use opaque_ke::generic_array::{ArrayLength, GenericArray};
use opaque_ke::ksf::Ksf;
use opaque_ke::{CipherSuite, Ristretto255, TripleDh};
use sha2::Sha512;

/// Memory that one guess at a password costs, in KiB.
pub const ARGON2_MEMORY_KIB: u32 = 64 * 1024;
/// Passes over that memory.
pub const ARGON2_PASSES: u32 = 3;
/// Lanes.
pub const ARGON2_LANES: u32 = 4;

/// The one suite of the channel's version 1: nothing in a message can choose another.
pub(super) struct Suite;

impl CipherSuite for Suite {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, Sha512>;
    type Ksf = Stretch;
}

/// Argon2id version 0x13 with a salt of 16 zero bytes: OPAQUE's input is already unique to the registration.
pub(super) struct Stretch(Argon2<'static>);

impl Stretch {
    pub(super) fn with_cost(memory_kib: u32, passes: u32, lanes: u32) -> Option<Self> {
        let params = Params::new(memory_kib, passes, lanes, None).ok()?;
        Some(Self(Argon2::new(Algorithm::Argon2id, Version::V0x13, params)))
    }
}

impl Default for Stretch {
    fn default() -> Self {
        Self::with_cost(ARGON2_MEMORY_KIB, ARGON2_PASSES, ARGON2_LANES)
            .expect("64 MiB, 3 passes and 4 lanes are within what Argon2 allows")
    }
}

impl Ksf for Stretch {
    fn hash<L: ArrayLength<u8>>(&self, input: GenericArray<u8, L>) -> Result<GenericArray<u8, L>, InternalError> {
        let mut output = GenericArray::default();
        self.0
            .hash_password_into(&input, &[0; argon2::RECOMMENDED_SALT_LEN], &mut output)
            .map_err(|_| InternalError::KsfError)?;
        Ok(output)
    }
}
