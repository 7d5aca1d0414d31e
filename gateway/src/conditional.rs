//! Conditional requests (RFC 9110 section 13): whether to answer, to say "you have it", or to refuse. Pure.

use std::time::{Duration, SystemTime};

use http::{
    HeaderMap, HeaderName,
    header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE},
};

/// What the selected representation says about itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Validators<'a> {
    /// Strong, without quotes.
    pub etag: &'a str,
    pub modified: SystemTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Proceed,
    /// 304.
    NotModified,
    /// 412.
    Failed,
}

/// Preconditions in the order of 13.2.2; `If-Range` comes after them, see `range_applies`. `reads` is true of GET and HEAD:
/// for other methods `If-None-Match` refuses, and `If-Modified-Since` means nothing (13.1.2, 13.1.3).
#[must_use]
pub(crate) fn evaluate(headers: &HeaderMap, current: Validators, reads: bool) -> Verdict {
    if let Some(tags) = list(headers, &IF_MATCH) {
        if !tags.strongly(current.etag) {
            return Verdict::Failed;
        }
    } else if let Some(date) = date(headers, &IF_UNMODIFIED_SINCE)
        && whole_seconds(current.modified) > date
    {
        return Verdict::Failed;
    }
    if let Some(tags) = list(headers, &IF_NONE_MATCH) {
        if tags.weakly(current.etag) {
            return if reads { Verdict::NotModified } else { Verdict::Failed };
        }
    } else if reads
        && let Some(date) = date(headers, &IF_MODIFIED_SINCE)
        && whole_seconds(current.modified) <= date
    {
        return Verdict::NotModified;
    }
    Verdict::Proceed
}

/// Whether `If-None-Match` names what there is: all that a representation without a date needs to know (13.1.2).
#[must_use]
pub(crate) fn has(headers: &HeaderMap, etag: &str) -> bool {
    list(headers, &IF_NONE_MATCH).is_some_and(|tags| tags.weakly(etag))
}

/// Whether a `Range` may be honoured (13.1.5): without `If-Range`, or when it names exactly what is there.
#[must_use]
pub(crate) fn range_applies(headers: &HeaderMap, current: Validators, now: impl Fn() -> SystemTime) -> bool {
    let mut values = headers.get_all(IF_RANGE).iter();
    let Some(value) = values.next() else { return true };
    // Two of them can only contradict each other.
    let (Ok(text), None) = (value.to_str(), values.next()) else { return false };
    let text = text.trim();
    if text.starts_with('"') {
        return text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) == Some(current.etag);
    }
    // A weak tag is no date and so falls through to "no". A date must be strong: over a second old (8.8.2.2).
    httpdate::parse_http_date(text).is_ok_and(|date| {
        date == whole_seconds(current.modified)
            && now().duration_since(date).is_ok_and(|age| age >= Duration::from_secs(1))
    })
}

/// HTTP dates have no fractions.
#[must_use]
pub(crate) fn whole_seconds(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs())
}

/// An invalid date, and more than one, is as if it were absent (13.1.3, 13.1.4).
fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.to_str().ok()?;
    if values.next().is_some() { None } else { httpdate::parse_http_date(first).ok() }
}

/// The entity tags of one header, `*` included.
struct Tags<'a>(Vec<&'a str>);

fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Tags<'a>> {
    if !headers.contains_key(name) {
        return None;
    }
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    Some(Tags(values.flat_map(split).collect()))
}

/// Cuts at commas outside quotes: a tag may contain commas (8.8.3).
fn split(value: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    value
        .split(move |c| {
            quoted ^= c == '"';
            c == ',' && !quoted
        })
        .map(str::trim)
        .filter(|tag| !tag.is_empty())
}

impl Tags<'_> {
    /// Strong comparison (8.8.3.2): a weak tag never matches.
    fn strongly(&self, etag: &str) -> bool {
        self.0.iter().any(|tag| *tag == "*" || unquoted(tag) == Some(etag))
    }

    /// Weak comparison (8.8.3.2): the `W/` does not count.
    fn weakly(&self, etag: &str) -> bool {
        self.0.iter().any(|tag| *tag == "*" || unquoted(tag.strip_prefix("W/").unwrap_or(tag)) == Some(etag))
    }
}

fn unquoted(tag: &str) -> Option<&str> {
    tag.strip_prefix('"')?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const OLD: &str = "Sat, 29 Oct 1994 19:43:31 GMT";
    const SAME: &str = "Tue, 14 Nov 2023 22:13:20 GMT";
    const NEW: &str = "Sun, 06 Nov 2044 08:49:37 GMT";

    fn current() -> Validators<'static> {
        Validators { etag: "a,b", modified: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123) }
    }

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    fn verdict(pairs: &[(HeaderName, &'static str)]) -> Verdict {
        evaluate(&headers(pairs), current(), true)
    }

    #[test]
    fn rfc9110_13_1_1_if_match_compares_strongly() {
        assert_eq!(verdict(&[(IF_MATCH, "\"a,b\"")]), Verdict::Proceed);
        assert_eq!(verdict(&[(IF_MATCH, "\"x\", \"a,b\"")]), Verdict::Proceed);
        assert_eq!(verdict(&[(IF_MATCH, "*")]), Verdict::Proceed);
        assert_eq!(verdict(&[(IF_MATCH, "W/\"a,b\"")]), Verdict::Failed);
        assert_eq!(verdict(&[(IF_MATCH, "\"x\"")]), Verdict::Failed);
        assert_eq!(verdict(&[(IF_MATCH, "a,b")]), Verdict::Failed);
    }

    #[test]
    fn rfc9110_13_1_2_if_none_match_compares_weakly() {
        for same in ["\"a,b\"", "W/\"a,b\"", "\"x\",\"a,b\"", "*"] {
            assert_eq!(verdict(&[(IF_NONE_MATCH, same)]), Verdict::NotModified, "{same}");
        }
        assert_eq!(verdict(&[(IF_NONE_MATCH, "\"x\"")]), Verdict::Proceed);
    }

    #[test]
    fn rfc9110_13_1_3_if_modified_since_ignores_fractions_and_bad_dates() {
        assert_eq!(verdict(&[(IF_MODIFIED_SINCE, SAME)]), Verdict::NotModified);
        assert_eq!(verdict(&[(IF_MODIFIED_SINCE, NEW)]), Verdict::NotModified);
        assert_eq!(verdict(&[(IF_MODIFIED_SINCE, OLD)]), Verdict::Proceed);
        assert_eq!(verdict(&[(IF_MODIFIED_SINCE, "yesterday")]), Verdict::Proceed);
    }

    #[test]
    fn rfc9110_13_1_4_if_unmodified_since_refuses_what_is_newer() {
        assert_eq!(verdict(&[(IF_UNMODIFIED_SINCE, OLD)]), Verdict::Failed);
        assert_eq!(verdict(&[(IF_UNMODIFIED_SINCE, SAME)]), Verdict::Proceed);
    }

    #[test]
    fn rfc9110_13_2_2_tags_go_before_dates_and_refusals_before_304() {
        assert_eq!(verdict(&[(IF_MATCH, "*"), (IF_UNMODIFIED_SINCE, OLD)]), Verdict::Proceed);
        assert_eq!(verdict(&[(IF_NONE_MATCH, "\"x\""), (IF_MODIFIED_SINCE, NEW)]), Verdict::Proceed);
        assert_eq!(verdict(&[(IF_MATCH, "\"x\""), (IF_NONE_MATCH, "*")]), Verdict::Failed);
    }

    #[test]
    fn rfc9110_13_1_other_methods_are_refused_and_know_no_if_modified_since() {
        let verdict = |name, value| evaluate(&headers(&[(name, value)]), current(), false);
        assert_eq!(verdict(IF_NONE_MATCH, "*"), Verdict::Failed);
        assert_eq!(verdict(IF_MODIFIED_SINCE, NEW), Verdict::Proceed);
    }

    #[test]
    fn two_dates_are_none_and_two_if_ranges_do_not_hold() {
        let mut twice = HeaderMap::new();
        for name in [IF_UNMODIFIED_SINCE, IF_MODIFIED_SINCE, IF_RANGE] {
            twice.append(name.clone(), HeaderValue::from_static(SAME));
            twice.append(name, HeaderValue::from_static(SAME));
        }
        assert_eq!(evaluate(&twice, current(), true), Verdict::Proceed);
        assert!(!range_applies(&twice, current(), SystemTime::now));
    }

    #[test]
    fn rfc9110_13_1_5_if_range_compares_strongly() {
        let applies = |value| range_applies(&headers(&[(IF_RANGE, value)]), current(), SystemTime::now);
        assert!(applies("\"a,b\""));
        assert!(applies(SAME));
        for other in ["W/\"a,b\"", "\"x\"", "\"", OLD, NEW, "yesterday", ""] {
            assert!(!applies(other), "{other}");
        }
        assert!(range_applies(&HeaderMap::new(), current(), SystemTime::now));
    }

    #[test]
    fn rfc9110_8_8_2_2_a_date_of_this_very_second_is_weak() {
        let now = whole_seconds(current().modified);
        assert!(!range_applies(&headers(&[(IF_RANGE, SAME)]), current(), || now));
    }
}
