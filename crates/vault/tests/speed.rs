//! Figures, not checks of correctness, for `cargo xtask bench`, which collects the lines that begin with `figure:`. By hand:
//! `cargo test --release -p vault --test speed -- --ignored --nocapture --test-threads 1`.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Params, Version};
use uuid::Uuid;
use vault::opaque::{
    ARGON2_LANES, ARGON2_MEMORY_KIB, ARGON2_PASSES, ClientLogin, ClientRegistration, Names, Registration, ServerSetup,
};
use vault::{
    Body, DataKey, FrameOpener, FrameSealer, Kek, NewSlot, SlotChange, SlotKind, VaultFile, keys, password_secret,
};

const ROUNDS: usize = 9;
const SECRETS: usize = 5000;
const PASSWORD: &str = "a password for the bench";

fn figure(name: &str, value: &str, target: &str) {
    println!("figure: {name} | {value} | {target}");
}

fn median(mut rounds: Vec<Duration>) -> f64 {
    rounds.sort();
    rounds[rounds.len() / 2].as_secs_f64() * 1000.0
}

fn timed<T>(rounds: &mut Vec<Duration>, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = work();
    rounds.push(started.elapsed());
    result
}

/// A vault of so many secrets that opens with `kek`, and what a keeper has of its password.
struct Made {
    setup: ServerSetup,
    registration: Registration,
    names: Names,
    kek: Kek,
    file: Vec<u8>,
}

fn vault_with(secrets: usize) -> Made {
    let setup = ServerSetup::random();
    let names = Names {
        cell: Uuid::from_u128(1),
        slot: Uuid::from_u128(2),
    };
    let secret = password_secret(PASSWORD).unwrap();
    let (enrol, request) = ClientRegistration::start(&secret).unwrap();
    let response = setup.registration_response(&request, &names).unwrap();
    let registered = enrol.finish(&response, &names).unwrap();
    let registration = Registration::from_record(&registered.record).unwrap();
    let kek = keys::kek(&registered.export_key, names.slot);
    let mut body = Body::default();
    body.epoch = 1;
    for number in 0..secrets {
        body.put(&format!("secrets/{number:05}"), &[0x5a; 200]).unwrap();
    }
    let slot = NewSlot {
        id: names.slot,
        kind: SlotKind::Password,
        name: "Password".to_owned(),
        created: 0,
        passkey: None,
        registration: registration.clone(),
        kek: kek.clone(),
    };
    let change = SlotChange {
        add: Some(slot),
        ..SlotChange::default()
    };
    let file = VaultFile::new(&setup).bound_to(names.cell);
    let file = file.written(&DataKey::random(), &body, change).unwrap().encode();
    Made {
        setup,
        registration,
        names,
        kek,
        file,
    }
}

#[test]
#[ignore = "a figure: needs --release and a quiet machine"]
fn speed_of_unlocking_beside_the_stretching_alone() {
    let Made {
        setup,
        registration,
        names,
        file,
        ..
    } = vault_with(100);
    let secret = password_secret(PASSWORD).unwrap();
    let params = Params::new(ARGON2_MEMORY_KIB, ARGON2_PASSES, ARGON2_LANES, None).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let (mut bare, mut unlock) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut output = [0; 64];
        timed(&mut bare, || argon2.hash_password_into(&[7; 64], &[0; 16], &mut output)).unwrap();
        // Both ends, the first frame each way, and the vault open.
        timed(&mut unlock, || {
            let (login, request) = ClientLogin::start(&secret).unwrap();
            let (challenge, response) = setup.login_response(&registration, &request, &names).unwrap();
            let proved = login.finish(&response, &names).unwrap();
            let keys = keys::channel(&challenge.finish(&proved.finish).unwrap());
            let kek: Kek = keys::kek(&proved.export_key, names.slot);
            let frame = FrameSealer::new(&keys.client_to_keeper).seal(kek.expose()).unwrap();
            FrameOpener::new(&keys.client_to_keeper).open(&frame).unwrap();
            VaultFile::decode(&file).unwrap().open(names.slot, &kek).unwrap()
        });
    }
    let (bare, unlock) = (median(bare), median(unlock));
    figure(
        "Argon2id alone (64 MiB, 3 passes, 4 lanes)",
        &format!("{bare:.0} ms median (n = {ROUNDS})"),
        "",
    );
    figure(
        "unlocking: both ends of OPAQUE and the vault open",
        &format!("{unlock:.0} ms median, {:.2} × Argon2id alone", unlock / bare),
        "≤ 1.3 ×",
    );
}

#[test]
#[ignore = "a figure: needs --release and a quiet machine"]
fn speed_of_opening_a_vault_of_5000_secrets() {
    let Made { names, kek, file, .. } = vault_with(SECRETS);
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let (_, opened) = timed(&mut rounds, || {
            VaultFile::decode(&file).unwrap().open(names.slot, &kek).unwrap()
        });
        assert_eq!(opened.names("secrets/").count(), SECRETS);
    }
    figure(
        "a vault of 5,000 secrets opened, the key being known",
        &format!(
            "{:.1} ms median ({:.1} MB, n = {ROUNDS})",
            median(rounds),
            file.len() as f64 / 1e6
        ),
        "≤ 50 ms",
    );
}
