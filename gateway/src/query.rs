//! The query string, decoded once. A parameter that is given twice has no value anybody could agree on, so it is an error
//! where it matters (tokens) and the first wins elsewhere.

mod reader;

use std::borrow::Cow;

pub(crate) use self::reader::{DEFAULT_LIMIT, MAX_LIMIT, Reader};

/// Decoded parameters in the order given.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Query<'a> {
    #[must_use]
    pub(crate) fn parse(query: Option<&'a str>) -> Self {
        Self { pairs: url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).collect() }
    }

    /// The first value of a parameter.
    #[must_use]
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref())
    }

    pub(crate) fn all<'q>(&'q self, name: &'q str) -> impl Iterator<Item = &'q str> + use<'q, 'a> {
        self.pairs.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_once() {
        let query = Query::parse(Some("location=2026%2F11%2Fa%252Fb&token=&x"));
        assert_eq!(query.get("location"), Some("2026/11/a%2Fb"));
        assert_eq!(query.get("token"), Some(""));
        assert_eq!(query.get("x"), Some(""));
        assert_eq!(query.get("y"), None);
    }

    #[test]
    fn all_values_of_a_repeated_parameter_are_seen() {
        assert_eq!(Query::parse(Some("token=a&token=b")).all("token").collect::<Vec<_>>(), ["a", "b"]);
    }
}
