//! People of one organisation who know each other: keys looked up, letters carried, shares of a recovery released. What a page does
//! with the platform and the keeper, step by step.

use client::SecretBytes;
use protocol::{SlotId, UserId, b64};
use serde_json::{Value, json};
use vault::{AgreementSecret, RELEASE_PURPOSE, RecoveryRequest, RecoveryShare, open_sealed_to};

use crate::{Installation, Person, Session};

/// Hands in the keys of a vault, for others to look up.
pub async fn publishes(person: &Person, session: &Session) {
    let bundle = session.call("identity.get", json!({})).await["bundle"].clone();
    person.put("/api/v1/identity", &json!({ "bundle": bundle })).await.ok();
}

/// Makes a vault with this password; it is open, and others can look up its keys.
pub async fn opened(person: &Person, password: &str) -> Session {
    let session = person.make_vault(password).await.session;
    publishes(person, &session).await;
    session
}

/// The owner, and a member Bob, each with an open vault of this password; they have looked up each other's keys.
pub async fn acquainted(installation: &Installation, password: &str) -> [(Person, Session); 2] {
    let anna = installation.owner().await;
    let bob = installation.member(&anna, "Bob", "bob@example.org").await;
    let (with_anna, with_bob) = (opened(&anna, password).await, opened(&bob, password).await);
    meets(&anna, &with_anna).await;
    meets(&bob, &with_bob).await;
    [(anna, with_anna), (bob, with_bob)]
}

/// Looks up everybody's keys.
pub async fn meets(person: &Person, session: &Session) {
    let people = person.get("/api/v1/people").await.ok();
    let listed = person.get("/api/v1/identities").await.ok();
    for each in listed["identities"].as_array().expect("a list") {
        let others = people["people"].as_array().expect("a list");
        let name = others.iter().find(|other| other["id"] == each["user"]);
        let own = each["user"] == person.me["user"]["id"];
        if let Some(name) = name.filter(|_| !own) {
            let pin = json!({"user": each["user"], "name": name["name"], "bundle": each["bundle"]});
            session.call("contact.pin", pin).await;
        }
    }
}

/// Two colleagues of the owner's with open vaults of their own, whose keys the owner has looked up, and who have not looked up anybody's.
pub async fn colleagues(
    installation: &Installation,
    (owner, session): (&Person, &Session),
    password: &str,
) -> Vec<(Person, Session)> {
    publishes(owner, session).await;
    let mut colleagues = Vec::new();
    for (who, address) in [("Bob", "bob@example.org"), ("Carol", "carol@example.org")] {
        let person = installation.member(owner, who, address).await;
        let session = opened(&person, password).await;
        colleagues.push((person, session));
    }
    meets(owner, session).await;
    colleagues
}

/// Carries a keeper's letters to the platform.
async fn send_letters(person: &Person, session: &Session) {
    let waiting = session.call("post.outbox", json!({})).await;
    for letter in waiting["letters"].as_array().expect("a list") {
        let body = json!({"id": letter["id"], "to": letter["to"], "body": letter["sealed"]});
        person.post("/api/v1/letters", &body).await.ok();
        session.call("post.sent", json!({"ids": [letter["id"]]})).await;
    }
}

/// Carries the platform's letters to a keeper.
async fn take_letters(person: &Person, session: &Session) {
    let waiting = person.get("/api/v1/letters").await.ok();
    for letter in waiting["letters"].as_array().expect("a list") {
        let take = json!({"from": letter["from"], "name": letter["from_name"], "sealed": letter["body"]});
        session.call("post.take", take).await;
        let received = json!({"ids": [letter["id"]]});
        person.post("/api/v1/letters/received", &received).await.ok();
    }
}

fn id_of(person: &Person) -> UserId {
    serde_json::from_value(person.me["user"]["id"].clone()).expect("a person has an id")
}

/// Splits the secret of a way in among contacts, all of whom are needed, and brings each their share. Nobody has to wait.
pub async fn chooses(owner: (&Person, &Session), contacts: &[(&Person, &Session)]) -> SlotId {
    let users: Vec<UserId> = contacts.iter().map(|(person, _)| id_of(person)).collect();
    let threshold = u8::try_from(users.len()).expect("a few contacts");
    let set = owner.1.channel.set_recovery(threshold, 0, &users).await;
    let slot = set.expect("the contacts are taken");
    // The platform takes the list as the vault has signed it.
    let own = owner.1.call("recovery.get", json!({})).await["own"].clone();
    let told = json!({"slot": own["slot"], "made": own["made"], "contacts": users, "threshold": own["threshold"],
        "wait_ms": own["wait_ms"], "signature": own["signature"]});
    owner.0.put("/api/v1/recovery/contacts", &told).await.ok();
    send_letters(owner.0, owner.1).await;
    for (person, session) in contacts {
        take_letters(person, session).await;
    }
    slot
}

/// What contacts released.
pub struct Released(Vec<RecoveryShare>);

impl Released {
    /// The values of the shares.
    pub fn values(&self) -> Vec<Vec<u8>> {
        let whole = self.0.iter().map(|share| share.encode().to_vec());
        // A share ends with its value (docs/protocol.md, 1.7).
        whole.map(|share| share[share.len() - 32..].to_vec()).collect()
    }

    /// The secret that they make together.
    pub fn secret(&self) -> SecretBytes<32> {
        vault::join_shares(&self.0).expect("enough shares").secret
    }
}

/// Asks the contacts, who each type what the owner reads out, and opens what they release.
pub async fn asks(owner: &Person, slot: SlotId, contacts: &[(&Person, &Session)]) -> Released {
    let cell: uuid::Uuid = owner.cell().parse().expect("a cell has an id");
    let key = AgreementSecret::random();
    let request = RecoveryRequest {
        cell,
        slot: slot.uuid(),
        key: key.public(),
        made: crate::now(),
    };
    let encoded = b64::encode(request.encode());
    owner
        .post("/api/v1/recovery/request", &json!({ "request": encoded }))
        .await
        .ok();
    let mut shares = Vec::new();
    for (person, session) in contacts {
        let hints = person.get("/api/v1/recovery").await.ok();
        let asked = &hints["asked"][0];
        assert_eq!(asked["request"], Value::String(encoded.clone()), "{hints}");
        let see = json!({"user": asked["user"]["id"], "request": asked["request"]});
        let seen = session.call("recovery.see", see).await;
        let approve = json!({"id": seen["id"], "code": request.code()});
        session.call("recovery.approve", approve).await;
        let released = session.call("recovery.release", json!({"id": seen["id"]})).await;
        let release = json!({"request": asked["id"], "sealed": released["sealed"]});
        person.post("/api/v1/recovery/release", &release).await.ok();
    }
    let answers = owner.get("/api/v1/recovery").await.ok();
    for release in answers["request"]["releases"].as_array().expect("what was released") {
        let sealed = b64::decode(release["sealed"].as_str().expect("text")).expect("base64url");
        let opened = open_sealed_to(&key, RELEASE_PURPOSE, &request.encode(), &sealed).expect("for this request");
        shares.push(RecoveryShare::decode(&opened.message).expect("a share"));
    }
    assert_eq!(shares.len(), contacts.len(), "{answers}");
    Released(shares)
}
