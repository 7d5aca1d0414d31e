//! How a connection learns which bytes of an answer lie in files. hyper hands on what it is given as it is, so a part of a file is
//! given to it as a stand-in of the same length: memory that is recognised by its address and never looked at.
//!
//! Nothing is remembered between two writes. Each time hyper gathers what it wants to write, the parts that stand in for a file say
//! so here, in order; the write that follows takes what was said and holds it against what it was given. Whatever hyper cuts
//! off, keeps or drops, the two agree, or the connection is cut: no byte of a stand-in is ever sent.

use std::{
    io::IoSlice,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};

use smallvec::SmallVec;

use super::part::FilePart;

/// The longest part of a file in one slice.
pub(crate) const LONGEST: usize = 1 << 20;
/// Never written, so the system need not give memory for it.
static STAND_IN: LazyLock<Vec<u8>> = LazyLock::new(|| vec![0; LONGEST]);

/// One per connection that can send files; its answers and its transport share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outlet(Arc<Mutex<Said>>);

#[derive(Debug, Default)]
struct Said {
    parts: Parts,
    /// Somebody has read a stand-in as if it were content.
    misread: bool,
}

type Parts = SmallVec<[FilePart; 1]>;

/// What was said and what is to be written do not agree.
#[derive(Debug, thiserror::Error)]
#[error("a part of a file would be sent as what stands in for it")]
pub(crate) struct Mismatch;

/// What to write, in order.
#[derive(Debug)]
pub(crate) enum Segment<'a> {
    Memory(&'a [IoSlice<'a>]),
    File(FilePart),
}

pub(crate) type Segments<'a> = SmallVec<[Segment<'a>; 4]>;

impl Outlet {
    /// Stands in for a part, at most `LONGEST`, in the write that follows.
    pub(super) fn announce(&self, part: &FilePart) -> &'static [u8] {
        self.said().parts.push(part.clone());
        &STAND_IN[..part.len()]
    }

    /// Where a part of a file is asked for as memory, which nobody does who writes it. The connection cannot be saved.
    pub(super) fn misread(&self, part: &FilePart) -> &'static [u8] {
        self.said().misread = true;
        &STAND_IN[..part.len()]
    }

    /// What was said since the last write, put where it belongs.
    ///
    /// # Errors
    /// It does not agree with `slices`.
    pub(crate) fn resolve<'a>(&self, slices: &'a [IoSlice<'a>]) -> Result<Segments<'a>, Mismatch> {
        let mut said = self.said();
        let parts = std::mem::take(&mut said.parts);
        if said.misread { Err(Mismatch) } else { segments(slices, parts) }
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn segments<'a>(slices: &'a [IoSlice<'a>], parts: Parts) -> Result<Segments<'a>, Mismatch> {
    let (mut parts, mut segments, mut begun) = (parts.into_iter(), Segments::new(), 0);
    for (at, slice) in slices.iter().enumerate().filter(|(_, slice)| stands_in(slice)) {
        // What is written may be less than the part, never more.
        let part = parts.next().filter(|part| part.len() >= slice.len()).ok_or(Mismatch)?;
        push_memory(&mut segments, &slices[begun..at]);
        segments.push(Segment::File(part.into_first(slice.len())));
        begun = at + 1;
    }
    push_memory(&mut segments, &slices[begun..]);
    if parts.next().is_some() { Err(Mismatch) } else { Ok(segments) }
}

fn push_memory<'a>(segments: &mut Segments<'a>, slices: &'a [IoSlice<'a>]) {
    if !slices.is_empty() {
        segments.push(Segment::Memory(slices));
    }
}

fn stands_in(slice: &[u8]) -> bool {
    !slice.is_empty() && STAND_IN.as_ptr_range().contains(&slice.as_ptr())
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;
    use crate::body::part::tests::file_of;

    fn part(bytes: Range<u64>) -> FilePart {
        FilePart { file: file_of(b""), bytes }
    }

    /// Memory by its length, files by their bytes.
    fn told(segments: &Segments<'_>) -> Vec<Range<u64>> {
        let told = segments.iter().map(|segment| match segment {
            Segment::Memory(slices) => 0..slices.iter().map(|slice| slice.len() as u64).sum(),
            Segment::File(part) => part.bytes.clone(),
        });
        told.collect()
    }

    #[test]
    fn each_part_is_found_where_it_stands_in() {
        let outlet = Outlet::default();
        let (first, second) = (outlet.announce(&part(10..30)), outlet.announce(&part(50..60)));
        let slices = [&b"he"[..], b"ad", first, b"-", second].map(IoSlice::new);
        assert_eq!(told(&outlet.resolve(&slices).unwrap()), [0..4, 10..30, 0..1, 50..60]);
        let plain = [IoSlice::new(b"x")];
        assert_eq!(told(&outlet.resolve(&plain).unwrap()), std::slice::from_ref(&(0..1)), "what was said is forgotten");
    }

    #[test]
    fn a_part_that_was_cut_short_is_sent_so_far() {
        let outlet = Outlet::default();
        let stand_in = outlet.announce(&part(10..30));
        assert_eq!(told(&outlet.resolve(&[IoSlice::new(&stand_in[..5])]).unwrap()), std::slice::from_ref(&(10..15)));
    }

    #[test]
    fn whatever_does_not_agree_is_refused() {
        let outlet = Outlet::default();
        let stand_in = outlet.announce(&part(10..30));
        assert!(outlet.resolve(&[]).is_err(), "announced and not written");
        assert!(outlet.resolve(&[IoSlice::new(stand_in)]).is_err(), "written and not announced");
        assert!(outlet.resolve(&[IoSlice::new(&stand_in[7..])]).is_err(), "also from its middle on");
        outlet.announce(&part(0..4));
        assert!(outlet.resolve(&[IoSlice::new(stand_in)]).is_err(), "written beyond its end");
        assert!(Outlet::default().resolve(&[IoSlice::new(stand_in)]).is_err(), "nor by another connection");
    }

    #[test]
    fn a_connection_whose_stand_ins_were_read_writes_nothing_more() {
        let outlet = Outlet::default();
        outlet.misread(&part(10..30));
        assert!(outlet.resolve(&[IoSlice::new(b"x")]).is_err());
        assert!(outlet.resolve(&[IoSlice::new(b"x")]).is_err());
    }
}
