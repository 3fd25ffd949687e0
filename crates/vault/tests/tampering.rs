//! Whatever was sealed is refused when any of its bytes, or anything that it is bound to, is another.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use proptest::collection::vec;
use proptest::prelude::*;
use uuid::Uuid;
use vault::opaque::{ClientLogin, ClientRegistration, Names, OpaqueError, Registration, ServerSetup};
use vault::{
    Body, DataKey, FileError, FrameError, FrameOpener, FrameSealer, Kek, NewSlot, SealError, SealKey, SecretBytes,
    SlotChange, SlotKind, VaultFile, WrapError, password_secret, unwrap_data_key, wrap_data_key,
};

/// Every byte changed in turn, and every cut.
fn damaged(whole: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let flipped = (0..whole.len()).map(|at| {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 1 << (at % 8);
        bytes
    });
    let cut = (0..whole.len()).map(|length| whole[..length].to_vec());
    flipped.chain(cut).chain(std::iter::once([whole, &[0]].concat()))
}

#[test]
fn a_frame_with_any_byte_changed_or_cut_is_refused() {
    let key = SecretBytes::random();
    let frame = FrameSealer::new(&key).seal(b"{\"id\":1}").unwrap();
    for bad in damaged(&frame) {
        let mut opener = FrameOpener::new(&key);
        assert!(opener.open(&bad).is_err());
        assert_eq!(
            opener.open(&frame).err(),
            Some(FrameError::Ended),
            "nothing is read after a refusal"
        );
    }
    assert!(FrameOpener::new(&key).open(&frame).is_ok());
}

#[test]
fn frames_are_read_only_in_their_order_and_from_their_own_end() {
    let (key, other) = (SecretBytes::random(), SecretBytes::random());
    let mut sealer = FrameSealer::new(&key);
    let frames: Vec<_> = (0..3).map(|n| sealer.seal(&[n]).unwrap()).collect();
    let refused = |first: &[u8], second: &[u8]| {
        let mut opener = FrameOpener::new(&key);
        opener.open(first).unwrap();
        opener.open(second).err()
    };
    let out_of_order = |expected, found| Some(FrameError::OutOfOrder { expected, found });
    assert_eq!(refused(&frames[0], &frames[0]), out_of_order(1, 0), "replayed");
    assert_eq!(refused(&frames[0], &frames[2]), out_of_order(1, 2), "dropped");
    assert_eq!(
        FrameOpener::new(&key).open(&frames[1]).err(),
        out_of_order(0, 1),
        "reordered"
    );
    assert_eq!(
        FrameOpener::new(&other).open(&frames[0]).err(),
        Some(FrameError::Tampered),
        "another key"
    );
}

#[test]
fn a_frame_is_at_most_a_mebibyte() {
    let key = SecretBytes::random();
    let mut sealer = FrameSealer::new(&key);
    let most = vault::FRAME_BYTES - 26;
    assert!(matches!(
        sealer.seal(&vec![b' '; most + 1]),
        Err(FrameError::TooLarge(_))
    ));
    let frame = sealer.seal(&vec![b' '; most]).unwrap();
    assert_eq!(frame.len(), vault::FRAME_BYTES);
    let mut opener = FrameOpener::new(&key);
    assert_eq!(opener.open(&frame).unwrap().len(), most);
    assert!(matches!(
        opener.open(&vec![1; vault::FRAME_BYTES + 1]),
        Err(FrameError::TooLarge(_))
    ));
}

#[test]
fn a_sealed_record_with_any_byte_changed_or_cut_is_refused() {
    let key = SealKey::new(&DataKey::random(), "home/chunk");
    let sealed = key.seal("name", 7, b"plaintext").unwrap();
    assert_eq!(sealed.len(), 9 + vault::SEAL_OVERHEAD);
    for bad in damaged(&sealed) {
        assert!(key.open("name", 7, &bad).is_err());
    }
    assert_eq!(key.open("name", 7, &sealed).unwrap().as_slice(), b"plaintext");
}

#[test]
fn a_sealed_record_opens_only_as_what_it_was_sealed_as() {
    let data_key = DataKey::random();
    let key = SealKey::new(&data_key, "home/chunk");
    let sealed = key.seal("name", 7, b"plaintext").unwrap();
    assert_eq!(
        key.open("nam", 7, &sealed).err(),
        Some(SealError::Tampered),
        "another name"
    );
    assert_eq!(
        key.open("name", 6, &sealed).err(),
        Some(SealError::Tampered),
        "another version"
    );
    let purpose = SealKey::new(&data_key, "home/manifest");
    assert_eq!(
        purpose.open("name", 7, &sealed).err(),
        Some(SealError::WrongKey),
        "another purpose"
    );
    let stranger = SealKey::new(&DataKey::random(), "home/chunk");
    assert_eq!(
        stranger.open("name", 7, &sealed).err(),
        Some(SealError::WrongKey),
        "another key"
    );
    let twice = key.seal("name", 7, b"plaintext").unwrap();
    assert_ne!(sealed, twice, "each sealing has a nonce of its own");
}

#[test]
fn a_name_for_content_depends_on_the_key_and_the_purpose() {
    let (one, two) = (DataKey::random(), DataKey::random());
    let id = |key: &DataKey, purpose: &str| SealKey::new(key, purpose).content_id(b"content");
    assert_eq!(id(&one, "home/chunk"), id(&one, "home/chunk"));
    assert_ne!(id(&one, "home/chunk"), id(&two, "home/chunk"));
    assert_ne!(id(&one, "home/chunk"), id(&one, "home/manifest"));
}

#[test]
fn a_wrapped_key_fits_one_slot_of_one_cell_and_no_byte_of_it_may_change() {
    let (data_key, kek) = (DataKey::random(), Kek::random());
    let (slot, cell) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let wrapped = wrap_data_key(&data_key, &kek, slot, SlotKind::Password, cell);
    let unwrap = |wrapped: &[u8], kek: &Kek, slot, kind, cell| unwrap_data_key(wrapped, kek, slot, kind, cell);
    for bad in damaged(&wrapped) {
        assert!(unwrap(&bad, &kek, slot, SlotKind::Password, cell).is_err());
    }
    let refused = [
        unwrap(&wrapped, &Kek::random(), slot, SlotKind::Password, cell),
        unwrap(&wrapped, &kek, Uuid::from_u128(3), SlotKind::Password, cell),
        unwrap(&wrapped, &kek, slot, SlotKind::RecoveryPhrase, cell),
        unwrap(&wrapped, &kek, slot, SlotKind::Password, Uuid::from_u128(3)),
    ];
    for outcome in refused {
        assert_eq!(outcome.err(), Some(WrapError::Refused));
    }
    let unwrapped = unwrap(&wrapped, &kek, slot, SlotKind::Password, cell).unwrap();
    assert!(unwrapped.expose() == data_key.expose());
}

/// A vault with one slot, whose registration was made without stretching, to be quick.
fn vault_file() -> (VaultFile, Uuid, Kek, DataKey) {
    let setup = ServerSetup::random();
    let (cell, slot) = (Uuid::from_u128(10), Uuid::from_u128(11));
    let names = Names { cell, slot };
    let (registration, request) = ClientRegistration::start(&password_secret("p").unwrap()).unwrap();
    let response = setup.registration_response(&request, &names).unwrap();
    let registered = registration.finish_at_cost(&response, &names, 8, 1, 1).unwrap();
    let (kek, data_key) = (Kek::random(), DataKey::random());
    let mut body = Body::default();
    body.epoch = 1;
    body.put("chat/one", b"a word").unwrap();
    let add = NewSlot {
        id: slot,
        kind: SlotKind::Password,
        name: "Password".to_owned(),
        created: 0,
        passkey: None,
        registration: Registration::from_record(&registered.record).unwrap(),
        kek: kek.clone(),
    };
    let change = SlotChange {
        add: Some(add),
        ..SlotChange::default()
    };
    let file = VaultFile::new(&setup)
        .bound_to(cell)
        .written(&data_key, &body, change)
        .unwrap();
    (file, slot, kek, data_key)
}

#[test]
fn a_vault_file_with_any_byte_changed_or_cut_does_not_open() {
    let (file, slot, kek, _) = vault_file();
    let bytes = file.encode();
    for bad in damaged(&bytes) {
        let opened = VaultFile::decode(&bad).and_then(|file| file.open(slot, &kek).map(|_| ()));
        assert!(opened.is_err(), "{bad:?}");
    }
    let (_, body) = VaultFile::decode(&bytes).unwrap().open(slot, &kek).unwrap();
    assert_eq!(body.get("chat/one"), Some(&b"a word"[..]));
}

/// A vault file with another header before the same sealed body.
fn with_header(bytes: &[u8], edit: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let length = u32::from_be_bytes(bytes[15..19].try_into().unwrap()) as usize;
    let mut header = serde_json::from_slice(&bytes[19..19 + length]).unwrap();
    edit(&mut header);
    let json = serde_json::to_vec(&header).unwrap();
    let length_now = u32::try_from(json.len()).unwrap().to_be_bytes();
    [&bytes[..15], &length_now, &json, &bytes[19 + length..]].concat()
}

#[test]
fn promise_02_a_vault_stripped_of_what_proves_it_is_refused_and_not_taken_for_a_new_one() {
    let (file, slot, kek, data_key) = vault_file();
    let bytes = file.encode();
    let sealed_at = 19 + u32::from_be_bytes(bytes[15..19].try_into().unwrap()) as usize;
    let no_check = |header: &mut serde_json::Value| header["key_check"] = serde_json::Value::Null;
    let no_slots = |header: &mut serde_json::Value| header["slots"] = serde_json::json!([]);
    let read = |bytes: &[u8]| VaultFile::decode(bytes);
    assert!(matches!(
        read(&with_header(&bytes, no_check)),
        Err(FileError::Header(_))
    ));
    let neither = with_header(&bytes, |header| {
        no_check(header);
        no_slots(header);
    });
    assert!(
        matches!(read(&neither), Err(FileError::Header(_))),
        "its content is still there"
    );
    let without_slots = read(&with_header(&bytes, no_slots)).unwrap();
    assert!(!without_slots.is_new());
    assert_eq!(
        without_slots.open_body(&data_key).err(),
        Some(FileError::Sealed(SealError::Tampered))
    );
    let without_body = read(&bytes[..sealed_at]).unwrap();
    assert!(!without_body.is_new());
    assert_eq!(
        without_body.open(slot, &kek).err(),
        Some(FileError::Sealed(SealError::Truncated(0)))
    );
    for version in [0, 2, 255] {
        let mut other = bytes.clone();
        other[14] = version;
        assert_eq!(read(&other).err(), Some(FileError::NotAVault));
        let mut other = bytes.clone();
        other[sealed_at] = version;
        assert_eq!(
            read(&other).unwrap().open(slot, &kek).err(),
            Some(FileError::Sealed(SealError::UnknownVersion(version)))
        );
    }
}

#[test]
fn promise_02_a_vault_moved_to_another_cell_is_refused() {
    let (file, slot, kek, data_key) = vault_file();
    let moved = with_header(&file.encode(), |header| {
        header["cell"] = serde_json::json!(Uuid::from_u128(12));
    });
    let moved = VaultFile::decode(&moved).unwrap();
    assert_eq!(moved.open(slot, &kek).err(), Some(FileError::Wrap(WrapError::Refused)));
    assert_eq!(moved.open_body(&data_key).err(), Some(FileError::KeyCheck));
}

#[test]
fn promise_02_items_of_another_write_or_another_vault_cannot_be_mixed_in() {
    let (file, slot, kek, data_key) = vault_file();
    let (_, mut body) = file.open(slot, &kek).unwrap();
    body.epoch = 2;
    let next = file.written(&data_key, &body, SlotChange::default()).unwrap();
    let header_of = |bytes: &[u8]| 19 + u32::from_be_bytes(bytes[15..19].try_into().unwrap()) as usize;
    let (old, new) = (file.encode(), next.encode());
    let mixed = [&new[..header_of(&new)], &old[header_of(&old)..]].concat();
    let outcome = VaultFile::decode(&mixed).unwrap().open(slot, &kek);
    assert_eq!(outcome.err(), Some(FileError::Sealed(SealError::Tampered)));
    assert_eq!(next.open_body(&DataKey::random()).err(), Some(FileError::KeyCheck));
}

#[test]
fn a_log_in_needs_the_right_secret_the_right_slot_the_right_cell_and_the_right_keeper() {
    let setup = ServerSetup::random();
    let names = Names {
        cell: Uuid::from_u128(1),
        slot: Uuid::from_u128(2),
    };
    let secret = password_secret("right").unwrap();
    let (registration, request) = ClientRegistration::start(&secret).unwrap();
    let response = setup.registration_response(&request, &names).unwrap();
    let registered = registration.finish(&response, &names).unwrap();
    let record = Registration::from_record(&registered.record).unwrap();

    let login = |secret: &str, setup: &ServerSetup, client: Names, keeper: Names| {
        let (login, request) = ClientLogin::start(&password_secret(secret).unwrap()).unwrap();
        let (challenge, response) = setup.login_response(&record, &request, &keeper).unwrap();
        let proved = login.finish(&response, &client)?;
        let session_key = challenge.finish(&proved.finish)?;
        assert!(session_key.expose() == proved.session_key.expose());
        assert!(proved.export_key.expose() == registered.export_key.expose());
        assert_eq!(proved.keeper_public_key, setup.public_key());
        Ok(())
    };
    let elsewhere = Names {
        cell: Uuid::from_u128(9),
        ..names
    };
    let refused = Err(OpaqueError::WrongSecretOrKeeper);
    assert_eq!(login("right", &setup, names, names), Ok(()));
    assert_eq!(login("wrong", &setup, names, names), refused);
    assert_eq!(login("right", &ServerSetup::random(), names, names), refused);
    assert_eq!(login("right", &setup, elsewhere, elsewhere), refused);
    assert_eq!(login("right", &setup, names, elsewhere), refused);
    // A proof of one log-in is not one of another.
    let begin = || {
        let (login, request) = ClientLogin::start(&secret).unwrap();
        let (challenge, response) = setup.login_response(&record, &request, &names).unwrap();
        (challenge, login.finish(&response, &names).unwrap().finish)
    };
    let ((first, _), (_, finish)) = (begin(), begin());
    assert_eq!(first.finish(&finish).err(), Some(OpaqueError::WrongProof));
    // The cost of a guess is what the suite says.
    assert_eq!(
        (
            vault::opaque::ARGON2_MEMORY_KIB,
            vault::opaque::ARGON2_PASSES,
            vault::opaque::ARGON2_LANES
        ),
        (65536, 3, 4)
    );
}

proptest! {
    #[test]
    fn whatever_is_sealed_opens_again(name in ".{0,40}", version: u64, plaintext in vec(any::<u8>(), 0..500)) {
        let key = SealKey::new(&DataKey::random(), "any/purpose");
        let sealed = key.seal(&name, version, &plaintext).unwrap();
        let opened = key.open(&name, version, &sealed).unwrap();
        prop_assert_eq!(opened.as_slice(), plaintext.as_slice());
    }

    #[test]
    fn nothing_from_outside_makes_a_reader_panic(bytes in vec(any::<u8>(), 0..400)) {
        let _ = VaultFile::decode(&bytes);
        let _ = VaultFile::decode(&[b"holdfast-vault\x01".as_slice(), &bytes].concat());
        let _ = FrameOpener::new(&SecretBytes::random()).open(&bytes);
        let _ = SealKey::new(&DataKey::random(), "p").open("n", 0, &bytes);
        let _ = ServerSetup::deserialize(&bytes);
        let _ = Registration::from_record(&bytes);
        let names = Names { cell: Uuid::nil(), slot: Uuid::nil() };
        let _ = ServerSetup::random().registration_response(&bytes, &names);
    }
}
