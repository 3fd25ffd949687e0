//! Which addresses are public. Everything that is not plainly public is refused, with the reason.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("a loopback address")]
    Loopback,
    #[error("a private address")]
    Private,
    #[error("a link-local address, where machines keep their metadata")]
    LinkLocal,
    #[error("a multicast or broadcast address")]
    Multicast,
    #[error("an address that carries another one inside it")]
    Embedded,
    #[error("an address that is reserved")]
    Reserved,
}

/// Why this address is refused; `None` for a public one.
///
/// From IANA's special-purpose registries for IPv4 and IPv6 (RFC 6890 and its updates).
pub fn refusal(address: IpAddr) -> Option<Refusal> {
    match address {
        IpAddr::V4(v4) => refusal_v4(v4),
        IpAddr::V6(v6) => refusal_v6(v6),
    }
}

fn refusal_v4(address: Ipv4Addr) -> Option<Refusal> {
    match address.octets() {
        [0, ..] | [240..=254, ..] => Some(Refusal::Reserved),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Some(Refusal::Private),
        [127, ..] => Some(Refusal::Loopback),
        [169, 254, ..] => Some(Refusal::LinkLocal),
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => {
            Some(Refusal::Reserved)
        }
        [224..=239, ..] | [255, ..] => Some(Refusal::Multicast),
        _ => None,
    }
}

fn refusal_v6(address: Ipv6Addr) -> Option<Refusal> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Some(Refusal::Loopback),
        // ::/96 and ::ffff:0:0/96 (IPv4 inside), 64:ff9b::/32 (NAT64), 2002::/16 (6to4), 2001:0::/32 (Teredo)
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0x64, 0xff9b, ..] | [0x2002, ..] | [0x2001, 0, ..] => {
            Some(Refusal::Embedded)
        }
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Some(Refusal::Private),
        [0xfe80..=0xfebf, ..] => Some(Refusal::LinkLocal),
        [0xff00..=0xffff, ..] => Some(Refusal::Multicast),
        // 2001::/23 (protocol assignments), documentation
        [0x2001, 0..=0x01ff | 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => Some(Refusal::Reserved),
        // Global unicast is 2000::/3; nothing else was ever given out.
        [0x2000..=0x3fff, ..] => None,
        _ => Some(Refusal::Reserved),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_04_addresses_that_are_not_public_are_refused_with_the_reason() {
        let table = [
            ("127.0.0.1", Refusal::Loopback),
            ("127.255.255.254", Refusal::Loopback),
            ("0.0.0.0", Refusal::Reserved),
            ("0.1.2.3", Refusal::Reserved),
            ("10.0.0.1", Refusal::Private),
            ("172.16.0.1", Refusal::Private),
            ("172.31.255.255", Refusal::Private),
            ("192.168.1.1", Refusal::Private),
            ("100.64.0.1", Refusal::Private),
            ("100.100.100.200", Refusal::Private),
            ("169.254.169.254", Refusal::LinkLocal),
            ("169.254.170.2", Refusal::LinkLocal),
            ("192.0.0.192", Refusal::Reserved),
            ("192.0.2.1", Refusal::Reserved),
            ("198.18.0.1", Refusal::Reserved),
            ("198.51.100.1", Refusal::Reserved),
            ("203.0.113.1", Refusal::Reserved),
            ("224.0.0.1", Refusal::Multicast),
            ("239.255.255.255", Refusal::Multicast),
            ("240.0.0.1", Refusal::Reserved),
            ("255.255.255.255", Refusal::Multicast),
            ("::", Refusal::Embedded),
            ("::1", Refusal::Loopback),
            ("::ffff:127.0.0.1", Refusal::Embedded),
            ("::ffff:169.254.169.254", Refusal::Embedded),
            ("::ffff:8.8.8.8", Refusal::Embedded),
            ("::127.0.0.1", Refusal::Embedded),
            ("64:ff9b::7f00:1", Refusal::Embedded),
            ("64:ff9b:1::1", Refusal::Embedded),
            ("2002:7f00:1::", Refusal::Embedded),
            ("2001:0:4136:e378::1", Refusal::Embedded),
            ("fc00::1", Refusal::Private),
            ("fd00:ec2::254", Refusal::Private),
            ("fe80::1", Refusal::LinkLocal),
            ("fec0::1", Refusal::Private),
            ("ff02::1", Refusal::Multicast),
            ("2001:db8::1", Refusal::Reserved),
            ("2001:20::1", Refusal::Reserved),
            ("3fff::1", Refusal::Reserved),
            ("100::1", Refusal::Reserved),
            ("5f00::1", Refusal::Reserved),
            ("4000::1", Refusal::Reserved),
        ];
        for (text, why) in table {
            assert_eq!(refusal(text.parse().unwrap()), Some(why), "{text}");
        }
    }

    #[test]
    fn public_addresses_are_allowed() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.255.255",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2a00:1450::1",
        ] {
            assert_eq!(refusal(text.parse().unwrap()), None, "{text}");
        }
    }
}
