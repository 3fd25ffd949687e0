//! Every route, for every caller, on what is one's own, what is another's, and what does not exist. The routes and who may call
//! them are the router's own list; what to send and what comes back is in [`calls`]. A route that is missing there fails the
//! test, and so does one that is there and no longer exists.

mod calls;

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::http::Method;
use management::{Access, Scope};
use serde_json::json;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use self::calls::calls;
use crate::support::{Browser, World};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Who {
    Nobody,
    Forged,
    /// A sign-in that waits for a second factor to be shown, or to be set up.
    Factor,
    Enrol,
    /// The latter, of somebody who has a second factor by now.
    EnrolLate,
    Role(&'static str, Proof),
    /// A program with a key of somebody in this role.
    Key(&'static str, Scopes),
    /// Who runs the machine, and is nobody in an organisation.
    Operator(Proof),
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Scopes {
    All,
    /// All but what the route asks for.
    Others,
}

const SCOPES: [Scope; 8] = [
    Scope::Profile,
    Scope::PeopleRead,
    Scope::PeopleManage,
    Scope::AuditRead,
    Scope::GroupsRead,
    Scope::GroupsManage,
    Scope::CellRead,
    Scope::CellWake,
];

/// Whether the person has just shown who they are.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Proof {
    Fresh,
    Old,
}

const CALLERS: [Who; 20] = [
    Who::Nobody,
    Who::Forged,
    Who::Factor,
    Who::Enrol,
    Who::EnrolLate,
    Who::Role("observer", Proof::Old),
    Who::Role("observer", Proof::Fresh),
    Who::Role("member", Proof::Old),
    Who::Role("member", Proof::Fresh),
    Who::Role("admin", Proof::Old),
    Who::Role("admin", Proof::Fresh),
    Who::Role("owner", Proof::Old),
    Who::Role("owner", Proof::Fresh),
    Who::Key("observer", Scopes::All),
    Who::Key("member", Scopes::All),
    Who::Key("admin", Scopes::All),
    Who::Key("owner", Scopes::All),
    Who::Key("owner", Scopes::Others),
    Who::Operator(Proof::Old),
    Who::Operator(Proof::Fresh),
];

/// The matrix: the status with which a caller is turned away, if they are.
fn turned_away(access: Access, scope: Option<Scope>, who: Who) -> Option<u16> {
    use Access::{
        AnySession, Anyone, Contributor, Enroller, Fresh, FreshManager, FreshOperator, FreshOwner, Half, Manager,
        NewlySignedIn, OperatorSession, SignedIn,
    };
    use Proof::Old;
    match (access, who) {
        (Access::Operator | Access::Tenant, _) => unreachable!("the tenant API has a matrix of its own"),
        (Anyone, _) => None,
        // The operator's session and those of organisations do not reach each other's routes.
        (OperatorSession, Who::Operator(_)) | (FreshOperator, Who::Operator(Proof::Fresh)) => None,
        (FreshOperator, Who::Operator(Old)) => Some(403),
        (OperatorSession | FreshOperator, _) | (_, Who::Operator(_)) => Some(401),
        // A key opens what it is for, as somebody who has not just shown who they are, and nothing else.
        (_, Who::Key(_, Scopes::Others)) => Some(403),
        (_, Who::Key(role, Scopes::All)) => match scope {
            None => Some(403),
            Some(_) => turned_away(access, scope, Who::Role(role, Old)),
        },
        (_, Who::Nobody | Who::Forged) => Some(401),
        (AnySession, _) | (Half, Who::Factor | Who::Enrol | Who::EnrolLate) | (Enroller, Who::Enrol) => None,
        (Half, Who::Role(..)) => Some(409),
        (_, Who::Factor | Who::Enrol | Who::EnrolLate) => Some(403),
        (SignedIn, _) => None,
        (Enroller | Fresh | NewlySignedIn, Who::Role(_, Old)) => Some(403),
        (Enroller | Fresh | NewlySignedIn, _) => None,
        (Contributor, Who::Role("observer", _)) => Some(403),
        (Contributor, _) | (Manager, Who::Role("admin" | "owner", _)) => None,
        (FreshManager, Who::Role("admin" | "owner", Proof::Fresh)) => None,
        (FreshOwner, Who::Role("owner", Proof::Fresh)) => None,
        (Manager | FreshManager | FreshOwner, _) => Some(403),
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Object {
    Own,
    /// Of groups: one in which the caller is a plain member, and one of their organisation in which they are not.
    Joined,
    Beside,
    /// Of another organisation.
    Others,
    None,
    NoId,
}

#[tokio::test]
async fn promise_03_every_route_refuses_every_caller_who_may_not() {
    let known: BTreeSet<_> = calls()
        .iter()
        .map(|(method, path, ..)| (method.to_string(), format!("/api/v1{path}")))
        .collect();
    let routes = management::routes();
    let real: BTreeSet<_> = routes
        .iter()
        .map(|(method, path, ..)| (method.to_string(), (*path).to_owned()))
        .collect();
    assert_eq!(known, real, "every route has a call here, and there is no other");

    let (world, mut owner) = World::owned().await;
    for role in ["admin", "member", "observer"] {
        world.join(&mut owner, &format!("{role}@acme.example"), role).await;
    }
    world.join(&mut owner, "holder@acme.example", "member").await;
    world.join(&mut owner, "founder@acme.example", "member").await;
    run(
        &world,
        "INSERT INTO authenticators (tenant_id, user_id, sealed_secret, created_at, confirmed_at)
         SELECT tenant_id, id, 'x', now(), now() FROM users WHERE email = 'holder@acme.example'",
    )
    .await;
    let mut olga = world.second_tenant().await;
    let mut count = 0;
    let mut programs = BTreeMap::new();
    for (method, path, body, allowed) in calls() {
        let (.., access, scope) = routes
            .iter()
            .find(|(m, p, ..)| *m == method && p.strip_prefix("/api/v1") == Some(path))
            .cloned()
            .unwrap();
        let mut objects = match path.contains("{id}") {
            true => vec![Object::Own, Object::Others, Object::None, Object::NoId],
            false => vec![Object::Own],
        };
        if path.starts_with("/groups/") {
            objects.splice(1..1, [Object::Joined, Object::Beside]);
        }
        for who in CALLERS {
            let refused = turned_away(access, scope, who);
            for object in objects.iter().copied() {
                // A key that is turned away is turned away before anything is looked up: once is enough.
                if matches!(who, Who::Key(..)) && refused.is_some() && Some(&object) != objects.last() {
                    continue;
                }
                let browser = match who {
                    Who::Key(role, scopes) => {
                        let missing = scope.filter(|_| scopes == Scopes::Others);
                        program(&world, &mut programs, role, missing).await
                    }
                    _ => caller(&world, who).await,
                };
                let id = object_id(&world, path, who, object).await;
                let expected = match refused {
                    Some(status) => status,
                    // No organisation is another's to the operator.
                    None if object == Object::Others && matches!(who, Who::Operator(_)) => allowed,
                    None if object == Object::Joined => match method == Method::GET || manages(who) {
                        true => allowed,
                        false => 403,
                    },
                    None if object == Object::Beside => match manages(who) {
                        true => allowed,
                        false => 404,
                    },
                    None if object != Object::Own => 404,
                    // Setting one up comes before showing it.
                    None if path == "/sign-in/factor" && matches!(who, Who::Enrol | Who::EnrolLate) => 409,
                    // An admin of a group manages it, but observers change nothing.
                    None if path.starts_with("/groups/") && method != Method::GET && is_observer(who) => 403,
                    None => allowed,
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
                    "{who:?}: {method} {path} on {object:?}: {:?}",
                    sent.json
                );
                let others = object == Object::Others && !matches!(who, Who::Operator(_));
                let not_theirs = matches!(object, Object::Joined | Object::Beside) && expected != allowed;
                if others || not_theirs {
                    let left = untouched(&world, path, &id).await;
                    assert!(
                        left,
                        "{who:?} changed what is not theirs by {method} {path} on {object:?}"
                    );
                }
                count += 1;
            }
        }
        // What the caller sees is their own organisation's.
        if method == Method::GET
            && !matches!(access, Access::Anyone | Access::Half | Access::OperatorSession)
            && !path.contains("{id}")
        {
            let seen = olga.get(path).await.expect(200).text;
            assert!(!seen.contains("acme"), "{path}: {seen}");
        }
    }
    assert!(count > 400, "{count} calls");
}

fn is_observer(who: Who) -> bool {
    matches!(who, Who::Role("observer", _) | Who::Key("observer", _))
}

/// Whether they manage the organisation, and with it every group.
fn manages(who: Who) -> bool {
    matches!(who, Who::Role("admin" | "owner", _) | Who::Key("admin" | "owner", _))
}

fn email_of(who: Who) -> String {
    match who {
        Who::Role("owner", _) | Who::Key("owner", _) => "anna@acme.example".to_owned(),
        Who::Role(role, _) | Who::Key(role, _) => format!("{role}@acme.example"),
        Who::EnrolLate => "holder@acme.example".to_owned(),
        _ => "member@acme.example".to_owned(),
    }
}

/// A browser of this caller, with a session of its own.
async fn caller(world: &World, who: Who) -> Browser {
    // Wrong codes of the calls before cost this one no waiting, and nobody runs into a limit of tries.
    run(
        world,
        "DELETE FROM factor_attempts; DELETE FROM alert_rules; DELETE FROM destinations; DELETE FROM api_keys WHERE name = 'x';
         DELETE FROM sign_in_providers",
    )
    .await;
    let email = email_of(who);
    match who {
        Who::Nobody => world.browser(),
        Who::Forged => {
            let forged = format!("holdfast_session={}", "A".repeat(43));
            Browser::holding(world.router.clone(), forged).await
        }
        Who::Factor => world.enter(&email, "factor", false).await,
        Who::Enrol | Who::EnrolLate => world.enter(&email, "enrol", false).await,
        Who::Role(_, proof) => world.enter(&email, "full", proof == Proof::Fresh).await,
        Who::Operator(proof) => world.operator(proof == Proof::Fresh).await,
        Who::Key(..) => unreachable!("keys are made once"),
    }
}

/// A program with a key of somebody in this role, for everything or for all but one thing; made once.
async fn program(
    world: &World,
    made: &mut BTreeMap<(&'static str, Option<Scope>), Browser>,
    role: &'static str,
    missing: Option<Scope>,
) -> Browser {
    if let Some(program) = made.get(&(role, missing)) {
        return program.clone();
    }
    let scopes: Vec<_> = SCOPES.into_iter().filter(|each| Some(*each) != missing).collect();
    let program = world.program(&email_of(Who::Key(role, Scopes::All)), &scopes).await;
    made.insert((role, missing), program.clone());
    program
}

/// What a path is about: its first word, but for what the operator answers in place of an organisation's managers.
fn noun(path: &str) -> Option<&str> {
    let path = path
        .strip_prefix("/operator")
        .filter(|rest| rest.starts_with("/join-requests"))
        .unwrap_or(path);
    path.split('/').nth(1)
}

/// Something that the path can name.
async fn object_id(world: &World, path: &str, who: Who, object: Object) -> String {
    let email = match object {
        Object::Own | Object::Joined | Object::Beside => email_of(who),
        Object::Others => "olga@globex.example".to_owned(),
        Object::None => return Uuid::now_v7().to_string(),
        Object::NoId => return "..%2f..".to_owned(),
    };
    let id = Uuid::now_v7();
    let random = format!("sha256('{id}')");
    if path.starts_with("/operator/tenants/") {
        // Their own is not touched: what follows needs it. One more, of nobody, is as good.
        run(
            world,
            &format!("INSERT INTO tenants (id, name, created_at) VALUES ('{id}', 'Initech', now())"),
        )
        .await;
        return id.to_string();
    }
    if path.starts_with("/people/") || path.starts_with("/operator/people/") || path.starts_with("/operator/cells/") {
        // Somebody in the organisation, with a cell: one's own is nobody whom one may send away.
        let statement = format!(
            "WITH made AS (INSERT INTO users (id, tenant_id, name, email, role, created_at)
                SELECT '{id}', tenant_id, 'x', '{id}@example.org', 'member', now() FROM users WHERE email = '{email}'
                RETURNING id, tenant_id)
             , factor AS (INSERT INTO authenticators (tenant_id, user_id, sealed_secret, created_at, confirmed_at)
                SELECT tenant_id, id, 'x', now(), now() FROM made)
             INSERT INTO cells (id, tenant_id, user_id, created_at) SELECT '{id}', tenant_id, id, now() FROM made"
        );
        run(world, &statement).await;
        return id.to_string();
    }
    let statement = match noun(path) {
        Some("alerts") => format!(
            "INSERT INTO alert_rules (id, tenant_id, trigger, email, created_at)
             SELECT '{id}', tenant_id, 'key_made', '{id}@example.org', now() FROM users WHERE email = '{email}'"
        ),
        Some("destinations") => format!(
            "INSERT INTO destinations (id, tenant_id, kind, name, host, sealed, created_at)
             SELECT '{id}', tenant_id, 'webhook', 'x', 'hooks.example', 'x', now() FROM users WHERE email = '{email}'"
        ),
        Some("accounts") => format!(
            "INSERT INTO linked_accounts (id, tenant_id, user_id, issuer, subject, label, created_at)
             SELECT '{id}', tenant_id, id, 'https://idp.example', '{id}', 'x', now() FROM users WHERE email = '{email}'"
        ),
        Some("providers") => format!(
            "INSERT INTO sign_in_providers (id, tenant_id, kind, name, issuer, created_at)
             SELECT '{id}', tenant_id, 'oidc', 'x', 'https://idp.example/{id}', now() FROM users WHERE email = '{email}'"
        ),
        Some("join-domains") => format!(
            "INSERT INTO join_domains (id, tenant_id, domain, approval, created_at)
             SELECT '{id}', tenant_id, '{id}.example', true, now() FROM users WHERE email = '{email}'"
        ),
        Some("join-requests") => format!(
            "INSERT INTO join_requests (id, tenant_id, email, name, created_at)
             SELECT '{id}', tenant_id, '{id}@example.org', 'x', now() FROM users WHERE email = '{email}'"
        ),
        // One that somebody else is the admin of.
        Some("groups") if matches!(object, Object::Joined | Object::Beside) => format!(
            "WITH made AS (INSERT INTO groups (id, tenant_id, name, created_at)
                SELECT '{id}', tenant_id, 'x', now() FROM users WHERE email = '{email}' RETURNING id, tenant_id)
             INSERT INTO group_members (tenant_id, group_id, user_id, role, joined_at)
             SELECT made.tenant_id, made.id, users.id, CASE email WHEN '{email}' THEN 'member' ELSE 'admin' END, now() FROM made, users
             WHERE email = 'founder@acme.example' OR email = '{email}' AND {}",
            object == Object::Joined
        ),
        // One in which they are an admin.
        Some("groups") => format!(
            "WITH made AS (INSERT INTO groups (id, tenant_id, name, created_at)
                SELECT '{id}', tenant_id, 'x', now() FROM users WHERE email = '{email}' RETURNING id, tenant_id)
             INSERT INTO group_members (tenant_id, group_id, user_id, role, joined_at)
             SELECT made.tenant_id, made.id, users.id, 'admin', now() FROM made, users WHERE email = '{email}'"
        ),
        Some("group-invitations") => format!(
            "WITH made AS (INSERT INTO groups (id, tenant_id, name, created_at)
                SELECT gen_random_uuid(), tenant_id, 'x', now() FROM users WHERE email = '{email}' RETURNING id, tenant_id)
             INSERT INTO group_invitations (id, tenant_id, group_id, email, role, invited_by, created_at, expires_at)
             SELECT '{id}', made.tenant_id, made.id, email, 'member', users.id, now(), now() + interval '9999 days'
             FROM made, users WHERE email = '{email}'"
        ),
        Some("keys") => format!(
            "INSERT INTO api_keys (id, tenant_id, user_id, name, key_hash, hint, scopes, created_at, expires_at)
             SELECT '{id}', tenant_id, id, 'x', {random}, 'hf_x', '{{profile}}', now(), now() + interval '9999 days'
             FROM users WHERE email = '{email}'"
        ),
        Some("service-accounts") => format!(
            "INSERT INTO users (id, tenant_id, name, email, role, created_at, kind)
             SELECT '{id}', tenant_id, 'x', '{id}@service.invalid', 'member', now(), 'service' FROM users WHERE email = '{email}'"
        ),
        Some("push") if path.contains("{id}") => format!(
            "INSERT INTO push_devices (id, tenant_id, user_id, session_id, name, sealed, created_at)
             SELECT '{id}', tenant_id, id, '{id}', 'x', 'x', now() FROM users WHERE email = '{email}'"
        ),
        Some("sessions") => format!(
            "INSERT INTO sessions (id, tenant_id, user_id, token_hash, created_at, last_seen_at, expires_at)
             SELECT '{id}', tenant_id, id, {random}, now(), now(), now() + interval '1 day' FROM users WHERE email = '{email}'"
        ),
        Some("factors") if path.contains("{id}") => format!(
            "INSERT INTO passkeys (id, tenant_id, user_id, credential_id, public_key, counter, name, created_at)
             SELECT '{id}', tenant_id, id, {random}, 'x', 0, 'x', now() FROM users WHERE email = '{email}'"
        ),
        Some("invitations") => format!(
            "INSERT INTO invitations (id, tenant_id, email, role, invited_by, token_hash, created_at, expires_at)
             SELECT '{id}', tenant_id, '{id}@example.org', 'member', id, {random}, now(), now() + interval '9999 days'
             FROM users WHERE email = '{email}'"
        ),
        _ => return String::new(),
    };
    run(world, &statement).await;
    id.to_string()
}

async fn untouched(world: &World, path: &str, id: &str) -> bool {
    let statement = match noun(path) {
        Some("sessions") => format!("SELECT EXISTS (SELECT FROM sessions WHERE id = '{id}')"),
        Some("invitations") => format!(
            "SELECT EXISTS (SELECT FROM invitations WHERE id = '{id}' AND revoked_at IS NULL AND token_hash = sha256('{id}'))"
        ),
        Some("factors") if path.contains("{id}") => {
            format!("SELECT EXISTS (SELECT FROM passkeys WHERE id = '{id}' AND name = 'x')")
        }
        Some("alerts") => format!("SELECT EXISTS (SELECT FROM alert_rules WHERE id = '{id}')"),
        Some("destinations") => {
            format!("SELECT EXISTS (SELECT FROM destinations WHERE id = '{id}' AND streamed_to IS NULL)")
        }
        Some("push") if path.contains("{id}") => {
            format!("SELECT EXISTS (SELECT FROM push_devices WHERE id = '{id}' AND sealed = 'x')")
        }
        Some("accounts") => format!("SELECT EXISTS (SELECT FROM linked_accounts WHERE id = '{id}')"),
        Some("providers") => {
            format!("SELECT EXISTS (SELECT FROM sign_in_providers WHERE id = '{id}' AND name = 'x')")
        }
        Some("join-domains") => format!("SELECT EXISTS (SELECT FROM join_domains WHERE id = '{id}')"),
        Some("join-requests") => {
            format!("SELECT EXISTS (SELECT FROM join_requests WHERE id = '{id}' AND refused_at IS NULL)")
        }
        Some("groups") => format!(
            "SELECT EXISTS (SELECT FROM groups WHERE id = '{id}' AND name = 'x' AND archived_at IS NULL)
                AND NOT EXISTS (SELECT FROM group_invitations WHERE group_id = '{id}')
                AND (SELECT count(*) FILTER (WHERE role = 'admin') FROM group_members WHERE group_id = '{id}') = 1"
        ),
        Some("group-invitations") => format!(
            "SELECT EXISTS (SELECT FROM group_invitations WHERE id = '{id}' AND accepted_at IS NULL AND declined_at IS NULL)"
        ),
        Some("keys") => {
            format!("SELECT EXISTS (SELECT FROM api_keys WHERE id = '{id}' AND replaced_at IS NULL)")
        }
        Some("people") => {
            format!(
                "SELECT EXISTS (SELECT FROM users u JOIN authenticators a ON a.user_id = u.id
                    WHERE u.id = '{id}' AND u.deactivated_at IS NULL AND u.removed_at IS NULL AND u.role = 'member')"
            )
        }
        Some("operator") if path.starts_with("/operator/tenants/") => {
            format!("SELECT EXISTS (SELECT FROM tenants WHERE id = '{id}' AND suspended_at IS NULL)")
        }
        Some("operator") => {
            format!(
                "SELECT EXISTS (SELECT FROM users WHERE id = '{id}' AND deactivated_at IS NULL AND removed_at IS NULL)"
            )
        }
        Some("service-accounts") => {
            format!(
                "SELECT EXISTS (SELECT FROM users WHERE id = '{id}' AND deactivated_at IS NULL AND removed_at IS NULL AND role = 'member')"
            )
        }
        _ => panic!("{path}: say how it shows that nothing was done"),
    };
    sqlx::query_scalar(AssertSqlSafe(statement))
        .fetch_one(&mut world.database.owner().await)
        .await
        .unwrap()
}

async fn run(world: &World, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(&mut world.database.owner().await)
        .await
        .unwrap();
}

#[tokio::test]
async fn promise_03_what_is_anothers_is_not_reached_by_naming_it_in_a_body_either() {
    let (world, mut anna) = World::owned().await;
    let mut olga = world.second_tenant().await;
    let who = Who::Role("owner", Proof::Fresh);
    let others = async |path: &str| object_id(&world, path, who, Object::Others).await;
    let group = format!("/groups/{}", object_id(&world, "/groups/{id}", who, Object::Own).await);
    let olgas = olga.get("/me").await.expect(200).json["user"]["id"].clone();
    let named = ["/group-invitations/{id}", "/providers/{id}", "/destinations/{id}"];
    let (invitation, provider, destination) = (others(named[0]).await, others(named[1]).await, others(named[2]).await);
    let letter = json!({"id": Uuid::now_v7(), "to": olgas, "body": "AAAA"});
    olga.post("/letters", letter.clone()).await.expect(204);
    let asked = olga
        .post("/recovery/request", json!({"request": "AAAA"}))
        .await
        .expect(201)
        .json;
    for (method, path, body, status) in [
        (
            Method::PUT,
            format!("{group}/members"),
            json!({"user": olgas, "role": "admin"}),
            404,
        ),
        (
            Method::POST,
            format!("{group}/members/remove"),
            json!({"user": olgas}),
            404,
        ),
        (
            Method::POST,
            format!("{group}/invitations/withdraw"),
            json!({"invitation": invitation}),
            404,
        ),
        (
            Method::POST,
            "/letters".into(),
            json!({"id": Uuid::now_v7(), "to": olgas, "body": "AAAA"}),
            404,
        ),
        // Taking away what is not there is no mistake.
        (
            Method::POST,
            "/letters/received".into(),
            json!({"ids": [letter["id"]]}),
            204,
        ),
        (Method::POST, "/accounts".into(), json!({"provider": provider}), 404),
        (
            Method::POST,
            "/alerts".into(),
            json!({"trigger": "exported", "destination": destination}),
            422,
        ),
        (
            Method::POST,
            "/recovery/release".into(),
            json!({"request": asked["id"], "sealed": "AAAA"}),
            404,
        ),
    ] {
        let sent = anna
            .send(method, &path, Body::from(body.to_string()), Some("application/json"))
            .await;
        assert_eq!(sent.status.as_u16(), status, "{path}: {:?}", sent.json);
    }
    for (path, id) in named.into_iter().zip([&invitation, &provider, &destination]) {
        assert!(untouched(&world, path, id).await, "{path}");
    }
    let waiting = olga.get("/letters").await.expect(200).json;
    assert_eq!(waiting["letters"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn promise_03_nobody_ends_the_session_of_somebody_else_in_their_own_organisation() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let bobs = bob.get("/sessions").await.expect(200).json["sessions"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    anna.delete(&format!("/sessions/{bobs}"))
        .await
        .refused(404, "not_found");
    bob.get("/me").await.expect(200);
}
