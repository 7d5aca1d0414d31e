//! `Range` (RFC 9110 section 14): which bytes of a representation are wanted. Pure.

use std::ops::Range;

/// What a `Range` header asks of a representation of known length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// No range, one we do not serve (several, other units) or one that cannot be read: all bytes with 200 (14.2).
    Whole,
    /// One satisfiable range, not empty, within the length.
    Part(Range<u64>),
    /// 416 with `Content-Range: bytes */length` (15.5.17).
    Unsatisfiable,
}

/// Reads the header against the length. Several ranges get the whole representation, which 14.2 allows and which
/// leaves nothing to amplify.
#[must_use]
pub(crate) fn wanted(header: Option<&str>, length: u64) -> Wanted {
    let Some(set) = header.and_then(bytes_unit) else { return Wanted::Whole };
    if set.contains(',') {
        return Wanted::Whole;
    }
    match spec(set.trim_matches([' ', '\t'])) {
        None => Wanted::Whole,
        Some(Spec::Last(0)) => Wanted::Unsatisfiable,
        Some(Spec::Last(_)) if length == 0 => Wanted::Unsatisfiable,
        Some(Spec::Last(count)) => Wanted::Part(length.saturating_sub(count)..length),
        Some(Spec::From { first, .. }) if first >= length => Wanted::Unsatisfiable,
        Some(Spec::From { first, last }) => {
            Wanted::Part(first..last.map_or(length, |last| last.saturating_add(1).min(length)))
        }
    }
}

enum Spec {
    From { first: u64, last: Option<u64> },
    Last(u64),
}

/// Range units are case-insensitive (14.1).
fn bytes_unit(header: &str) -> Option<&str> {
    let (unit, set) = header.split_once('=')?;
    unit.eq_ignore_ascii_case("bytes").then_some(set)
}

/// `None` for what is no valid range-spec: an invalid ranges-specifier is ignored (14.1.1, 14.2).
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rfc9110_14_1_2_examples_hold() {
        assert_eq!(wanted(Some("bytes=0-499"), 10_000), Wanted::Part(0..500));
        assert_eq!(wanted(Some("bytes=500-999"), 10_000), Wanted::Part(500..1_000));
        assert_eq!(wanted(Some("bytes=-500"), 10_000), Wanted::Part(9_500..10_000));
        assert_eq!(wanted(Some("bytes=9500-"), 10_000), Wanted::Part(9_500..10_000));
    }

    #[test]
    fn rfc9110_14_1_2_a_range_beyond_the_end_is_cut() {
        assert_eq!(wanted(Some("bytes=0-99999"), 10), Wanted::Part(0..10));
        assert_eq!(wanted(Some("bytes=-99999"), 10), Wanted::Part(0..10));
        assert_eq!(wanted(Some("bytes=9-18446744073709551615"), 10), Wanted::Part(9..10));
        assert_eq!(wanted(Some("bytes=9-99999999999999999999999"), 10), Wanted::Part(9..10));
    }

    #[test]
    fn rfc9110_15_5_17_nothing_to_send_is_unsatisfiable() {
        for header in ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(wanted(Some(header), 10), Wanted::Unsatisfiable, "{header}");
        }
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Unsatisfiable);
        assert_eq!(wanted(Some("bytes=-1"), 0), Wanted::Unsatisfiable);
    }

    #[test]
    fn rfc9110_14_2_what_cannot_be_read_is_ignored() {
        for header in
            ["", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=a-b", "bytes=+1-2", "bytes=1 -2", "items=0-1", "0-1"]
        {
            assert_eq!(wanted(Some(header), 10), Wanted::Whole, "{header}");
        }
        assert_eq!(wanted(None, 10), Wanted::Whole);
    }

    #[test]
    fn rfc9110_14_1_units_are_case_insensitive_and_space_around_is_allowed() {
        assert_eq!(wanted(Some("Bytes= 0-1 "), 10), Wanted::Part(0..2));
    }

    #[test]
    fn three_thousand_overlapping_ranges_cost_one_plain_answer() {
        let header = format!("bytes={}", vec!["0-"; 3_000].join(","));
        assert_eq!(wanted(Some(&header), 10), Wanted::Whole);
    }

    proptest! {
        #[test]
        fn a_part_is_never_empty_and_never_outside(header in "bytes=[0-9]{0,22}-[0-9]{0,22}", length: u64) {
            if let Wanted::Part(range) = wanted(Some(&header), length) {
                prop_assert!(range.start < range.end && range.end <= length);
            }
        }
    }
}
