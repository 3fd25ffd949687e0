//! Signing in with other sites: a provider that runs here, and every way in which what comes back is refused.

use std::time::Duration;

use management::limits;
use protocol::TenantId;
use serde_json::{Value, json};

use crate::support::provider::{Bend, CLIENT_ID, CLIENT_SECRET, Provider, somebody};
use crate::support::{Answer, Browser, World};

/// An installation beside this provider.
async fn beside(provider: &Provider) -> (World, Browser, String) {
    let (world, mut anna) = World::owned_beside(std::slice::from_ref(&provider.address)).await;
    provider.keep_time(&world);
    let id = set_up(&mut anna, provider, "oidc").await;
    (world, anna, id)
}

/// The owner sets the provider up and turns it on.
async fn set_up(manager: &mut Browser, provider: &Provider, kind: &str) -> String {
    let wanted = json!({"kind": kind, "name": "Work", "issuer": provider.issuer});
    let made = manager.post("/providers", wanted).await.expect(201).json;
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!(
        made["way_back"],
        format!("http://localhost:8080/api/v1/sign-in/return/{id}")
    );
    let given = json!({"name": "Work", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "on": true});
    manager.put(&format!("/providers/{id}"), given).await.expect(200);
    id
}

/// Presses the button: where the provider sends the browser back to.
async fn go(browser: &mut Browser, provider: &Provider, path: &str, id: &str) -> String {
    let begun = browser.post(path, json!({"provider": id})).await.expect(200).json;
    provider.visit(begun["url"].as_str().unwrap()).await
}

async fn sign_in(browser: &mut Browser, provider: &Provider, id: &str) -> Answer {
    let back = go(browser, provider, "/sign-in/provider", id).await;
    browser.get(&back).await.expect(303)
}

async fn link(browser: &mut Browser, provider: &Provider, id: &str) -> Answer {
    let back = go(browser, provider, "/accounts", id).await;
    browser.get(&back).await.expect(303)
}

#[track_caller]
fn lands(answer: &Answer, at: &str) {
    assert_eq!(answer.headers["location"], at);
}

/// Back at the sign-in page of an organisation, which is told why.
#[track_caller]
fn sent_back(answer: &Answer, why: &str) {
    let at = answer.headers["location"].to_str().unwrap();
    let page = at.strip_suffix(&format!("#refused:{why}"));
    let tenant = page.and_then(|page| page.strip_prefix("/sign-in?organisation="));
    assert!(tenant.is_some_and(|id| id.parse::<TenantId>().is_ok()), "{why}: {at}");
}

#[tokio::test]
async fn an_account_that_somebody_linked_signs_them_in() {
    for provider in [Provider::start().await, Provider::with_rsa().await] {
        let (world, mut anna, id) = beside(&provider).await;
        lands(&link(&mut anna, &provider, &id).await, "/security#linked");
        let accounts = anna.get("/accounts").await.expect(200).json;
        assert_eq!(accounts["accounts"][0]["label"], "some.body@idp.example");
        assert_eq!(accounts["accounts"][0]["provider"], "Work");

        let mut browser = world.browser();
        lands(&sign_in(&mut browser, &provider, &id).await, "/");
        let me = browser.get("/me").await.expect(200).json;
        assert_eq!(me["user"]["email"], "anna@acme.example");
        let sessions = browser.get("/sessions").await.expect(200).json;
        let current = sessions["sessions"]
            .as_array()
            .unwrap()
            .iter()
            .find(|each| each["current"] == true);
        assert_eq!(current.unwrap()["method"], "oidc");
        let actions: Vec<_> = anna.get("/audit").await.expect(200).json["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["action"].as_str().unwrap().to_owned())
            .collect();
        for action in ["provider.added", "provider.changed", "account.linked", "sign_in.done"] {
            assert!(actions.iter().any(|seen| seen == action), "{action}: {actions:?}");
        }
    }
}

#[tokio::test]
async fn a_token_that_is_not_right_in_every_part_signs_nobody_in() {
    for provider in [Provider::start().await, Provider::with_rsa().await] {
        let (world, mut anna, id) = beside(&provider).await;
        lands(&link(&mut anna, &provider, &id).await, "/security#linked");
        for bend in [
            Bend::Nonce,
            Bend::NoNonce,
            Bend::Audience,
            Bend::ManyAudiences,
            Bend::OtherParty,
            Bend::Issuer,
            Bend::Expired,
            Bend::Future,
            Bend::Unsigned,
            Bend::PublicKeyAsSecret,
            Bend::OtherKey,
            Bend::ShownLater,
            Bend::UnknownKey,
            Bend::ChangedAfterSigning,
            Bend::NoSubject,
            Bend::NoToken,
            Bend::Endless,
            Bend::Elsewhere,
        ] {
            provider.bend(bend);
            let mut browser = world.browser();
            let answer = sign_in(&mut browser, &provider, &id).await;
            let at = answer.headers["location"].to_str().unwrap();
            assert!(at.ends_with("#refused:provider_failed"), "{bend:?}: {at}");
            assert!(browser.cookie.is_none(), "{bend:?}");
        }
        provider.bend(None);
        lands(&sign_in(&mut world.browser(), &provider, &id).await, "/");
    }
}

#[tokio::test]
async fn a_state_works_once_soon_and_in_the_browser_that_was_sent() {
    let provider = Provider::start().await;
    let (world, mut anna, id) = beside(&provider).await;
    link(&mut anna, &provider, &id).await;
    let asked = provider.asked();
    let mut browser = world.browser();

    let back = go(&mut browser, &provider, "/sign-in/provider", &id).await;
    // Another browser, with a begun sign-in of its own or none: it is not used up.
    let mut other = world.browser();
    sent_back(&other.get(&back).await.expect(303), "other_browser");
    go(&mut other, &provider, "/sign-in/provider", &id).await;
    sent_back(&other.get(&back).await.expect(303), "other_browser");
    // A state that was never given out, and none.
    let (path, query) = back.split_once('?').unwrap();
    let (code, _) = query.split_once('&').unwrap();
    for forged in [
        format!("{path}?{code}&state={}", "A".repeat(43)),
        format!("{path}?{code}"),
        format!("{path}?{code}&state=x"),
    ] {
        sent_back(&browser.get(&forged).await.expect(303), "attempt_invalid");
    }
    assert_eq!(provider.asked(), asked, "no code was taken to the provider");
    lands(&browser.get(&back).await.expect(303), "/");
    sent_back(&browser.get(&back).await.expect(303), "attempt_invalid");
    assert_eq!(provider.asked(), asked + 1);

    for (wait, in_time) in [
        (limits::SIGN_IN_ATTEMPT_LIFE - Duration::from_secs(1), true),
        (limits::SIGN_IN_ATTEMPT_LIFE, false),
    ] {
        let mut browser = world.browser();
        let back = go(&mut browser, &provider, "/sign-in/provider", &id).await;
        world.clock.advance(wait);
        let answer = browser.get(&back).await.expect(303);
        match in_time {
            true => lands(&answer, "/"),
            false => sent_back(&answer, "attempt_invalid"),
        }
    }
}

#[tokio::test]
async fn what_is_kept_of_a_sign_in_under_way_tells_nothing() {
    let provider = Provider::start().await;
    let (world, mut anna, id) = beside(&provider).await;
    let begun = anna
        .post("/sign-in/provider", json!({"provider": id}))
        .await
        .expect(200)
        .json;
    let url = begun["url"].as_str().unwrap();
    let kept: String = sqlx::query_scalar("SELECT string_agg(a::text, ' ') FROM sign_in_attempts a")
        .fetch_one(&mut world.database.owner().await)
        .await
        .unwrap();
    for secret in ["state", "nonce", "code_challenge"] {
        let (_, value) = url.split_once(&format!("{secret}=")).unwrap();
        let value = value.split('&').next().unwrap();
        let hex: String = protocol::b64::decode(value)
            .unwrap()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert!(!kept.contains(value) && !kept.contains(&hex), "{secret}");
    }
}

/// One provider passes its visitors on to another, and would have the other's code brought to itself.
#[tokio::test]
async fn a_code_of_one_provider_is_not_taken_to_another() {
    let (honest, evil) = (Provider::start().await, Provider::start().await);
    let (world, mut anna) = World::owned_beside(&[honest.address.clone(), evil.address.clone()]).await;
    for provider in [&honest, &evil] {
        provider.keep_time(&world);
    }
    let honest_id = set_up(&mut anna, &honest, "oidc").await;
    let evil_id = set_up(&mut anna, &evil, "oidc").await;
    let mut browser = world.browser();
    let begun = browser
        .post("/sign-in/provider", json!({"provider": evil_id}))
        .await
        .expect(200)
        .json;
    let passed_on = begun["url"]
        .as_str()
        .unwrap()
        .replace(&evil.issuer, &honest.issuer)
        .replace(&evil_id, &honest_id);
    let back = honest.visit(&passed_on).await;
    sent_back(&browser.get(&back).await.expect(303), "attempt_invalid");
    assert_eq!((honest.asked(), evil.asked()), (0, 0));

    // Who names themselves in the answer has to be who was asked (RFC 9207).
    let back = go(&mut browser, &honest, "/sign-in/provider", &honest_id).await;
    let back = format!("{back}&iss=https%3A%2F%2Fanother.example");
    sent_back(&browser.get(&back).await.expect(303), "attempt_invalid");
    assert_eq!(honest.asked(), 0);
}

#[tokio::test]
async fn an_address_that_is_somebodys_here_signs_nobody_in() {
    let provider = Provider::start().await;
    let (world, mut anna, id) = beside(&provider).await;
    anna.put("/join-domains", json!({"domain": "acme.example", "approval": false}))
        .await
        .expect(200);
    link(&mut anna, &provider, &id).await;
    provider.signed_in(somebody("2", "anna@acme.example"));
    let mut browser = world.browser();
    sent_back(&sign_in(&mut browser, &provider, &id).await, "account_unknown");
    assert!(browser.cookie.is_none());
    let refused = anna.get("/audit?action=sign_in.refused").await.expect(200).json;
    assert_eq!(refused["events"][0]["outcome"], "refused");
    // The address at the provider may change: the account is who it was.
    provider.signed_in(somebody("1", "other@elsewhere.example"));
    lands(&sign_in(&mut browser, &provider, &id).await, "/");
}

#[tokio::test]
async fn a_provider_that_says_no_is_told_apart_from_one_that_fails() {
    let provider = Provider::start().await;
    let (world, mut anna, id) = beside(&provider).await;
    let mut browser = world.browser();
    for said in ["error=access_denied", "error=server_error&code=x", "code="] {
        let back = go(&mut browser, &provider, "/sign-in/provider", &id).await;
        let (path, _) = back.split_once('?').unwrap();
        let state = back.split_once("state=").unwrap().1;
        let answer = browser.get(&format!("{path}?{said}&state={state}")).await.expect(303);
        sent_back(&answer, "provider_refused");
        // It is used up all the same.
        sent_back(&browser.get(&back).await.expect(303), "attempt_invalid");
    }
    let back = go(&mut anna, &provider, "/accounts", &id).await;
    let (path, _) = back.split_once('?').unwrap();
    let state = back.split_once("state=").unwrap().1;
    let answer = anna
        .get(&format!("{path}?error=access_denied&state={state}"))
        .await
        .expect(303);
    lands(&answer, "/security#refused:provider_refused");
    let back = go(&mut browser, &provider, "/sign-in/provider", &id).await;
    let answer = browser.get(&back.replace("code=code", "code=other")).await.expect(303);
    sent_back(&answer, "provider_failed");
    assert_eq!(provider.asked(), 1);
}

#[tokio::test]
async fn who_is_refused_keeps_the_buttons_of_their_organisation() {
    let provider = Provider::start().await;
    let (world, _anna, _) = beside(&provider).await;
    let mut olga = world.second_tenant().await;
    let globex = world.cell_of(&mut olga).await.tenant;
    let mut olga = world.enter("olga@globex.example", "full", true).await;
    let id = set_up(&mut olga, &provider, "oidc").await;
    let at = |why: &str| format!("/sign-in?organisation={globex}#refused:{why}");
    let mut browser = world.browser();
    lands(&sign_in(&mut browser, &provider, &id).await, &at("account_unknown"));
    provider.bend(Bend::Nonce);
    lands(&sign_in(&mut browser, &provider, &id).await, &at("provider_failed"));
    provider.bend(None);

    // Also where nothing is known but whose address it is that they come back to.
    let back = go(&mut browser, &provider, "/sign-in/provider", &id).await;
    lands(&world.browser().get(&back).await.expect(303), &at("other_browser"));
    lands(&browser.get(&back).await.expect(303), &at("account_unknown"));
    lands(&browser.get(&back).await.expect(303), &at("attempt_invalid"));
    // One that is turned off tells nobody whose it was, but who was sent there.
    let back = go(&mut browser, &provider, "/sign-in/provider", &id).await;
    let off = json!({"name": "Work", "client_id": CLIENT_ID, "on": false});
    olga.put(&format!("/providers/{id}"), off).await.expect(200);
    lands(&browser.get(&back).await.expect(303), &at("attempt_invalid"));
    lands(
        &browser.get(&back).await.expect(303),
        "/sign-in#refused:attempt_invalid",
    );
    // Who came to link an account goes back to where they asked for it.
    let on = json!({"name": "Work", "client_id": CLIENT_ID, "on": true});
    olga.put(&format!("/providers/{id}"), on).await.expect(200);
    let back = go(&mut olga, &provider, "/accounts", &id).await;
    let answer = olga.get(&back.replace("code=code", "code=other")).await.expect(303);
    lands(&answer, "/security#refused:provider_failed");
}

#[tokio::test]
async fn who_comes_back_from_a_provider_and_is_refused_is_in_the_organisations_log_and_waits_longer_each_time() {
    let provider = Provider::start().await;
    let (world, mut anna, id) = beside(&provider).await;
    let mut browser = world.browser_at("192.0.2.7");
    let back = go(&mut browser, &provider, "/sign-in/provider", &id).await;
    let answer = browser.get(&back.replace("code=code", "code=other")).await.expect(303);
    sent_back(&answer, "provider_failed");
    // A site that does not know its own code may be at fault itself: that counts against nobody.
    let mut refusals = 0;
    let refused = loop {
        let back = go(&mut browser, &provider, "/sign-in/provider", &id).await;
        let (path, _) = back.split_once('?').unwrap();
        let state = back.split_once("state=").unwrap().1;
        let said = format!("{path}?error=access_denied&state={state}");
        let answer = browser.get(&said).await.expect(303);
        sent_back(&answer, "provider_refused");
        refusals += 1;
        if refusals > limits::CLIENT_FAILURES_FREE {
            break browser.post("/sign-in/provider", json!({"provider": id})).await;
        }
    };
    refused.refused(429, "too_many_requests");
    world.management.write_refusals().await;
    let log = anna.get("/audit?action=sign_in.refused").await.expect(200).json;
    let mut told: Vec<_> = log["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| (event["target"]["id"].clone(), event["details"]["times"].clone()))
        .collect();
    told.sort_by_key(|(code, _)| code.to_string());
    let often = refusals.to_string();
    assert_eq!(
        told,
        [
            (json!("provider_failed"), json!("1")),
            (json!("provider_refused"), json!(often))
        ]
    );
    assert_eq!(log["events"][0]["address"], "192.0.2.7");
    assert_eq!(log["events"][0]["actor"]["kind"], "nobody");
}

#[tokio::test]
async fn refusals_of_nobody_who_is_known_are_counted_by_where_they_come_from() {
    let provider = Provider::start().await;
    let (world, mut anna, id) = beside(&provider).await;
    let wanted = json!({"trigger": "failures", "email": "watch@acme.example"});
    anna.post("/alerts", wanted).await.expect(201);
    let raised = async || -> i64 {
        sqlx::query_scalar("SELECT coalesce(sum(events), 0)::bigint FROM alerts")
            .fetch_one(&mut world.database.owner().await)
            .await
            .unwrap()
    };
    // Nobody has linked this account: as many tries as are told of, but each of somebody else.
    let try_from = async |address: &str| {
        let mut browser = world.browser_at(address);
        sent_back(&sign_in(&mut browser, &provider, &id).await, "account_unknown");
    };
    for place in 1..=limits::ALERT_FAILURES {
        try_from(&format!("192.0.2.{place}")).await;
    }
    assert_eq!(raised().await, 0);
    // A network of IPv6 is one client.
    for place in 1..=limits::ALERT_FAILURES {
        assert_eq!(raised().await, 0);
        try_from(&format!("[2001:db8::{place}]")).await;
    }
    assert_eq!(raised().await, 1);
    let mail = world.mails.next().await;
    assert!(mail.contains("Many refused attempts at Acme"), "{mail}");
}

#[tokio::test]
async fn a_sign_in_with_a_provider_is_fresh_since_the_provider_asked_who_they_are_and_says_so() {
    let provider = Provider::start().await;
    let (world, mut anna, id) = beside(&provider).await;
    link(&mut anna, &provider, &id).await;
    let key = || json!({"name": "x", "scopes": ["profile"], "days": 1});
    let minute = Duration::from_secs(60);
    for (shown_ago, fresh) in [
        (None, false),
        (Some(limits::STEP_UP), false),
        (Some(limits::STEP_UP - minute), true),
    ] {
        provider.shown_ago(shown_ago);
        let mut browser = world.browser();
        lands(&sign_in(&mut browser, &provider, &id).await, "/");
        browser.get("/me").await.expect(200);
        let made = browser.post("/keys", key()).await;
        let asked = browser.post("/recovery/request", json!({"request": "AAAA"})).await;
        if fresh {
            made.expect(201);
            asked.expect(201);
            // It goes by the time at which they were asked, and not by that of coming here.
            world.clock.advance(minute);
            browser.post("/keys", key()).await.refused(403, "step_up_needed");
        } else {
            made.refused(403, "step_up_needed");
            asked.refused(403, "sign_in_again");
            browser
                .post("/factors/authenticator", json!({}))
                .await
                .refused(403, "step_up_needed");
        }
    }
}

#[tokio::test]
async fn who_signs_in_anew_is_sent_to_be_asked_who_they_are() {
    let provider = Provider::start().await;
    let (world, mut anna, id) = beside(&provider).await;
    link(&mut anna, &provider, &id).await;
    let key = || json!({"name": "x", "scopes": ["profile"], "days": 1});
    let mut browser = world.browser();
    let wanted = json!({"provider": id, "again": true});
    for taken_out in [true, false] {
        let begun = browser.post("/sign-in/provider", wanted.clone()).await.expect(200).json;
        let mut url = begun["url"].as_str().unwrap().to_owned();
        assert!(url.contains("prompt=login") && url.contains("&max_age=0"), "{url}");
        // Whoever sits at the browser may change the address, and the site still knows who was there.
        if taken_out {
            url = url.replace("prompt=login", "prompt=none").replace("&max_age=0", "");
        }
        let back = provider.visit(&url).await;
        lands(&browser.get(&back).await.expect(303), "/");
        let made = browser.post("/keys", key()).await;
        if taken_out {
            made.refused(403, "step_up_needed");
        } else {
            made.expect(201);
        }
    }
}

#[tokio::test]
async fn a_second_factor_is_asked_for_after_a_provider_too() {
    let provider = Provider::start().await;
    let (world, mut anna, id) = beside(&provider).await;
    link(&mut anna, &provider, &id).await;
    sqlx::raw_sql("UPDATE tenants SET second_factor_required = true")
        .execute(&mut world.database.owner().await)
        .await
        .unwrap();
    // Who finds an open browser sets up no factor for somebody else.
    let mut browser = world.browser();
    sent_back(&sign_in(&mut browser, &provider, &id).await, "mail_first");
    assert!(browser.cookie.is_none());
    provider.shown_ago(Duration::ZERO);
    lands(&sign_in(&mut browser, &provider, &id).await, "/");
    browser.get("/me").await.refused(403, "factor_needed");
    assert_eq!(
        browser.get("/sign-in/pending").await.expect(200).json["pending"],
        "enrol"
    );
    // Who has one is asked for it, whatever policy says.
    sqlx::raw_sql(
        "UPDATE tenants SET second_factor_required = false;
         INSERT INTO authenticators (tenant_id, user_id, sealed_secret, created_at, confirmed_at)
         SELECT tenant_id, id, 'x', now(), now() FROM users",
    )
    .execute(&mut world.database.owner().await)
    .await
    .unwrap();
    let mut browser = world.browser();
    lands(&sign_in(&mut browser, &provider, &id).await, "/");
    assert_eq!(
        browser.get("/sign-in/pending").await.expect(200).json["pending"],
        "factor"
    );
    browser.get("/accounts").await.refused(403, "factor_needed");
    // Who was sent to their mail first is a word to the admins.
    world.management.write_refusals().await;
    let log = anna.get("/audit?action=sign_in.refused").await.expect(200).json;
    assert_eq!(log["events"][0]["target"]["id"], "mail_first");
}

#[tokio::test]
async fn an_account_is_linked_in_the_session_that_asked_and_to_one_person() {
    let provider = Provider::start().await;
    let (world, mut anna, id) = beside(&provider).await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    // Somebody else's session in the same browser: nothing is linked to them.
    let back = go(&mut anna, &provider, "/accounts", &id).await;
    let own = anna.cookie.take();
    anna.cookie.clone_from(&bob.cookie);
    lands(&anna.get(&back).await.expect(303), "/security#refused:not_signed_in");
    anna.cookie = own;
    anna.get("/me").await.expect(200);
    assert_eq!(bob.get("/accounts").await.expect(200).json["accounts"], json!([]));

    lands(&link(&mut anna, &provider, &id).await, "/security#linked");
    lands(&link(&mut anna, &provider, &id).await, "/security#linked");
    lands(&link(&mut bob, &provider, &id).await, "/security#refused:account_taken");

    let account = anna.get("/accounts").await.expect(200).json["accounts"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    bob.delete(&format!("/accounts/{account}"))
        .await
        .refused(404, "not_found");
    world.clock.advance(limits::STEP_UP);
    anna.delete(&format!("/accounts/{account}"))
        .await
        .refused(403, "step_up_needed");
    anna.post("/accounts", json!({"provider": id}))
        .await
        .refused(403, "step_up_needed");
    let mut fresh = world.enter("anna@acme.example", "full", true).await;
    fresh.delete(&format!("/accounts/{account}")).await.expect(204);
    sent_back(&sign_in(&mut world.browser(), &provider, &id).await, "account_unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_09_who_is_removed_while_they_link_an_account_leaves_none() {
    let provider = Provider::start().await;
    let (world, mut anna, id) = beside(&provider).await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let back = go(&mut bob, &provider, "/accounts", &id).await;
    let removed = "UPDATE users SET deactivated_at = now(), removed_at = now(), email = 'removed@removed.invalid'
        WHERE email = 'bob@acme.example'";
    let answer = world.meanwhile(removed, async move { bob.get(&back).await }).await;
    lands(&answer.expect(303), "/security#refused:not_signed_in");
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM linked_accounts")
        .fetch_one(&mut world.database.owner().await)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn who_is_suspended_or_removed_does_not_come_in_by_a_provider() {
    let provider = Provider::start().await;
    let (world, mut anna, id) = beside(&provider).await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    lands(&link(&mut bob, &provider, &id).await, "/security#linked");
    let who = world.cell_of(&mut bob).await.user;
    let suspended = anna.post(&format!("/people/{who}/suspend"), json!({})).await;
    // It stays, for when they are let back in.
    assert_eq!(suspended.expect(200).json["linked_accounts"], 0);
    sent_back(&sign_in(&mut world.browser(), &provider, &id).await, "account_unknown");
    anna.post(&format!("/people/{who}/restore"), json!({}))
        .await
        .expect(204);
    lands(&sign_in(&mut world.browser(), &provider, &id).await, "/");
    let removed = anna.delete(&format!("/people/{who}")).await.expect(200);
    assert_eq!(removed.json["linked_accounts"], 1);
    sent_back(&sign_in(&mut world.browser(), &provider, &id).await, "account_unknown");
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM linked_accounts")
        .fetch_one(&mut world.database.owner().await)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn the_secret_of_a_provider_goes_in_and_never_comes_out() {
    let provider = Provider::start().await;
    let (world, mut anna, id) = beside(&provider).await;
    for path in ["/providers", "/audit", "/sign-in/providers", "/accounts"] {
        let told = anna.get(path).await.expect(200).text;
        assert!(!told.contains(CLIENT_SECRET), "{path}");
    }
    let listed = anna.get("/providers").await.expect(200).json;
    assert_eq!(listed["providers"][0]["has_secret"], true);
    let sealed: Vec<u8> = sqlx::query_scalar("SELECT sealed_secret FROM sign_in_providers")
        .fetch_one(&mut world.database.owner().await)
        .await
        .unwrap();
    assert!(
        !sealed
            .windows(6)
            .any(|window| CLIENT_SECRET.as_bytes().windows(6).any(|part| part == window))
    );
    // Left out, it stays.
    let named = json!({"name": "Office", "client_id": CLIENT_ID, "on": true});
    let changed = anna.put(&format!("/providers/{id}"), named).await.expect(200).json;
    assert_eq!(
        (&changed["name"], &changed["has_secret"]),
        (&json!("Office"), &json!(true))
    );
    assert_eq!(test(&mut anna, &id).await["result"], "works");
}

async fn test(manager: &mut Browser, id: &str) -> Value {
    manager
        .post(&format!("/providers/{id}/test"), json!({}))
        .await
        .expect(200)
        .json
}

#[tokio::test]
async fn a_test_says_whether_the_provider_is_there_and_knows_us() {
    for kind in ["oidc", "github"] {
        let provider = Provider::start().await;
        let (world, mut anna) = World::owned_beside(std::slice::from_ref(&provider.address)).await;
        provider.keep_time(&world);
        let id = set_up(&mut anna, &provider, kind).await;
        assert_eq!(test(&mut anna, &id).await, json!({"result": "works"}));
        let wrong = json!({"name": "Work", "client_id": CLIENT_ID, "client_secret": "wrong", "on": true});
        anna.put(&format!("/providers/{id}"), wrong).await.expect(200);
        assert_eq!(test(&mut anna, &id).await, json!({"result": "client_refused"}));
        let mut browser = world.browser();
        sent_back(&sign_in(&mut browser, &provider, &id).await, "provider_failed");
    }
}

#[tokio::test]
async fn only_what_the_operator_named_is_called_on_private_addresses() {
    let (named, hidden) = (Provider::start().await, Provider::start().await);
    let (world, mut anna, id) = beside(&named).await;
    for issuer in [
        hidden.issuer.as_str(),
        "https://127.0.0.1",
        "https://169.254.169.254",
        "https://10.0.0.1:8443",
        "https://[::1]",
        "http://idp.example.org",
    ] {
        for kind in ["oidc", "github"] {
            let wanted = json!({"kind": kind, "name": "x", "issuer": issuer});
            let refused = anna.post("/providers", wanted).await.refused(422, "invalid_field");
            assert_eq!(refused.json["field"], "issuer", "{issuer}");
        }
    }
    // One that may be called does not lead on to one that may not.
    named.keys_at(&format!("{}/keys", hidden.issuer));
    let tested = test(&mut anna, &id).await;
    assert_eq!(tested["result"], "failed");
    assert!(
        tested["problem"]
            .as_str()
            .unwrap()
            .contains("private_provider_addresses"),
        "{tested}"
    );
    let begun = world.browser().post("/sign-in/provider", json!({"provider": id})).await;
    let refused = begun.refused(502, "provider_failed");
    assert!(!refused.text.contains("127.0.0.1"), "strangers are told nothing of it");
}

#[tokio::test]
async fn a_provider_that_speaks_in_the_name_of_another_is_not_used() {
    let provider = Provider::start().await;
    let (world, mut anna, id) = beside(&provider).await;
    provider.bend(Bend::OtherIssuer);
    assert_eq!(test(&mut anna, &id).await["result"], "failed");
    let begun = world.browser().post("/sign-in/provider", json!({"provider": id})).await;
    begun.refused(502, "provider_failed");
}

#[tokio::test]
async fn github_signs_in_by_its_number_for_somebody() {
    let provider = Provider::start().await;
    let (world, mut anna) = World::owned_beside(std::slice::from_ref(&provider.address)).await;
    provider.keep_time(&world);
    let id = set_up(&mut anna, &provider, "github").await;
    provider.signed_in(somebody("583231", "octo@cat.example"));
    lands(&link(&mut anna, &provider, &id).await, "/security#linked");
    assert_eq!(
        anna.get("/accounts").await.expect(200).json["accounts"][0]["label"],
        "octocat"
    );
    let mut browser = world.browser();
    lands(&sign_in(&mut browser, &provider, &id).await, "/");
    assert_eq!(browser.get("/me").await.expect(200).json["user"]["name"], "Anna");
    // Another number with the same name and address is somebody else.
    provider.signed_in(somebody("583232", "octo@cat.example"));
    sent_back(&sign_in(&mut world.browser(), &provider, &id).await, "account_unknown");
    provider.bend(Bend::Endless);
    sent_back(&sign_in(&mut world.browser(), &provider, &id).await, "provider_failed");
}

#[tokio::test]
async fn the_sign_in_page_has_the_buttons_of_one_organisation_that_are_turned_on() {
    let provider = Provider::start().await;
    let (world, mut anna, id) = beside(&provider).await;
    let mut olga = world.second_tenant().await;
    let globex = world.cell_of(&mut olga).await.tenant;
    let mut stranger = world.browser();
    let buttons = stranger.get("/sign-in/providers").await.expect(200).json;
    assert_eq!(
        buttons,
        json!({"providers": [{"id": id, "kind": "oidc", "name": "Work"}]})
    );
    let at = format!("/sign-in/providers?organisation={globex}");
    assert_eq!(stranger.get(&at).await.expect(200).json["providers"], json!([]));
    let theirs = set_up(
        &mut world.enter("olga@globex.example", "full", true).await,
        &provider,
        "oidc",
    )
    .await;
    assert_eq!(
        stranger.get(&at).await.expect(200).json["providers"][0]["id"],
        json!(theirs)
    );
    for nobody in ["x", "00000000-0000-7000-8000-000000000000"] {
        let at = format!("/sign-in/providers?organisation={nobody}");
        assert_eq!(stranger.get(&at).await.expect(200).json["providers"], json!([]));
    }
    let listed = olga.get("/providers").await.expect(200).json;
    assert_eq!(
        listed["sign_in_page"],
        format!("http://localhost:8080/sign-in?organisation={globex}")
    );

    let off = json!({"name": "Work", "client_id": CLIENT_ID, "on": false});
    let mut browser = world.browser();
    let back = go(&mut browser, &provider, "/sign-in/provider", &id).await;
    anna.put(&format!("/providers/{id}"), off).await.expect(200);
    assert_eq!(
        stranger.get("/sign-in/providers").await.expect(200).json["providers"],
        json!([])
    );
    stranger
        .post("/sign-in/provider", json!({"provider": id}))
        .await
        .refused(404, "not_found");
    // One that was under way does not come in any more.
    sent_back(&browser.get(&back).await.expect(303), "attempt_invalid");
    anna.delete(&format!("/providers/{id}")).await.expect(204);
    anna.post(
        "/providers",
        json!({"kind": "oidc", "name": "Work", "issuer": provider.issuer}),
    )
    .await
    .expect(201);
    let again = json!({"kind": "oidc", "name": "Work", "issuer": provider.issuer});
    anna.post("/providers", again).await.refused(409, "provider_known");
}

#[tokio::test]
async fn a_provider_is_not_turned_on_before_it_is_whole() {
    let provider = Provider::start().await;
    let (_world, mut anna) = World::owned_beside(std::slice::from_ref(&provider.address)).await;
    let made = anna
        .post(
            "/providers",
            json!({"kind": "oidc", "name": "Work", "issuer": provider.issuer}),
        )
        .await
        .expect(201)
        .json;
    let at = format!("/providers/{}", made["id"].as_str().unwrap());
    anna.post(&format!("{at}/test"), json!({}))
        .await
        .refused(409, "provider_unfinished");
    for unfinished in [
        json!({"name": "Work", "client_id": "", "client_secret": CLIENT_SECRET, "on": true}),
        json!({"name": "Work", "client_id": CLIENT_ID, "on": true}),
    ] {
        anna.put(&at, unfinished).await.refused(409, "provider_unfinished");
    }
    let spaces = json!({"name": "Work", "client_id": "a b", "client_secret": "x", "on": false});
    assert_eq!(
        anna.put(&at, spaces).await.refused(422, "invalid_field").json["field"],
        "client_id"
    );
    for n in 1..limits::PROVIDERS {
        let wanted = json!({"kind": "oidc", "name": "x", "issuer": format!("https://idp-{n}.example.org")});
        anna.post("/providers", wanted).await.expect(201);
    }
    let one_more = json!({"kind": "google", "name": "Google"});
    anna.post("/providers", one_more).await.refused(409, "limit_reached");
}
