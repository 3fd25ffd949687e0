//! The keeper's functions against the browser's libraries in Node: same messages, same keys, same frames.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Once;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use uuid::Uuid;
use vault::opaque::{ClientLogin, ClientRegistration, Names, Registration, ServerSetup};
use vault::password_secret;

/// The browser's end, in a process of its own.
struct Browser {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop")
}

/// Installs the libraries, as the lock file has them, unless they are there.
fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Tests run in processes of their own: one installs, the others wait.
        let lock = std::fs::File::open(folder().join("package-lock.json")).unwrap();
        lock.lock().unwrap();
        if folder().join("node_modules/.package-lock.json").exists() {
            return;
        }
        let npm = Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(folder())
            .output()
            .expect("npm is needed for this test: install Node");
        assert!(npm.status.success(), "{}", String::from_utf8_lossy(&npm.stderr));
    });
}

impl Browser {
    fn start() -> Self {
        install();
        let mut process = Command::new("node")
            .arg("browser.mjs")
            .current_dir(folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node is needed for this test: install Node");
        Self {
            input: process.stdin.take().unwrap(),
            output: BufReader::new(process.stdout.take().unwrap()),
            process,
        }
    }

    fn ask(&mut self, command: &str, mut parameters: Value) -> Value {
        parameters["command"] = command.into();
        writeln!(self.input, "{parameters}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("the browser's end failed at {command}"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn binary(value: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const PASSWORD: &str = "Gru\u{308}\u{df}e, 1\u{2003}Pferd";

struct Setting {
    browser: Browser,
    setup: ServerSetup,
    names: Names,
}

impl Setting {
    fn new() -> Self {
        Self {
            browser: Browser::start(),
            setup: ServerSetup::random(),
            names: Names {
                cell: Uuid::from_u128(1),
                slot: Uuid::from_u128(2),
            },
        }
    }

    fn with_names(&self, mut parameters: Value) -> Value {
        parameters["cell"] = json!(self.names.cell);
        parameters["slot"] = json!(self.names.slot);
        parameters
    }

    /// The browser registers; gives the registration and its export key.
    fn register(&mut self) -> (Registration, Value) {
        let started = self.browser.ask("registerStart", json!({"password": PASSWORD}));
        let response = self
            .setup
            .registration_response(&binary(&started["request"]), &self.names)
            .unwrap();
        let parameters = self.with_names(json!({"password": PASSWORD, "response": text(&response)}));
        let finished = self.browser.ask("registerFinish", parameters);
        assert_eq!(finished["publicKey"], hex(&self.setup.public_key()));
        let registration = Registration::from_record(&binary(&finished["record"])).unwrap();
        (registration, finished["exportKey"].clone())
    }

    /// The browser logs in; gives its answer and the keeper's challenge.
    fn login(&mut self, registration: &Registration, password: &str) -> (Value, vault::opaque::LoginChallenge) {
        let started = self.browser.ask("loginStart", json!({"password": password}));
        let (challenge, response) = self
            .setup
            .login_response(registration, &binary(&started["request"]), &self.names)
            .unwrap();
        let parameters = self.with_names(json!({"password": password, "response": text(&response)}));
        (self.browser.ask("loginFinish", parameters), challenge)
    }
}

#[test]
fn a_browser_registers_and_logs_in_to_the_keeper_and_both_have_the_same_keys() {
    let mut setting = Setting::new();
    let (registration, export_key) = setting.register();
    let (finished, challenge) = setting.login(&registration, PASSWORD);
    assert_eq!(finished["exportKey"], export_key);
    let session_key = challenge.finish(&binary(&finished["finish"])).unwrap();
    assert_eq!(finished["sessionKey"], hex(session_key.expose()));
    let (refused, _) = setting.login(&registration, "another");
    assert_eq!(refused, json!({"refused": true}));
    let other_keeper = ServerSetup::random();
    setting.setup = other_keeper;
    let (refused, _) = setting.login(&registration, PASSWORD);
    assert_eq!(refused, json!({"refused": true}));
}

#[test]
fn what_a_browser_registered_a_rust_client_opens_and_the_other_way_round() {
    let mut setting = Setting::new();
    let secret = password_secret(PASSWORD).unwrap();
    let (registration, export_key) = setting.register();
    let (login, request) = ClientLogin::start(&secret).unwrap();
    let (_, response) = setting
        .setup
        .login_response(&registration, &request, &setting.names)
        .unwrap();
    let proved = login.finish(&response, &setting.names).unwrap();
    assert_eq!(export_key, hex(proved.export_key.expose()));

    let (registering, request) = ClientRegistration::start(&secret).unwrap();
    let response = setting.setup.registration_response(&request, &setting.names).unwrap();
    let registered = registering.finish(&response, &setting.names).unwrap();
    let registration = Registration::from_record(&registered.record).unwrap();
    let (finished, _) = setting.login(&registration, PASSWORD);
    assert_eq!(finished["exportKey"], hex(registered.export_key.expose()));
}

#[test]
fn a_browser_derives_the_known_keys_and_seals_the_known_frames() {
    let mut browser = Browser::start();
    let kept = |file: &str| -> Value {
        serde_json::from_slice(&std::fs::read(folder().join("../vectors").join(file)).unwrap()).unwrap()
    };
    let keys = kept("key-schedule.json");
    let derived = browser.ask(
        "keySchedule",
        json!({
            "exportKey": keys["kek"]["export_key"],
            "slot": keys["kek"]["slot"],
            "sessionKey": keys["channel"]["session_key"],
            "secret": keys["resumption"]["secret"],
            "clientNonce": keys["resumption"]["client_nonce"],
            "keeperNonce": keys["resumption"]["keeper_nonce"],
        }),
    );
    assert_eq!(derived["kek"], keys["kek"]["kek"]);
    for part in ["channel", "resumption"] {
        for (name, key) in derived[part].as_object().unwrap() {
            assert_eq!(key, &keys[part][name], "{part} {name}");
        }
    }
    let frames = kept("frames.json");
    for (counter, frame) in frames["frames"].as_array().unwrap().iter().enumerate() {
        let sealed = browser.ask(
            "seal",
            json!({"key": frames["key"], "counter": counter, "json": frame["json"]}),
        );
        assert_eq!(sealed["frame"], frame["frame"]);
    }
}
