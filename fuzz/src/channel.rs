//! What a client or somebody in between sends to a keeper, and a keeper to a client.

use std::sync::OnceLock;

use protocol::channel::{ClientHandshake, ClientMessage, KeeperHandshake, KeeperMessage};
use uuid::Uuid;
use vault::opaque::{ClientLogin, ClientRegistration, Names, Registration, ServerSetup};
use vault::{FrameOpener, FrameSealer, Phrase, SecretBytes, password_secret};

use crate::Target;

const NAMES: Names = Names {
    cell: Uuid::from_u128(10),
    slot: Uuid::from_u128(11),
};

fn key() -> SecretBytes<32> {
    SecretBytes::copy_from(&[9; 32]).expect("32 bytes")
}

pub const FRAME: Target = Target {
    name: "frame",
    run: |bytes| {
        let mut opener = FrameOpener::new(&key());
        // Frames follow each other, each behind its length.
        let mut rest = bytes;
        while let Some((length, more)) = rest.split_first_chunk::<2>() {
            let (frame, after) = more.split_at(more.len().min(u16::from_be_bytes(*length).into()));
            if let Err(_refused) = opener.open(frame) {
                assert!(opener.open(frame).is_err(), "nothing is read after a refusal");
                return;
            }
            rest = after;
        }
    },
    seeds: || {
        let mut sealer = FrameSealer::new(&key());
        let mut seed = Vec::new();
        for body in [r#"{"id":1,"method":"vault.status"}"#, r#"{"cancel":1}"#, "{}"] {
            let frame = sealer.seal(body.as_bytes()).expect("it is small");
            seed.extend_from_slice(&u16::try_from(frame.len()).expect("it is small").to_be_bytes());
            seed.extend_from_slice(&frame);
        }
        vec![seed]
    },
};

/// A keeper with one slot, made once for a run.
fn keeper() -> &'static (ServerSetup, Registration) {
    static KEEPER: OnceLock<(ServerSetup, Registration)> = OnceLock::new();
    KEEPER.get_or_init(|| {
        let setup = ServerSetup::random();
        let secret = password_secret("password").expect("a password");
        let (registration, request) = ClientRegistration::start(&secret).expect("a short secret");
        let response = setup.registration_response(&request, &NAMES).expect("a request");
        let registered = registration
            .finish_at_cost(&response, &NAMES, 8, 1, 1)
            .expect("an answer");
        (setup, Registration::from_record(&registered.record).expect("a record"))
    })
}

fn client_says(message: ClientHandshake) {
    let (setup, registration) = keeper();
    match message {
        ClientHandshake::RegisterStart { request, .. } => {
            let _refused = setup.registration_response(&request, &NAMES);
        }
        ClientHandshake::RegisterFinish { record, .. } => {
            if let Ok(record) = Registration::from_record(&record) {
                Registration::deserialize(&record.serialize()).expect("what was taken can be kept");
            }
        }
        ClientHandshake::LoginStart { request, .. } => {
            let _refused = setup.login_response(registration, &request, &NAMES);
        }
        ClientHandshake::LoginFinish { finish, .. } => {
            let secret = password_secret("password").expect("a password");
            let (_, request) = ClientLogin::start(&secret).expect("a short secret");
            let (challenge, _) = setup.login_response(registration, &request, &NAMES).expect("a request");
            assert!(challenge.finish(&finish).is_err(), "a log-in without the password");
        }
        ClientHandshake::Hello { .. } | ClientHandshake::Resume { .. } => {}
    }
}

fn keeper_says(message: KeeperHandshake) {
    if let KeeperHandshake::RegisterResponse { response, .. } = message {
        let secret = password_secret("password").expect("a password");
        let (registration, _) = ClientRegistration::start(&secret).expect("a short secret");
        let _refused = registration.finish_at_cost(&response, &NAMES, 8, 1, 1);
    }
}

pub const HANDSHAKE: Target = Target {
    name: "handshake",
    run: |bytes| {
        if let Ok(message) = serde_json::from_slice(bytes) {
            client_says(message);
        }
        if let Ok(message) = serde_json::from_slice(bytes) {
            keeper_says(message);
        }
        let _refused = ServerSetup::deserialize(bytes);
    },
    seeds: || {
        let (setup, registration) = keeper();
        let secret = password_secret("password").expect("a password");
        let (enrol, request) = ClientRegistration::start(&secret).expect("a short secret");
        let response = setup.registration_response(&request, &NAMES).expect("a request");
        let record = enrol
            .finish_at_cost(&response, &NAMES, 8, 1, 1)
            .expect("an answer")
            .record;
        let (_, login) = ClientLogin::start(&secret).expect("a short secret");
        let slot = protocol::SlotId::from(NAMES.slot);
        let text = |message: &ClientHandshake| serde_json::to_vec(message).expect("it serialises");
        let _kept = registration;
        vec![
            br#"{"type":"hello","version":1}"#.to_vec(),
            text(&ClientHandshake::RegisterFinish { slot, record }),
            text(&ClientHandshake::LoginStart { slot, request: login }),
            text(&ClientHandshake::LoginFinish {
                slot,
                finish: vec![1; 64],
            }),
            serde_json::to_vec(&KeeperHandshake::RegisterResponse { slot, response }).expect("it serialises"),
            setup.serialize().to_vec(),
        ]
    },
};

pub const REQUEST: Target = Target {
    name: "request",
    run: |bytes| {
        keeper::channel::fuzzing::request(bytes);
        let _refused = serde_json::from_slice::<ClientMessage>(bytes);
        let _refused = serde_json::from_slice::<KeeperMessage>(bytes);
    },
    seeds: || {
        let kek = "A".repeat(43);
        let slot = NAMES.slot;
        [
            format!(r#"{{"id":1,"method":"vault.unlock","params":{{"kek":"{kek}"}}}}"#),
            format!(r#"{{"id":2,"method":"slot.register_start","params":{{"kind":"password","name":"P","request":"{kek}"}}}}"#),
            format!(r#"{{"id":3,"method":"slot.register_finish","params":{{"slot":"{slot}","record":"{kek}","kek":"{kek}"}}}}"#),
            format!(r#"{{"id":4,"method":"slot.confirm_phrase","params":{{"slot":"{slot}"}}}}"#),
            r#"{"id":5,"method":"model.set","params":{"kind":"openai","base_url":"https://a.example/v1","key":"k","model":"m"}}"#.to_owned(),
            r#"{"cancel":1}"#.to_owned(),
            r#"{"event":"chat","data":{"conversation":"c","seq":1,"turn":"t","kind":"text","delta":"d"}}"#.to_owned(),
            r#"{"id":1,"error":{"code":"c","message":"m","retry_after_ms":1}}"#.to_owned(),
        ]
        .map(String::into_bytes)
        .to_vec()
    },
};

pub const PHRASE: Target = Target {
    name: "phrase",
    run: |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        if let Ok(phrase) = Phrase::parse(text) {
            let secret = phrase.secret();
            let shown = phrase.words().collect::<Vec<_>>().join(" ");
            assert!(secret.expose() == shown.as_bytes(), "a phrase has one form");
            let again = Phrase::parse(&shown).expect("what is shown can be typed");
            assert!(again.secret().expose() == secret.expose());
        }
        if let Ok(secret) = password_secret(text) {
            let normal = std::str::from_utf8(secret.expose()).expect("text stays text");
            if let Ok(again) = password_secret(normal) {
                assert!(again.expose() == secret.expose(), "what is normal stays as it is");
            }
        }
    },
    seeds: || {
        vec![
            b"legal winner thank year wave sausage worth useful legal winner thank yellow".to_vec(),
            "Gr\u{fc}\u{df}e, 1\u{2003}Pferd \u{fb01}".as_bytes().to_vec(),
        ]
    },
};
