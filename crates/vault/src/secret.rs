//! Secret bytes by what they are for, so that one cannot be handed over in place of another. All are wiped when dropped,
//! live on the heap (a move leaves no copy behind) and have neither `Debug` nor `Display`.

use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use crate::random_bytes;

/// `N` secret bytes.
#[derive(Clone)]
pub struct SecretBytes<const N: usize>(Box<Zeroizing<[u8; N]>>);

impl<const N: usize> SecretBytes<N> {
    /// All zero, to be filled in place.
    fn zeroed() -> Self {
        Self(Box::new(Zeroizing::new([0; N])))
    }

    /// Takes the bytes and wipes the original.
    pub fn take(bytes: &mut [u8; N]) -> Self {
        let mut secret = Self::zeroed();
        secret.0.copy_from_slice(bytes);
        bytes.zeroize();
        secret
    }

    /// Random bytes from the operating system.
    pub fn random() -> Self {
        Self::take(&mut random_bytes())
    }

    /// Copies a slice of the right length.
    ///
    /// # Errors
    /// [`WrongLength`] when the slice is shorter or longer.
    pub fn copy_from(bytes: &[u8]) -> Result<Self, WrongLength> {
        if bytes.len() != N {
            return Err(WrongLength {
                expected: N,
                found: bytes.len(),
            });
        }
        let mut secret = Self::zeroed();
        secret.0.copy_from_slice(bytes);
        Ok(secret)
    }

    /// Fills new secret bytes in place.
    pub(crate) fn fill(with: impl FnOnce(&mut [u8])) -> Self {
        let mut secret = Self::zeroed();
        with(secret.0.as_mut_slice());
        secret
    }

    /// The bytes. Do not copy them to where they are not wiped.
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }
}

/// Compares in a time that does not depend on where the bytes differ.
pub fn same_secret(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

/// A secret of another length was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret of {expected} bytes was expected, not of {found}")]
pub struct WrongLength {
    pub expected: usize,
    pub found: usize,
}

macro_rules! secrets {
    ($($(#[$doc:meta])+ $name:ident [$len:literal]),+ $(,)?) => {$(
        $(#[$doc])+
        #[derive(Clone)]
        pub struct $name(SecretBytes<$len>);

        impl $name {
            /// Copies a slice of the right length.
            ///
            /// # Errors
            /// [`WrongLength`] when the slice is shorter or longer.
            pub fn copy_from(bytes: &[u8]) -> Result<Self, WrongLength> {
                SecretBytes::copy_from(bytes).map(Self)
            }

            /// Random bytes from the operating system.
            pub fn random() -> Self {
                Self(SecretBytes::random())
            }

            /// The bytes. Do not copy them to where they are not wiped.
            pub fn expose(&self) -> &[u8; $len] {
                self.0.expose()
            }
        }

        impl From<SecretBytes<$len>> for $name {
            fn from(bytes: SecretBytes<$len>) -> Self {
                Self(bytes)
            }
        }
    )+};
}

secrets! {
    /// What OPAQUE gives the client alone: the keeper never has it.
    ExportKey[64],
    /// What OPAQUE gives both ends: the channel's keys come from it.
    SessionKey[64],
    /// Wraps the data key in one slot.
    Kek[32],
    /// Encrypts the vault and, through derived keys, the home.
    DataKey[32],
    /// Encrypts what a client keeps on its own device.
    LocalKey[32],
    /// The secret half of a resumption ticket.
    ResumptionSecret[32],
}

/// The bytes that a client puts into OPAQUE: a normalised password, or a recovery phrase in its one form.
#[derive(Clone)]
pub struct ClientSecret(Zeroizing<Vec<u8>>);

impl ClientSecret {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes. Do not copy them to where they are not wiped.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}
