//! What a client wants to see: time, width and format, out of the query and `Accept`. Wrong ones are told as FastAPI does.
//! Pure.

use http::{HeaderMap, header::ACCEPT};
use reelgate_common::still::{Still, StillFormat};

use crate::{
    error::{ApiError, Violation},
    query::Query,
};

const DEFAULT_WIDTH: u32 = 320;
const LAST_SECOND: f64 = 1e6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wish {
    still: Still,
    /// `Accept` has chosen the format.
    pub(super) negotiated: bool,
}

impl Wish {
    /// # Errors
    /// 422 with all that is wrong.
    pub(super) fn parse(query: &Query<'_>, headers: &HeaderMap) -> Result<Self, ApiError> {
        let (second, width, format) = (second(query.get("t")), width(query.get("w")), format(query.get("format")));
        match (second, width, format) {
            (Ok(second), Ok(width), Ok(format)) => {
                let still = Still { second, width, format: format.unwrap_or_else(|| accepted(headers)) };
                Ok(Self { still, negotiated: format.is_none() })
            }
            (second, width, format) => {
                Err(ApiError::invalid([second.err(), width.err(), format.err()].into_iter().flatten().collect()))
            }
        }
    }

    /// # Errors
    /// 422 for a time after the end of the film.
    pub(super) fn within(&self, duration_ms: Option<u64>) -> Result<Still, ApiError> {
        let last = duration_ms.filter(|duration| *duration > 0).map(|duration| duration / 1_000);
        match last {
            Some(last) if u64::from(self.still.second) > last => {
                let message = format!("Input should be less than or equal to {last}");
                Err(ApiError::invalid(vec![violation("t", message, "less_than_equal")]))
            }
            _ => Ok(self.still),
        }
    }
}

fn violation(name: &'static str, message: impl Into<std::borrow::Cow<'static, str>>, kind: &'static str) -> Violation {
    Violation::new(["query".into(), name.into()], message, kind)
}

/// Seconds, a fraction left out.
fn second(text: Option<&str>) -> Result<u32, Violation> {
    let text = text.ok_or_else(|| Violation::missing("query", "t"))?;
    match text.trim().parse::<f64>() {
        Ok(time) if time < 0.0 => {
            Err(violation("t", "Input should be greater than or equal to 0", "greater_than_equal"))
        }
        Ok(time) if time <= LAST_SECOND => Ok(time as u32),
        Ok(time) if time.is_finite() => {
            Err(violation("t", "Input should be less than or equal to 1000000", "less_than_equal"))
        }
        _ => {
            let message = "Input should be a valid number, unable to parse string as a number";
            Err(violation("t", message, "float_parsing"))
        }
    }
}

fn width(text: Option<&str>) -> Result<u32, Violation> {
    let Some(text) = text else { return Ok(DEFAULT_WIDTH) };
    match text.trim().parse::<i64>() {
        Ok(width) if width < 1 => Err(violation("w", "Input should be greater than 0", "greater_than")),
        Ok(width) => Ok(Still::width_for(u32::try_from(width).unwrap_or(u32::MAX))),
        Err(_) => {
            let message = "Input should be a valid integer, unable to parse string as an integer";
            Err(violation("w", message, "int_parsing"))
        }
    }
}

fn format(text: Option<&str>) -> Result<Option<StillFormat>, Violation> {
    match text {
        None => Ok(None),
        Some("jpg") => Ok(Some(StillFormat::Jpeg)),
        Some(text) => {
            let known = text.parse().map(Some);
            known.map_err(|_| violation("format", "Input should be 'jpeg', 'png' or 'webp'", "enum"))
        }
    }
}

/// WebP for those who name it, as browsers do; JPEG for all others, but PNG for those who want nothing else.
fn accepted(headers: &HeaderMap) -> StillFormat {
    let mut named =
        headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(','));
    let takes = |range: &str, wanted: &str| {
        let mut parts = range.split(';').map(str::trim);
        parts.next().is_some_and(|found| found.eq_ignore_ascii_case(wanted)) && !parts.any(is_refusal)
    };
    let ranges: Vec<&str> = named.by_ref().collect();
    let any = |wanted: &[&str]| ranges.iter().any(|range| wanted.iter().any(|wanted| takes(range, wanted)));
    if any(&["image/webp"]) {
        StillFormat::Webp
    } else if any(&["image/png"]) && !any(&["image/jpeg", "image/*", "*/*"]) {
        StillFormat::Png
    } else {
        StillFormat::Jpeg
    }
}

/// `q=0`, `q=0.0`…
fn is_refusal(parameter: &str) -> bool {
    parameter.strip_prefix("q=").is_some_and(|quality| quality.parse::<f32>().is_ok_and(|quality| quality <= 0.0))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn wish(query: &str, accept: &'static str) -> Result<Wish, ApiError> {
        let headers = [(ACCEPT, HeaderValue::from_static(accept))].into_iter().collect();
        Wish::parse(&Query::parse(Some(query)), &headers)
    }

    fn kinds(query: &str) -> Vec<&'static str> {
        match wish(query, "").unwrap_err().detail {
            crate::error::Detail::Invalid(violations) => violations.iter().map(|violation| violation.kind).collect(),
            crate::error::Detail::Text(_) => Vec::new(),
        }
    }

    #[test]
    fn times_and_widths_snap() {
        let Wish { still, negotiated } = wish("t=12.9&w=200&format=png", "").unwrap();
        assert_eq!((still, negotiated), (Still { second: 12, width: 320, format: StillFormat::Png }, false));
        assert_eq!(wish("t=0", "").unwrap().still.width, DEFAULT_WIDTH);
    }

    #[test]
    fn the_format_follows_accept_unless_it_is_named() {
        let format = |accept| wish("t=1", accept).unwrap().still.format;
        assert_eq!(format("image/avif,image/webp,*/*;q=0.8"), StillFormat::Webp);
        assert_eq!(format("image/webp;q=0, image/*"), StillFormat::Jpeg);
        assert_eq!(format("image/png"), StillFormat::Png);
        assert_eq!(format("*/*"), StillFormat::Jpeg);
        assert_eq!(wish("t=1&format=jpg", "image/webp").unwrap().still.format, StillFormat::Jpeg);
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        assert_eq!(kinds("w=x&format=gif"), ["missing", "int_parsing", "enum"]);
        assert_eq!(kinds("t=NaN&w=0"), ["float_parsing", "greater_than"]);
        assert_eq!(kinds("t=-1"), ["greater_than_equal"]);
        assert_eq!(kinds("t=1e300"), ["less_than_equal"]);
        let late = wish("t=11", "").unwrap();
        assert!(late.within(Some(10_500)).is_err() && late.within(None).is_ok() && late.within(Some(11_000)).is_ok());
    }
}
