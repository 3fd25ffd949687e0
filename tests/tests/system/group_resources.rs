//! What an admin lets a group use, through real cells, the real relay and the real server: accepted by the member, told to their agent, and over
//! when the server alone has been told that they are out.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use system_tests::canary::{Canary, Search};
use system_tests::contacts::{meets, opened};
use system_tests::docker::{Part, container, pid};
use system_tests::shared::{received, uses};
use system_tests::{Installation, Person, now, wait_until};

const PASSWORD: &str = "correct horse battery staple";
const SOON: Duration = Duration::from_secs(90);
const DAY: i64 = 24 * 60 * 60 * 1000;

/// The skills in the agent's workspace that its keeper has put there for what is shared, looked at from outside.
fn skills(person: &Person) -> Vec<String> {
    let agent = container(person.cell(), Part::Agent).expect("the agent runs");
    let folder = PathBuf::from(format!(
        "/proc/{}/root/home/node/.openclaw/workspace/skills",
        pid(&agent)
    ));
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let text = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.ok()?;
        let ours = entry.file_name().to_str()?.starts_with("holdfast-");
        ours.then(|| std::fs::read_to_string(entry.path().join("SKILL.md")).ok())?
    };
    entries.filter_map(text).collect()
}

/// Anna invites them into her group, and they come.
async fn comes_in(anna: &Person, group: &str, who: &Person, email: &str) {
    let invitation = json!({"email": email, "role": "member"});
    anna.post(&format!("{group}/invitations"), &invitation).await.ok();
    let waiting = who.get("/api/v1/group-invitations").await.ok();
    let invited = waiting["invitations"][0]["id"].as_str().expect("an id");
    who.post(&format!("/api/v1/group-invitations/{invited}/accept"), &json!({}))
        .await
        .ok();
}

#[tokio::test]
async fn promise_09_a_group_uses_its_admins_service_by_what_each_was_granted_until_they_are_out() {
    let installation = Installation::start().await;
    let anna = installation.owner().await;
    let bob = installation.member(&anna, "Bob", "bob@example.org").await;
    let carol = installation.member(&anna, "Carol", "carol@example.org").await;
    let (with_anna, with_bob, with_carol) = (
        opened(&anna, PASSWORD).await,
        opened(&bob, PASSWORD).await,
        opened(&carol, PASSWORD).await,
    );
    for (person, session) in [(&anna, &with_anna), (&bob, &with_bob), (&carol, &with_carol)] {
        meets(person, session).await;
    }
    let group = anna.post("/api/v1/groups", &json!({"name": "Sales"})).await.ok()["id"].clone();
    let path = format!("/api/v1/groups/{}", group.as_str().expect("an id"));
    comes_in(&anna, &path, &bob, "bob@example.org").await;

    // The scripted model stands for a list of customers: it is the one address that is allowed here.
    let (key, skill, name) = (
        Canary::new("crm-key"),
        Canary::new("crm-skill"),
        Canary::new("crm-name"),
    );
    let secret = json!({"name": "Key", "kind": "api_key", "agent": "use", "value": key.text});
    let secret = with_anna.call("secret.set", secret).await["id"].clone();
    let route = json!({"name": "crm", "base_url": installation.model().base_url(), "secret": secret,
        "inject": {"as": "header", "name": "x-api-key", "prefix": ""}});
    with_anna.call("route.set", route).await;
    let offer = json!({"group": group, "group_name": "Sales", "name": name.text, "about": "Who our customers are.",
        "resource": "service/crm", "skill": format!("Look before you write: {}", skill.text)});
    let resource = with_anna.call("share.offer", offer).await["resource"]["id"].clone();
    let grant = |person: &Person| json!({"resource": resource, "with": person.me["user"]["id"], "scope": ["read", "list", "admin", "share"], "until": now() + 3 * DAY});
    // Carol is no member: nothing is granted to her, and nothing was offered.
    let refused = with_anna.channel.call("share.grant", grant(&carol)).await;
    assert_eq!(refused.expect_err("Carol is in no group").code(), Some("not_in_group"));
    let id = with_anna.call("share.grant", grant(&bob)).await["share"]["id"].clone();

    // Bob's agent runs, and hears nothing before he has accepted it.
    with_bob
        .connect_model(&installation.model().base_url(), "sk-unused")
        .await;
    with_bob.ready().await;
    received(&with_bob, "offered").await;
    assert_eq!(uses(&with_bob, &id, "GET").await, Err("not_accepted".to_owned()));
    assert_eq!(skills(&bob), Vec::<String>::new());
    let conversation = with_bob.conversation().await;
    let listing = "[[tool: holdfast__list_capabilities {}]] [[say: read]]";
    let turn = with_bob.ask(&conversation, listing).await;
    assert!(!json!(turn.events).to_string().contains(&name.text));
    with_bob.call("share.accept", json!({"id": id})).await;
    let told = wait_until("the agent has the skill", SOON, async || skills(&bob).pop()).await;
    assert!(
        told.contains(&skill.text) && told.contains(id.as_str().expect("an id")),
        "{told}"
    );

    // It reads, by its tool; what was not granted is refused.
    let reading = format!(
        "[[tool: holdfast__call_shared {}]] [[say: read]]",
        json!({"id": id, "path": "/models"})
    );
    let turn = with_bob.ask(&conversation, &reading).await;
    let said = json!(turn.events).to_string();
    assert!(
        said.contains("\\\"status\\\":200") && !said.contains(&key.text),
        "{said}"
    );
    for method in ["POST", "DELETE"] {
        assert_eq!(uses(&with_bob, &id, method).await, Err("scope".to_owned()), "{method}");
    }
    assert!(uses(&with_bob, &id, "GET").await.is_ok());

    // Carol comes in. Bob passes it on to her, and manages it for Anna, whose vault gives nobody more than he has.
    comes_in(&anna, &path, &carol, "carol@example.org").await;
    let carols = &carol.me["user"]["id"];
    let on = json!({"id": id, "with": carols, "scope": ["read"], "until": now() + DAY});
    let link = with_bob.call("share.pass_on", on).await["share"]["id"].clone();
    received(&with_carol, "given").await;
    assert!(uses(&with_carol, &link, "GET").await.is_ok());
    let lets = |scope: &[&str]| json!({"id": id, "request": {"act": "grant", "user": carols, "scope": scope, "until": now() + DAY}});
    let wider = with_bob.channel.call("share.manage", lets(&["read", "write"])).await;
    assert_eq!(wider.expect_err("Bob may not write").code(), Some("wider"));
    let members = with_bob.call("share.manage", lets(&["read"])).await["members"].clone();
    assert_eq!(members.as_array().map(Vec::len), Some(2), "{members}");
    let ends = json!({"id": id, "request": {"act": "end", "user": carols}});
    let members = with_bob.call("share.manage", ends).await["members"].clone();
    assert_eq!(members.as_array().map(Vec::len), Some(1), "{members}");

    // Bob is taken out, and the server alone is told: his next use is refused, and his agent forgets it.
    let out = json!({"user": bob.me["user"]["id"]});
    anna.post(&format!("{path}/members/remove"), &out).await.ok();
    assert_eq!(uses(&with_bob, &id, "GET").await, Err("not_in_group".to_owned()));
    assert_eq!(uses(&with_carol, &link, "GET").await, Err("revoked".to_owned()));
    received(&with_bob, "stopped").await;
    wait_until("the agent has the skill no more", SOON, async || {
        skills(&bob).is_empty().then_some(())
    })
    .await;

    // He comes back, and has nothing of what he had before.
    comes_in(&anna, &path, &bob, "bob@example.org").await;
    assert_eq!(uses(&with_bob, &id, "GET").await, Err("revoked".to_owned()));

    // Nothing of it is where the platform writes: neither the key, nor what it is called, nor what agents are told.
    let mut search = Search::new(&[key, skill, name]);
    search.folder(installation.data_dir());
    assert!(search.searched() > 1_000_000);
    assert!(search.found().is_empty(), "{:?}", search.found());
}
