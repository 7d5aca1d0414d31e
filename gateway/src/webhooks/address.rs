//! Which addresses the internet reaches, and which lie behind our own doors. Pure: an address goes in, what is special about it comes out.
//!
//! After IANA's special-purpose registries (RFC 6890) of 2026. Of IPv6 only what is given out as global (`2000::/3`) is public, so what
//! will be registered elsewhere is refused until somebody has looked at it. Addresses that stand for an IPv4 address (mapped, compatible,
//! 6to4, NAT64, Teredo) are refused whatever they stand for: a public name has no use for them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is not public.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Special {
    Unspecified,
    ThisNetwork,
    Private,
    /// Carrier-grade NAT (RFC 6598).
    Shared,
    Loopback,
    LinkLocal,
    /// IETF protocol assignments.
    Protocol,
    Documentation,
    Benchmark,
    Multicast,
    Reserved,
    Broadcast,
    /// Where clouds serve their machines' secrets, on an address that is otherwise public.
    CloudMetadata,
    Mapped,
    Compatible,
    SixToFour,
    Nat64,
    Teredo,
    UniqueLocal,
    SiteLocal,
    /// Any other that was not given out as global.
    NotGlobal,
}

/// The first that holds the address counts.
const V4: &[([u8; 4], u32, Special)] = &[
    ([0, 0, 0, 0], 32, Special::Unspecified),
    ([0, 0, 0, 0], 8, Special::ThisNetwork),
    ([10, 0, 0, 0], 8, Special::Private),
    ([100, 64, 0, 0], 10, Special::Shared),
    ([127, 0, 0, 0], 8, Special::Loopback),
    ([168, 63, 129, 16], 32, Special::CloudMetadata),
    ([169, 254, 0, 0], 16, Special::LinkLocal),
    ([172, 16, 0, 0], 12, Special::Private),
    ([192, 0, 0, 0], 24, Special::Protocol),
    ([192, 0, 2, 0], 24, Special::Documentation),
    ([192, 88, 99, 0], 24, Special::SixToFour),
    ([192, 168, 0, 0], 16, Special::Private),
    ([198, 18, 0, 0], 15, Special::Benchmark),
    ([198, 51, 100, 0], 24, Special::Documentation),
    ([203, 0, 113, 0], 24, Special::Documentation),
    ([224, 0, 0, 0], 4, Special::Multicast),
    ([255, 255, 255, 255], 32, Special::Broadcast),
    ([240, 0, 0, 0], 4, Special::Reserved),
];

const V6: &[([u16; 8], u32, Special)] = &[
    ([0, 0, 0, 0, 0, 0, 0, 0], 128, Special::Unspecified),
    ([0, 0, 0, 0, 0, 0, 0, 1], 128, Special::Loopback),
    ([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, Special::Mapped),
    // `::ffff:0:a.b.c.d`, of translators that know no better (RFC 2765).
    ([0, 0, 0, 0, 0xffff, 0, 0, 0], 96, Special::Mapped),
    ([0, 0, 0, 0, 0, 0, 0, 0], 96, Special::Compatible),
    ([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96, Special::Nat64),
    ([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, Special::Nat64),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, Special::Teredo),
    ([0x2001, 2, 0, 0, 0, 0, 0, 0], 48, Special::Benchmark),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, Special::Protocol),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, Special::Documentation),
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, Special::SixToFour),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, Special::Documentation),
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, Special::UniqueLocal),
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, Special::LinkLocal),
    ([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, Special::SiteLocal),
    ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, Special::Multicast),
];

/// `None` for an address that is public.
pub(super) fn special(address: IpAddr) -> Option<Special> {
    match address {
        IpAddr::V4(address) => {
            let holds = |(network, prefix, _): &&([u8; 4], u32, Special)| {
                same(Ipv4Addr::from(*network).to_bits().into(), address.to_bits().into(), 32 - prefix)
            };
            V4.iter().find(holds).map(|(_, _, special)| *special)
        }
        IpAddr::V6(address) => {
            let holds = |(network, prefix, _): &&([u16; 8], u32, Special)| {
                same(Ipv6Addr::from(*network).to_bits(), address.to_bits(), 128 - prefix)
            };
            let known = V6.iter().find(holds).map(|(_, _, special)| *special);
            known.or_else(|| (address.segments()[0] >> 13 != 1).then_some(Special::NotGlobal))
        }
    }
}

/// Whether two addresses are the same but for their last bits.
fn same(one: u128, other: u128, bits: u32) -> bool {
    (one ^ other).checked_shr(bits).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<Special> {
        special(text.parse().unwrap())
    }

    /// Each network by hand: its first and last address are special, and the ones before and after are what is said here.
    #[test]
    fn every_special_network_of_ipv4_ends_where_it_ends() {
        use Special::*;
        for (before, first, last, after, what) in [
            ("", "0.0.0.1", "0.255.255.255", "1.0.0.0", ThisNetwork),
            ("9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0", Private),
            ("100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0", Shared),
            ("126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0", Loopback),
            ("168.63.129.15", "168.63.129.16", "168.63.129.16", "168.63.129.17", CloudMetadata),
            ("169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0", LinkLocal),
            ("172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0", Private),
            ("191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0", Protocol),
            ("192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0", Documentation),
            ("192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0", SixToFour),
            ("192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0", Private),
            ("198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0", Benchmark),
            ("198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0", Documentation),
            ("203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0", Documentation),
            ("223.255.255.255", "224.0.0.0", "239.255.255.255", "", Multicast),
            ("", "240.0.0.0", "255.255.255.254", "", Reserved),
        ] {
            assert_eq!((of(first), of(last)), (Some(what), Some(what)), "{first} to {last}");
            for public in [before, after].into_iter().filter(|text| !text.is_empty()) {
                assert_eq!(of(public), None, "{public}");
            }
        }
        assert_eq!((of("0.0.0.0"), of("255.255.255.255")), (Some(Unspecified), Some(Broadcast)));
        assert_eq!(of("169.254.169.254"), Some(LinkLocal), "metadata of most clouds");
    }

    #[test]
    fn every_special_network_of_ipv6_ends_where_it_ends() {
        use Special::*;
        for (before, first, last, after, what) in [
            ("1fff:ffff::ffff", "", "", "2003::", NotGlobal),
            ("", "64:ff9b::", "64:ff9b::ffff:ffff", "", Nat64),
            ("", "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "", Nat64),
            ("", "2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "", Teredo),
            ("", "2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", "", Benchmark),
            ("", "2001:1::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::", Protocol),
            ("2001:db7:ffff::1", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::", Documentation),
            ("2001:ffff::", "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::", SixToFour),
            ("3ffe:ffff::", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::", Documentation),
            ("", "4000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", NotGlobal),
            ("", "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", UniqueLocal),
            ("", "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", LinkLocal),
            ("", "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", SiteLocal),
            ("", "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", Multicast),
            ("", "100::", "100::ffff:ffff:ffff:ffff", "", NotGlobal),
        ] {
            for inside in [first, last].into_iter().filter(|text| !text.is_empty()) {
                assert_eq!(of(inside), Some(what), "{inside}");
            }
            if first.is_empty() {
                assert_eq!(of(before), Some(what), "{before}");
            } else if !before.is_empty() {
                assert_eq!(of(before), None, "{before}");
            }
            if !after.is_empty() {
                assert_eq!(of(after), None, "{after}");
            }
        }
        assert_eq!((of("::"), of("::1")), (Some(Unspecified), Some(Loopback)));
        for public in ["2000::1", "2606:4700::6810:1", "2a00:1450:4001::200e", "3ffe::1"] {
            assert_eq!(of(public), None, "{public}");
        }
    }

    #[test]
    fn an_ipv4_address_in_disguise_is_refused_whatever_it_stands_for() {
        for inner in [[127, 0, 0, 1], [10, 0, 0, 1], [169, 254, 169, 254], [8, 8, 8, 8]] {
            let v4 = Ipv4Addr::from(inner);
            let [a, b, c, d] = inner.map(u16::from);
            let (high, low) = ((a << 8) | b, (c << 8) | d);
            for (segments, what) in [
                ([0, 0, 0, 0, 0, 0xffff, high, low], Special::Mapped),
                ([0, 0, 0, 0, 0xffff, 0, high, low], Special::Mapped),
                ([0, 0, 0, 0, 0, 0, high, low], Special::Compatible),
                ([0x64, 0xff9b, 0, 0, 0, 0, high, low], Special::Nat64),
                ([0x64, 0xff9b, 1, 0, 0, 0, high, low], Special::Nat64),
                ([0x2002, high, low, 0, 0, 0, 0, 1], Special::SixToFour),
                ([0x2001, 0, 0, 0, 0, 0, !high, !low], Special::Teredo),
            ] {
                let disguised = Ipv6Addr::from(segments);
                assert_eq!(special(disguised.into()), Some(what), "{v4} as {disguised}");
            }
        }
    }
}
