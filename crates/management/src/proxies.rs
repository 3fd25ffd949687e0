//! Proxies that are believed when they say for whom they ask. Nobody is unless the operator names them: whoever can write
//! `X-Forwarded-For` and is believed chooses the address that limits and the audit log see.

use std::net::IpAddr;
use std::str::FromStr;

use axum::http::HeaderMap;

/// An address, or a network as `10.0.0.0/8` writes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

/// It is no address and no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address such as 10.0.0.7 or a network such as 10.0.0.0/8 or fd00::/8")]
pub struct NetworkError(String);

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let wrong = || NetworkError(text.to_owned());
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text.trim(), None),
        };
        let address = address.parse::<IpAddr>().map_err(|_| wrong())?;
        let longest = longest(address);
        let prefix = match prefix {
            // Digits alone: `parse` would take a sign.
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().map_err(|_| wrong())?,
            Some(_) => return Err(wrong()),
            None => longest,
        };
        // An address inside a network is a slip of the pen: what was meant is not known.
        let network = Self { address, prefix };
        match prefix <= longest && network.masked(address) == bits(address) {
            true => Ok(network),
            false => Err(wrong()),
        }
    }
}

fn longest(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl Network {
    fn masked(self, address: IpAddr) -> u128 {
        let host = longest(self.address) - self.prefix;
        bits(address)
            .checked_shr(host)
            .and_then(|bits| bits.checked_shl(host))
            .unwrap_or(0)
    }

    fn holds(self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4() && self.masked(address) == bits(self.address)
    }
}

/// Who asks: the peer, or, where that is a proxy that is believed, whom it names; and so on through several of them.
pub(crate) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let believed = |address: IpAddr| trusted.iter().any(|network| network.holds(address));
    let mut client = peer.to_canonical();
    // Each proxy adds the address that it sees at the end; what stands before the first that is not believed is talk.
    let lines = headers.get_all("x-forwarded-for").iter().rev();
    for line in lines {
        // A line that is no text ends what is known.
        let Ok(line) = line.to_str() else { return client };
        for named in line.rsplit(',') {
            if !believed(client) {
                return client;
            }
            match named.trim().parse::<IpAddr>() {
                Ok(address) => client = address.to_canonical(),
                Err(_) => return client,
            }
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let headers = forwarded
            .iter()
            .map(|line| ("x-forwarded-for".parse().unwrap(), line.parse().unwrap()))
            .collect();
        let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        client(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn nobody_is_believed_who_was_not_named() {
        assert_eq!(asks("127.0.0.1", &["203.0.113.9"], &[]), "127.0.0.1");
        assert_eq!(asks("198.51.100.7", &["203.0.113.9"], &["127.0.0.1"]), "198.51.100.7");
        assert_eq!(asks("10.1.2.3", &[], &["10.0.0.0/8"]), "10.1.2.3");
    }

    #[test]
    fn the_last_address_that_a_believed_proxy_did_not_make_up_counts() {
        let trusted = ["10.0.0.0/8", "fd00::/8", "127.0.0.1"];
        for (peer, forwarded, client) in [
            ("127.0.0.1", &["203.0.113.9"][..], "203.0.113.9"),
            ("::ffff:127.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            ("127.0.0.1", &["1.2.3.4, 203.0.113.9"], "203.0.113.9"),
            // Two proxies, in one line or in two.
            ("127.0.0.1", &["1.2.3.4, 203.0.113.9, 10.0.0.5"], "203.0.113.9"),
            ("127.0.0.1", &["203.0.113.9", "10.0.0.5"], "203.0.113.9"),
            ("fd00::1", &["2001:db8::7"], "2001:db8::7"),
            // What cannot be read ends it: the proxy itself is who asks.
            ("127.0.0.1", &["203.0.113.9, unknown"], "127.0.0.1"),
            ("127.0.0.1", &["203.0.113.9:4711"], "127.0.0.1"),
            ("127.0.0.1", &[""], "127.0.0.1"),
            ("127.0.0.1", &["10.0.0.5"], "10.0.0.5"),
        ] {
            assert_eq!(asks(peer, forwarded, &trusted), client, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn networks_are_read_as_they_are_written_and_nothing_else_is() {
        for good in [
            "10.0.0.7",
            "10.0.0.0/8",
            "0.0.0.0/0",
            "::/0",
            "::1",
            "2001:db8::/32",
            "10.0.0.7/32",
        ] {
            assert!(good.parse::<Network>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "localhost",
            "10.0.0.7/8",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "::/129",
            "10.0.0.0/8/8",
        ] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
        assert_eq!(
            asks("192.0.2.200", &["203.0.113.9"], &["192.0.2.128/25"]),
            "203.0.113.9"
        );
        assert_eq!(
            asks("192.0.2.100", &["203.0.113.9"], &["192.0.2.128/25"]),
            "192.0.2.100"
        );
        assert_eq!(asks("2001:db8::1", &["203.0.113.9"], &["0.0.0.0/0"]), "2001:db8::1");
        assert_eq!(asks("2001:db8::1", &["203.0.113.9"], &["::/0"]), "203.0.113.9");
    }
}
