//! OpenClaw's configuration, rendered afresh at every start: the agent can edit the file, so nothing in it is trusted. And
//! what the agent is told of its keeper.

use std::path::Path;

use protocol::bridge::{AGENT_BINARY, BROKER_PORT, HOME_DIR, WARM_UP_PORT};
use protocol::template::ToolsPolicy;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::files::{self, HomeFileError};
use crate::broker::{ModelPublic, step_path};
use crate::limits;
use crate::mcp;
use crate::vault_service::ModelKind;

/// What is the same for everyone; also what the image's compile cache is made with.
const TEMPLATE: &str = include_str!("../../../../images/agent/openclaw.json");
pub(super) const STATE: &str = ".openclaw";
const FILE: &str = "openclaw.json";
const PARTIAL: &str = ".openclaw.json.holdfast";
/// The provider of secrets, in references that name it: `{"source":"exec","provider":"holdfast","id":"…"}`.
const SECRETS: &str = "holdfast";
/// The keeper's tools, as OpenClaw names their server.
const TOOLS: &str = "holdfast";
const SKILL: &str = "holdfast";
const SKILL_FILE: &str = "SKILL.md";
const SKILL_PARTIAL: &str = ".SKILL.md.holdfast";
/// Tools that change OpenClaw itself, and with it what its configuration forbids.
const RULERS: [&str; 3] = ["gateway", "openclaw", "plugins"];
/// Tools and groups that run commands, and those that have them run later.
const COMMANDS: [&str; 3] = ["group:runtime", "exec", "bash"];
const SCHEDULERS: [&str; 2] = ["automations", "cron"];
/// The provider that a warm-up turn uses: the bridge answers it, no model is asked.
pub(super) const WARM_UP_MODEL: &str = "warmup/warmup";

/// What an agent is started with, as its configuration says it.
pub struct StartWith<'a> {
    /// The models that OpenClaw goes through by itself; at least one.
    pub models: &'a [ModelPublic],
    pub tools: &'a ToolsPolicy,
}

/// The whole configuration, for the first model of each step of the order: OpenClaw goes from one to the next when the broker says that
/// nobody in one answers.
pub(super) fn render(with: &StartWith<'_>, token: &SecretString, asks: bool) -> Zeroizing<String> {
    let models = with.models;
    let mut config: Value = serde_json::from_str(TEMPLATE).expect("the template is checked by a test");
    config["gateway"]["auth"]["token"] = json!(token.expose_secret());
    let mut providers = Map::new();
    let mut order = Vec::new();
    for (step, model) in models.iter().enumerate() {
        let name = if step == 0 {
            "main".to_owned()
        } else {
            format!("then{step}")
        };
        order.push(format!("{name}/{}", model.model));
        providers.insert(name, provider(model.kind, BROKER_PORT, &step_path(step), &model.model));
    }
    // Of the first's protocol, whose code is then loaded.
    let kind = models.first().map_or(ModelKind::OpenAi, |first| first.kind);
    providers.insert("warmup".to_owned(), provider(kind, WARM_UP_PORT, "", "warmup"));
    config["models"]["providers"] = Value::Object(providers);
    // Run only for a reference that names it. What it is told, its owner lets the agent see.
    config["secrets"] = json!({
        "providers": {SECRETS: {"source": "exec", "command": AGENT_BINARY, "args": ["secrets"], "jsonOnly": true}},
        "defaults": {"exec": SECRETS},
    });
    // The keeper's tools. A call waits there while its owner is asked, so OpenClaw must not give it up before.
    config["mcp"]["servers"] = json!({TOOLS: {
        "url": format!("http://127.0.0.1:{BROKER_PORT}{}", mcp::PATH),
        "transport": "streamable-http",
        "requestTimeoutMs": u64::try_from(limits::AGENT_WAITS_FOR_TOOL.as_millis()).unwrap_or(u64::MAX),
        "supportsParallelToolCalls": true,
    }});
    // Left alone, OpenClaw hides the tools of MCP servers from the model behind a search of its own.
    config["tools"]["toolSearch"] = json!(false);
    config["tools"]["exec"]["mode"] = json!(if asks { "ask" } else { "full" });
    forbid(&mut config, with.tools);
    config["agents"]["defaults"]["model"] = match order.split_first() {
        Some((first, [])) => json!({"primary": first}),
        Some((first, rest)) => json!({"primary": first, "fallbacks": rest}),
        None => Value::Null,
    };
    config["agents"]["defaults"]["workspace"] = json!(format!("{HOME_DIR}/{STATE}/workspace"));
    Zeroizing::new(config.to_string())
}

/// What a template says of tools. Whoever may write the configuration, or have OpenClaw change it, may undo this; so the file tools stay in
/// the workspace, what rules OpenClaw is forbidden too, and a file that was changed all the same counts for nothing until the next start,
/// at which it is rendered anew. An agent that may run commands can do by them what its other tools may not.
fn forbid(config: &mut Value, tools: &ToolsPolicy) {
    if tools.is_empty() {
        return;
    }
    if !tools.allow.is_empty() {
        config["tools"]["allow"] = json!(tools.allow);
    }
    let mut deny: Vec<&str> = tools.deny.iter().map(String::as_str).collect();
    let is_denied = |tool: &str| tools.deny.iter().any(|denied| denied == tool);
    deny.extend(RULERS.iter().filter(|ruler| !is_denied(ruler)));
    if COMMANDS.iter().any(|tool| is_denied(tool)) {
        deny.extend(SCHEDULERS.iter().filter(|tool| !is_denied(tool)));
    }
    config["tools"]["deny"] = json!(deny);
    config["tools"]["fs"] = json!({"workspaceOnly": true});
    config["gateway"]["reload"] = json!({"mode": "off"});
}

/// A provider on loopback. It has no key, which OpenClaw allows there: the keeper puts the real one in, and what OpenClaw does not have, it
/// does not set aside when a call is refused (decision 0233).
fn provider(kind: ModelKind, port: u16, path: &str, model: &str) -> Value {
    let root = format!("http://127.0.0.1:{port}{path}");
    let (api, base) = match kind {
        ModelKind::OpenAi => ("openai-completions", format!("{root}/v1")),
        ModelKind::Anthropic => ("anthropic-messages", root),
    };
    json!({"baseUrl": base, "api": api, "models": [{
        "id": model, "name": model, "reasoning": false, "input": ["text"],
        "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
        "contextWindow": 128_000, "maxTokens": 8192,
    }]})
}

/// Puts the configuration into a home, owned by the agent and readable by it alone.
pub(super) fn install(home: &Path, config: &str) -> Result<(), HomeFileError> {
    let state = files::own_folder(&files::open(home)?, STATE)?;
    files::own_folder(&state, "workspace")?;
    files::place(&state, FILE, PARTIAL, config)
}

/// Puts what the agent is told of its keeper into a home, as a skill that OpenClaw shows to all of its agents.
pub(super) fn tell(home: &Path, skill: Option<&str>) -> Result<(), HomeFileError> {
    let state = files::own_folder(&files::open(home)?, STATE)?;
    let skills = files::own_folder(&state, "skills")?;
    let folder = files::own_folder(&skills, SKILL)?;
    match skill {
        Some(text) => files::place(&folder, SKILL_FILE, SKILL_PARTIAL, text),
        None => files::take_away(&folder, SKILL_FILE),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn model(kind: ModelKind) -> ModelPublic {
        ModelPublic {
            kind,
            base_url: "https://provider.example/v1".to_owned(),
            model: "org/some-model".to_owned(),
        }
    }

    fn rendered(models: &[ModelPublic], tools: &ToolsPolicy, asks: bool) -> Zeroizing<String> {
        let token = SecretString::from("t".repeat(43));
        render(&StartWith { models, tools }, &token, asks)
    }

    #[test]
    fn a_policy_of_tools_is_in_the_configuration_with_what_would_undo_it() {
        let tools = |allow: &[&str], deny: &[&str]| ToolsPolicy {
            allow: allow.iter().map(|&tool| tool.to_owned()).collect(),
            deny: deny.iter().map(|&tool| tool.to_owned()).collect(),
        };
        let config = |tools: &ToolsPolicy| -> Value {
            serde_json::from_str(&rendered(&[model(ModelKind::OpenAi)], tools, false)).unwrap()
        };
        let plain = config(&ToolsPolicy::default());
        for at in ["/tools/allow", "/tools/deny", "/tools/fs", "/gateway/reload"] {
            assert_eq!(plain.pointer(at), None, "{at}");
        }
        let denying = config(&tools(&[], &["exec", "openclaw"]));
        assert_eq!(
            denying["tools"]["deny"],
            json!(["exec", "openclaw", "gateway", "plugins", "automations", "cron"])
        );
        assert_eq!(denying["tools"].get("allow"), None);
        assert_eq!(denying["tools"]["fs"]["workspaceOnly"], true);
        assert_eq!(denying["gateway"]["reload"]["mode"], "off");
        assert_eq!(denying["tools"]["toolSearch"], false);
        let allowing = config(&tools(&["read", "gateway"], &[]));
        assert_eq!(allowing["tools"]["allow"], json!(["read", "gateway"]));
        assert_eq!(allowing["tools"]["deny"], json!(["gateway", "openclaw", "plugins"]));
    }

    #[test]
    fn the_configuration_names_the_model_and_not_its_provider() {
        let text = rendered(&[model(ModelKind::Anthropic)], &ToolsPolicy::default(), false);
        let config: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(config["agents"]["defaults"]["model"]["primary"], "main/org/some-model");
        assert_eq!(config["models"]["providers"]["main"]["api"], "anthropic-messages");
        assert_eq!(
            config["models"]["providers"]["main"]["baseUrl"],
            "http://127.0.0.1:18790"
        );
        assert_eq!(config["gateway"]["auth"]["token"], "t".repeat(43));
        assert_eq!(config["gateway"]["bind"], "loopback");
        assert!(!text.contains("provider.example"));
        assert_eq!(config["tools"]["exec"]["mode"], "full");
        assert_eq!(config["tools"]["toolSearch"], false);
        assert_eq!(
            config["mcp"]["servers"]["holdfast"]["url"],
            "http://127.0.0.1:18790/mcp"
        );
        assert_eq!(
            config["agents"]["defaults"]["model"],
            json!({"primary": "main/org/some-model"})
        );
        let asking: Value =
            serde_json::from_str(&rendered(&[model(ModelKind::OpenAi)], &ToolsPolicy::default(), true)).unwrap();
        assert_eq!(asking["tools"]["exec"]["mode"], "ask");
    }

    #[test]
    fn the_configuration_names_a_model_of_each_protocol_in_the_order_of_its_owner() {
        let order = [ModelKind::Anthropic, ModelKind::OpenAi, ModelKind::Anthropic].map(model);
        let config: Value = serde_json::from_str(&rendered(&order, &ToolsPolicy::default(), false)).unwrap();
        assert_eq!(
            config["agents"]["defaults"]["model"],
            json!({"primary": "main/org/some-model", "fallbacks": ["then1/org/some-model", "then2/org/some-model"]})
        );
        let providers = &config["models"]["providers"];
        let is = |name: &str| (providers[name]["api"].clone(), providers[name]["baseUrl"].clone());
        let of = |api: &str, base: &str| (json!(api), json!(base));
        assert_eq!(is("main"), of("anthropic-messages", "http://127.0.0.1:18790"));
        assert_eq!(
            is("then1"),
            of("openai-completions", "http://127.0.0.1:18790/then/1/v1")
        );
        assert_eq!(is("then2"), of("anthropic-messages", "http://127.0.0.1:18790/then/2"));
        assert_eq!(is("warmup").0, "anthropic-messages");
    }

    #[test]
    fn a_link_in_the_home_is_replaced_and_not_followed() {
        let home = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let target = outside.path().join("target");
        std::fs::write(&target, "untouched").unwrap();
        symlink(outside.path(), home.path().join(STATE)).unwrap();
        install(home.path(), "{\"a\":1}").unwrap();
        assert!(!outside.path().join(FILE).exists());

        let state = home.path().join(STATE);
        std::fs::remove_file(state.join(FILE)).unwrap();
        symlink(&target, state.join(FILE)).unwrap();
        symlink(&target, state.join(PARTIAL)).unwrap();
        install(home.path(), "{\"a\":2}").unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "untouched");
        let meta = std::fs::symlink_metadata(state.join(FILE)).unwrap();
        assert!(meta.is_file());
        assert_eq!(meta.permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_to_string(state.join(FILE)).unwrap(), "{\"a\":2}");
    }

    #[test]
    fn what_the_agent_is_told_is_replaced_and_taken_away_and_no_link_is_followed() {
        let home = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let target = outside.path().join("target");
        std::fs::write(&target, "untouched").unwrap();
        let folder = home.path().join(STATE).join("skills").join(SKILL);
        tell(home.path(), Some("one")).unwrap();
        assert_eq!(std::fs::read_to_string(folder.join(SKILL_FILE)).unwrap(), "one");
        std::fs::remove_file(folder.join(SKILL_FILE)).unwrap();
        symlink(&target, folder.join(SKILL_FILE)).unwrap();
        tell(home.path(), Some("two")).unwrap();
        assert_eq!(std::fs::read_to_string(folder.join(SKILL_FILE)).unwrap(), "two");
        std::fs::remove_dir_all(&folder).unwrap();
        symlink(outside.path(), &folder).unwrap();
        tell(home.path(), Some("three")).unwrap();
        assert_eq!(std::fs::read_to_string(folder.join(SKILL_FILE)).unwrap(), "three");
        tell(home.path(), None).unwrap();
        tell(home.path(), None).unwrap();
        assert!(!folder.join(SKILL_FILE).exists());
        assert!(!outside.path().join(SKILL_FILE).exists());
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "untouched");
    }

    #[test]
    fn a_folder_in_place_of_the_configuration_is_moved_aside() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.path().join(STATE).join(FILE).join("deep")).unwrap();
        install(home.path(), "{}").unwrap();
        assert!(home.path().join(STATE).join(FILE).is_file());
    }
}
