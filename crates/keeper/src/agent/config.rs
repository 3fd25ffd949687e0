//! OpenClaw's configuration, rendered afresh at every start: the agent can edit the file, so nothing in it is trusted.
//!
//! The home belongs to a hostile agent while it runs. Every step here is relative to an open folder, never follows a
//! link, and replaces what it finds in the way.

use std::io::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use protocol::bridge::{AGENT_UID, BROKER_PORT, HOME_DIR, WARM_UP_PORT};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::broker::ModelPublic;
use crate::vault_service::ModelKind;

/// What is the same for everyone; also what the image's compile cache is made with.
const TEMPLATE: &str = include_str!("../../../../images/agent/openclaw.json");
const STATE: &str = ".openclaw";
const FILE: &str = "openclaw.json";
const PARTIAL: &str = ".openclaw.json.holdfast";
/// The provider that a warm-up turn uses: the bridge answers it, no model is asked.
pub(super) const WARM_UP_MODEL: &str = "warmup/warmup";

/// The home could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot write OpenClaw's configuration into the home: {step}: {source}")]
    Write { step: &'static str, source: std::io::Error },
}

/// The whole configuration.
pub(super) fn render(model: &ModelPublic, token: &SecretString) -> Zeroizing<String> {
    let mut config: Value = serde_json::from_str(TEMPLATE).expect("the template is checked by a test");
    config["gateway"]["auth"]["token"] = json!(token.expose_secret());
    let (api, base) = match model.kind {
        ModelKind::OpenAi => ("openai-completions", format!("http://127.0.0.1:{BROKER_PORT}/v1")),
        ModelKind::Anthropic => ("anthropic-messages", format!("http://127.0.0.1:{BROKER_PORT}")),
    };
    let warm_up = base.replace(&BROKER_PORT.to_string(), &WARM_UP_PORT.to_string());
    config["models"]["providers"] = json!({
        "main": provider(&base, api, &model.model),
        "warmup": provider(&warm_up, api, "warmup"),
    });
    config["agents"]["defaults"]["model"] = json!({"primary": format!("main/{}", model.model)});
    config["agents"]["defaults"]["workspace"] = json!(format!("{HOME_DIR}/{STATE}/workspace"));
    Zeroizing::new(config.to_string())
}

/// A provider on loopback. The key is a placeholder: the keeper puts the real one in.
fn provider(base: &str, api: &str, model: &str) -> Value {
    json!({"baseUrl": base, "apiKey": "held-by-the-keeper", "api": api, "models": [{
        "id": model, "name": model, "reasoning": false, "input": ["text"],
        "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
        "contextWindow": 128_000, "maxTokens": 8192,
    }]})
}

/// Puts the configuration into a home, owned by the agent and readable by it alone.
pub(super) fn install(home: &Path, config: &str) -> Result<(), ConfigError> {
    let folder = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
    let home = rustix::fs::openat(CWD, home, folder, Mode::empty()).map_err(|e| failed("opening the home", e))?;
    let state = own_folder(&home, STATE)?;
    own_folder(&state, "workspace")?;

    match rustix::fs::unlinkat(&state, PARTIAL, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(_) => set_aside(&state, PARTIAL)?,
    }
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&state, PARTIAL, flags, Mode::RUSR | Mode::WUSR)
        .map_err(|e| failed("making the file", e))?;
    let mut file = std::fs::File::from(file);
    file.write_all(config.as_bytes()).map_err(|source| ConfigError::Write {
        step: "writing the file",
        source,
    })?;
    give_to_agent(&file)?;
    if is_folder(&state, FILE) {
        set_aside(&state, FILE)?;
    }
    // Replaces a link itself, never what it points to.
    rustix::fs::renameat(&state, PARTIAL, &state, FILE).map_err(|e| failed("putting the file in place", e))
}

/// Opens a folder of the agent's, making it where it is missing or something else is in its place.
fn own_folder(parent: &OwnedFd, name: &str) -> Result<OwnedFd, ConfigError> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
    match rustix::fs::openat(parent, name, flags, Mode::empty()) {
        Ok(folder) => return Ok(folder),
        Err(Errno::NOENT) => {}
        Err(_) => set_aside(parent, name)?,
    }
    rustix::fs::mkdirat(parent, name, Mode::RWXU).map_err(|e| failed("making a folder", e))?;
    let folder = rustix::fs::openat(parent, name, flags, Mode::empty()).map_err(|e| failed("opening a folder", e))?;
    give_to_agent(&folder)?;
    Ok(folder)
}

fn give_to_agent(file: impl AsFd) -> Result<(), ConfigError> {
    let (user, group) = (Uid::from_raw(AGENT_UID), Gid::from_raw(AGENT_UID));
    rustix::fs::fchown(file, Some(user), Some(group)).map_err(|e| failed("giving it to the agent", e))
}

fn is_folder(parent: &OwnedFd, name: &str) -> bool {
    rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

/// Moves what is in the way aside; it is the agent's, so it is not deleted.
fn set_aside(parent: &OwnedFd, name: &str) -> Result<(), ConfigError> {
    let aside = format!("{name}.{}", uuid::Uuid::new_v4().simple());
    rustix::fs::renameat(parent, name, parent, aside).map_err(|e| failed("moving something out of the way", e))
}

fn failed(step: &'static str, errno: Errno) -> ConfigError {
    ConfigError::Write {
        step,
        source: errno.into(),
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

    #[test]
    fn the_configuration_names_the_model_and_not_its_provider() {
        let token = SecretString::from("t".repeat(43));
        let text = render(&model(ModelKind::Anthropic), &token);
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
    fn a_folder_in_place_of_the_configuration_is_moved_aside() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.path().join(STATE).join(FILE).join("deep")).unwrap();
        install(home.path(), "{}").unwrap();
        assert!(home.path().join(STATE).join(FILE).is_file());
    }
}
