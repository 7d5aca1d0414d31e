//! An endpoint's address, read once: where to connect, what to say there. Pure.

use std::net::IpAddr;

use http::uri::PathAndQuery;
use url::{Host, Url};

const LONGEST: usize = 2_048;

/// What an address leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) https: bool,
    pub(super) place: Place,
    pub(super) port: u16,
    /// For the `Host` header: with the port where it is not the scheme's own.
    pub(super) authority: String,
    /// From the path on.
    pub(super) path: PathAndQuery,
    /// As it is kept and shown.
    pub(super) url: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// In lower case, without a dot at its end.
    Name(String),
    Address(IpAddr),
}

/// Why a text is no address for an endpoint, as a sentence.
pub(super) type Objection = &'static str;

impl Target {
    /// # Errors
    /// It is no absolute address of HTTP, or says what none may.
    pub(super) fn parse(text: &str) -> Result<Self, Objection> {
        if text.len() > LONGEST {
            return Err("Input should have at most 2048 characters");
        }
        let url = Url::parse(text).map_err(|_| "Input should be an absolute https address")?;
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err("Input should be an https address"),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("Input should be an address without user and password");
        }
        if url.fragment().is_some() {
            return Err("Input should be an address without a fragment");
        }
        let (place, port) = place(&url).ok_or("Input should be an address with a host")?;
        let path = url[url::Position::BeforePath..].parse();
        let path = path.map_err(|_| "Input should be an address whose path and query can be sent")?;
        let authority = url[url::Position::BeforeHost..url::Position::AfterPort].to_owned();
        Ok(Self { https, place, port, authority, path, url: url.into() })
    }
}

fn place(url: &Url) -> Option<(Place, u16)> {
    let place = match url.host()? {
        Host::Ipv4(address) => Place::Address(address.into()),
        Host::Ipv6(address) => Place::Address(address.into()),
        Host::Domain(name) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            Place::Name(Some(name).filter(|name| !name.is_empty())?.to_ascii_lowercase())
        }
    };
    Some((place, url.port_or_known_default()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let target = Target::parse("HTTPS://Hooks.Example.:8443/a%20b?c=d").unwrap();
        assert_eq!((target.https, target.port), (true, 8443));
        assert_eq!(target.place, Place::Name("hooks.example".to_owned()));
        assert_eq!((&*target.authority, target.path.as_str()), ("hooks.example.:8443", "/a%20b?c=d"));
        let plain = Target::parse("https://hooks.example").unwrap();
        assert_eq!((&*plain.authority, plain.path.as_str(), plain.port), ("hooks.example", "/", 443));
    }

    /// Else a check that looks at texts would be fooled.
    #[test]
    fn an_ip_address_is_one_however_it_is_spelt() {
        for text in ["127.1", "0x7f000001", "2130706433", "0177.0.0.1", "127.0.0.1.", "%31%32%37.0.0.1", "127。0。0。1"]
        {
            let target = Target::parse(&format!("https://{text}/")).unwrap();
            assert_eq!(target.place, Place::Address("127.0.0.1".parse().unwrap()), "{text}");
        }
        let mapped = Target::parse("https://[::ffff:7f00:1]/").unwrap();
        assert_eq!(mapped.place, Place::Address("::ffff:127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn what_an_endpoint_may_not_say_is_refused() {
        for text in [
            "",
            "hooks.example",
            "/path",
            "ftp://hooks.example/",
            "file:///etc/passwd",
            "https://",
            "https://./",
            "https://user@hooks.example/",
            "https://user:secret@hooks.example/",
            "https://hooks.example/#part",
            "https://hooks.example:99999/",
            "https://[::1/",
            "https://exa mple/",
            &format!("https://hooks.example/{}", "a".repeat(LONGEST)),
        ] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }
}
