//! The text of the rules.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

/// What keepers never reach through this machine: everything that is not the public Internet (RFC 6890).
const REFUSED: [&str; 13] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    // Multicast, reserved, broadcast.
    "224.0.0.0/3",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Tcp,
    Udp,
}

/// One address and port that keepers may reach all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exception {
    ip: Ipv4Addr,
    port: u16,
    protocol: Protocol,
}

impl Exception {
    /// `None` for addresses for which a rule makes no sense: there is no IPv6 on the bridge, and loopback is the keeper's
    /// own.
    pub fn new(ip: IpAddr, port: u16, protocol: Protocol) -> Option<Self> {
        match ip {
            IpAddr::V4(ip) if !ip.is_loopback() => Some(Self { ip, port, protocol }),
            _ => None,
        }
    }
}

/// What `iptables-restore --noflush` takes: both chains, whole.
pub(super) fn restore_text(input: &str, forward: &str, exceptions: &[Exception]) -> String {
    let mut text = format!("*filter\n:{input} - [0:0]\n:{forward} - [0:0]\n");
    for chain in [input, forward] {
        for Exception { ip, port, protocol } in exceptions {
            let protocol = match protocol {
                Protocol::Tcp => "tcp",
                Protocol::Udp => "udp",
            };
            // RETURN, not ACCEPT: the machine's own firewall still has its say.
            let _ = writeln!(text, "-A {chain} -d {ip}/32 -p {protocol} --dport {port} -j RETURN");
        }
    }
    let _ = writeln!(text, "-A {input} -j DROP");
    for range in REFUSED {
        let _ = writeln!(text, "-A {forward} -d {range} -j DROP");
    }
    let _ = writeln!(text, "-A {forward} -j RETURN");
    text.push_str("COMMIT\n");
    text
}

/// The `nameserver` lines of a `resolv.conf`.
pub(super) fn nameservers_in(text: &str) -> Vec<IpAddr> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            (words.next() == Some("nameserver")).then(|| words.next()?.parse().ok())?
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_come_before_what_is_refused_and_input_ends_in_drop() {
        let exception = Exception::new("10.1.2.3".parse().unwrap(), 11434, Protocol::Tcp).unwrap();
        let text = restore_text("IN", "FWD", &[exception]);
        let at = |needle: &str| text.find(needle).unwrap_or_else(|| panic!("{needle} in {text}"));
        assert!(at("-A IN -d 10.1.2.3/32 -p tcp --dport 11434 -j RETURN") < at("-A IN -j DROP"));
        assert!(at("-A FWD -d 10.1.2.3/32") < at("-A FWD -d 10.0.0.0/8 -j DROP"));
        at("-A FWD -d 169.254.0.0/16 -j DROP");
    }

    #[test]
    fn loopback_and_ipv6_get_no_exception() {
        assert_eq!(Exception::new("127.0.0.53".parse().unwrap(), 53, Protocol::Udp), None);
        assert_eq!(Exception::new("fd00::1".parse().unwrap(), 53, Protocol::Udp), None);
    }

    #[test]
    fn name_servers_are_read_and_nothing_else() {
        let text = "# nameserver 9.9.9.9\nsearch lan\nnameserver 10.0.0.2\nnameserver  fd00::53 \nnameserver\n";
        assert_eq!(
            nameservers_in(text),
            ["10.0.0.2".parse::<IpAddr>().unwrap(), "fd00::53".parse().unwrap()]
        );
    }
}
