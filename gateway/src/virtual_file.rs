//! Bytes to serve as a list of pieces: inline bytes or ranges of objects named by role. Slicing is pure; where an object
//! lies is found out late, by whoever reads it.

use std::ops::Range;

use bytes::Bytes;
use reelgate_common::rendition::{Piece, Role};

/// One piece of a `VirtualFile`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Extent {
    Inline(Bytes),
    Object { role: Role, range: Range<u64> },
}

impl Extent {
    #[must_use]
    pub(crate) fn length(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Object { range, .. } => range.end - range.start,
        }
    }

    /// A part of it; `part` lies within its length.
    fn part(&self, part: Range<u64>) -> Self {
        match self {
            Self::Inline(bytes) => {
                let index = |at| usize::try_from(at).unwrap_or(usize::MAX);
                Self::Inline(bytes.slice(index(part.start)..index(part.end)))
            }
            Self::Object { role, range } => {
                Self::Object { role: role.clone(), range: range.start + part.start..range.start + part.end }
            }
        }
    }
}

/// Extents in order, none empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct VirtualFile {
    extents: Vec<Extent>,
}

impl VirtualFile {
    /// The whole of one object.
    #[must_use]
    pub(crate) fn of_object(role: Role, length: u64) -> Self {
        Self::from_extents([Extent::Object { role, range: 0..length }])
    }

    #[must_use]
    pub(crate) fn of_layout(layout: &[Piece]) -> Self {
        Self::from_extents(layout.iter().map(|piece| Extent::Object {
            role: piece.object.clone(),
            range: piece.offset..piece.offset.saturating_add(piece.length),
        }))
    }

    pub(crate) fn from_extents(extents: impl IntoIterator<Item = Extent>) -> Self {
        Self { extents: extents.into_iter().filter(|extent| extent.length() > 0).collect() }
    }

    #[must_use]
    pub(crate) fn length(&self) -> u64 {
        self.extents.iter().map(Extent::length).sum()
    }

    /// How far each object is known to go: by the extents, and by what is `known` besides.
    #[must_use]
    pub(crate) fn object_lengths(&self, known: &[(Role, u64)]) -> Vec<(Role, u64)> {
        let mut lengths = known.to_vec();
        for extent in &self.extents {
            let Extent::Object { role, range } = extent else { continue };
            match lengths.iter_mut().find(|(of, _)| of == role) {
                Some((_, length)) => *length = range.end.max(*length),
                None => lengths.push((role.clone(), range.end)),
            }
        }
        lengths
    }

    #[must_use]
    pub(crate) fn into_extents(self) -> Vec<Extent> {
        self.extents
    }

    /// The bytes of `range`; what lies beyond the end is left out.
    #[must_use]
    pub(crate) fn slice(&self, range: &Range<u64>) -> Self {
        let mut at = 0;
        Self::from_extents(self.extents.iter().filter_map(|extent| {
            let (begin, end) = (at, at + extent.length());
            at = end;
            let (first, last) = (range.start.max(begin), range.end.min(end));
            (first < last).then(|| extent.part(first - begin..last - begin))
        }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn object(name: &str, range: Range<u64>) -> Extent {
        Extent::Object { role: Role::Output(name.to_owned()), range }
    }

    /// A rewritten head before the media of the original, as virtual faststart lays it out.
    fn faststart() -> VirtualFile {
        VirtualFile::from_extents([
            Extent::Inline(Bytes::from_static(b"head")),
            Extent::Object { role: Role::Source, range: 100..110 },
            object("tail", 0..6),
        ])
    }

    #[test]
    fn a_slice_keeps_only_what_it_touches() {
        assert_eq!(faststart().length(), 20);
        assert_eq!(faststart().slice(&(1..3)).into_extents(), [Extent::Inline(Bytes::from_static(b"ea"))]);
        assert_eq!(
            faststart().slice(&(3..15)).into_extents(),
            [
                Extent::Inline(Bytes::from_static(b"d")),
                Extent::Object { role: Role::Source, range: 100..110 },
                object("tail", 0..1),
            ]
        );
        assert_eq!(faststart().slice(&(20..30)), VirtualFile::default());
    }

    #[test]
    fn empty_extents_are_left_out() {
        assert_eq!(
            VirtualFile::from_extents([Extent::Inline(Bytes::new()), object("a", 7..7)]),
            VirtualFile::default()
        );
    }

    proptest! {
        #[test]
        fn a_slice_has_the_length_that_was_asked(start in 0u64..25, length in 0u64..25) {
            let slice = faststart().slice(&(start..start + length));
            prop_assert_eq!(slice.length(), (start + length).min(20).saturating_sub(start));
        }

        #[test]
        fn slicing_a_slice_is_slicing_once(a in 0u64..20, b in 0u64..20, c in 0u64..20) {
            let twice = faststart().slice(&(a..20)).slice(&(b..c.max(b)));
            prop_assert_eq!(twice, faststart().slice(&(a + b..a + c.max(b))));
        }
    }
}
