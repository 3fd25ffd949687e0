//! Where a keeper's packets go. Each probe is first seen to succeed without the rule that stops it.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use cells::driver::{Driver as _, Part};
use protocol::CellId;

use crate::installation::{Installation, busybox, docker, iptables, must};

impl Installation {
    /// Whether a keeper can open a TCP connection.
    fn reaches(&self, cell: CellId, host: &str, port: u16) -> bool {
        self.inside(cell, Part::Keeper, &format!("timeout 3 nc -w 2 {host} {port} -e true"))
            .is_ok()
    }

    fn without_rules(&self, probe: impl FnOnce() -> bool) -> bool {
        for chain in ["IN", "FWD"] {
            let chain = format!("HF-{}-{chain}", self.short());
            assert!(iptables(&["-I", &chain, "1", "-j", "RETURN"]).status.success());
        }
        let result = probe();
        for chain in ["IN", "FWD"] {
            let chain = format!("HF-{}-{chain}", self.short());
            assert!(iptables(&["-D", &chain, "1"]).status.success());
        }
        result
    }
}

/// A machine on a network of its own, which this one routes to: it has the metadata address and a private one.
struct Neighbour {
    namespace: String,
    server: Child,
}

const METADATA: &str = "169.254.169.254";
const PRIVATE: &str = "10.213.77.2";

impl Neighbour {
    fn new() -> Self {
        let namespace = format!("hf-test-{}", std::process::id());
        let (outer, inner) = (
            format!("hfo{}", std::process::id()),
            format!("hfi{}", std::process::id()),
        );
        let ip = |args: &str| must("ip", &args.split(' ').collect::<Vec<_>>());
        ip(&format!("netns add {namespace}"));
        ip(&format!(
            "link add {outer} type veth peer name {inner} netns {namespace}"
        ));
        ip(&format!("addr add 10.213.77.1/24 dev {outer}"));
        ip(&format!("link set {outer} up"));
        for command in [
            format!("addr add {PRIVATE}/24 dev {inner}"),
            format!("addr add {METADATA}/32 dev {inner}"),
            format!("link set {inner} up"),
            "link set lo up".into(),
            "route add default via 10.213.77.1".into(),
        ] {
            ip(&format!("-n {namespace} {command}"));
        }
        ip(&format!("route add {METADATA}/32 via {PRIVATE}"));
        let server = Command::new("ip")
            .args(["netns", "exec", &namespace])
            .arg(busybox())
            .args(["nc", "-ll", "-p", "80", "-e", "true"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { namespace, server }
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        // Takes both ends of the link and the route with it.
        let _ = Command::new("ip").args(["netns", "del", &self.namespace]).status();
    }
}

#[tokio::test]
async fn promise_03_a_keeper_reaches_no_port_of_this_machine_but_those_that_the_operator_named() {
    let installation = Installation::new().await;
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let gateway = installation.driver.prepare().await.unwrap().gateway.to_string();
    let cell = installation.cell().await;

    let own_address = must(
        "sh",
        &[
            "-c",
            "ip -4 -o addr show scope global | awk '{print $4}' | cut -d/ -f1 | head -1",
        ],
    );
    let addresses = [gateway.as_str(), own_address.trim(), "host.holdfast.internal"];
    for address in addresses {
        assert!(
            installation.without_rules(|| installation.reaches(cell, address, port)),
            "{address}"
        );
        assert!(!installation.reaches(cell, address, port), "{address}");
    }
    let ping = format!("ping -c 1 -W 1 {gateway}");
    assert!(installation.inside(cell, Part::Keeper, &ping).is_err());

    installation
        .driver
        .allow_private_address(&format!("host.holdfast.internal:{port}"))
        .unwrap();
    installation.driver.prepare().await.unwrap();
    assert!(installation.reaches(cell, "host.holdfast.internal", port));
    assert!(!installation.reaches(cell, own_address.trim(), port));
    let other = TcpListener::bind("0.0.0.0:0").unwrap();
    assert!(!installation.reaches(cell, "host.holdfast.internal", other.local_addr().unwrap().port()));
}

#[tokio::test]
async fn promise_03_a_keeper_reaches_no_metadata_service_and_no_private_network() {
    let installation = Installation::new().await;
    let cell = installation.cell().await;
    let _neighbour = Neighbour::new();
    for address in [METADATA, PRIVATE] {
        assert!(
            installation.without_rules(|| installation.reaches(cell, address, 80)),
            "{address}"
        );
        assert!(!installation.reaches(cell, address, 80), "{address}");
    }
    installation
        .driver
        .allow_private_address(&format!("{PRIVATE}:80"))
        .unwrap();
    installation.driver.prepare().await.unwrap();
    assert!(installation.reaches(cell, PRIVATE, 80));
    assert!(!installation.reaches(cell, METADATA, 80));
}

#[tokio::test]
async fn promise_03_a_keeper_reaches_no_other_keeper_in_its_installation_or_another() {
    let (one, two) = (Installation::new().await, Installation::new().await);
    let (from, near, far) = (one.cell().await, one.cell().await, two.cell().await);
    // No other test uses it: for the counter-check it is let through everywhere.
    let port = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    for (installation, cell) in [(&one, near), (&two, far)] {
        let name = installation.container(cell, Part::Keeper);
        docker(&["exec", "-d", &name, "nc", "-ll", "-p", &port.to_string(), "-e", "true"]);
        let listens = (0..100).any(|_| installation.reaches(cell, "127.0.0.1", port));
        assert!(listens);
        let address = installation.address(cell, Part::Keeper);
        assert!(let_through(port, || one.reaches(from, &address, port)), "{address}");
        assert!(!one.reaches(from, &address, port), "{address}");
    }
}

/// With packets from and to a port accepted before any rule of ours or Docker's is asked.
fn let_through(port: u16, probe: impl FnOnce() -> bool) -> bool {
    let port = port.to_string();
    let rules = ["--dport", "--sport"].map(|side| ["-p", "tcp", side, &port, "-j", "ACCEPT"]);
    for rule in rules {
        assert!(
            iptables(&[&["-I", "DOCKER-USER", "1"], &rule[..]].concat())
                .status
                .success()
        );
    }
    let result = probe();
    for rule in rules {
        assert!(iptables(&[&["-D", "DOCKER-USER"], &rule[..]].concat()).status.success());
    }
    result
}

#[tokio::test]
async fn a_keeper_has_no_ipv6() {
    let installation = Installation::new().await;
    let cell = installation.cell().await;
    let addresses = installation
        .inside(cell, Part::Keeper, "ip addr show dev eth0")
        .unwrap();
    assert!(
        addresses.contains("inet ") && !addresses.contains("inet6"),
        "{addresses}"
    );
}

#[tokio::test]
async fn rules_that_somebody_flushed_are_back_before_the_next_keeper_starts() {
    let installation = Installation::new().await;
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let gateway = installation.driver.prepare().await.unwrap().gateway.to_string();
    let chain = format!("HF-{}-IN", installation.short());
    let bridge = format!("hf-{}", installation.short());
    assert!(iptables(&["-D", "INPUT", "-i", &bridge, "-j", &chain]).status.success());
    assert!(iptables(&["-F", &chain]).status.success());
    let cell = installation.cell().await;
    assert!(!installation.reaches(cell, &gateway, port));
    // Asked again and again, they are there once.
    installation.driver.prepare().await.unwrap();
    let rules = String::from_utf8(iptables(&["-S", "INPUT"]).stdout).unwrap();
    assert_eq!(rules.matches(&chain).count(), 1, "{rules}");
}
