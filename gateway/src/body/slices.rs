//! What a body hands out at once: a few parts, slices of memory or of files, that go into one write and are let go of one by one as
//! they are taken. Long ones are granted out of an allowance that all answers share, since a client may stop taking at any byte.

use std::{
    io::IoSlice,
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use bytes::{Buf, Bytes};
use smallvec::SmallVec;

use super::{
    outlet::{LONGEST, Outlet},
    part::{FilePart, Part},
};

/// Slices in order, none of them empty.
#[derive(Debug, Default)]
pub struct Slices {
    parts: SmallVec<[Part; 2]>,
    /// Those before it are spent.
    at: usize,
    length: usize,
    claim: Option<Claim>,
    /// Of the connection that is to send those of files.
    outlet: Option<Outlet>,
}

impl Slices {
    pub(crate) fn push(&mut self, part: Bytes) {
        if !part.is_empty() {
            self.length += part.len();
            self.parts.push(Part::Memory(part));
        }
    }

    /// A part of a file, for the connection of this outlet alone.
    pub(crate) fn push_file(&mut self, outlet: &Outlet, mut part: FilePart) {
        self.outlet.get_or_insert_with(|| outlet.clone());
        while part.len() > LONGEST {
            let first = part.first(LONGEST);
            part.bytes.start = first.bytes.end;
            self.push_short_file(first);
        }
        self.push_short_file(part);
    }

    fn push_short_file(&mut self, part: FilePart) {
        self.length += part.len();
        match self.parts.last_mut() {
            Some(Part::File(last)) if last.leads_to(&part) && last.len() + part.len() <= LONGEST => {
                last.bytes.end = part.bytes.end;
            }
            _ if part.len() == 0 => {}
            _ => self.parts.push(Part::File(part)),
        }
    }

    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Gives the claim back when the last byte has been taken, or nobody wants them any more.
    pub(crate) fn covered_by(&mut self, claim: Option<Claim>) {
        self.claim = claim;
    }
}

impl From<Bytes> for Slices {
    fn from(bytes: Bytes) -> Self {
        let mut slices = Self::default();
        slices.push(bytes);
        slices
    }
}

impl Buf for Slices {
    fn remaining(&self) -> usize {
        self.length
    }

    fn chunk(&self) -> &[u8] {
        match (self.parts.get(self.at), &self.outlet) {
            (Some(Part::Memory(bytes)), _) => bytes,
            (Some(Part::File(part)), Some(outlet)) => outlet.misread(part),
            (Some(Part::File(_)) | None, _) => &[],
        }
    }

    fn chunks_vectored<'a>(&'a self, to: &mut [IoSlice<'a>]) -> usize {
        let parts = &self.parts[self.at..];
        for (slot, part) in to.iter_mut().zip(parts) {
            *slot = IoSlice::new(match (part, &self.outlet) {
                (Part::Memory(bytes), _) => bytes,
                (Part::File(part), Some(outlet)) => outlet.announce(part),
                (Part::File(_), None) => &[],
            });
        }
        to.len().min(parts.len())
    }

    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.length, "cannot advance past the end");
        self.length -= count;
        while let Some(part) = self.parts.get_mut(self.at)
            && count >= part.len()
        {
            count -= part.len();
            *part = Part::Memory(Bytes::new());
            self.at += 1;
        }
        if count > 0 {
            self.parts[self.at].advance(count);
        }
        if self.length == 0 {
            self.claim = None;
        }
    }
}

/// How many bytes may be out in long frames at a time, shared evenly by all who want such frames now: where the first took
/// all there is, the others would wait behind them in short ones.
#[derive(Debug, Clone)]
pub(crate) struct Allowance(Arc<Pot>);

#[derive(Debug)]
struct Pot {
    whole: usize,
    left: AtomicUsize,
    /// Claims that are out, those of nothing too.
    claims: AtomicUsize,
}

impl Allowance {
    #[must_use]
    pub(crate) fn of(bytes: usize) -> Self {
        Self(Arc::new(Pot { whole: bytes, left: AtomicUsize::new(bytes), claims: AtomicUsize::new(0) }))
    }

    /// As many of so many as are this one's share and are left; when that are too few, none.
    pub(crate) fn claim(&self, wanted: RangeInclusive<usize>) -> Claim {
        let pot = &*self.0;
        let share = pot.whole / (pot.claims.fetch_add(1, Relaxed) + 1);
        let granted = |left| granted(&wanted, left, share);
        let taken = pot.left.fetch_update(Relaxed, Relaxed, |left| granted(left).map(|bytes| left - bytes));
        Claim { bytes: taken.ok().and_then(granted).unwrap_or(0), of: Arc::clone(&self.0) }
    }
}

fn granted(wanted: &RangeInclusive<usize>, left: usize, share: usize) -> Option<usize> {
    let (least, most) = (*wanted.start(), *wanted.end());
    Some(left.min(share).min(most)).filter(|bytes| *bytes >= least.min(most))
}

/// A part of an allowance, until it is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    bytes: usize,
    of: Arc<Pot>,
}

impl Claim {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.of.left.fetch_add(self.bytes, Relaxed);
        self.of.claims.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::body::{outlet::Segment, part::tests::file_of};

    fn slices(parts: &[Vec<u8>]) -> Slices {
        let mut slices = Slices::default();
        for part in parts {
            slices.push(Bytes::copy_from_slice(part));
        }
        slices
    }

    /// What a vectored write would send.
    fn written(slices: &Slices, room: usize) -> Vec<u8> {
        let mut out = vec![IoSlice::new(&[]); room];
        let count = slices.chunks_vectored(&mut out);
        out[..count].iter().flat_map(|part| part.iter().copied()).collect()
    }

    proptest! {
        #[test]
        fn they_read_as_one(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5), 0..6), room in 1usize..8, step in 1usize..7) {
            let whole = parts.concat();
            let mut slices = slices(&parts);
            for done in (0..whole.len()).step_by(step) {
                let rest = &whole[done..];
                prop_assert_eq!(slices.remaining(), rest.len());
                prop_assert!(!slices.chunk().is_empty() && rest.starts_with(slices.chunk()));
                let seen = written(&slices, room);
                prop_assert!(rest.starts_with(&seen) && (room < parts.len() || seen == rest));
                slices.advance(step.min(rest.len()));
            }
            prop_assert!(!slices.has_remaining() && slices.chunk().is_empty() && written(&slices, room).is_empty());
        }
    }

    #[test]
    fn parts_of_a_file_that_follow_each_other_are_one() {
        let (outlet, file) = (Outlet::default(), file_of(b""));
        let part = |bytes| FilePart { file: file.clone(), bytes };
        let mut slices = Slices::from(Bytes::from_static(b"ab"));
        slices.push_file(&outlet, part(10..20));
        slices.push_file(&outlet, part(20..50));
        slices.push_file(&outlet, part(60..70 + LONGEST as u64));
        assert_eq!(slices.len(), 2 + 40 + 10 + LONGEST);
        slices.advance(5);
        let mut out = [IoSlice::new(&[]); 8];
        let count = slices.chunks_vectored(&mut out);
        let segments = outlet.resolve(&out[..count]).unwrap();
        let bytes = segments.iter().map(|segment| match segment {
            Segment::File(part) => part.bytes.clone(),
            Segment::Memory(_) => panic!("memory is spent"),
        });
        let full = 60 + LONGEST as u64;
        assert_eq!(bytes.collect::<Vec<_>>(), [13..50, 60..full, full..full + 10]);
    }

    #[test]
    fn a_file_that_is_read_as_memory_ends_its_connection() {
        let outlet = Outlet::default();
        let mut slices = Slices::default();
        slices.push_file(&outlet, FilePart { file: file_of(b"secret"), bytes: 0..6 });
        assert_eq!(slices.copy_to_bytes(6).len(), 6);
        assert!(outlet.resolve(&[IoSlice::new(b"other")]).is_err());
    }

    #[test]
    fn a_part_that_is_taken_is_let_go_of() {
        let owner = Arc::new([0u8; 4]);
        let counted = |owner: &Arc<[u8; 4]>| Bytes::from_owner(SharedArray(Arc::clone(owner)));
        let mut slices = Slices::from(counted(&owner));
        slices.push(counted(&owner));
        assert_eq!(Arc::strong_count(&owner), 3);
        slices.advance(5);
        assert_eq!(Arc::strong_count(&owner), 2);
    }

    struct SharedArray(Arc<[u8; 4]>);

    impl AsRef<[u8]> for SharedArray {
        fn as_ref(&self) -> &[u8] {
            &self.0[..]
        }
    }

    #[test]
    fn what_was_claimed_comes_back_with_the_last_byte_or_the_client() {
        let allowance = Allowance::of(10);
        let bytes = |wanted| allowance.claim(wanted).bytes();
        let mut taken = Slices::from(Bytes::from_static(b"ab"));
        taken.covered_by(Some(allowance.claim(6..=6)));
        assert_eq!(bytes(5..=9), 0);
        taken.advance(1);
        assert_eq!(bytes(3..=9), 4, "what is left");
        taken.advance(1);
        let mut left = Slices::from(Bytes::from_static(b"ab"));
        left.covered_by(Some(allowance.claim(10..=10)));
        assert_eq!(bytes(1..=1), 0);
        drop(left);
        assert_eq!(bytes(10..=10), 10);
    }

    #[test]
    fn of_many_who_ask_again_and_again_all_get_the_same() {
        const MIB: usize = 1 << 20;
        let allowance = Allowance::of(32 * MIB);
        let mut claims: Vec<_> = (0..256).map(|_| Some(allowance.claim(1..=MIB))).collect();
        for _ in 0..3 {
            for claim in &mut claims {
                *claim = None;
                *claim = Some(allowance.claim(1..=MIB));
            }
        }
        assert!(claims.iter().flatten().all(|claim| claim.bytes() == 128 << 10), "{claims:?}");
    }

    #[test]
    fn a_few_get_all_they_ask_for() {
        let allowance = Allowance::of(32 << 20);
        let claims: Vec<_> = (0..32).map(|_| allowance.claim(1..=1 << 20).bytes()).collect();
        assert_eq!(claims, [1 << 20; 32]);
    }
}
