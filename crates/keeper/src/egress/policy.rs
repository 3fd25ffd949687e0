//! Where the agent may connect: anywhere, to some hosts, or nowhere. Set by the vault's owner; while it is not known, nowhere.

use std::collections::BTreeSet;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use protocol::channel::{ChannelError, VaultState};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::activity::{Activity, Deed, What};
use crate::channel::{Methods, Subscriber, read_value, unknown_method};
use crate::limits;
use crate::vault_service::{VaultError, VaultService};
use crate::versioned;

const RECORD: &str = "egress/policy";

/// What is allowed besides the model and the routes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EgressMode {
    /// Any public address.
    Open,
    /// The hosts of the list.
    AllowList,
    #[default]
    None,
}

/// The policy of one vault.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressPolicy {
    pub mode: EgressMode,
    /// `host`, `*.host` (everything below it), each with `:port` or for any port.
    #[serde(default)]
    pub hosts: BTreeSet<String>,
}

impl EgressPolicy {
    /// What holds until the owner says otherwise.
    pub fn open() -> Self {
        Self {
            mode: EgressMode::Open,
            hosts: BTreeSet::new(),
        }
    }

    /// Whether the agent may connect to this host. The address behind it is checked on its own, after it is resolved.
    pub fn allows(&self, host: &str, port: u16) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        match self.mode {
            EgressMode::Open => true,
            EgressMode::None => false,
            EgressMode::AllowList => self.hosts.iter().any(|allowed| matches(allowed, &host, port)),
        }
    }

    /// Why it does not allow a host, for the owner to read.
    pub(super) fn refusal(&self) -> &'static str {
        match self.mode {
            EgressMode::None => "nothing is allowed",
            EgressMode::Open | EgressMode::AllowList => "not on the list",
        }
    }

    fn check(&self) -> Result<(), ChannelError> {
        if self.hosts.len() > limits::EGRESS_HOSTS {
            let text = format!("The list has at most {} hosts (EGRESS_HOSTS).", limits::EGRESS_HOSTS);
            return Err(ChannelError::new("egress_invalid", text));
        }
        match self.hosts.iter().find(|host| !is_host(host)) {
            Some(bad) => {
                let shown: String = bad.chars().take(80).collect();
                let text =
                    format!("{shown:?} is no host: example.org, *.example.org or example.org:8443, in small letters.");
                Err(ChannelError::new("egress_invalid", text))
            }
            None => Ok(()),
        }
    }
}

/// A host of the list and its port, if it has one.
fn split(allowed: &str) -> (&str, Option<&str>) {
    if allowed.starts_with('[') {
        return match allowed.split_once(']') {
            Some((_, port)) => (&allowed[..=allowed.len() - port.len() - 1], port.strip_prefix(':')),
            None => (allowed, None),
        };
    }
    match allowed.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (allowed, None),
    }
}

fn matches(allowed: &str, host: &str, port: u16) -> bool {
    let (name, only) = split(allowed);
    let below = |suffix: &str| {
        host.strip_suffix(suffix)
            .is_some_and(|rest| rest.ends_with('.') && rest.len() > 1)
    };
    let is_it = match name.strip_prefix("*.") {
        Some(suffix) => below(suffix),
        None => name == host,
    };
    is_it && only.is_none_or(|only| only.parse() == Ok(port))
}

fn is_host(allowed: &str) -> bool {
    let (name, port) = split(allowed);
    let port_fits = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0));
    let name = name.strip_prefix("*.").unwrap_or(name);
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
    };
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let name_fits = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => name.len() <= 253 && name.split('.').all(label),
    };
    port_fits && name_fits
}

/// The policy as it is in the vault. Cheap to clone.
#[derive(Clone)]
pub struct EgressSettings {
    vault: VaultService,
    activity: Activity,
    policy: watch::Sender<EgressPolicy>,
}

impl EgressSettings {
    /// The policy of this vault, loaded at each unlock. Must be called inside a tokio runtime.
    pub fn new(vault: VaultService, activity: Activity) -> Self {
        let settings = Self {
            vault,
            activity,
            policy: watch::Sender::new(EgressPolicy::default()),
        };
        let (mut state, policy, of) = (
            settings.vault.watch(),
            settings.policy.clone(),
            settings.vault.downgrade(),
        );
        tokio::spawn(async move {
            loop {
                let now = *state.borrow_and_update();
                let Some(vault) = of.upgrade() else { return };
                let loaded = if now == VaultState::Unlocked {
                    load(&vault)
                } else {
                    Err(VaultError::Locked)
                };
                drop(vault);
                policy.send_replace(loaded.unwrap_or_default());
                if state.changed().await.is_err() {
                    return;
                }
            }
        });
        settings
    }

    /// Follows the policy.
    pub fn watch(&self) -> watch::Receiver<EgressPolicy> {
        self.policy.subscribe()
    }

    async fn set(&self, policy: EgressPolicy) -> Result<Value, ChannelError> {
        policy.check()?;
        self.vault.put_record(RECORD, &versioned::encode(&policy)).await?;
        let words = match policy.mode {
            EgressMode::Open => "anywhere".to_owned(),
            EgressMode::AllowList => format!("{} hosts", policy.hosts.len()),
            EgressMode::None => "nowhere".to_owned(),
        };
        self.policy.send_replace(policy);
        self.activity
            .note_first(Deed::new(What::EgressChanged, "").because(words))
            .await?;
        Ok(json!({}))
    }
}

/// What cannot be read allows nothing: a newer version may have meant less than we would guess.
fn load(vault: &VaultService) -> Result<EgressPolicy, VaultError> {
    Ok(match vault.get_record(RECORD)? {
        None => EgressPolicy::open(),
        Some(bytes) => versioned::decode(&bytes).unwrap_or_default(),
    })
}

impl Methods for EgressSettings {
    fn call<'a>(
        &'a self,
        method: &'a str,
        params: Value,
        _subscriber: &'a Subscriber,
    ) -> BoxFuture<'a, Result<Value, ChannelError>> {
        async move {
            match method {
                "egress.get" => Ok(json!(load(&self.vault)?)),
                "egress.set" => self.set(read_value(params)?).await,
                _ => Err(unknown_method(method)),
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(hosts: &[&str]) -> EgressPolicy {
        EgressPolicy {
            mode: EgressMode::AllowList,
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        }
    }

    #[test]
    fn promise_04_an_allow_list_allows_what_it_names_and_nothing_like_it() {
        let policy = list(&["example.org", "*.wiki.example", "api.example:8443", "[2606:4700::1111]"]);
        assert!(policy.check().is_ok());
        for (host, port) in [
            ("example.org", 443),
            ("EXAMPLE.org.", 80),
            ("en.wiki.example", 443),
            ("a.b.wiki.example", 443),
            ("api.example", 8443),
            ("[2606:4700::1111]", 443),
        ] {
            assert!(policy.allows(host, port), "{host}:{port}");
        }
        for (host, port) in [
            ("www.example.org", 443),
            ("example.org.evil.example", 443),
            ("notexample.org", 443),
            ("wiki.example", 443),
            (".wiki.example", 443),
            ("evilwiki.example", 443),
            ("api.example", 443),
            ("*.wiki.example", 80),
            ("", 443),
        ] {
            assert!(!policy.allows(host, port) || host.starts_with('*'), "{host}:{port}");
        }
        assert!(!EgressPolicy::default().allows("example.org", 443));
        assert!(EgressPolicy::open().allows("example.org", 443));
    }

    #[test]
    fn promise_11_a_host_that_is_none_is_refused() {
        for bad in [
            "",
            "*",
            "*.",
            "a..b",
            "https://a",
            "a/b",
            "A",
            "a b",
            "a:0",
            "a:x",
            "a:99999",
            "*.*.a",
            "a.*",
            "[a]",
            "ä",
        ] {
            assert!(list(&[bad]).check().is_err(), "{bad}");
        }
        assert!(
            list(&[
                "localhost",
                "a_b.example",
                "1.2.3.4:80",
                "[::1]:80",
                "xn--bcher-kva.example"
            ])
            .check()
            .is_ok()
        );
    }
}
