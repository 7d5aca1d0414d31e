//! What tells that very packets were decoded before: a digest of each that covers all which its picture depends on, the
//! parameters of its track and every packet since its key frame. Whoever has proven it has proven the picture.

use std::{collections::HashSet, mem};

use ffmpeg_next::{Packet, codec};
use reelgate_common::hex::hex;
use sha2::{Digest, Sha256};

use super::ffi;

/// Digests of one track's packets, in the order of decoding.
pub(super) struct Chain {
    track: [u8; 32],
    last: [u8; 32],
}

impl Chain {
    pub(super) fn of(parameters: &codec::Parameters) -> Self {
        let header =
            Sha256::new().chain_update(format!("{:?}\0", parameters.id())).chain_update(ffi::header(parameters));
        let track = header.finalize().into();
        Self { track, last: track }
    }

    /// `key`: nothing before matters to it.
    pub(super) fn next(&mut self, packet: &Packet, key: bool) -> String {
        if key {
            self.last = self.track;
        }
        let next = Sha256::new().chain_update(self.last).chain_update(packet.data().unwrap_or_default());
        self.last = next.finalize().into();
        hex(&self.last)
    }
}

/// Packets that need not be decoded, unless one that is unproven depends on them.
pub(super) struct Spared<'a> {
    chain: Chain,
    proven: &'a HashSet<&'a str>,
    /// Of the group of pictures under way: proven, and not decoded here so far.
    held: Vec<Packet>,
    /// How many were spared for good.
    count: u64,
}

impl<'a> Spared<'a> {
    pub(super) fn new(parameters: &codec::Parameters, proven: &'a HashSet<&'a str>) -> Self {
        Self { chain: Chain::of(parameters), proven, held: Vec::new(), count: 0 }
    }

    /// What is to be decoded now that this packet has come.
    pub(super) fn take(&mut self, packet: &Packet, key: bool) -> Vec<Packet> {
        if key {
            self.settle();
        }
        // Nothing is proven of most outputs.
        if self.proven.is_empty() {
            return vec![packet.clone()];
        }
        self.held.push(packet.clone());
        if self.proven.contains(self.chain.next(packet, key).as_str()) { Vec::new() } else { mem::take(&mut self.held) }
    }

    /// No packet comes that depends on those before; gives how many were spared in all.
    pub(super) fn settle(&mut self) -> u64 {
        self.count += self.held.drain(..).count() as u64;
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(packets: &[(&[u8], bool)]) -> Vec<String> {
        let mut chain = Chain::of(&codec::Parameters::new());
        packets.iter().map(|(bytes, key)| chain.next(&Packet::copy(bytes), *key)).collect()
    }

    /// How many packets of each are decoded when those with the numbers of `proven` need not be.
    fn decoded(packets: &[(&[u8], bool)], proven: &[usize]) -> (Vec<usize>, u64) {
        let digests = digests(packets);
        let proven: HashSet<&str> = proven.iter().map(|number| digests[*number].as_str()).collect();
        let mut spared = Spared::new(&codec::Parameters::new(), &proven);
        let decoded = packets.iter().map(|(bytes, key)| spared.take(&Packet::copy(bytes), *key).len()).collect();
        (decoded, spared.settle())
    }

    #[test]
    fn a_picture_is_known_by_all_that_it_depends_on() {
        let film = digests(&[(b"a", true), (b"b", false), (b"c", false), (b"a", true), (b"c", false)]);
        assert_eq!(film[0], film[3], "a key frame depends on nothing before");
        assert_ne!(film[2], film[4], "the same packet behind another one");
        assert_ne!(digests(&[(b"a", true), (b"x", false), (b"c", false)])[2], film[2]);
    }

    #[test]
    fn what_is_proven_is_spared_unless_something_unproven_depends_on_it() {
        const FILM: [(&[u8], bool); 5] = [(b"a", true), (b"b", false), (b"c", false), (b"d", true), (b"e", true)];
        assert_eq!(decoded(&FILM, &[]), (vec![1; 5], 0));
        assert_eq!(decoded(&FILM, &[0, 1, 2, 3, 4]), (vec![0; 5], 5));
        assert_eq!(decoded(&FILM, &[0, 1, 3]), (vec![0, 0, 3, 0, 1], 1));
        assert_eq!(decoded(&FILM, &[4]), (vec![1, 1, 1, 1, 0], 1));
    }
}
