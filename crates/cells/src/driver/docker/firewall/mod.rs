//! Rules of this machine that keep keepers from its own ports, from private networks and from metadata services.
//!
//! Two chains an installation: one for packets to this machine (`INPUT`), one for packets through it (`DOCKER-USER`, which
//! Docker asks before its own rules). Docker's `icc=false` keeps keepers from each other. Each chain is replaced whole,
//! in one step; no keeper starts without them.

mod iptables;
mod rules;

use std::net::IpAddr;
use std::sync::Mutex;

use tokio::net::lookup_host;
use tracing::warn;

use super::spec::{HOST_NAME, Names};
use crate::driver::DriverError;
use iptables::Iptables;
use rules::{Exception, Protocol};

/// A private address that the operator has named.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    host: String,
    port: u16,
}

pub(super) struct Firewall {
    bridge: String,
    input: String,
    forward: String,
    named: Mutex<Vec<Named>>,
    iptables: Iptables,
    /// Two cells that start at once would both insert a missing jump.
    installing: tokio::sync::Mutex<()>,
}

impl Firewall {
    pub fn new(names: &Names, addresses: &[String]) -> Result<Self, DriverError> {
        let named = addresses.iter().map(|text| parse(text)).collect::<Result<_, _>>()?;
        Ok(Self {
            bridge: names.bridge.clone(),
            input: names.input_chain.clone(),
            forward: names.forward_chain.clone(),
            named: Mutex::new(named),
            iptables: Iptables::default(),
            installing: tokio::sync::Mutex::new(()),
        })
    }

    pub fn allow(&self, address: &str) -> Result<(), DriverError> {
        let named = parse(address)?;
        let mut all = self.named.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !all.contains(&named) {
            all.push(named);
        }
        Ok(())
    }

    /// Puts the rules in place, whatever was there before.
    pub async fn install(&self, gateway: IpAddr) -> Result<(), DriverError> {
        let _one_at_a_time = self.installing.lock().await;
        let exceptions = self.exceptions(gateway).await;
        let text = rules::restore_text(&self.input, &self.forward, &exceptions);
        self.iptables.restore(&text).await?;
        for (chain, own) in self.jumps() {
            self.iptables
                .ensure_first(chain, &["-i", &self.bridge, "-j", own])
                .await?;
        }
        Ok(())
    }

    /// As [`Self::install`]; cheap beside the start of a cell.
    pub async fn ensure(&self, gateway: IpAddr) -> Result<(), DriverError> {
        self.install(gateway).await
    }

    pub async fn remove(&self) -> Result<(), DriverError> {
        let _one_at_a_time = self.installing.lock().await;
        for (chain, own) in self.jumps() {
            self.iptables
                .delete_all(chain, &["-i", &self.bridge, "-j", own])
                .await?;
            self.iptables.remove_chain(own).await?;
        }
        Ok(())
    }

    fn jumps(&self) -> [(&'static str, &str); 2] {
        [("INPUT", &self.input), ("DOCKER-USER", &self.forward)]
    }

    async fn exceptions(&self, gateway: IpAddr) -> Vec<Exception> {
        let named = self
            .named
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone();
        let mut exceptions = Vec::new();
        for Named { host, port } in named {
            if host == HOST_NAME {
                exceptions.extend(Exception::new(gateway, port, Protocol::Tcp));
                continue;
            }
            match lookup_host((host.as_str(), port)).await {
                Ok(found) => exceptions.extend(found.filter_map(|to| Exception::new(to.ip(), port, Protocol::Tcp))),
                Err(error) => {
                    warn!(host, %error, "a private model address cannot be resolved: keepers will not reach it")
                }
            }
        }
        for server in nameservers() {
            for protocol in [Protocol::Udp, Protocol::Tcp] {
                exceptions.extend(Exception::new(server, 53, protocol));
            }
        }
        exceptions
    }
}

fn parse(text: &str) -> Result<Named, DriverError> {
    let wrong = |why: &str| DriverError::Machine(format!("`{text}` in private_model_addresses {why}"));
    let (host, port) = text.rsplit_once(':').ok_or_else(|| wrong("is not host:port"))?;
    let port = port.parse().map_err(|_| wrong("is not host:port"))?;
    let loopback = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    if loopback {
        return Err(wrong(&format!(
            "is the loopback of the keeper itself: write {HOST_NAME}:{port} for this machine, and have the model server \
             listen on the address that this name has in cells"
        )));
    }
    if host.is_empty() || host.contains([':', '/', '[', ' ']) {
        return Err(wrong("is not host:port with a name or an IPv4 address"));
    }
    Ok(Named {
        host: host.to_owned(),
        port,
    })
}

/// The machine's name servers, which containers ask directly. Docker skips those on the host's loopback.
fn nameservers() -> Vec<IpAddr> {
    ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"]
        .iter()
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .flat_map(|text| rules::nameservers_in(&text))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_address_is_a_name_or_an_address_and_a_port_and_never_loopback() {
        for good in ["10.0.0.5:11434", "ollama.lan:80", "host.holdfast.internal:1"] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in [
            "10.0.0.5",
            "x:99999",
            ":80",
            "localhost:1",
            "127.0.0.1:1",
            "http://x:80",
            "[fd00::1]:80",
            "a b:1",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(
            parse("127.0.0.1:11434")
                .unwrap_err()
                .to_string()
                .contains("host.holdfast.internal:11434")
        );
    }
}
