//! Figures, not checks of correctness, for `cargo xtask bench`, which collects the lines that begin with `figure:`. By hand:
//! `cargo test --release -p vault --test speed -- --ignored --nocapture --test-threads 1`.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Params, Version};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use uuid::Uuid;
use vault::opaque::{
    ARGON2_LANES, ARGON2_MEMORY_KIB, ARGON2_PASSES, ClientLogin, ClientRegistration, Names, Registration, ServerSetup,
};
use vault::{
    Body, Capability, Constraints, DataKey, FrameOpener, FrameSealer, Identity, Kek, KnownChains, NewCapability,
    NewSlot, Presentation, Resource, Scope, SharedRequest, SlotChange, SlotKind, VaultFile, keys, password_secret,
    verify_chain,
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

#[test]
#[ignore = "a figure: needs --release and a quiet machine"]
fn speed_of_checking_a_capability_beside_the_signatures_alone() {
    const CHECKS: u32 = 2000;
    let (anna, bob) = (Identity::random(), Identity::random());
    let (own, now) = (anna.public().signer(), 1_763_800_000_000);
    let terms = NewCapability {
        id: Uuid::from_u128(1),
        holder: bob.public().signer(),
        resource: Resource::parse("service/calendar/work").unwrap(),
        scope: [Scope::Read, Scope::List].into(),
        from: now,
        until: now + 3_600_000,
        constraints: Constraints::default(),
        cached: None,
    };
    let chain = [Capability::issue(&anna, terms).unwrap()];
    let request = SharedRequest {
        service: "calendar".into(),
        method: "GET".into(),
        path: "/work/today".into(),
        query: String::new(),
        content_type: String::new(),
        body: Vec::new(),
    };
    let presentation = Presentation::sign(&bob, chain.to_vec(), request, now).unwrap();
    // As many bytes as are signed of a capability.
    let message = chain[0].encode();
    let signer = SigningKey::from_bytes(&[7; 32]);
    let (key, signature) = (signer.verifying_key().to_bytes(), signer.sign(&message));
    let known = KnownChains::new(8);
    let (mut bare, mut whole, mut cached) = (Vec::new(), Vec::new(), Vec::new());
    let (mut presented, mut presented_known) = (Vec::new(), Vec::new());
    let repeat = |check: &dyn Fn() -> bool| (0..CHECKS).for_each(|_| assert!(check()));
    for _ in 0..ROUNDS {
        timed(&mut bare, || {
            repeat(&|| {
                let key = VerifyingKey::from_bytes(&key).unwrap();
                key.verify_strict(&message, &signature).is_ok()
            })
        });
        timed(&mut whole, || {
            repeat(&|| verify_chain(&chain, &own, now, |_| false).is_ok())
        });
        timed(&mut cached, || {
            repeat(&|| known.verify(&chain, &own, now, |_| false).is_ok())
        });
        timed(&mut presented, || {
            repeat(&|| presentation.verify(&own, now, |_| false).is_ok())
        });
        timed(&mut presented_known, || {
            repeat(&|| presentation.verify_among(&known, &own, now, |_| false).is_ok());
        });
    }
    let micros = |rounds| median(rounds) * 1000.0 / f64::from(CHECKS);
    let (bare, whole, cached) = (micros(bare), micros(whole), micros(cached));
    let (presented, presented_known) = (micros(presented), micros(presented_known));
    figure(
        "one Ed25519 verification alone (strict; the key comes as bytes)",
        &format!("{bare:.1} µs median (n = {ROUNDS} × {CHECKS})"),
        "",
    );
    figure(
        "a chain of one capability checked, which takes one verification",
        &format!("{whole:.1} µs median, {:.2} × one verification", whole / bare),
        "≤ 1.2 ×",
    );
    figure(
        "the same chain when its signature is known to be good: no verification",
        &format!("{cached:.1} µs median"),
        "≤ 5 µs",
    );
    figure(
        "a presentation of it checked, which takes two verifications; one where the chain is known",
        &format!(
            "{presented:.1} µs median, {:.2} × two verifications; {presented_known:.1} µs, {:.2} × one",
            presented / bare / 2.0,
            presented_known / bare
        ),
        "",
    );
}
