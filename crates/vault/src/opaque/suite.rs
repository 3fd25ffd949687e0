use argon2::{Algorithm, Argon2, Params, Version};
use opaque_ke::errors::InternalError;
use opaque_ke::generic_array::{ArrayLength, GenericArray};
use opaque_ke::ksf::Ksf;
use opaque_ke::{CipherSuite, Ristretto255, TripleDh};
use sha2::Sha512;

use crate::secret::SecretBytes;

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

const ALGORITHM: Algorithm = Algorithm::Argon2id;
const VERSION: Version = Version::V0x13;

/// Argon2id version 0x13 with a salt of 16 zero bytes: OPAQUE's input is already unique to the registration.
pub(super) enum Stretch {
    Argon2id(Argon2<'static>),
    /// As in the RFC's vectors.
    #[cfg(test)]
    Identity,
}

impl Stretch {
    pub(super) fn with_cost(memory_kib: u32, passes: u32, lanes: u32) -> Option<Self> {
        let params = Params::new(memory_kib, passes, lanes, None).ok()?;
        Some(Self::Argon2id(Argon2::new(ALGORITHM, VERSION, params)))
    }
}

impl Default for Stretch {
    fn default() -> Self {
        Self::with_cost(ARGON2_MEMORY_KIB, ARGON2_PASSES, ARGON2_LANES)
            .expect("64 MiB, 3 passes and 4 lanes are within what Argon2 allows")
    }
}

/// Argon2id at the suite's cost with a salt of one's own: for a typed secret that does not go into OPAQUE.
pub(crate) fn stretch(secret: &[u8], salt: &[u8; argon2::RECOMMENDED_SALT_LEN]) -> SecretBytes<64> {
    let params = Params::new(ARGON2_MEMORY_KIB, ARGON2_PASSES, ARGON2_LANES, None)
        .expect("64 MiB, 3 passes and 4 lanes are within what Argon2 allows");
    SecretBytes::fill(|output| {
        Argon2::new(ALGORITHM, VERSION, params)
            .hash_password_into(secret, salt, output)
            .expect("a secret, a salt and an output of these lengths are within what Argon2 allows");
    })
}

impl Ksf for Stretch {
    fn hash<L: ArrayLength<u8>>(&self, input: GenericArray<u8, L>) -> Result<GenericArray<u8, L>, InternalError> {
        match self {
            Self::Argon2id(argon2) => {
                let mut output = GenericArray::default();
                argon2
                    .hash_password_into(&input, &[0; argon2::RECOMMENDED_SALT_LEN], &mut output)
                    .map_err(|_| InternalError::KsfError)?;
                Ok(output)
            }
            #[cfg(test)]
            Self::Identity => Ok(input),
        }
    }
}

#[cfg(test)]
mod tests {
    use opaque_ke::generic_array::typenum::U64;

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// RFC 9106, section 5.3.
    #[test]
    fn the_stretching_is_the_argon2id_of_rfc_9106() {
        let params = argon2::ParamsBuilder::new()
            .m_cost(32)
            .t_cost(3)
            .p_cost(4)
            .data(argon2::AssociatedData::new(&[4; 12]).unwrap())
            .output_len(32)
            .build()
            .unwrap();
        let argon2 = Argon2::new_with_secret(&[3; 8], ALGORITHM, VERSION, params).unwrap();
        let mut tag = [0; 32];
        argon2.hash_password_into(&[1; 32], &[2; 16], &mut tag).unwrap();
        let known = "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659";
        assert_eq!(hex(&tag), known);
    }

    /// At the suite's own cost and salt, from the reference implementation in C (argon2-cffi 25.1).
    #[test]
    fn the_stretching_costs_what_the_suite_says_and_agrees_with_the_reference_implementation() {
        let input: GenericArray<u8, U64> = GenericArray::from_iter(0..64);
        let output = Stretch::default().hash(input).unwrap();
        let known = "763c05e205e6d06f9d49921578c5fc314590d8016bd8ccc98049f3da265fad5d\
                     4a27e85aaac6ac1de7cf2aeda7b8c767de0ff4e5db3ff8421d9bb3e8effb279b";
        assert_eq!(hex(&output), known);
    }
}
