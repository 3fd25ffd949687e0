//! What the shares of a split are to somebody who does not ask this crate to put them together.

use blahaj::{Share, Sharks};
use uuid::Uuid;
use vault::{RecoveryTerms, SecretBytes, split_secret};

#[test]
fn promise_08_the_arithmetic_itself_needs_as_many_shares_as_were_said() {
    for (threshold, count) in [(2, 2), (2, 3), (3, 5), (5, 7), (7, 7)] {
        let secret = SecretBytes::<32>::random();
        let terms = RecoveryTerms {
            cell: Uuid::from_u128(1),
            slot: Uuid::from_u128(2),
            version: 3,
            wait_ms: 4,
            threshold,
        };
        let shares: Vec<Share> = split_secret(&secret, &terms, count)
            .unwrap()
            .iter()
            .map(|share| {
                // A share ends in its index and its value.
                let bytes = share.encode();
                Share::try_from(&bytes[bytes.len() - 33..]).unwrap()
            })
            .collect();
        // Told that one fewer is enough, it comes to something, and not to the secret.
        let fewer = Sharks(threshold - 1)
            .recover(&shares[1..usize::from(threshold)])
            .unwrap();
        assert_ne!(fewer, secret.expose(), "{threshold} of {count}");
        let enough = Sharks(threshold).recover(&shares[..usize::from(threshold)]).unwrap();
        assert_eq!(enough, secret.expose(), "{threshold} of {count}");
    }
}
