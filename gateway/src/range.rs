//! `Range` (RFC 9110 section 14): which bytes of a representation are wanted. Pure.

use std::{cmp::Reverse, ops::Range};

/// More ranges than this are answered with the whole: nobody who plays needs as many, and each costs a part (14.2).
const MAX_RANGES: usize = 16;
/// Ranges closer than this become one: the head of a part costs more than the bytes between (15.3.7.2).
const COALESCED_GAP: u64 = 128;

/// A satisfiable range: not empty, within the length of its representation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ByteRange {
    first: u64,
    last: u64,
}

impl ByteRange {
    fn of(first: u64, last: u64) -> Self {
        debug_assert!(first <= last, "a range is not empty");
        Self { first, last }
    }

    #[must_use]
    pub(crate) fn span(self) -> Range<u64> {
        self.first..self.last + 1
    }

    /// As `Content-Range` says it (14.4), of a representation of `total` bytes.
    #[must_use]
    pub(crate) fn content_range(self, total: u64) -> String {
        format!("bytes {}-{}/{total}", self.first, self.last)
    }
}

/// What a `Range` header asks of a representation of known length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// No range, one that we do not serve (other units, too many, overlapping) or one that cannot be read: all bytes
    /// with 200 (14.2).
    Whole,
    One(ByteRange),
    /// At least two, in the order asked for, apart from each other: `multipart/byteranges` (15.3.7.2).
    Several(Vec<ByteRange>),
    /// 416 with `Content-Range: bytes */length` (15.5.17).
    Unsatisfiable,
}

/// Reads the header against the length.
#[must_use]
pub(crate) fn wanted(header: Option<&str>, length: u64) -> Wanted {
    let Some(set) = header.and_then(bytes_unit) else { return Wanted::Whole };
    let Some(specs) = specs(set) else { return Wanted::Whole };
    let satisfiable: Vec<ByteRange> = specs.iter().filter_map(|spec| spec.within(length)).collect();
    match (satisfiable.len(), coalesce(&satisfiable)) {
        (0, _) => Wanted::Unsatisfiable,
        (_, None) => Wanted::Whole,
        (_, Some(ranges)) if ranges.len() == 1 => Wanted::One(ranges[0]),
        (_, Some(ranges)) => Wanted::Several(ranges),
    }
}

/// One range-spec, not yet compared with a length.
enum Spec {
    From { first: u64, last: Option<u64> },
    Last(u64),
}

impl Spec {
    /// What there is of it; `None` when that is nothing (14.1.2).
    fn within(&self, length: u64) -> Option<ByteRange> {
        let end = length.checked_sub(1)?;
        match *self {
            Self::Last(0) => None,
            Self::Last(count) => Some(ByteRange::of(length.saturating_sub(count), end)),
            Self::From { first, last } => {
                (first <= end).then(|| ByteRange::of(first, last.map_or(end, |last| last.min(end))))
            }
        }
    }
}

/// Range units are case-insensitive (14.1).
fn bytes_unit(header: &str) -> Option<&str> {
    let (unit, set) = header.split_once('=')?;
    unit.eq_ignore_ascii_case("bytes").then_some(set)
}

/// Optional whitespace (5.6.3).
const BLANK: [char; 2] = [' ', '\t'];

/// `None` for an invalid set, which is ignored as a whole (14.2), and for one of too many ranges. Empty elements of a list
/// do not count (5.6.1.2).
fn specs(set: &str) -> Option<Vec<Spec>> {
    let elements = set.split(',').map(|element| element.trim_matches(BLANK)).filter(|element| !element.is_empty());
    let specs: Vec<Spec> = elements.take(MAX_RANGES + 1).map(spec).collect::<Option<_>>()?;
    (1..=MAX_RANGES).contains(&specs.len()).then_some(specs)
}

fn spec(text: &str) -> Option<Spec> {
    let (first, last) = text.split_once('-')?;
    if first.is_empty() {
        return number(last).map(Spec::Last);
    }
    let first = number(first)?;
    if last.is_empty() {
        return Some(Spec::From { first, last: None });
    }
    let last = number(last)?;
    (first <= last).then_some(Spec::From { first, last: Some(last) })
}

/// Digits only (`str::parse` would take a sign); a number too big for us is as good as the biggest.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

/// Joins neighbours; each joined range stands where the first of its members was asked for. `None` when two overlap: then
/// somebody wants bytes twice, which leaves something to amplify (14.2).
fn coalesce(ranges: &[ByteRange]) -> Option<Vec<ByteRange>> {
    let mut sorted: Vec<(usize, ByteRange)> = ranges.iter().copied().enumerate().collect();
    sorted.sort_by_key(|(_, range)| (range.first, Reverse(range.last)));
    let mut joined: Vec<(usize, ByteRange)> = Vec::with_capacity(sorted.len());
    for (place, range) in sorted {
        match joined.last_mut() {
            Some((_, before)) if range.first <= before.last => return None,
            Some((first_place, before)) if range.first - before.last <= COALESCED_GAP => {
                (*first_place, before.last) = (place.min(*first_place), range.last);
            }
            _ => joined.push((place, range)),
        }
    }
    joined.sort_by_key(|(place, _)| *place);
    Some(joined.into_iter().map(|(_, range)| range).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(range: Range<u64>) -> Wanted {
        Wanted::One(ByteRange::of(range.start, range.end - 1))
    }

    fn several(ranges: &[(u64, u64)]) -> Wanted {
        Wanted::Several(ranges.iter().map(|(first, last)| ByteRange::of(*first, *last)).collect())
    }

    #[test]
    fn rfc9110_14_1_2_examples_hold() {
        assert_eq!(wanted(Some("bytes=0-499"), 10_000), one(0..500));
        assert_eq!(wanted(Some("bytes=500-999"), 10_000), one(500..1_000));
        assert_eq!(wanted(Some("bytes=-500"), 10_000), one(9_500..10_000));
        assert_eq!(wanted(Some("bytes=9500-"), 10_000), one(9_500..10_000));
        assert_eq!(wanted(Some("bytes=0-0,-1"), 10_000), several(&[(0, 0), (9_999, 9_999)]));
        assert_eq!(
            wanted(Some("bytes= 0-999, 4500-5499, -1000"), 10_000),
            several(&[(0, 999), (4_500, 5_499), (9_000, 9_999)])
        );
        assert_eq!(wanted(Some("bytes=500-600,601-999"), 10_000), one(500..1_000));
        assert_eq!(wanted(Some("bytes=500-700,601-999"), 10_000), Wanted::Whole);
    }

    #[test]
    fn rfc9110_14_1_2_a_range_beyond_the_end_is_cut() {
        assert_eq!(wanted(Some("bytes=0-99999"), 10), one(0..10));
        assert_eq!(wanted(Some("bytes=-99999"), 10), one(0..10));
        assert_eq!(wanted(Some("bytes=9-18446744073709551615"), 10), one(9..10));
        assert_eq!(wanted(Some("bytes=9-99999999999999999999999"), 10), one(9..10));
        assert_eq!(wanted(Some("bytes=0-99999999999999999999999"), u64::MAX), one(0..u64::MAX));
    }

    #[test]
    fn rfc9110_15_5_17_nothing_to_send_is_unsatisfiable() {
        for header in ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999999-", "bytes=10-,-0,20-30"] {
            assert_eq!(wanted(Some(header), 10), Wanted::Unsatisfiable, "{header}");
        }
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Unsatisfiable);
        assert_eq!(wanted(Some("bytes=-1"), 0), Wanted::Unsatisfiable);
    }

    #[test]
    fn rfc9110_14_2_what_cannot_be_read_is_ignored() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=5-2",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes=1 -2",
            "items=0-1",
            "0-1",
            "bytes=0-1,x",
            "bytes=0-1,5-2",
            "bytes=0-1;5-6",
            "bytes=0-1-2",
            "bytes =0-1",
        ] {
            assert_eq!(wanted(Some(header), 10), Wanted::Whole, "{header}");
        }
        assert_eq!(wanted(None, 10), Wanted::Whole);
    }

    #[test]
    fn rfc9110_14_1_units_are_case_insensitive_and_space_around_is_allowed() {
        assert_eq!(wanted(Some("Bytes= 0-1 "), 10), one(0..2));
        assert_eq!(wanted(Some("bytes=,, 0-1 ,\t,"), 10), one(0..2));
    }

    #[test]
    fn rfc9110_15_3_7_2_parts_come_in_the_order_asked_for() {
        assert_eq!(wanted(Some("bytes=5000-5001,0-1"), 10_000), several(&[(5_000, 5_001), (0, 1)]));
        assert_eq!(wanted(Some("bytes=5000-5001,0-1,5002-5003"), 10_000), several(&[(5_000, 5_003), (0, 1)]));
        assert_eq!(wanted(Some("bytes=0-1,20000-"), 10_000), one(0..2));
    }

    #[test]
    fn rfc9110_15_3_7_2_a_small_gap_is_sent_along() {
        assert_eq!(wanted(Some("bytes=0-9,137-200"), 10_000), one(0..201));
        assert_eq!(wanted(Some("bytes=0-9,138-200"), 10_000), several(&[(0, 9), (138, 200)]));
    }

    #[test]
    fn rfc9110_14_2_overlapping_or_too_many_ranges_cost_one_plain_answer() {
        for header in [vec!["0-"; 3_000].join(","), "0-,0-".to_owned(), "0-9,9-20".to_owned(), "5-6,0-".to_owned()] {
            assert_eq!(wanted(Some(&format!("bytes={header}")), 10_000), Wanted::Whole);
        }
        let apart = |count: u64| {
            let ranges: Vec<String> = (0..count).map(|n| format!("{0}-{0}", n * 1_000)).collect();
            wanted(Some(&format!("bytes={}", ranges.join(","))), 1_000_000)
        };
        assert!(matches!(apart(16), Wanted::Several(ranges) if ranges.len() == 16));
        assert_eq!(apart(17), Wanted::Whole);
    }

    proptest! {
        #[test]
        fn a_part_is_never_empty_and_never_outside(header in "bytes=[0-9]{0,22}-[0-9]{0,22}", length: u64) {
            if let Wanted::One(range) = wanted(Some(&header), length) {
                prop_assert!(range.span().start < range.span().end && range.span().end <= length);
            }
        }

        #[test]
        fn no_byte_is_sent_twice(header in "bytes=([0-9]{0,4}-[0-9]{0,4},){1,6}", length in 0u64..10_000) {
            if let Wanted::Several(ranges) = wanted(Some(&header), length) {
                prop_assert!(ranges.len() > 1);
                let mut sorted: Vec<_> = ranges.iter().map(|range| range.span()).collect();
                sorted.sort_by_key(|span| span.start);
                prop_assert!(sorted.iter().all(|span| span.start < span.end && span.end <= length));
                prop_assert!(sorted.windows(2).all(|pair| pair[0].end + COALESCED_GAP <= pair[1].start));
            }
        }
    }
}
