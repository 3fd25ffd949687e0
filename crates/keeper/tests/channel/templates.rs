//! What the agent is, as it is told over the channel and kept in the vault.

use protocol::limits::{TEMPLATE_BYTES, TEMPLATE_SKILLS};
use serde_json::{Value, json};

use super::bench::{TestKeeper, password, refused};

fn skill(name: &str, length: usize) -> Value {
    let head = format!("---\nname: {name}\ndescription: What for\n---\n");
    json!({"name": name, "document": format!("{head}{}", "\"".repeat(length))})
}

#[tokio::test]
async fn a_template_is_kept_with_the_vault_until_another_takes_its_place() {
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    assert_eq!(
        channel.call("template.get", json!({})).await.unwrap()["template"],
        Value::Null
    );
    // As large as it may be, with everything in it that has to be escaped: one frame carries it.
    let skills: Vec<Value> = (0..TEMPLATE_SKILLS)
        .map(|at| skill(&format!("s{at}"), TEMPLATE_BYTES / TEMPLATE_SKILLS - 64))
        .collect();
    let tools = json!({"allow": [], "deny": ["exec"]});
    let template = json!({"name": "writer", "persona": "You write.", "skills": skills, "tools": tools});
    channel
        .call("template.set", json!({"template": template}))
        .await
        .unwrap();
    let keeper = keeper.restarted().await;
    let (channel, _events) = keeper.login(slot, &password(), None).await.unwrap();
    channel.unlock().await.unwrap();
    assert_eq!(
        channel.call("template.get", json!({})).await.unwrap()["template"],
        template
    );
    channel.call("template.set", json!({"template": null})).await.unwrap();
    assert_eq!(
        channel.call("template.get", json!({})).await.unwrap()["template"],
        Value::Null
    );
}

#[tokio::test]
async fn a_template_that_leads_elsewhere_or_is_none_is_refused_and_the_one_before_stays() {
    let (_keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
    let good = json!({"name": "writer", "persona": "You write.", "skills": [skill("edit", 1)], "tools": {"allow": [], "deny": []}});
    channel.call("template.set", json!({"template": good})).await.unwrap();
    let with = |field: &str, value: Value| {
        let mut template = good.clone();
        template[field] = value;
        json!({"template": template})
    };
    for (params, code) in [
        (with("name", json!("../writer")), "template_invalid"),
        (with("skills", json!([skill("../../state", 1)])), "template_invalid"),
        (with("skills", json!([skill("holdfast", 1)])), "template_invalid"),
        (with("skills", json!([skill("edit", 32 * 1024)])), "template_invalid"),
        (with("tools", json!({"deny": ["a b"]})), "template_invalid"),
        (with("colour", json!("red")), "malformed"),
        (json!({}), "malformed"),
    ] {
        let error = refused(channel.call("template.set", params).await);
        assert_eq!(error.code(), Some(code), "{error}");
    }
    assert_eq!(channel.call("template.get", json!({})).await.unwrap()["template"], good);
}
