//! What people and platforms carry from one vault to another: backups, typed keys, identities, sealed messages.

use vault::{
    BACKUP_PURPOSE, BackupKey, BackupReader, BackupWriter, Capability, Constraints, DataKey, Identity, ManageRequest,
    Management, NewCapability, Nonce, Presentation, PublicIdentity, RecoveryRequest, RecoveryShare, RecoveryTerms,
    Resource, Scope, SealKey, SecretBytes, SectionKind, SharedRequest, join_shares, open_sealed_to,
    open_secrets_export_with_root, seal_backup_end, seal_secrets_export_with, seal_to_with_one_time_key, split_secret,
};

use crate::Target;

fn backup_key() -> SealKey {
    SealKey::new(&DataKey::copy_from(&[7; 32]).expect("32 bytes"), BACKUP_PURPOSE)
}

/// An identity that is the same in every run.
fn identity(number: u8) -> Identity {
    Identity::decode(&[&[1], [number; 64].as_slice()].concat()).expect("a version and two secrets")
}

/// Reads a backup in pieces of this size; says whether all of it was there.
fn read(file: &[u8], piece: usize) -> bool {
    let key = backup_key();
    let mut reader = BackupReader::default();
    let mut checked = false;
    for piece in file.chunks(piece) {
        reader.push(piece);
        loop {
            match reader.next_section() {
                Ok(None) => break,
                Err(_refused) => return false,
                Ok(Some(section)) if section.kind == SectionKind::End => {
                    let Ok(digest) = key.open(vault::backup_end_name(), 7, &section.body) else {
                        return false;
                    };
                    checked = reader.check_end(&digest).is_ok();
                }
                Ok(Some(section)) => assert!(section.body.len() <= file.len()),
            }
        }
    }
    checked && reader.finish().is_ok()
}

fn a_backup() -> Vec<u8> {
    let mut writer = BackupWriter::default();
    let sections: [(SectionKind, &[&[u8]]); 3] = [
        (SectionKind::Vault, &[b"vault"]),
        (SectionKind::Files, &[b"files"]),
        (SectionKind::Chunk, &[&[1; 32], b"chunk"]),
    ];
    let mut file = Vec::new();
    for (kind, parts) in sections {
        file.extend(writer.section(kind, parts).expect("it is small"));
    }
    let end = seal_backup_end(&backup_key(), 7, &writer.digest()).expect("it is small");
    file.extend(writer.section(SectionKind::End, &[&end]).expect("it is small"));
    file
}

pub const BACKUP: Target = Target {
    name: "backup",
    run: |bytes| {
        let Some((piece, file)) = bytes.split_first() else {
            return;
        };
        let whole = read(file, usize::from(*piece) + 1);
        assert_eq!(
            whole,
            read(file, file.len().max(1)),
            "it does not matter how it comes in"
        );
    },
    seeds: || vec![[&[15], a_backup().as_slice()].concat()],
};

pub const BACKUP_KEY: Target = Target {
    name: "backup_key",
    run: |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        if let Ok(key) = BackupKey::parse(text) {
            let again = BackupKey::parse(&key.text()).expect("what is printed can be typed");
            assert!(again.secret().expose() == key.secret().expose());
        }
    },
    seeds: || {
        let key = BackupKey::from_bytes(SecretBytes::copy_from(&[5; 32]).expect("32 bytes"));
        let text = key.text();
        vec![
            text.as_bytes().to_vec(),
            text.to_lowercase().replace('-', " ").into_bytes(),
        ]
    },
};

pub const IDENTITY: Target = Target {
    name: "identity",
    run: |bytes| {
        if let Ok(public) = PublicIdentity::decode(bytes) {
            assert_eq!(public.encode(), bytes, "a bundle has one form");
            assert_eq!(public.fingerprint().len(), 47);
        }
        if let Ok(identity) = Identity::decode(bytes) {
            assert_eq!(identity.encode().as_slice(), bytes);
            assert!(PublicIdentity::decode(&identity.public().encode()).is_ok());
        }
    },
    seeds: || vec![identity(3).public().encode(), identity(4).encode().to_vec()],
};

pub const SEALED_TO: Target = Target {
    name: "sealed_to",
    run: |bytes| {
        let receiver = identity(4);
        if let Ok(opened) = open_sealed_to(receiver.agreement(), "fuzz", b"context", bytes) {
            assert_eq!(opened.sender, identity(3).public(), "nobody else ever sealed to it");
            assert!(open_sealed_to(receiver.agreement(), "fuzz", b"other", bytes).is_err());
        }
    },
    seeds: || {
        let (sender, receiver) = (identity(3), identity(4).public());
        let seal = |message: &[u8]| {
            seal_to_with_one_time_key(&[6; 32], &sender, receiver.agreement(), "fuzz", b"context", message)
                .expect("it is small")
        };
        vec![seal(b""), seal(b"a message")]
    },
};

pub const SECRETS_EXPORT: Target = Target {
    name: "secrets_export",
    run: |bytes| {
        // Stretching a password takes a tenth of a second: this is what comes after it.
        let root = SecretBytes::copy_from(&[9; 64]).expect("64 bytes");
        assert!(
            open_secrets_export_with_root(&root, bytes).is_err(),
            "nothing was ever sealed under this root"
        );
    },
    seeds: || vec![seal_secrets_export_with("a password", b"{}", &[1; 16], &[2; 24]).expect("it is small")],
};

fn a_capability() -> Capability {
    let terms = NewCapability {
        id: uuid::Uuid::from_u128(1),
        holder: identity(4).public().signer(),
        resource: Resource::parse("service/calendar/calendars").expect("it is one"),
        scope: [Scope::Read, Scope::Share].into(),
        from: 1_000,
        until: 2_000,
        constraints: Constraints {
            max_calls: Some(5),
            rate: None,
        },
        cached: None,
    };
    Capability::issue(&identity(3), terms).expect("its terms are good")
}

fn a_presentation() -> Presentation {
    let request = SharedRequest {
        service: "calendar".into(),
        method: "GET".into(),
        path: "/calendars/one".into(),
        query: String::new(),
        content_type: String::new(),
        body: Vec::new(),
    };
    let nonce = Nonce::new([8; 16]);
    Presentation::sign_with_nonce(&identity(4), vec![a_capability()], request, 1_500, nonce).expect("there is a chain")
}

fn a_management() -> Management {
    let request = ManageRequest::Grant {
        user: uuid::Uuid::from_u128(5),
        scope: [Scope::Read].into(),
        until: 1_900,
    };
    let nonce = Nonce::new([9; 16]);
    Management::sign_with_nonce(&identity(4), vec![a_capability()], request, 1_500, nonce).expect("there is a chain")
}

pub const CAPABILITY: Target = Target {
    name: "capability",
    run: |bytes| {
        if let Ok(capability) = Capability::parse(bytes) {
            assert_eq!(capability.encode(), bytes, "a capability has one writing");
        }
        if let Ok(presentation) = Presentation::parse(bytes) {
            assert_eq!(presentation.encode(), bytes, "a presentation has one writing");
            let own = identity(3).public().signer();
            if presentation.verify(&own, 1_500, |_| false).is_ok() {
                assert_eq!(presentation, a_presentation(), "nothing else was ever signed");
            }
        }
        if let Ok(management) = Management::parse(bytes) {
            assert_eq!(management.encode(), bytes, "a request to manage has one writing");
            let own = identity(3).public().signer();
            assert!(
                management.verify(&own, 1_500, |_| false).is_err(),
                "nobody was ever let manage it"
            );
        }
    },
    seeds: || {
        vec![
            a_capability().encode(),
            a_presentation().encode(),
            a_management().encode(),
        ]
    },
};

/// Three contacts, any two of whom are enough.
fn shares() -> Vec<RecoveryShare> {
    let terms = RecoveryTerms {
        cell: uuid::Uuid::from_u128(1),
        slot: uuid::Uuid::from_u128(2),
        version: 3,
        wait_ms: 86_400_000,
        threshold: 2,
    };
    let secret = SecretBytes::copy_from(&[5; 32]).expect("32 bytes");
    split_secret(&secret, &terms, 3).expect("the numbers are possible")
}

/// What contacts are asked, one share, and three that are put together.
pub const RECOVERY: Target = Target {
    name: "recovery",
    run: |bytes| {
        if let Ok(request) = RecoveryRequest::decode(bytes) {
            assert_eq!(request.encode(), bytes, "a request has one form");
            assert_eq!(request.id().len(), 32);
        }
        if let Ok(share) = RecoveryShare::decode(bytes) {
            assert_eq!(share.encode().as_slice(), bytes, "a share has one form");
            assert!(share.index >= 1 && share.index <= share.count());
        }
        let third = bytes.len() / 3;
        let given: Vec<RecoveryShare> = bytes
            .chunks(third.max(1))
            .filter_map(|one| RecoveryShare::decode(one).ok())
            .collect();
        if let Ok(joined) = join_shares(&given) {
            assert!(given.len() - joined.wrong.len() >= 2, "one contact alone opens nothing");
        }
    },
    seeds: || {
        let shares = shares();
        let request = RecoveryRequest {
            cell: uuid::Uuid::from_u128(1),
            slot: uuid::Uuid::from_u128(2),
            key: *identity(4).public().agreement(),
            made: 1_763_800_000_000,
        };
        let encoded: Vec<Vec<u8>> = shares.iter().map(|share| share.encode().to_vec()).collect();
        vec![request.encode(), encoded[0].clone(), encoded.concat()]
    },
};
