//! What the real OpenClaw, in a real cell, learns of its keeper: services by name, and the values that its owner lets it see.

use serde_json::{Value, json};
use system_tests::Installation;
use system_tests::canary::Canary;
use system_tests::docker::{Part, container, exec};

const PASSWORD: &str = "correct horse battery staple";
/// Writes a configuration with one reference to a secret, the one that is named.
const AUDIT: &str = r#"
import { readFileSync, writeFileSync } from "node:fs";
const config = JSON.parse(readFileSync("/home/node/.openclaw/openclaw.json", "utf8"));
config.skills.entries = { github: { apiKey: { source: "exec", provider: "holdfast", id: process.argv[1] } } };
writeFileSync("/tmp/audited.json", JSON.stringify(config), { mode: 0o600 });
"#;

#[tokio::test]
async fn openclaw_resolves_a_secret_that_it_may_see_and_no_other_and_has_its_services_as_a_skill() {
    let installation = Installation::start().await;
    let owner = installation.owner().await;
    let session = owner.make_vault(PASSWORD).await.session;
    session
        .connect_model(&installation.model().base_url(), "sk-unused")
        .await;
    session.ready().await;
    let (seen, used) = (Canary::new("seen-"), Canary::new("used-"));
    let secret = async |name: &str, agent: &str, value: &str| {
        let params = json!({"name": name, "kind": "api_key", "agent": agent, "value": value});
        let added = session.call("secret.set", params).await;
        added["id"].as_str().expect("an id").to_owned()
    };
    let may_see = secret("Bot", "see", &seen.text).await;
    let may_use = secret("Tracker", "use", &used.text).await;
    let route = json!({"name": "tracker", "base_url": "https://tracker.example.org/v2", "secret": may_use,
        "inject": {"as": "header", "name": "authorization", "prefix": "Bearer "}, "about": "Our open tickets"});
    session.call("route.set", route).await;

    // What it may call is a skill in its home, without any value.
    let agent = container(owner.cell(), Part::Agent).expect("the agent runs");
    let (_, skill) = exec(&agent, &["cat", "/home/node/.openclaw/skills/holdfast/SKILL.md"]);
    assert!(
        skill.contains("| tracker | `http://127.0.0.1:18790/x/tracker` | tracker.example.org | Our open tickets |"),
        "{skill}"
    );
    assert!(!skill.contains(&seen.text) && !skill.contains(&used.text));

    // A program of the agent's gets what it may see.
    let request = json!({"protocolVersion": 1, "provider": "holdfast", "ids": [may_see, may_use]}).to_string();
    let provider = format!("printf '%s' '{request}' | holdfast-keeper secrets");
    let (done, told) = exec(&agent, &["sh", "-c", &provider]);
    let told: Value = serde_json::from_str(&told).unwrap_or_else(|_| panic!("{told}"));
    assert!(done);
    assert_eq!(told["values"], json!({&may_see: seen.text}));
    assert_eq!(told["errors"][&may_use]["code"], "NOT_FOUND");

    // And so does OpenClaw itself, by its own references.
    for (id, unresolved) in [(&may_see, 0), (&may_use, 1)] {
        let audit = format!(
            "export OPENCLAW_STATE_DIR=/home/node/.openclaw OPENCLAW_CONFIG_PATH=/tmp/audited.json HOME=/home/node \
             && node --input-type=module --eval '{AUDIT}' {id} \
             && node /opt/openclaw/node_modules/openclaw/openclaw.mjs secrets audit --allow-exec --json"
        );
        let (_, report) = exec(&agent, &["sh", "-c", &audit]);
        let start = report.find('{').unwrap_or_else(|| panic!("{report}"));
        let report: Value = serde_json::Deserializer::from_str(&report[start..])
            .into_iter()
            .next()
            .expect("a report")
            .unwrap_or_else(|error| panic!("{error}: {report}"));
        assert_eq!(report["resolution"]["refsChecked"], 1, "{report}");
        assert_eq!(report["summary"]["unresolvedRefCount"], unresolved, "{report}");
        assert!(!report.to_string().contains(&seen.text));
    }
    let noted = session
        .call("activity.list", json!({"class": "agent"}))
        .await
        .to_string();
    assert!(noted.contains("secret_seen") && noted.contains("Bot"), "{noted}");
    let refused = session
        .call("activity.list", json!({"class": "refused"}))
        .await
        .to_string();
    assert!(refused.contains("Tracker"), "{refused}");
}
