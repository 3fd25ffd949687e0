//! The tenant API: its token, its master key, and whoever speaks to its cells.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cells::Cells;
use management::{AdminToken, Custody, Database, MasterKey, MasterKeyIn, OsEntropy, SystemClock, TenantApiParts};
use zeroize::Zeroizing;

use crate::config::TenantApi;
use crate::data_dir::write_whole;
use crate::operator_token;
use crate::platform::Platform;
use crate::refusal::Refusal;

/// What those who come from the proposal for OpenClaw itself have in their environment.
const ENABLED: &str = "OPENCLAW_MULTITENANT";
const MASTER_KEY: &str = "OPENCLAW_TENANT_MASTER_KEY";
/// Bytes of a master key that is made here.
const MADE: usize = 48;

/// The parts of the tenant API, where it is turned on.
///
/// # Errors
/// The operator's token is too short, or no text; there is no master key, it is too short, or it is not the one that the database was written with.
pub async fn parts(
    config: &TenantApi,
    data_dir: &Path,
    database: Database,
    cells: &Cells,
) -> Result<Option<TenantApiParts>, Refusal> {
    if !is_on(config, env::var_os(ENABLED).as_deref())? {
        return Ok(None);
    }
    let token = operator_token::of_tenant_api(data_dir)?;
    let admin_token = AdminToken::new(&token).map_err(|error| Refusal::Config(format!("{error}.")))?;
    let (master_key_in, master) = master_key(config, env::var_os(MASTER_KEY), data_dir)?;
    let master = MasterKey::new(&master).map_err(|error| Refusal::Config(format!("{error}.")))?;
    let custody = Custody::open(database, Arc::new(SystemClock), Arc::new(OsEntropy), master)
        .await
        .map_err(|error| Refusal::Other(format!("The tenant API cannot start: {error}.")))?;
    let custody = Arc::new(custody);
    Ok(Some(TenantApiParts {
        admin_token,
        agents: Arc::new(Platform::new(cells.clone(), custody.clone())),
        custody,
        master_key_in,
    }))
}

/// Whether the environment turns it on, or the configuration. What means neither is no answer to guess at.
fn is_on(config: &TenantApi, value: Option<&OsStr>) -> Result<bool, Refusal> {
    let value = value.unwrap_or_default();
    let is = |words: [&str; 2]| words.iter().any(|word| value.eq_ignore_ascii_case(word));
    match (is(["1", "true"]), is(["0", "false"]) || value.is_empty()) {
        (true, _) => Ok(true),
        (_, true) => Ok(config.enabled),
        _ => Err(Refusal::Config(format!(
            "{ENABLED} is {value:?}: `1` or `true` turns the tenant API on, `0`, `false` or nothing leaves it to the configuration."
        ))),
    }
}

/// Where the master key is, unless the operator names a file or sets it in the environment.
pub fn own_master_key(data_dir: &Path) -> PathBuf {
    data_dir.join("keys").join("tenant-master.key")
}

/// What the environment says, whatever bytes it has; else what the operator's file holds; else the server's own, which is made here.
fn master_key(
    config: &TenantApi,
    set: Option<OsString>,
    data_dir: &Path,
) -> Result<(MasterKeyIn, Zeroizing<Vec<u8>>), Refusal> {
    if let Some(key) = set.filter(|set| !set.is_empty()) {
        return Ok((MasterKeyIn::Environment, Zeroizing::new(key.into_vec())));
    }
    let read = |path: &Path| {
        let bytes = fs::read(path).map(Zeroizing::new);
        bytes.map_err(|error| Refusal::Config(format!("the master key {} cannot be read: {error}.", path.display())))
    };
    if let Some(file) = &config.master_key_file {
        return Ok((MasterKeyIn::File, read(file)?));
    }
    let own = own_master_key(data_dir);
    if !own.exists() {
        let mut bytes = Zeroizing::new([0; MADE]);
        getrandom::fill(&mut *bytes)
            .map_err(|error| Refusal::Other(format!("The system gives no random bytes: {error}.")))?;
        let text = Zeroizing::new(protocol::b64::encode(*bytes));
        write_whole(&own, text.as_bytes(), 0o600)?;
    }
    Ok((MasterKeyIn::DataDirectory, read(&own)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_turned_on_by_what_says_so_and_what_says_neither_is_refused() {
        let off = TenantApi::default();
        let on = |value: &str| is_on(&off, Some(OsStr::new(value)));
        assert!(["1", "true", "TRUE"].into_iter().all(|value| on(value).unwrap()));
        assert!(!["", "0", "False"].into_iter().any(|value| on(value).unwrap()));
        assert!(!is_on(&off, None).unwrap());
        let configured = TenantApi {
            enabled: true,
            ..TenantApi::default()
        };
        assert!(is_on(&configured, None).unwrap() && is_on(&configured, Some(OsStr::new("0"))).unwrap());
        for value in ["yes", "on", " 1"] {
            assert!(on(value).unwrap_err().to_string().contains(ENABLED), "{value}");
            assert!(is_on(&configured, Some(OsStr::new(value))).is_err(), "{value}");
        }
    }

    #[test]
    fn a_master_key_is_read_from_a_file_whatever_bytes_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("raw");
        let raw = [0xff; 32];
        fs::write(&file, raw).unwrap();
        let config = TenantApi {
            master_key_file: Some(file),
            ..TenantApi::default()
        };
        let (from, key) = master_key(&config, None, folder.path()).unwrap();
        assert_eq!((from, key.as_slice()), (MasterKeyIn::File, raw.as_slice()));
    }

    #[test]
    fn a_master_key_of_the_environment_goes_before_any_file_whatever_bytes_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("named");
        fs::write(&file, [b'f'; 32]).unwrap();
        let named = TenantApi {
            master_key_file: Some(file),
            ..TenantApi::default()
        };
        for config in [TenantApi::default(), named.clone()] {
            for set in [vec![0xff; 32], vec![b'e'; 32]] {
                let (from, key) = master_key(&config, Some(OsString::from_vec(set.clone())), folder.path()).unwrap();
                assert_eq!((from, key.as_slice()), (MasterKeyIn::Environment, set.as_slice()));
            }
        }
        assert!(!own_master_key(folder.path()).exists());
        // Nothing is no key.
        let (from, _) = master_key(&named, Some(OsString::new()), folder.path()).unwrap();
        assert_eq!(from, MasterKeyIn::File);
    }
}
