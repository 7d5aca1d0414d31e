//! Who plays: the full User-Agent and the network that the address lies in.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// What an address stands for after its last bits have been cut off.
const V4_BITS: u32 = 24;
const V6_BITS: u32 = 56;

/// Two requests are one client's when both parts are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Client {
    pub user_agent: UserAgent,
    pub prefix: Prefix,
}

impl Client {
    /// `user_agent` as the header has it; a client without one is a client, too.
    #[must_use]
    pub fn new(user_agent: &[u8], address: IpAddr) -> Self {
        Self { user_agent: UserAgent::of(user_agent), prefix: Prefix::of(address) }
    }
}

/// SHA-256 of a User-Agent: equal exactly when the whole text is, and never longer than 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UserAgent([u8; 32]);

impl UserAgent {
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        Self(Sha256::digest(text).into())
    }
}

/// `203.0.113.0/24` or `2001:db8:1:100::/56`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prefix(IpAddr);

impl Prefix {
    /// An IPv4 address in IPv6's clothes is an IPv4 address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << (32 - V4_BITS)))),
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - V6_BITS)))),
        })
    }
}

/// A text that is no digest or no network of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no client")]
pub struct InvalidClient(String);

impl fmt::Display for UserAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for UserAgent {
    type Err = InvalidClient;

    fn from_str(text: &str) -> Result<Self, InvalidClient> {
        let wrong = || InvalidClient(text.to_owned());
        let digits = text.as_bytes();
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0, if self.0.is_ipv4() { V4_BITS } else { V6_BITS })
    }
}

impl FromStr for Prefix {
    type Err = InvalidClient;

    fn from_str(text: &str) -> Result<Self, InvalidClient> {
        let address = text.split_once('/').and_then(|(address, _)| address.parse().ok());
        let prefix = address.map(Self::of).filter(|prefix| prefix.to_string() == text);
        prefix.ok_or_else(|| InvalidClient(text.to_owned()))
    }
}

macro_rules! as_text {
    ($($name:ident),+) => {
        $(
            impl Serialize for $name {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(self)
                }
            }

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
                }
            }
        )+
    };
}
as_text!(UserAgent, Prefix);

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(address: &str) -> String {
        Prefix::of(address.parse().unwrap()).to_string()
    }

    #[test]
    fn an_address_stands_for_its_network() {
        assert_eq!(prefix("203.0.113.77"), "203.0.113.0/24");
        assert_eq!(prefix("::ffff:203.0.113.77"), "203.0.113.0/24");
        assert_eq!(prefix("2001:db8:1:1ff:aaaa:bbbb:cccc:dddd"), "2001:db8:1:100::/56");
        assert_ne!(prefix("2001:db8:1:1ff::1"), prefix("2001:db8:1:2ff::1"));
        assert_eq!(prefix("::1"), "::/56");
    }

    #[test]
    fn a_client_is_read_back_as_it_was_written() {
        for address in ["10.1.2.3", "2001:db8::1"] {
            let client = Client::new("Mozilla/5.0 (ü)".as_bytes(), address.parse().unwrap());
            assert_eq!(client.user_agent.to_string().parse(), Ok(client.user_agent));
            assert_eq!(client.prefix.to_string().parse(), Ok(client.prefix));
        }
        for wrong in ["", "10.0.0.0", "10.0.0.1/24", "10.0.0.0/16", "x/24"] {
            assert!(wrong.parse::<Prefix>().is_err(), "{wrong}");
        }
        for wrong in ["", &"g".repeat(64), &"a".repeat(63), &"é".repeat(32)] {
            assert!(wrong.parse::<UserAgent>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_letter_of_the_user_agent_counts() {
        assert_ne!(UserAgent::of(b"Chrome/126"), UserAgent::of(b"Chrome/127"));
        assert_ne!(UserAgent::of(b""), UserAgent::of(b" "));
    }
}
