//! What is asked for. Pure.

use std::time::Duration;

use http::StatusCode;
use url::form_urlencoded;

use super::{PREFIX, Refusal};

const USUAL: Duration = Duration::from_secs(10);
const LONGEST_SECONDS: u64 = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Where computing time goes.
    Cpu,
    /// Who holds memory.
    Heap,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    pub what: What,
    pub length: Duration,
}

impl Ask {
    /// # Errors
    /// There is no such path, or the query cannot be understood.
    pub(super) fn read(path: &str, query: Option<&str>) -> Result<Self, Refusal> {
        let what = match path.strip_prefix(PREFIX) {
            Some("profile") => What::Cpu,
            Some("heap") => What::Heap,
            _ => return Err(Refusal::new(StatusCode::NOT_FOUND, "not_found", "Not Found")),
        };
        let mut ask = Self { what, length: USUAL };
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match &*name {
                "seconds" => ask.length = seconds(&value)?,
                _ => return Err(bad(format!("{name} is not known: give seconds"))),
            }
        }
        Ok(ask)
    }
}

fn seconds(value: &str) -> Result<Duration, Refusal> {
    let seconds = value.parse().ok().filter(|seconds| (1..=LONGEST_SECONDS).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| bad(format!("seconds must be from 1 to {LONGEST_SECONDS}")))
}

fn bad(detail: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "profile_query", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_or_refused() {
        let read = |query| Ask::read("/debug/pprof/profile", query);
        assert_eq!(read(None).unwrap(), Ask { what: What::Cpu, length: USUAL });
        let ask = Ask::read("/debug/pprof/heap", Some("seconds=50")).unwrap();
        assert_eq!(ask, Ask { what: What::Heap, length: Duration::from_secs(50) });
        for query in ["seconds=0", "seconds=51", "seconds=x", "format=svg"] {
            assert_eq!(read(Some(query)).unwrap_err().code, "profile_query", "{query}");
        }
        assert_eq!(Ask::read("/debug/pprof/goroutine", None).unwrap_err().code, "not_found");
    }
}
