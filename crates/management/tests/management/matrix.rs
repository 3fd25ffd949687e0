//! Every route, for every role, on what is one's own, what is another's, and what does not exist. A route that is not in
//! [`table`] fails the test, and so does one that is in the table and no longer exists.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Method;
use management::limits;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Browser, World};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Access {
    /// Without signing in: what is needed is in the body.
    Anyone,
    SignedIn,
    Manager,
}

/// Who may call it, what to send, and the status for those who may.
fn table() -> Vec<(Method, &'static str, Access, Value, u16)> {
    use Access::{Anyone, Manager, SignedIn};
    let link = json!({"token": "A".repeat(43)});
    let accept = json!({"token": "A".repeat(43), "name": "Eve"});
    let setup = json!({"token": "A".repeat(43), "organisation": "Evil", "name": "Eve", "email": "eve@evil.example"});
    let bundle = json!({"bundle": "A".repeat(172)});
    let nobody = Uuid::from_u128(7);
    let letter = json!({"id": nobody, "to": nobody, "body": "AAAA"});
    let contacts = json!({"contacts": [], "threshold": 0, "wait_ms": 0});
    let invite = json!({"email": "EMAIL", "role": "member"});
    vec![
        (Method::GET, "/instance", Anyone, json!({}), 200),
        (Method::POST, "/setup", Anyone, setup, 409),
        (Method::POST, "/sign-in", Anyone, json!({"email": "EMAIL"}), 202),
        (Method::POST, "/sign-in/complete", Anyone, link.clone(), 410),
        (Method::POST, "/sign-out", SignedIn, json!({}), 204),
        (Method::GET, "/me", SignedIn, json!({}), 200),
        (Method::GET, "/people", SignedIn, json!({}), 200),
        (Method::GET, "/identities", SignedIn, json!({}), 200),
        (Method::PUT, "/identity", SignedIn, bundle, 204),
        (Method::GET, "/invitations", Manager, json!({}), 200),
        (Method::POST, "/invitations", Manager, invite, 201),
        (Method::DELETE, "/invitations/{id}", Manager, json!({}), 204),
        (Method::POST, "/invitations/{id}/resend", Manager, json!({}), 200),
        (Method::POST, "/invitations/preview", Anyone, link, 410),
        (Method::POST, "/invitations/accept", Anyone, accept, 410),
        (Method::GET, "/letters", SignedIn, json!({}), 200),
        (Method::POST, "/letters", SignedIn, letter, 404),
        (
            Method::POST,
            "/letters/received",
            SignedIn,
            json!({"ids": [nobody]}),
            204,
        ),
        (Method::GET, "/recovery", SignedIn, json!({}), 200),
        (Method::PUT, "/recovery/contacts", SignedIn, contacts, 204),
        (
            Method::POST,
            "/recovery/request",
            SignedIn,
            json!({"request": "AAAA"}),
            201,
        ),
        (
            Method::POST,
            "/recovery/release",
            SignedIn,
            json!({"request": nobody, "sealed": "AAAA"}),
            404,
        ),
        (Method::POST, "/recovery/stop", SignedIn, json!({}), 204),
        (Method::GET, "/cell", SignedIn, json!({}), 200),
        (Method::POST, "/cell/wake", SignedIn, json!({}), 202),
        (Method::POST, "/cell/token", SignedIn, json!({}), 200),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Object {
    Own,
    Others,
    None,
    NoId,
}

#[tokio::test]
async fn promise_03_every_route_refuses_every_caller_who_may_not() {
    let known: BTreeSet<_> = table()
        .iter()
        .map(|(method, path, ..)| (method.to_string(), format!("/api/v1{path}")))
        .collect();
    let real: BTreeSet<_> = management::routes()
        .iter()
        .map(|(method, path)| (method.to_string(), (*path).to_owned()))
        .collect();
    assert_eq!(known, real, "every route is in the table, and the table holds no other");

    let (world, mut owner) = World::owned().await;
    let mut admin = world.join(&mut owner, "admin@acme.example", "admin").await;
    let member = world.join(&mut owner, "member@acme.example", "member").await;
    let observer = world.join(&mut owner, "observer@acme.example", "observer").await;
    let mut olga = world.second_tenant().await;
    // Signing out ends a session, so that route gets sessions of its own.
    let mut spare = Vec::new();
    for email in [
        "observer@acme.example",
        "member@acme.example",
        "admin@acme.example",
        "anna@acme.example",
    ] {
        spare.push(world.sign_in(email).await);
    }
    world.clock.advance(limits::RATE_PERIOD);
    let mut forged = world.browser();
    forged.cookie = Some(format!("holdfast_session={}", "A".repeat(43)));

    let mut count = 0;
    for (method, path, access, body, allowed) in table() {
        let ends = path == "/sign-out";
        let callers: [(&str, &Browser, bool, bool); 6] = [
            ("nobody", &world.browser(), false, false),
            ("forged", &forged, false, false),
            ("observer", if ends { &spare[0] } else { &observer }, true, false),
            ("member", if ends { &spare[1] } else { &member }, true, false),
            ("admin", if ends { &spare[2] } else { &admin.clone() }, true, true),
            ("owner", if ends { &spare[3] } else { &owner.clone() }, true, true),
        ];
        let objects = match path.contains("{id}") {
            true => vec![Object::Own, Object::Others, Object::None, Object::NoId],
            false => vec![Object::Own],
        };
        for (caller, browser, signed_in, manager) in callers {
            for object in objects.iter().copied() {
                let id = match object {
                    Object::Own if objects.len() == 1 => String::new(),
                    Object::Own => open_invitation(&mut admin).await,
                    Object::Others => open_invitation(&mut olga).await,
                    Object::None => Uuid::now_v7().to_string(),
                    Object::NoId => "..%2f..".to_owned(),
                };
                let expected = match access {
                    Access::SignedIn | Access::Manager if !signed_in => 401,
                    Access::Manager if !manager => 403,
                    _ if object != Object::Own => 404,
                    _ => allowed,
                };
                let email = format!("{}@acme.example", Uuid::new_v4().simple());
                let body = body.to_string().replace("EMAIL", &email);
                let uri = path.replace("{id}", &id);
                let sent = browser
                    .clone()
                    .send(method.clone(), &uri, Body::from(body), Some("application/json"))
                    .await;
                assert_eq!(
                    sent.status.as_u16(),
                    expected,
                    "{caller}: {method} {path} on {object:?}: {:?}",
                    sent.json
                );
                if object == Object::Others {
                    let theirs = olga.get("/invitations").await.expect(200).json;
                    let untouched = theirs["invitations"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .find(|i| i["id"] == *id)
                        .unwrap();
                    assert_eq!(untouched["status"], "pending", "{caller}: {method} {path}");
                }
                count += 1;
            }
        }
        // What the caller sees is their own organisation's.
        if method == Method::GET && access != Access::Anyone {
            let seen = olga.get(path).await.expect(200).json.to_string();
            assert!(!seen.contains("acme"), "{path}: {seen}");
        }
    }
    assert!(count > 100, "{count} calls");
}

async fn open_invitation(manager: &mut Browser) -> String {
    let email = format!("{}@example.org", Uuid::new_v4().simple());
    let made = manager
        .post("/invitations", json!({"email": email, "role": "member"}))
        .await
        .expect(201);
    made.json["id"].as_str().unwrap().to_owned()
}
