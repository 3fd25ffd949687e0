use std::time::Duration;

use management::{CellRef, Clock as _, limits};
use protocol::control::{GroupTie, Side};
use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::support::{Browser, World};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn make(browser: &mut Browser, name: &str) -> String {
    let made = browser.post("/groups", json!({"name": name})).await.expect(201).json;
    format!("/groups/{}", made["id"].as_str().unwrap())
}

async fn invite(browser: &mut Browser, group: &str, email: &str) -> Value {
    let body = json!({"email": email, "role": "member"});
    browser
        .post(&format!("{group}/invitations"), body)
        .await
        .expect(201)
        .json
}

/// Answers the only invitation that waits.
async fn answer(browser: &mut Browser, what: &str) {
    let waiting = browser.get("/group-invitations").await.expect(200).json;
    assert_eq!(waiting["invitations"].as_array().unwrap().len(), 1, "{waiting}");
    let id = waiting["invitations"][0]["id"].as_str().unwrap();
    browser
        .post(&format!("/group-invitations/{id}/{what}"), json!({}))
        .await
        .expect(204);
}

async fn user(browser: &mut Browser) -> Value {
    browser.get("/me").await.expect(200).json["user"]["id"].clone()
}

#[tokio::test]
async fn a_group_is_made_joined_and_left_and_seen_by_its_members() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let mut carol = world.join(&mut anna, "carol@acme.example", "member").await;
    let mut dan = world.join(&mut anna, "dan@acme.example", "member").await;
    let group = make(&mut bob, "Support").await;
    invite(&mut bob, &group, "carol@acme.example").await;
    // Not before she says yes.
    carol.get(&group).await.refused(404, "not_found");
    let waiting = carol.get("/group-invitations").await.expect(200).json;
    assert_eq!(waiting["invitations"][0]["group"]["name"], "Support");
    answer(&mut carol, "accept").await;
    let seen = carol.get(&group).await.expect(200).json;
    assert_eq!(seen["group"]["members"], 2);
    assert_eq!(seen["group"]["role"], "member");
    assert!(seen["invitations"].is_null());
    for who in [&mut dan, &mut world.second_tenant().await] {
        who.get(&group).await.refused(404, "not_found");
        assert_eq!(
            who.get("/groups").await.expect(200).json,
            json!({"groups": [], "more": false})
        );
    }
    // Who manages the organisation sees every group, without being in it.
    let seen = anna.get("/groups").await.expect(200).json;
    assert_eq!(seen["groups"][0]["manages"], true);
    assert!(seen["groups"][0]["role"].is_null());

    // A member changes nothing, and may go.
    let renamed = json!({"name": "Mine", "archived": false});
    carol.put(&group, renamed).await.refused(403, "not_allowed");
    let bobs = user(&mut bob).await;
    carol
        .post(&format!("{group}/members/remove"), json!({"user": bobs}))
        .await
        .refused(403, "not_allowed");
    let carols = user(&mut carol).await;
    carol
        .post(&format!("{group}/members/remove"), json!({"user": carols}))
        .await
        .expect(204);
    carol.get(&group).await.refused(404, "not_found");
    let log = anna.get("/audit?action=group.").await.expect(200).json;
    let actions: Vec<_> = log["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| each["action"].clone())
        .collect();
    assert_eq!(actions, ["group.left", "group.joined", "group.invited", "group.made"]);
}

#[tokio::test]
async fn who_invites_learns_neither_whether_somebody_is_there_nor_that_they_declined() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let mut carol = world.join(&mut anna, "carol@acme.example", "member").await;
    let group = make(&mut bob, "Support").await;
    let real = invite(&mut bob, &group, "carol@acme.example").await;
    let nobody = invite(&mut bob, &group, "nobody@elsewhere.example").await;
    let shape = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(shape(&real), shape(&nobody));
    answer(&mut carol, "decline").await;
    assert!(
        carol.get("/group-invitations").await.expect(200).json["invitations"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    let seen = bob.get(&group).await.expect(200).json;
    assert_eq!(seen["invitations"].as_array().unwrap().len(), 2);
    for email in ["carol@acme.example", "nobody@elsewhere.example"] {
        bob.post(
            &format!("{group}/invitations"),
            json!({"email": email, "role": "member"}),
        )
        .await
        .refused(409, "already_invited");
    }
    // Over after a week, for both; then there is room for another one.
    world.clock.advance(7 * DAY);
    let mut bob = world.sign_in("bob@acme.example").await;
    let seen = bob.get(&group).await.expect(200).json;
    assert_eq!(seen["invitations"], json!([]));
    invite(&mut bob, &group, "carol@acme.example").await;
    // Whoever joins the organisation with the address finds it waiting.
    invite(&mut bob, &group, "eve@acme.example").await;
    let mut anna = world.sign_in("anna@acme.example").await;
    let mut eve = world.join(&mut anna, "eve@acme.example", "observer").await;
    answer(&mut eve, "accept").await;
    eve.get(&group).await.expect(200);
}

#[tokio::test]
async fn an_invitation_is_for_its_address_and_works_once() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let mut carol = world.join(&mut anna, "carol@acme.example", "member").await;
    let group = make(&mut anna, "Support").await;
    let made = invite(&mut anna, &group, "carol@acme.example").await;
    let path = format!("/group-invitations/{}", made["id"].as_str().unwrap());
    for what in ["accept", "decline"] {
        bob.post(&format!("{path}/{what}"), json!({}))
            .await
            .refused(404, "not_found");
    }
    anna.post(
        &format!("{group}/invitations/withdraw"),
        json!({"invitation": made["id"]}),
    )
    .await
    .expect(204);
    carol
        .post(&format!("{path}/accept"), json!({}))
        .await
        .refused(404, "not_found");
    invite(&mut anna, &group, "carol@acme.example").await;
    answer(&mut carol, "accept").await;
    let again = json!({"email": "carol@acme.example", "role": "admin"});
    anna.post(&format!("{group}/invitations"), again)
        .await
        .refused(409, "already_member");
}

#[tokio::test]
async fn promise_09_removed_from_a_group_or_the_organisation_is_out_at_once() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let group = make(&mut anna, "Support").await;
    let bobs = user(&mut bob).await;
    for way in ["removed", "suspended"] {
        invite(&mut anna, &group, "bob@acme.example").await;
        answer(&mut bob, "accept").await;
        let admin = json!({"user": bobs, "role": "admin"});
        anna.put(&format!("{group}/members"), admin).await.expect(204);
        invite(&mut bob, &group, &format!("{way}@acme.example")).await;
        if way == "removed" {
            let body = json!({"user": bobs});
            anna.post(&format!("{group}/members/remove"), body).await.expect(204);
            bob.get(&group).await.refused(404, "not_found");
        } else {
            let person = format!("/people/{}", bobs.as_str().unwrap());
            let before = anna.get(&format!("{person}/cascade")).await.expect(200).json;
            assert_eq!((&before["groups"], &before["invitations"]), (&json!(1), &json!(1)));
            anna.post(&format!("{person}/suspend"), json!({})).await.expect(200);
            anna.post(&format!("{person}/restore"), json!({})).await.expect(204);
            world
                .sign_in("bob@acme.example")
                .await
                .get(&group)
                .await
                .refused(404, "not_found");
            // What they sent is taken back.
            let seen = anna.get(&group).await.expect(200).json;
            assert_eq!(seen["invitations"], json!([]));
        }
    }
}

#[tokio::test]
async fn promise_09_who_manages_a_group_no_more_takes_back_the_invitations_to_it() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let bobs = user(&mut bob).await;
    let person = format!("/people/{}/role", bobs.as_str().unwrap());
    // One in which Bob is an admin, and one in which he is not.
    let (theirs, other) = (make(&mut bob, "Theirs").await, make(&mut anna, "Other").await);
    let open = async |browser: &mut Browser, group: &str| {
        let seen = browser.get(group).await.expect(200).json;
        seen["invitations"].as_array().unwrap().len()
    };
    anna.put(&person, json!({"role": "admin"})).await.expect(204);
    invite(&mut bob, &theirs, "carol@acme.example").await;
    invite(&mut bob, &other, "carol@acme.example").await;
    invite(&mut anna, &other, "dan@acme.example").await;
    anna.put(&person, json!({"role": "member"})).await.expect(204);
    assert_eq!((open(&mut anna, &theirs).await, open(&mut anna, &other).await), (1, 1));
    let log = anna.get("/audit?action=person.role_changed").await.expect(200).json;
    assert_eq!(log["events"][0]["details"]["invitations_revoked"], "1");
    // An observer manages no group.
    anna.put(&person, json!({"role": "observer"})).await.expect(204);
    assert_eq!((open(&mut anna, &theirs).await, open(&mut anna, &other).await), (0, 1));
    // Nor does who is a member of it.
    anna.put(&person, json!({"role": "member"})).await.expect(204);
    invite(&mut bob, &theirs, "carol@acme.example").await;
    anna.put(&format!("{theirs}/members"), json!({"user": bobs, "role": "member"}))
        .await
        .expect(204);
    assert_eq!(open(&mut anna, &theirs).await, 0);
}

#[tokio::test]
async fn a_group_that_is_put_away_takes_nobody_in_and_comes_back() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let group = make(&mut anna, "Support").await;
    invite(&mut anna, &group, "bob@acme.example").await;
    anna.put(&group, json!({"name": "Old support", "archived": true}))
        .await
        .expect(204);
    let waiting = bob.get("/group-invitations").await.expect(200).json;
    assert_eq!(waiting["invitations"], json!([]));
    anna.post(
        &format!("{group}/invitations"),
        json!({"email": "bob@acme.example", "role": "member"}),
    )
    .await
    .refused(409, "group_archived");
    anna.put(&group, json!({"name": "Old support", "archived": false}))
        .await
        .expect(204);
    invite(&mut anna, &group, "bob@acme.example").await;
    answer(&mut bob, "accept").await;
    let log = anna.get("/audit?action=group.re").await.expect(200).json;
    let actions: Vec<_> = log["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| each["action"].clone())
        .collect();
    assert_eq!(actions, ["group.restored", "group.renamed"]);
}

/// So many people join the organisation, and its one group.
const PEOPLE_COME_IN: &str = "WITH made AS (INSERT INTO users (id, tenant_id, name, email, role, created_at)
        SELECT gen_random_uuid(), t.id, 'x', 'x' || n || '@acme.example', 'member', now() FROM tenants t, generate_series(1, $1) n
        RETURNING id, tenant_id)
    INSERT INTO group_members (tenant_id, group_id, user_id, role, joined_at)
        SELECT made.tenant_id, g.id, made.id, 'member', now() FROM made, groups g";

#[tokio::test]
async fn no_way_into_a_group_or_out_of_the_archive_leads_past_the_limits() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let group = make(&mut anna, "Support").await;
    invite(&mut anna, &group, "bob@acme.example").await;
    let mut owner = world.database.owner().await;
    let all_but = async |owner: &mut sqlx::PgConnection, statement: &'static str, many: i64| {
        sqlx::query(statement).bind(many).execute(owner).await.unwrap();
    };
    // Anna is in it.
    all_but(&mut owner, PEOPLE_COME_IN, limits::GROUP_MEMBERS - 1).await;
    let waiting = bob.get("/group-invitations").await.expect(200).json;
    let id = waiting["invitations"][0]["id"].as_str().unwrap().to_owned();
    let accept = format!("/group-invitations/{id}/accept");
    bob.post(&accept, json!({})).await.refused(409, "limit_reached");
    sqlx::query("DELETE FROM group_members WHERE user_id = (SELECT id FROM users WHERE name = 'x' LIMIT 1)")
        .execute(&mut owner)
        .await
        .unwrap();
    bob.post(&accept, json!({})).await.expect(204);

    let old = make(&mut anna, "Old").await;
    let archived = |archived: bool| json!({"name": "Old", "archived": archived});
    anna.put(&old, archived(true)).await.expect(204);
    let groups = "INSERT INTO groups (id, tenant_id, name, created_at)
        SELECT gen_random_uuid(), id, 'x', now() FROM tenants, generate_series(1, $1)";
    all_but(&mut owner, groups, limits::GROUPS - 1).await;
    anna.put(&old, archived(false)).await.refused(409, "limit_reached");
    anna.put(&old, json!({"name": "Older", "archived": true}))
        .await
        .expect(204);
    anna.put(&group, json!({"name": "Help", "archived": false}))
        .await
        .expect(204);
    anna.put(&group, json!({"name": "Help", "archived": true}))
        .await
        .expect(204);
    anna.put(&old, archived(false)).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_09_who_is_suspended_while_they_come_into_a_group_is_not_in_it() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let group = make(&mut anna, "Support").await;
    invite(&mut anna, &group, "bob@acme.example").await;
    let waiting = bob.get("/group-invitations").await.expect(200).json;
    let accept = format!(
        "/group-invitations/{}/accept",
        waiting["invitations"][0]["id"].as_str().unwrap()
    );
    let suspended = "UPDATE users SET deactivated_at = now() WHERE email = 'bob@acme.example'";
    let accepting = async move { bob.post(&accept, json!({})).await };
    world
        .meanwhile(suspended, accepting)
        .await
        .refused(401, "not_signed_in");
    let members = anna.get(&group).await.expect(200).json["members"].clone();
    assert_eq!(members.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn observers_make_no_groups_and_change_none() {
    let (world, mut anna) = World::owned().await;
    let mut olaf = world.join(&mut anna, "olaf@acme.example", "observer").await;
    olaf.post("/groups", json!({"name": "x"}))
        .await
        .refused(403, "not_allowed");
    let group = make(&mut anna, "Support").await;
    let body = json!({"email": "olaf@acme.example", "role": "admin"});
    anna.post(&format!("{group}/invitations"), body).await.expect(201);
    answer(&mut olaf, "accept").await;
    assert_eq!(olaf.get(&group).await.expect(200).json["group"]["manages"], false);
    olaf.put(&group, json!({"name": "Mine", "archived": false}))
        .await
        .refused(403, "not_allowed");
}

/// Whether management says that `of`, who is a member or gives, and `other` still have their places in a group; for something that was shared now.
async fn tied(world: &World, of: &CellRef, other: &CellRef, group: &str, own: Side) -> bool {
    let tie = GroupTie {
        group: group.trim_start_matches("/groups/").parse().unwrap(),
        other: other.user,
        own,
        since: i64::try_from(world.clock.now().unix_timestamp_nanos() / 1_000_000).unwrap(),
    };
    world.management.group_tie(of.cell, of.tenant, &tie).await.unwrap()
}

#[tokio::test]
async fn promise_09_what_was_shared_before_a_group_was_put_away_or_its_admin_was_none_ends_with_that() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let mut carol = world.join(&mut anna, "carol@acme.example", "member").await;
    let (bob_cell, carol_cell) = (world.cell_of(&mut bob).await, world.cell_of(&mut carol).await);
    let group = make(&mut bob, "Support").await;
    invite(&mut bob, &group, "carol@acme.example").await;
    answer(&mut carol, "accept").await;
    let now = || i64::try_from(world.clock.now().unix_timestamp_nanos() / 1_000_000).unwrap();
    let both = async |since: i64| {
        let given = GroupTie {
            group: group.trim_start_matches("/groups/").parse().unwrap(),
            other: carol_cell.user,
            own: Side::Gives,
            since,
        };
        let received = GroupTie {
            other: bob_cell.user,
            own: Side::Receives,
            ..given
        };
        let ask = async |of: &CellRef, tie| world.management.group_tie(of.cell, of.tenant, tie).await.unwrap();
        (ask(&bob_cell, &given).await, ask(&carol_cell, &received).await)
    };
    let archived = |archived: bool| json!({"name": "Support", "archived": archived});
    let role = |role: &str| json!({"user": bob_cell.user, "role": role});
    let first = now();
    world.clock.advance(Duration::from_secs(120));
    assert_eq!(both(first).await, (true, true));
    // A name alone changes nothing.
    bob.put(&group, archived(false)).await.expect(204);
    assert_eq!(both(first).await, (true, true));
    bob.put(&group, archived(true)).await.expect(204);
    bob.put(&group, archived(false)).await.expect(204);
    assert_eq!(both(first).await, (false, false));
    let second = now();
    assert_eq!(both(second).await, (true, true));
    world.clock.advance(Duration::from_secs(120));
    // Nor does the role that somebody has already.
    anna.put(&format!("{group}/members"), role("admin")).await.expect(204);
    assert_eq!(both(second).await, (true, true));
    anna.put(&format!("{group}/members"), role("member")).await.expect(204);
    assert_eq!(both(second).await, (false, false));
    anna.put(&format!("{group}/members"), role("admin")).await.expect(204);
    assert_eq!(both(second).await, (false, false));
    assert_eq!(both(now()).await, (true, true));
}

#[tokio::test]
async fn promise_09_what_is_shared_in_a_group_stands_while_both_are_in_it_and_who_gives_is_its_admin() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let mut carol = world.join(&mut anna, "carol@acme.example", "member").await;
    let mut dan = world.join(&mut anna, "dan@acme.example", "member").await;
    let (anna_cell, bob_cell) = (world.cell_of(&mut anna).await, world.cell_of(&mut bob).await);
    let (carol_cell, dan_cell) = (world.cell_of(&mut carol).await, world.cell_of(&mut dan).await);
    let olga_cell = world.cell_of(&mut world.second_tenant().await).await;
    let group = make(&mut bob, "Support").await;
    let stands = async |of: &CellRef, other: &CellRef, own| tied(&world, of, other, &group, own).await;
    assert!(!stands(&bob_cell, &carol_cell, Side::Gives).await);
    invite(&mut bob, &group, "carol@acme.example").await;
    assert!(!stands(&bob_cell, &carol_cell, Side::Gives).await);
    answer(&mut carol, "accept").await;
    assert!(stands(&bob_cell, &carol_cell, Side::Gives).await);
    assert!(stands(&carol_cell, &bob_cell, Side::Receives).await);
    // A member gives nothing; nobody outside of the group is in it, whatever else they manage.
    assert!(!stands(&carol_cell, &bob_cell, Side::Gives).await);
    assert!(!stands(&bob_cell, &carol_cell, Side::Receives).await);
    for other in [&dan_cell, &anna_cell, &olga_cell] {
        assert!(!stands(&bob_cell, other, Side::Gives).await);
        assert!(!stands(other, &bob_cell, Side::Receives).await);
    }
    // Nor is a cell of another organisation that says it is this one.
    let mut foreign = world.cell_of(&mut bob).await;
    foreign.tenant = olga_cell.tenant;
    assert!(!stands(&foreign, &carol_cell, Side::Gives).await);

    // Put away, and taken out again.
    let archived = |archived: bool| json!({"name": "Support", "archived": archived});
    bob.put(&group, archived(true)).await.expect(204);
    assert!(!stands(&bob_cell, &carol_cell, Side::Gives).await);
    bob.put(&group, archived(false)).await.expect(204);
    assert!(stands(&bob_cell, &carol_cell, Side::Gives).await);

    // Whoever gives is its admin.
    let role = |role: &str| json!({"user": carol_cell.user, "role": role});
    bob.put(&format!("{group}/members"), role("admin")).await.expect(204);
    assert!(stands(&carol_cell, &bob_cell, Side::Gives).await);
    bob.put(&format!("{group}/members"), role("member")).await.expect(204);
    assert!(!stands(&carol_cell, &bob_cell, Side::Gives).await);

    // Out; and what was shared before does not stand again when she comes back.
    let shared = GroupTie {
        group: group.trim_start_matches("/groups/").parse().unwrap(),
        other: carol_cell.user,
        own: Side::Gives,
        since: i64::try_from(world.clock.now().unix_timestamp_nanos() / 1_000_000).unwrap(),
    };
    let out = json!({"user": carol_cell.user});
    bob.post(&format!("{group}/members/remove"), out).await.expect(204);
    assert!(!stands(&bob_cell, &carol_cell, Side::Gives).await);
    assert!(!stands(&carol_cell, &bob_cell, Side::Receives).await);
    world.clock.advance(Duration::from_secs(60));
    invite(&mut bob, &group, "carol@acme.example").await;
    answer(&mut carol, "accept").await;
    assert!(stands(&bob_cell, &carol_cell, Side::Gives).await);
    let before = world
        .management
        .group_tie(bob_cell.cell, bob_cell.tenant, &shared)
        .await;
    assert!(!before.unwrap());
    let shared = GroupTie {
        other: bob_cell.user,
        own: Side::Receives,
        ..shared
    };
    let before = world
        .management
        .group_tie(carol_cell.cell, carol_cell.tenant, &shared)
        .await;
    assert!(!before.unwrap());

    // An observer of the organisation gives nothing, an admin of the group or not.
    let role = format!("/people/{}/role", bob_cell.user);
    anna.put(&role, json!({"role": "observer"})).await.expect(204);
    assert!(!stands(&bob_cell, &carol_cell, Side::Gives).await);
    assert!(!stands(&carol_cell, &bob_cell, Side::Receives).await);
    anna.put(&role, json!({"role": "member"})).await.expect(204);
    assert!(stands(&bob_cell, &carol_cell, Side::Gives).await);
    assert!(stands(&carol_cell, &bob_cell, Side::Receives).await);

    // Suspended, whoever it is.
    let suspended = format!("/people/{}/suspend", carol_cell.user);
    anna.post(&suspended, json!({})).await.expect(200);
    assert!(!stands(&bob_cell, &carol_cell, Side::Gives).await);
}

#[tokio::test]
async fn of_two_who_come_into_a_group_at_once_the_second_one_counts_the_first() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let group = make(&mut anna, "Support").await;
    invite(&mut anna, &group, "bob@acme.example").await;
    let mut owner = world.database.owner().await;
    sqlx::query(PEOPLE_COME_IN)
        .bind(limits::GROUP_MEMBERS - 1)
        .execute(&mut owner)
        .await
        .unwrap();
    let one_place = "DELETE FROM group_members WHERE user_id = (SELECT id FROM users WHERE name = 'x' LIMIT 1)";
    sqlx::query(one_place).execute(&mut owner).await.unwrap();
    let waiting = bob.get("/group-invitations").await.expect(200).json;
    let id = waiting["invitations"][0]["id"].as_str().unwrap().to_owned();
    // Who is in no group takes it.
    let mut first = owner.begin().await.unwrap();
    for statement in [
        "SELECT FROM groups FOR UPDATE",
        "INSERT INTO group_members (tenant_id, group_id, user_id, role, joined_at)
            SELECT u.tenant_id, g.id, u.id, 'member', now() FROM users u, groups g
            WHERE u.name = 'x' AND NOT EXISTS (SELECT FROM group_members m WHERE m.user_id = u.id)",
    ] {
        sqlx::query(statement).execute(&mut *first).await.unwrap();
    }
    let goes_on = async {
        world.database.until_wait_for_locks(1).await;
        first.commit().await.unwrap();
    };
    let accept = format!("/group-invitations/{id}/accept");
    let (accepted, ()) = tokio::join!(bob.post(&accept, json!({})), goes_on);
    accepted.refused(409, "limit_reached");
}
