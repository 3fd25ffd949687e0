//! Passkeys for signing in, with an authenticator that does what it should, and with one that does not.

use std::time::Duration;

use management::limits;
use serde_json::{Value, json};

use crate::support::{Authenticator, Browser, World, token};

/// Sets a passkey up; the backup codes that are shown once.
async fn enrol(browser: &mut Browser, authenticator: &mut Authenticator) -> (String, Vec<String>) {
    let begun = browser
        .post("/factors/passkeys/begin", json!({}))
        .await
        .expect(200)
        .json;
    let made = authenticator.create(&begun);
    let created = browser.post("/factors/passkeys", made).await.expect(200).json;
    let codes = created["backup_codes"].as_array().unwrap();
    let codes = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    (created["id"].as_str().unwrap().to_owned(), codes)
}

async fn challenge(browser: &mut Browser) -> Value {
    browser.post("/passkeys/challenge", json!({})).await.expect(200).json
}

#[tokio::test]
async fn a_passkey_signs_in_without_a_name_a_mail_or_a_code() {
    let (world, mut anna) = World::owned().await;
    let mut phone = Authenticator::new(7);
    let (id, codes) = enrol(&mut anna, &mut phone).await;
    assert_eq!(codes.len(), limits::BACKUP_CODES);
    let factors = anna.get("/factors").await.expect(200).json;
    assert_eq!(factors["passkeys"][0]["name"], "My phone");
    assert!(factors["passkeys"][0].get("last_used_at").is_none());
    // Also where a second factor is asked of everybody: it is one.
    anna.put("/policy", json!({"second_factor": "required"}))
        .await
        .expect(200);

    let mut browser = world.browser();
    let asked = challenge(&mut browser).await;
    assert_eq!(asked["rp_id"], "localhost");
    let me = browser
        .post("/sign-in/passkey", phone.show(&asked))
        .await
        .expect(200)
        .json;
    assert_eq!(me["user"]["email"], "anna@acme.example");
    let sessions = browser.get("/sessions").await.expect(200).json;
    assert_eq!(sessions["sessions"][0]["method"], "passkey");
    let events = browser.get("/audit?action=sign_in.done").await.expect(200).json;
    assert_eq!(
        events["events"][0]["details"],
        json!({"way": "passkey", "second_factor": "true"})
    );

    // Dangerous acts: the same passkey again, later.
    world.clock.advance(limits::STEP_UP);
    browser
        .post("/factors/backup-codes", json!({}))
        .await
        .refused(403, "step_up_needed");
    let asked = challenge(&mut browser).await;
    browser.post("/step-up/passkey", phone.show(&asked)).await.expect(204);
    browser.post("/factors/backup-codes", json!({})).await.expect(200);
    // The last factor stays where one is asked for.
    browser
        .delete(&format!("/factors/passkeys/{id}"))
        .await
        .refused(409, "factor_required");
    browser
        .put(&format!("/factors/passkeys/{id}"), json!({"name": "Old phone"}))
        .await
        .expect(204);
    let factors = browser.get("/factors").await.expect(200).json;
    assert_eq!(factors["passkeys"][0]["name"], "Old phone");
}

#[tokio::test]
async fn a_passkey_that_is_not_shown_right_signs_nobody_in() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let (mut phone, mut bobs) = (Authenticator::new(7), Authenticator::new(8));
    enrol(&mut anna, &mut phone).await;
    enrol(&mut bob, &mut bobs).await;
    phone.counter = 10;
    let mut browser = world.browser();
    let asked = challenge(&mut browser).await;
    browser.post("/sign-in/passkey", phone.show(&asked)).await.expect(200);

    let bent = |bend: fn(&mut Authenticator)| {
        let mut bent = phone.clone();
        bend(&mut bent);
        bent
    };
    for (what, mut bent) in [
        ("type", bent(|phone| phone.act = Some("webauthn.create"))),
        ("origin", bent(|phone| phone.origin = "http://localhost:8081".into())),
        ("origin", bent(|phone| phone.origin = "https://localhost:8080".into())),
        ("site", bent(|phone| phone.site = "example.org".into())),
        ("presence", phone.clone().without_presence()),
        ("verification", phone.clone().without_verification()),
        ("counter", bent(|phone| phone.counter = 10)),
        ("counter", bent(|phone| phone.counter = 5)),
        ("unknown id", bent(|phone| phone.id = vec![9; 32])),
        ("another's id", bent(|phone| phone.id = vec![8; 32])),
        ("nobody's handle", bent(|phone| phone.handle = "A".repeat(43))),
        ("no handle", bent(|phone| phone.handle = String::new())),
        ("another's passkey under one's own id", {
            let mut other = bobs.clone();
            (other.id, other.handle, other.counter) = (phone.id.clone(), phone.handle.clone(), 20);
            other
        }),
    ] {
        let mut browser = world.browser();
        let asked = challenge(&mut browser).await;
        let shown = bent.show(&asked);
        let answer = browser.post("/sign-in/passkey", shown).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json["code"]),
            (403, &json!("passkey_refused")),
            "{what}"
        );
        assert!(browser.cookie.is_none(), "{what}");
    }
    // Each byte of what was signed, and of the signature, counts.
    for part in ["authenticator_data", "client_data", "signature"] {
        let mut browser = world.browser();
        let mut shown = phone.show(&challenge(&mut browser).await);
        let mut bytes = protocol::b64::decode(shown[part].as_str().unwrap()).unwrap();
        let last = bytes.len() - 1;
        // White space at the end is still JSON with the same members.
        bytes[last] ^= 1;
        if part == "client_data" {
            bytes[last] ^= 1;
            bytes.push(b' ');
        }
        shown[part] = json!(protocol::b64::encode(bytes));
        browser
            .post("/sign-in/passkey", shown)
            .await
            .refused(403, "passkey_refused");
    }
    // What was refused for what it was is written down for whose passkey it is.
    let refused = anna.get("/audit?outcome=refused").await.expect(200).json;
    let mut reasons: Vec<_> = refused["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["details"]["reason"].as_str().unwrap().to_owned())
        .collect();
    reasons.sort();
    reasons.dedup();
    assert_eq!(
        reasons,
        [
            "counter",
            "origin",
            "presence",
            "signature",
            "site",
            "type",
            "verification"
        ]
    );
    // It was not used up by that.
    let mut browser = world.browser();
    let asked = challenge(&mut browser).await;
    browser.post("/sign-in/passkey", phone.show(&asked)).await.expect(200);
}

#[tokio::test]
async fn a_challenge_is_for_one_browser_one_purpose_and_one_time() {
    let (world, mut anna) = World::owned().await;
    let mut phone = Authenticator::new(7);
    enrol(&mut anna, &mut phone).await;
    let mut browser = world.browser();
    let refuse = async |browser: &mut Browser, shown: Value| {
        browser
            .post("/sign-in/passkey", shown)
            .await
            .refused(403, "passkey_refused");
    };

    let never = json!({"challenge": "A".repeat(43)});
    challenge(&mut browser).await;
    refuse(&mut browser, phone.show(&never)).await;
    refuse(&mut browser, phone.show(&json!({"challenge": "short"}))).await;
    // Another browser, also one that has asked by itself, or none at all.
    let asked = challenge(&mut browser).await;
    let mut other = world.browser();
    refuse(&mut other, phone.show(&asked)).await;
    challenge(&mut other).await;
    refuse(&mut other, phone.show(&asked)).await;
    let shown = phone.show(&asked);
    browser
        .clone()
        .post("/sign-in/passkey", shown.clone())
        .await
        .expect(200);
    phone.counter += 1;
    refuse(&mut browser, phone.show(&asked)).await;
    refuse(&mut browser, shown).await;
    // Two at once are one.
    let asked = challenge(&mut browser).await;
    let (one, two) = (phone.show(&asked), phone.show(&asked));
    let (mut first, mut second) = (browser.clone(), browser.clone());
    let (first, second) = tokio::join!(
        first.post("/sign-in/passkey", one),
        second.post("/sign-in/passkey", two)
    );
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 403]);

    let late = challenge(&mut browser).await;
    world.clock.advance(limits::PASSKEY_CHALLENGE_LIFE);
    refuse(&mut browser, phone.show(&late)).await;
    // What was asked for making a passkey does not sign in, and the other way round.
    let mut anna = world.enter("anna@acme.example", "full", true).await;
    let begun = anna.post("/factors/passkeys/begin", json!({})).await.expect(200).json;
    refuse(&mut anna, phone.show(&begun)).await;
    let asked = challenge(&mut anna).await;
    let begun = json!({"challenge": asked["challenge"], "user": begun["user"]});
    anna.post("/factors/passkeys", Authenticator::new(9).create(&begun))
        .await
        .refused(403, "passkey_refused");
}

#[tokio::test]
async fn a_passkey_that_is_not_made_right_is_not_kept() {
    let (_world, mut anna) = World::owned().await;
    let bent = |bend: fn(&mut Authenticator)| {
        let mut bent = Authenticator::new(7);
        bend(&mut bent);
        bent
    };
    for (what, mut bent) in [
        ("type", bent(|phone| phone.act = Some("webauthn.get"))),
        ("origin", bent(|phone| phone.origin = "https://evil.example".into())),
        ("site", bent(|phone| phone.site = "evil.example".into())),
        ("presence", Authenticator::new(7).without_presence()),
        ("verification", Authenticator::new(7).without_verification()),
        ("no id", bent(|phone| phone.id = Vec::new())),
    ] {
        let begun = anna.post("/factors/passkeys/begin", json!({})).await.expect(200).json;
        let answer = anna.post("/factors/passkeys", bent.create(&begun)).await;
        assert!(answer.status.is_client_error(), "{what}: {}", answer.json);
    }
    assert_eq!(anna.get("/factors").await.expect(200).json["passkeys"], json!([]));
    let mut phone = Authenticator::new(7);
    enrol(&mut anna, &mut phone).await;
    let begun = anna.post("/factors/passkeys/begin", json!({})).await.expect(200).json;
    assert_eq!(begun["exclude"], json!([protocol::b64::encode(&phone.id)]));
    anna.post("/factors/passkeys", phone.create(&begun))
        .await
        .refused(409, "passkey_known");
}

#[tokio::test]
async fn with_a_passkey_a_link_alone_does_not_sign_in() {
    let (world, mut anna) = World::owned().await;
    let mut phone = Authenticator::new(7);
    let (id, codes) = enrol(&mut anna, &mut phone).await;
    let half = async || {
        let mut browser = world.browser();
        browser
            .post("/sign-in", json!({"email": "anna@acme.example"}))
            .await
            .expect(202);
        let link = token(&world.mails.next().await, "sign-in");
        let answer = browser
            .post("/sign-in/complete", json!({"token": link}))
            .await
            .expect(200);
        assert_eq!(answer.json, json!({"pending": "factor", "factors": ["passkey"]}));
        assert_eq!(browser.get("/sign-in/pending").await.expect(200).json, answer.json);
        browser.get("/me").await.refused(403, "factor_needed");
        browser
    };
    let mut browser = half().await;
    browser
        .post("/sign-in/factor", json!({"code": "000000"}))
        .await
        .refused(403, "code_wrong");
    let asked = challenge(&mut browser).await;
    browser.post("/sign-in/passkey", phone.show(&asked)).await.expect(200);
    // Without the phone, one of the codes.
    let mut browser = half().await;
    browser
        .post("/sign-in/factor", json!({"code": codes[0]}))
        .await
        .expect(200);
    browser.delete(&format!("/factors/passkeys/{id}")).await.expect(204);
    let factors = browser.get("/factors").await.expect(200).json;
    assert_eq!(
        (&factors["passkeys"], &factors["backup_codes"]),
        (&json!([]), &json!(0))
    );
    let mut browser = world.browser();
    let asked = challenge(&mut browser).await;
    browser
        .post("/sign-in/passkey", phone.show(&asked))
        .await
        .refused(403, "passkey_refused");
    world.sign_in("anna@acme.example").await.get("/me").await.expect(200);
}

#[tokio::test]
async fn somebody_who_must_set_up_a_factor_may_set_up_a_passkey() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    enrol(&mut anna, &mut Authenticator::new(7)).await;
    anna.put("/policy", json!({"second_factor": "required"}))
        .await
        .expect(200);
    bob.get("/me").await.refused(401, "not_signed_in");
    let mut bob = world.enter("bob@acme.example", "enrol", false).await;
    let mut phone = Authenticator::new(8);
    enrol(&mut bob, &mut phone).await;
    bob.get("/me").await.expect(200);
    // Who may not come in any more does not with a passkey.
    let people = anna.get("/people").await.expect(200).json;
    let people = people["people"].as_array().unwrap();
    let bobs = people.iter().find(|each| each["email"] == "bob@acme.example").unwrap();
    let bobs = bobs["id"].as_str().unwrap();
    // It stays, for when they are let back in.
    let at_stake = anna.get(&format!("/people/{bobs}/cascade")).await.expect(200).json;
    assert_eq!(at_stake["second_factors"], 1);
    let lost = anna
        .post(&format!("/people/{bobs}/suspend"), json!({}))
        .await
        .expect(200)
        .json;
    assert_eq!(lost["second_factors"], 0);
    let mut browser = world.browser();
    let asked = challenge(&mut browser).await;
    browser
        .post("/sign-in/passkey", phone.show(&asked))
        .await
        .refused(403, "passkey_refused");
}

#[tokio::test]
async fn a_sign_in_that_waits_for_a_factor_adds_no_passkey_to_the_one_that_there_is() {
    let (world, mut anna) = World::owned().await;
    let mut thief = world.enter("anna@acme.example", "enrol", false).await;
    let (mut theirs, mut own) = (Authenticator::new(8), Authenticator::new(7));
    let begun = thief.post("/factors/passkeys/begin", json!({})).await.expect(200).json;
    let (_, codes) = enrol(&mut anna, &mut own).await;
    thief
        .post("/factors/passkeys", theirs.create(&begun))
        .await
        .refused(403, "factor_needed");
    // Nor one that was not told of it, as when both came at the same moment.
    let mut thief = world.enter("anna@acme.example", "enrol", false).await;
    for (path, body) in [
        ("/factors/passkeys/begin", json!({})),
        ("/factors/authenticator", json!({})),
        ("/factors/authenticator/confirm", json!({"code": "000000"})),
    ] {
        thief.post(path, body).await.refused(403, "factor_needed");
    }
    let factors = anna.get("/factors").await.expect(200).json;
    assert_eq!(factors["passkeys"].as_array().unwrap().len(), 1);
    assert_eq!(factors["backup_codes"], codes.len());
}

#[tokio::test]
async fn two_sign_ins_that_both_wait_for_a_factor_do_not_both_set_one_up() {
    let (world, mut anna) = World::owned().await;
    let one = world.enter("anna@acme.example", "enrol", false).await;
    let two = world.enter("anna@acme.example", "enrol", false).await;
    let mut made = Vec::new();
    for (mut browser, seed) in [(one, 7), (two, 8)] {
        let begun = browser
            .post("/factors/passkeys/begin", json!({}))
            .await
            .expect(200)
            .json;
        made.push((browser, Authenticator::new(seed).create(&begun)));
    }
    let made = made
        .into_iter()
        .map(async |(mut browser, made)| browser.post("/factors/passkeys", made).await.status.as_u16());
    let mut answers = futures::future::join_all(made).await;
    answers.sort_unstable();
    assert_eq!(answers, [200, 403]);
    let factors = anna.get("/factors").await.expect(200).json;
    assert_eq!(factors["passkeys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_session_has_another_token_once_a_passkey_is_made_or_shown_in_it() {
    let (_world, mut anna) = World::owned().await;
    let mut phone = Authenticator::new(7);
    let before = anna.clone();
    enrol(&mut anna, &mut phone).await;
    anna.renewed_since(before, "/me").await;

    let before = anna.clone();
    let asked = challenge(&mut anna).await;
    anna.post("/step-up/passkey", phone.show(&asked)).await.expect(204);
    anna.renewed_since(before, "/me").await;
    anna.post("/factors/backup-codes", json!({})).await.expect(200);

    // Not for one that is refused.
    phone.site = "example.org".into();
    let asked = challenge(&mut anna).await;
    let mut before = anna.clone();
    let refused = anna.post("/step-up/passkey", phone.show(&asked)).await;
    let refused = refused.refused(403, "passkey_refused");
    assert!(!refused.headers.contains_key("set-cookie"));
    before.get("/me").await.expect(200);
}

#[tokio::test]
async fn another_persons_passkey_does_not_step_up() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let mut bobs = Authenticator::new(8);
    enrol(&mut bob, &mut bobs).await;
    world.clock.advance(limits::STEP_UP - Duration::from_secs(1));
    let asked = challenge(&mut anna).await;
    anna.post("/step-up/passkey", bobs.show(&asked))
        .await
        .refused(403, "passkey_refused");
    world.clock.advance(Duration::from_secs(1));
    anna.delete("/factors/authenticator")
        .await
        .refused(403, "step_up_needed");
}

#[tokio::test]
async fn a_stored_passkey_stays_readable() {
    let (world, mut anna) = World::owned().await;
    let mut phone = Authenticator::new(7);
    enrol(&mut anna, &mut phone).await;
    let stored: Vec<u8> = sqlx::query_scalar("SELECT public_key FROM passkeys")
        .fetch_one(&mut world.database.owner().await)
        .await
        .unwrap();
    let hex: String = stored.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, include_str!("../fixtures/passkey.v1").trim());
}

#[tokio::test]
async fn where_the_host_has_no_name_there_are_no_passkeys() {
    let world = World::at("http://127.0.0.1:8080").await;
    let mut browser = world.browser();
    assert!(
        browser
            .get("/instance")
            .await
            .expect(200)
            .json
            .get("passkey_site")
            .is_none()
    );
    browser
        .post("/passkeys/challenge", json!({}))
        .await
        .refused(409, "passkeys_unavailable");
}

#[tokio::test]
async fn who_lost_every_factor_is_let_in_by_mail_again_by_an_admin_and_told_so() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let people = anna.get("/people").await.expect(200).json;
    let people = people["people"].as_array().unwrap();
    let bobs = people.iter().find(|each| each["email"] == "bob@acme.example").unwrap()["id"].clone();
    let reset = format!("/people/{}/reset-factors", bobs.as_str().unwrap());
    anna.post(&reset, json!({})).await.refused(409, "no_factor");
    let mut phone = Authenticator::new(8);
    let (_, codes) = enrol(&mut bob, &mut phone).await;
    bob.post(&reset, json!({})).await.refused(403, "not_allowed");
    anna.post(&reset, json!({})).await.expect(204);

    bob.get("/me").await.refused(401, "not_signed_in");
    let mail = world.mails.next().await;
    assert!(mail.contains("To: bob@acme.example"), "{mail}");
    assert!(mail.contains("Anna has reset your second factors at Acme"), "{mail}");
    let mut browser = world.browser();
    let asked = challenge(&mut browser).await;
    browser
        .post("/sign-in/passkey", phone.show(&asked))
        .await
        .refused(403, "passkey_refused");
    let mut bob = world.sign_in("bob@acme.example").await;
    assert_eq!(bob.get("/factors").await.expect(200).json["backup_codes"], 0);
    bob.post("/step-up", json!({"code": codes[0]}))
        .await
        .refused(403, "code_wrong");
    let log = bob.get("/audit?action=person.factors_reset").await.expect(200).json;
    let event = &log["events"][0];
    assert_eq!(
        (&event["actor"]["name"], &event["target"]["id"]),
        (&json!("Anna"), &bobs)
    );
    // Where everybody needs one, the next one is set up before anything else.
    enrol(&mut anna, &mut Authenticator::new(7)).await;
    anna.put("/policy", json!({"second_factor": "required"}))
        .await
        .expect(200);
    bob.get("/me").await.refused(401, "not_signed_in");
    let mut bob = world.browser();
    bob.post("/sign-in", json!({"email": "bob@acme.example"}))
        .await
        .expect(202);
    let link = token(&world.mails.next().await, "sign-in");
    let answer = bob.post("/sign-in/complete", json!({"token": link})).await.expect(200);
    assert_eq!(answer.json, json!({"pending": "enrol", "factors": []}));
}
