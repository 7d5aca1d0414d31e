//! What endpoints may be reached: schemes, ports, names and addresses, by the configuration. Pure; an address is looked at when it is
//! given, and what its name leads to each time before somebody connects.

use std::net::IpAddr;

use super::{
    address::special,
    target::{Objection, Place, Target},
};
use crate::network::Network;

/// Names of the machine itself. What others lead to is decided by their addresses.
const OWN_NAMES: [&str; 6] =
    ["localhost", "localhost.localdomain", "localhost6", "localhost6.localdomain6", "ip6-localhost", "ip6-loopback"];

#[derive(Debug, Clone)]
pub(super) struct Guard {
    allow_http: bool,
    ports: Vec<u16>,
    networks: Vec<Network>,
    names: Vec<String>,
}

impl Guard {
    /// # Errors
    /// A sentence that names the key to change.
    pub(super) fn new(allow_http: bool, ports: &[u16], allow_private: &[String]) -> Result<Self, String> {
        let (mut networks, mut names) = (Vec::new(), Vec::new());
        for entry in allow_private {
            match entry.parse() {
                Ok(network) => networks.push(network),
                Err(_) if is_name(entry) => names.push(entry.trim_end_matches('.').to_ascii_lowercase()),
                Err(error) => return Err(format!("allow_private: {entry:?} is no name, and {error}")),
            }
        }
        Ok(Self { allow_http, ports: ports.to_vec(), networks, names })
    }

    /// An address that an endpoint may have.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn target(&self, text: &str) -> Result<Target, Objection> {
        let target = Target::parse(text)?;
        if !target.https && !self.allow_http {
            return Err("Input should be an https address");
        }
        if !self.ports.is_empty() && !self.ports.contains(&target.port) {
            return Err("Input should be an address with a port that webhooks may reach");
        }
        let allowed = match &target.place {
            Place::Name(name) => !is_own(name) || self.names.contains(name),
            Place::Address(address) => self.may_reach(*address),
        };
        if allowed { Ok(target) } else { Err("Input should be an address that the internet can reach") }
    }

    /// Whether somebody may connect to what the target's name leads to. One forbidden address among others is enough: who serves such
    /// an answer means no good, or does not know what he serves.
    pub(super) fn admits(&self, target: &Target, addresses: &[IpAddr]) -> bool {
        let by_name = matches!(&target.place, Place::Name(name) if self.names.contains(name));
        by_name || addresses.iter().all(|address| self.may_reach(*address))
    }

    fn may_reach(&self, address: IpAddr) -> bool {
        special(address).is_none() || self.networks.iter().any(|network| network.contains(address))
    }
}

fn is_own(name: &str) -> bool {
    OWN_NAMES.contains(&name) || name.ends_with(".localhost")
}

fn is_name(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.bytes().all(is_letter) && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allow_private: &[&str]) -> Guard {
        let allow_private: Vec<_> = allow_private.iter().map(|text| (*text).to_owned()).collect();
        Guard::new(false, &[443, 8443], &allow_private).unwrap()
    }

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn only_https_on_known_ports_to_public_places_is_taken() {
        let guard = guard(&[]);
        for text in
            ["https://hooks.example/", "https://hooks.example:8443/", "https://8.8.8.8/", "https://[2606:4700::1]/"]
        {
            assert!(guard.target(text).is_ok(), "{text}");
        }
        for text in [
            "http://hooks.example/",
            "https://hooks.example:22/",
            "https://localhost/",
            "https://LOCALHOST./",
            "https://a.localhost/",
            "https://ip6-localhost/",
            "https://127.0.0.1/",
            "https://0x7f.1/",
            "https://[::1]/",
            "https://[::ffff:8.8.8.8]/",
            "https://169.254.169.254/latest/meta-data/",
            "https://0/",
        ] {
            assert!(guard.target(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_address_of_a_name_must_be_public() {
        let guard = guard(&[]);
        let target = guard.target("https://hooks.example/").unwrap();
        assert!(guard.admits(&target, &addresses(&["8.8.8.8", "2606:4700::1"])));
        for forbidden in ["127.0.0.1", "10.0.0.1", "::1", "::ffff:8.8.8.8", "fe80::1"] {
            assert!(!guard.admits(&target, &addresses(&["8.8.8.8", forbidden])), "{forbidden}");
        }
    }

    #[test]
    fn what_the_operator_names_may_be_reached_and_nothing_else_of_its_kind() {
        let guard = guard(&["10.1.0.0/16", "Hooks.Internal.", "localhost"]);
        let named = guard.target("https://hooks.internal/").unwrap();
        assert!(guard.admits(&named, &addresses(&["192.168.0.1"])));
        assert!(guard.target("https://localhost/").is_ok() && guard.target("https://a.localhost/").is_err());
        let other = guard.target("https://hooks.example/").unwrap();
        assert!(guard.admits(&other, &addresses(&["10.1.2.3"])));
        assert!(!guard.admits(&other, &addresses(&["10.2.0.1"])));
        assert!(!guard.admits(&other, &addresses(&["::ffff:10.1.2.3"])), "in disguise");
        assert!(guard.target("https://10.1.2.3/").is_ok() && guard.target("https://10.2.2.3/").is_err());
    }
}
