//! Known answers, kept as JSON for whoever writes another client (`docs/protocol.md`, section 1). What is written down here never
//! changes; a new version gets new vectors.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use serde_json::{Value, json};
use uuid::Uuid;
use vault::{ExportKey, FrameOpener, FrameSealer, ResumptionSecret, SessionKey, keys};

fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn array(value: &Value) -> [u8; 32] {
    bytes(value).try_into().unwrap()
}

/// Compares with the committed file; with `HOLDFAST_WRITE_VECTORS` set, writes it instead.
fn check(file: &str, computed: &Value) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(file);
    if std::env::var_os("HOLDFAST_WRITE_VECTORS").is_some() {
        std::fs::write(&path, format!("{computed:#}\n")).unwrap();
    }
    let kept: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(&kept, computed);
}

#[test]
fn the_key_schedule_gives_the_known_keys() {
    let export_key: Vec<u8> = (0..64).collect();
    let session_key: Vec<u8> = (64..128).collect();
    let secret: Vec<u8> = (128..160).collect();
    let (client_nonce, keeper_nonce) = ([0xc1; 32], [0x4e; 32]);
    let slot = "0198a2c4-1b7e-7c3a-9d11-2f6c5b0a7e41";
    let uuid = Uuid::parse_str(slot).unwrap();

    let kek = keys::kek(&ExportKey::copy_from(&export_key).unwrap(), uuid);
    let channel = keys::channel(&SessionKey::copy_from(&session_key).unwrap());
    let secret_key = ResumptionSecret::copy_from(&secret).unwrap();
    let resumed = keys::resumed(&secret_key, &client_nonce, &keeper_nonce);
    let again = keys::channel(&resumed);
    let computed = json!({
        "comment": "docs/protocol.md, section 1.2. All values are hexadecimal.",
        "kek": {"export_key": hex(&export_key), "slot": slot, "kek": hex(kek.expose())},
        "channel": {
            "session_key": hex(&session_key),
            "client_to_keeper": hex(channel.client_to_keeper.expose()),
            "keeper_to_client": hex(channel.keeper_to_client.expose()),
        },
        "resumption": {
            "secret": hex(&secret),
            "client_nonce": hex(&client_nonce),
            "keeper_nonce": hex(&keeper_nonce),
            "session_key": hex(resumed.expose()),
            "client_to_keeper": hex(again.client_to_keeper.expose()),
            "keeper_to_client": hex(again.keeper_to_client.expose()),
        },
    });
    check("key-schedule.json", &computed);
}

#[test]
fn frames_are_sealed_to_the_known_bytes() {
    let key = vault::SecretBytes::<32>::copy_from(&[0x42; 32]).unwrap();
    let mut sealer = FrameSealer::new(&key);
    let bodies = [
        r#"{"id":1,"method":"vault.status","params":{}}"#,
        r#"{"cancel":1}"#,
        "{}",
    ];
    let frames: Vec<Value> = bodies
        .iter()
        .map(|body| json!({"json": body, "frame": hex(&sealer.seal(body.as_bytes()).unwrap())}))
        .collect();
    check(
        "frames.json",
        &json!({
            "comment": "docs/protocol.md, section 1.3. The frames of one direction, in order; key and frames are hexadecimal.",
            "key": hex(key.expose()),
            "frames": frames,
        }),
    );
    let mut opener = FrameOpener::new(&key);
    for frame in frames {
        let opened = opener.open(&bytes(&frame["frame"])).unwrap();
        assert_eq!(opened.as_slice(), frame["json"].as_str().unwrap().as_bytes());
    }
}

/// One whole registration and log-in, recorded once: the keeper's side can be replayed, the client's keys compared.
#[test]
fn a_recorded_log_in_still_completes() {
    use vault::opaque::{Names, Registration, ServerSetup};

    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/opaque.json");
    if std::env::var_os("HOLDFAST_WRITE_VECTORS").is_some() {
        std::fs::write(&path, format!("{:#}\n", record())).unwrap();
    }
    let kept: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let names = Names {
        cell: Uuid::parse_str(kept["cell"].as_str().unwrap()).unwrap(),
        slot: Uuid::parse_str(kept["slot"].as_str().unwrap()).unwrap(),
    };
    let setup = ServerSetup::deserialize(&bytes(&kept["server_setup"])).unwrap();
    let registration = Registration::deserialize(&bytes(&kept["record"])).unwrap();
    assert_eq!(hex(&setup.public_key()), kept["keeper_public_key"]);
    let secret = vault::password_secret(kept["password"].as_str().unwrap()).unwrap();
    let (login, request) = vault::opaque::ClientLogin::start(&secret).unwrap();
    let (challenge, response) = setup.login_response(&registration, &request, &names).unwrap();
    let proved = login.finish(&response, &names).unwrap();
    assert_eq!(
        hex(proved.export_key.expose()),
        kept["export_key"],
        "the export key never changes"
    );
    assert!(challenge.finish(&proved.finish).unwrap().expose() == proved.session_key.expose());
    let kek = keys::kek(&proved.export_key, names.slot);
    assert_eq!(*kek.expose(), array(&kept["kek"]));
}

fn record() -> Value {
    use vault::opaque::{ClientRegistration, Names, ServerSetup};

    let names = Names {
        cell: Uuid::parse_str("0198a2c4-1b7e-7c3a-9d11-000000000001").unwrap(),
        slot: Uuid::parse_str("0198a2c4-1b7e-7c3a-9d11-000000000002").unwrap(),
    };
    let password = "Gr\u{fc}\u{df}e, 1\u{2003}Pferd";
    let secret = vault::password_secret(password).unwrap();
    let setup = ServerSetup::random();
    let (registration, request) = ClientRegistration::start(&secret).unwrap();
    let response = setup.registration_response(&request, &names).unwrap();
    let registered = registration.finish(&response, &names).unwrap();
    let kek = keys::kek(&registered.export_key, names.slot);
    json!({
        "comment": "docs/protocol.md, section 1.1. A registration as the keeper stores it; a log-in with the password must give \
                    this export key. Binary values are hexadecimal; `opaque_secret` is what goes into OPAQUE.",
        "cell": names.cell,
        "slot": names.slot,
        "password": password,
        "opaque_secret": hex(secret.expose()),
        "server_setup": hex(&setup.serialize()),
        "record": hex(&registered.record),
        "keeper_public_key": hex(&registered.keeper_public_key),
        "export_key": hex(registered.export_key.expose()),
        "kek": hex(kek.expose()),
    })
}

#[test]
fn secrets_that_are_derived_for_a_slot_are_the_known_ones() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    // Made by another implementation of HKDF, so it is only read here.
    let known: Value = serde_json::from_str(include_str!("vectors/slot-secrets.json")).unwrap();
    let decode = |value: &Value| URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap();
    let secret_bytes = |value: &Value| vault::SecretBytes::copy_from(&decode(value)).unwrap();
    let passkey = &known["passkey"];
    let computed = [
        vault::passkey_secret(
            &secret_bytes(&passkey["prf_output"]),
            &decode(&passkey["prf_salt"]),
            passkey["rp_id"].as_str().unwrap(),
        ),
        vault::BackupKey::parse(known["backup_key"]["text"].as_str().unwrap())
            .unwrap()
            .secret(),
        vault::social_secret(&secret_bytes(&known["social"]["joined"])),
        vault::platform_secret(&secret_bytes(&known["platform"]["kept"])),
    ];
    for (computed, kind) in computed.iter().zip(["passkey", "backup_key", "social", "platform"]) {
        assert!(
            computed.expose() == known[kind]["secret"].as_str().unwrap().as_bytes(),
            "{kind}"
        );
    }
}

#[test]
fn an_identity_and_a_sealed_message_are_the_known_bytes() {
    use vault::{Identity, PublicIdentity, open_sealed_to, seal_to_with_one_time_key};

    let (sender_secret, receiver_secret) = (
        [[1].as_slice(), &[0x11; 64]].concat(),
        [[1].as_slice(), &[0x22; 64]].concat(),
    );
    let sender = Identity::decode(&sender_secret).unwrap();
    let receiver = Identity::decode(&receiver_secret).unwrap();
    let one_time = [0x33; 32];
    let (purpose, context, message) = ("test/purpose", b"context".as_slice(), b"a message".as_slice());
    let to = receiver.public();
    let sealed = seal_to_with_one_time_key(&one_time, &sender, to.agreement(), purpose, context, message).unwrap();
    check(
        "identity.json",
        &json!({
            "comment": "docs/protocol.md, section 1.5. Binary values are hexadecimal.",
            "sender": {
                "secret": hex(&sender_secret),
                "bundle": hex(&sender.public().encode()),
                "fingerprint": sender.public().fingerprint(),
            },
            "receiver": {
                "secret": hex(&receiver_secret),
                "bundle": hex(&to.encode()),
                "fingerprint": to.fingerprint(),
            },
            "sealed": {
                "one_time_secret": hex(&one_time),
                "purpose": purpose,
                "context": hex(context),
                "message": hex(message),
                "sealed": hex(&sealed),
            },
        }),
    );
    let opened = open_sealed_to(receiver.agreement(), purpose, context, &sealed).unwrap();
    assert_eq!(opened.message.as_slice(), message);
    assert_eq!(
        opened.sender,
        PublicIdentity::decode(&sender.public().encode()).unwrap()
    );
}

/// A split secret, recorded once: any three of these shares give the secret, in every version to come.
#[test]
fn recorded_shares_still_join_and_a_known_request_has_its_code() {
    use vault::{AgreementKey, RecoveryRequest, RecoveryShare, RecoveryTerms, SecretBytes, join_shares, split_secret};

    let request = RecoveryRequest {
        cell: Uuid::parse_str("0198a2c4-1b7e-7c3a-9d11-000000000001").unwrap(),
        slot: Uuid::parse_str("0198a2c4-1b7e-7c3a-9d11-000000000002").unwrap(),
        key: AgreementKey([0x44; 32]),
        made: 1_763_800_000_000,
    };
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/recovery.json");
    if std::env::var_os("HOLDFAST_WRITE_VECTORS").is_some() {
        let secret = SecretBytes::copy_from(&[0x55; 32]).unwrap();
        let terms = RecoveryTerms {
            cell: request.cell,
            slot: request.slot,
            version: 7,
            wait_ms: 86_400_000,
            threshold: 3,
        };
        let shares = split_secret(&secret, &terms, 5).unwrap();
        let recorded = json!({
            "comment": "docs/protocol.md, section 1.7. Binary values are hexadecimal. Any three of the shares give the secret.",
            "secret": hex(secret.expose()),
            "shares": shares.iter().map(|share| hex(&share.encode())).collect::<Vec<_>>(),
            "request": {
                "cell": request.cell,
                "slot": request.slot,
                "key": hex(&request.key.0),
                "made": request.made,
                "encoded": hex(&request.encode()),
                "id": request.id(),
                "code": request.code(),
            },
        });
        std::fs::write(&path, format!("{recorded:#}\n")).unwrap();
    }
    let kept: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let shares: Vec<RecoveryShare> = kept["shares"]
        .as_array()
        .unwrap()
        .iter()
        .map(|share| RecoveryShare::decode(&bytes(share)).unwrap())
        .collect();
    for chosen in [[0, 1, 2], [4, 2, 0], [1, 3, 4]] {
        let joined = join_shares(&chosen.map(|at| shares[at].clone())).unwrap();
        assert_eq!(hex(joined.secret.expose()), kept["secret"]);
    }
    assert_eq!(kept["request"]["encoded"], hex(&request.encode()));
    assert_eq!(kept["request"]["id"], request.id());
    assert_eq!(kept["request"]["code"], request.code());
}

#[test]
fn exported_secrets_of_the_first_version_are_sealed_as_ever_and_open() {
    use base64::Engine as _;
    let b64 = |bytes: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    let (password, salt, nonce) = ("gr\u{fc}ne Wiese 7", [0x51; 16], [0xa7; 24]);
    let plaintext = "{\"holdfast_secrets\":1,\"secrets\":[{\"name\":\"GitHub\",\"kind\":\"api_key\",\"username\":\"\",\"url\":\"\",\"value\":\"ghp_x\"}]}";
    let file = vault::seal_secrets_export_with(password, plaintext.as_bytes(), &salt, &nonce).unwrap();
    check(
        "secrets-export.json",
        &json!({
            "comment": "docs/protocol.md, section 1.8. Binary values are base64url.",
            "password": password, "plaintext": plaintext, "salt": b64(&salt), "nonce": b64(&nonce), "file": b64(&file),
        }),
    );
    assert_eq!(
        vault::open_secrets_export(password, &file).unwrap().as_slice(),
        plaintext.as_bytes()
    );
    let typed_elsewhere = "gru\u{308}ne Wiese 7";
    assert!(vault::open_secrets_export(typed_elsewhere, &file).is_ok());
    let wrong = vault::open_secrets_export("gruene Wiese 7", &file);
    assert_eq!(wrong.unwrap_err(), vault::SecretsExportError::WrongPassword);
}

#[test]
fn capabilities_are_signed_and_presented_to_the_known_texts() {
    use vault::{
        Capability, Constraints, Identity, NewCapability, Nonce, Presentation, Rate, Resource, Scope, SharedRequest,
        verify_chain,
    };

    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let who = |number: u8| Identity::decode(&[&[1], [number; 64].as_slice()].concat()).unwrap();
    let (anna, bob, carla) = (who(0x21), who(0x22), who(0x23));
    let first = NewCapability {
        id: Uuid::parse_str("0198a2c4-1b7e-7c3a-9d11-000000000011").unwrap(),
        holder: bob.public().signer(),
        resource: Resource::parse("service/calendar").unwrap(),
        scope: [Scope::Read, Scope::List, Scope::Share].into(),
        from: 1_763_800_000_000,
        until: 1_763_900_000_000,
        constraints: Constraints {
            max_calls: Some(100),
            rate: Some(Rate {
                calls: 10,
                per_ms: 60_000,
            }),
        },
        cached: None,
    };
    let root = Capability::issue(&anna, first).unwrap();
    let second = NewCapability {
        id: Uuid::parse_str("0198a2c4-1b7e-7c3a-9d11-000000000012").unwrap(),
        holder: carla.public().signer(),
        resource: Resource::parse("service/calendar/calendars/work").unwrap(),
        scope: [Scope::Read].into(),
        from: 1_763_800_000_000,
        until: 1_763_850_000_000,
        constraints: Constraints {
            max_calls: Some(5),
            rate: Some(Rate {
                calls: 5,
                per_ms: 60_000,
            }),
        },
        cached: None,
    };
    let link = Capability::delegate(&bob, &root, second).unwrap();
    let request = SharedRequest {
        service: "calendar".into(),
        method: "GET".into(),
        path: "/calendars/work/events".into(),
        query: "max=10&q=%C3%BC".into(),
        content_type: String::new(),
        body: Vec::new(),
    };
    let chain = vec![root.clone(), link.clone()];
    let nonce = Nonce::new([0x5a; 16]);
    let presented = Presentation::sign_with_nonce(&carla, chain.clone(), request, 1_763_840_000_000, nonce).unwrap();
    check(
        "capability.json",
        &json!({
            "comment": "docs/protocol.md, section 1.9. Identities are hexadecimal as in section 1.5; the rest is the text, byte for byte.",
            "anna": {"secret": hex(&anna.encode()), "signer": root.iss},
            "bob": {"secret": hex(&bob.encode()), "signer": root.sub},
            "carla": {"secret": hex(&carla.encode()), "signer": link.sub},
            "first": text(&root.encode()),
            "first_sha256": root.hash(),
            "second": text(&link.encode()),
            "presentation": text(&presented.encode()),
            "presented_at": 1_763_840_000_000_u64,
        }),
    );
    let own = anna.public().signer();
    let granted = presented.verify(&own, 1_763_840_000_000, |_| false).unwrap();
    assert_eq!(
        granted,
        verify_chain(&chain, &own, 1_763_840_000_000, |_| false).unwrap()
    );
    assert_eq!(granted.holder, carla.public().signer());
    let copied = NewCapability {
        id: Uuid::parse_str("0198a2c4-1b7e-7c3a-9d11-000000000013").unwrap(),
        holder: bob.public().signer(),
        resource: Resource::parse("service/calendar/calendars/work").unwrap(),
        scope: [Scope::Read, Scope::List].into(),
        from: 1_763_800_000_000,
        until: 1_763_900_000_000,
        constraints: Constraints::default(),
        cached: Some(SharedRequest {
            service: "calendar".into(),
            method: "GET".into(),
            path: "/calendars/work/events".into(),
            query: "max=10".into(),
            content_type: String::new(),
            body: Vec::new(),
        }),
    };
    let copied = Capability::issue(&anna, copied).unwrap();
    check(
        "capability-cached.json",
        &json!({
            "comment": "docs/protocol.md, section 1.9. By anna for bob, whose keys are in capability.json.",
            "capability": text(&copied.encode()),
        }),
    );
}

#[test]
fn a_request_to_manage_is_signed_to_the_known_text() {
    use vault::{Capability, Constraints, Identity, ManageRequest, Management, NewCapability, Nonce, Resource, Scope};

    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let who = |number: u8| Identity::decode(&[&[1], [number; 64].as_slice()].concat()).unwrap();
    let (anna, bob) = (who(0x21), who(0x22));
    let held = NewCapability {
        id: Uuid::parse_str("0198a2c4-1b7e-7c3a-9d11-000000000013").unwrap(),
        holder: bob.public().signer(),
        resource: Resource::parse("service/crm").unwrap(),
        scope: [Scope::Read, Scope::List, Scope::Admin].into(),
        from: 1_763_800_000_000,
        until: 1_763_900_000_000,
        constraints: Constraints::default(),
        cached: None,
    };
    let held = Capability::issue(&anna, held).unwrap();
    let user = Uuid::parse_str("0198a2c4-1b7e-7c3a-9d11-000000000014").unwrap();
    let signed = |request: ManageRequest, nonce: u8| {
        let nonce = Nonce::new([nonce; 16]);
        Management::sign_with_nonce(&bob, vec![held.clone()], request, 1_763_840_000_000, nonce).unwrap()
    };
    let grant = ManageRequest::Grant {
        user,
        scope: [Scope::Read, Scope::List].into(),
        until: 1_763_850_000_000,
    };
    let all = [
        signed(ManageRequest::Look, 0x5b),
        signed(grant, 0x5c),
        signed(ManageRequest::End { user }, 0x5d),
    ];
    check(
        "management.json",
        &json!({
            "comment": "docs/protocol.md, section 1.9. Identities are those of capability.json; the texts are byte for byte.",
            "held": text(&held.encode()),
            "look": text(&all[0].encode()),
            "grant": text(&all[1].encode()),
            "end": text(&all[2].encode()),
            "presented_at": 1_763_840_000_000_u64,
        }),
    );
    for one in all {
        assert!(
            one.verify(&anna.public().signer(), 1_763_840_000_000, |_| false)
                .is_ok()
        );
    }
}

/// A capability or a presentation by the identity of this number, whatever it says: as somebody else's program makes one.
fn signed_by(number: u8, domain: &str, mut value: Value) -> Value {
    use base64::Engine as _;
    use ed25519_dalek::Signer as _;

    let text = serde_json_canonicalizer::to_vec(&value).unwrap();
    let message = [domain.as_bytes(), &[0], text.as_slice()].concat();
    let signature = ed25519_dalek::SigningKey::from_bytes(&[number; 32]).sign(&message);
    value["sig"] = json!(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(signature.to_bytes()));
    value
}

#[test]
fn what_is_refused_is_refused_with_its_code() {
    use vault::{Capability, Identity, Presentation};

    const NOW: i64 = 1_763_840_000_000;
    let who = |number: u8| Identity::decode(&[&[1], [number; 64].as_slice()].concat()).unwrap();
    let key = |number| json!(who(number).public().signer());
    let (anna, bob, carla) = (0x21, 0x22, 0x23);
    let over = |mut value: Value, changes: Value| {
        for (name, change) in changes.as_object().unwrap() {
            value[name] = change.clone();
        }
        value
    };
    let first = json!({
        "ver": 1, "jti": "0198a2c4-1b7e-7c3a-9d11-000000000021", "iss": key(anna), "sub": key(bob), "aud": key(anna),
        "resource": "service/calendar/work", "scope": ["read", "list", "share"], "iat": 1_763_800_000_000_i64,
        "exp": 1_763_900_000_000_i64, "constraints": {},
    });
    let issued = |changes: Value| signed_by(anna, "holdfast/capability/v1", over(first.clone(), changes));
    let after = |before: &Value, changes: Value| {
        let hash = Capability::parse(before.to_string().as_bytes()).unwrap().hash();
        let link = json!({"jti": "0198a2c4-1b7e-7c3a-9d11-000000000022", "iss": key(bob), "sub": key(carla), "scope": ["read"], "prf": hash});
        signed_by(bob, "holdfast/capability/v1", over(over(first.clone(), link), changes))
    };
    let get = json!({"service": "calendar", "method": "GET", "path": "/work/today", "query": "", "content_type": "", "body": ""});
    let presented = |by: u8, chain: &[&Value], request: Value| {
        let text = json!({"ver": 1, "aud": key(anna), "chain": chain, "request": over(get.clone(), request), "at": NOW,
            "nonce": "WlpaWlpaWlpaWlpaWlpaWg"});
        signed_by(by, "holdfast/presentation/v1", text)
    };
    let root = issued(json!({}));
    let link = after(&root, json!({}));
    let whole = presented(bob, &[&root], json!({}));
    let request = |request: Value| presented(bob, &[&root], request);
    let by_bob = |changes: Value| presented(bob, &[&issued(changes)], json!({}));
    let kept = issued(json!({"scope": ["read"]}));
    let of_bob = signed_by(
        bob,
        "holdfast/capability/v1",
        over(first.clone(), json!({"iss": key(bob)})),
    );
    let late = NOW + 60_000_000;
    let all = [
        ("malformed", json!({"ver": 1}), NOW, anna, false),
        ("version", over(whole.clone(), json!({"ver": 2})), NOW, anna, false),
        ("chain", presented(bob, &[], json!({})), NOW, anna, false),
        (
            "not_issued_here",
            presented(bob, &[&of_bob], json!({})),
            NOW,
            anna,
            false,
        ),
        ("wrong_audience", whole.clone(), NOW, carla, false),
        (
            "bad_signature",
            presented(
                bob,
                &[&over(root.clone(), json!({"exp": 1_763_900_000_001_i64}))],
                json!({}),
            ),
            NOW,
            anna,
            false,
        ),
        ("not_yet", by_bob(json!({"iat": NOW + 1_000_000})), NOW, anna, false),
        ("expired", whole.clone(), late, anna, false),
        ("revoked", whole.clone(), NOW, anna, true),
        ("bad_terms", by_bob(json!({"scope": []})), NOW, anna, false),
        (
            "broken_chain",
            presented(bob, &[&root, &root], json!({})),
            NOW,
            anna,
            false,
        ),
        (
            "may_not_share",
            presented(carla, &[&kept, &after(&kept, json!({}))], json!({})),
            NOW,
            anna,
            false,
        ),
        (
            "wider",
            presented(
                carla,
                &[&root, &after(&root, json!({"scope": ["read", "write"]}))],
                json!({}),
            ),
            NOW,
            anna,
            false,
        ),
        ("not_held", presented(carla, &[&root], json!({})), NOW, anna, false),
        ("stale", whole.clone(), NOW + 300_001, anna, false),
        (
            "path_refused",
            request(json!({"path": "/work/../home"})),
            NOW,
            anna,
            false,
        ),
        ("other_resource", request(json!({"path": "/home"})), NOW, anna, false),
        ("scope", request(json!({"method": "POST"})), NOW, anna, false),
        (
            "method_refused",
            request(json!({"method": "CONNECT"})),
            NOW,
            anna,
            false,
        ),
    ];
    let canonical = |value: &Value| String::from_utf8(serde_json_canonicalizer::to_vec(value).unwrap()).unwrap();
    let mut cases: Vec<_> = all
        .into_iter()
        .map(|(code, value, now, own, is_revoked)| (code, canonical(&value), now, own, is_revoked))
        .collect();
    let spaced = canonical(&whole).replacen(':', ": ", 1);
    cases.push(("not_canonical", spaced, NOW, anna, false));
    let granted = |text: &str, now, own: u8, is_revoked| {
        let presentation = Presentation::parse(text.as_bytes())?;
        presentation.verify(&who(own).public().signer(), now, |_| is_revoked)
    };
    for good in [&whole, &presented(carla, &[&root, &link], json!({}))] {
        assert!(granted(&canonical(good), NOW, anna, false).is_ok());
    }
    for (code, text, now, own, is_revoked) in &cases {
        assert_eq!(
            granted(text, *now, *own, *is_revoked).unwrap_err().code(),
            *code,
            "{text}"
        );
    }
    let told: Vec<_> = cases
        .iter()
        .map(|(code, text, now, own, is_revoked)| {
            let revoked = if *is_revoked { vec![&first["jti"]] } else { vec![] };
            json!({"code": code, "text": text, "now": now, "own": key(*own), "revoked": revoked})
        })
        .collect();
    check(
        "refusals.json",
        &json!({
            "comment": "docs/protocol.md, section 1.9. Presentations that the keeper of `own` refuses at `now` with `code`, where `revoked` were revoked. Identities are those of capability.json; the texts are byte for byte.",
            "refusals": told,
        }),
    );
}

#[test]
fn envelopes_are_sealed_to_the_known_bytes() {
    use vault::{Identity, Place, envelope_link, open_envelope, seal_envelope};

    let who = |number: u8| Identity::decode(&[&[1], [number; 64].as_slice()].concat()).unwrap();
    let (anna, bob) = (who(0x21), who(0x22));
    let place = Place {
        stream: 1_763_800_000_000,
        sequence: 1,
        base: 1,
        previous: [0; 32],
        part: 0,
        parts: 1,
    };
    let (id, seed, content) = (
        [0x1d; 16],
        [0x5e; 32],
        b"\x01{\"kind\":\"kept\",\"id\":\"0198a2c4-1b7e-7c3a-9d11-000000000011\"}",
    );
    let sealed = seal_envelope(&anna, bob.public().agreement(), &id, 1, &place, content, &seed).unwrap();
    check(
        "envelope.json",
        &json!({
            "comment": "docs/protocol.md, section 7.3. All values are hexadecimal; by anna for bob, who are those of capability.json.",
            "id": hex(&id), "topic": 1, "seed": hex(&seed), "content": hex(content),
            "stream": place.stream, "sequence": 1, "base": 1, "previous": hex(&place.previous), "part": 0, "parts": 1,
            "sealed": hex(&sealed), "link": hex(&envelope_link(&place.previous, &sealed)),
        }),
    );
    let opened = open_envelope(bob.agreement(), &id, &sealed).unwrap();
    assert_eq!((opened.topic, opened.content.as_slice()), (1, content.as_slice()));
}
