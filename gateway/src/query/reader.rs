//! Reads the parameters of a list. What is wrong with them is gathered, so that all of it can be told at once.

use std::str::FromStr;

use super::Query;
use crate::error::{ApiError, Violation};

/// Entries of a page where nobody says how many.
pub(crate) const DEFAULT_LIMIT: u64 = 50;
pub(crate) const MAX_LIMIT: u64 = 200;

pub(crate) struct Reader<'q> {
    query: &'q Query<'q>,
    wrong: Vec<Violation>,
}

impl<'q> Reader<'q> {
    pub(crate) fn new(query: &'q Query<'q>) -> Self {
        Self { query, wrong: Vec::new() }
    }

    /// What was read, unless something was wrong.
    ///
    /// # Errors
    /// 422, which names each parameter that is.
    pub(crate) fn done<T>(self, read: T) -> Result<T, ApiError> {
        if self.wrong.is_empty() { Ok(read) } else { Err(ApiError::invalid(self.wrong)) }
    }

    pub(crate) fn refuse(&mut self, name: &'static str, message: &'static str, kind: &'static str) {
        self.wrong.push(Violation::new(["query".into(), name.into()], message, kind));
    }

    /// The first value. An empty parameter is as good as none: forms send those.
    pub(crate) fn one<T>(
        &mut self,
        name: &'static str,
        message: &'static str,
        kind: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = read(self.query.get(name).filter(|text| !text.is_empty())?);
        if value.is_none() {
            self.refuse(name, message, kind);
        }
        value
    }

    pub(crate) fn parsed<T: FromStr>(
        &mut self,
        name: &'static str,
        message: &'static str,
        kind: &'static str,
    ) -> Option<T> {
        self.one(name, message, kind, |text| text.parse().ok())
    }

    /// Every value that is not empty.
    pub(crate) fn all(&self, name: &'static str) -> impl Iterator<Item = &'q str> + use<'q> {
        self.query.all(name).filter(|text| !text.is_empty())
    }

    pub(crate) fn limit(&mut self) -> u64 {
        let limit = self.parsed("limit", "Input should be a valid integer", "int_parsing").unwrap_or(DEFAULT_LIMIT);
        if limit < 1 {
            self.refuse("limit", "Input should be greater than or equal to 1", "greater_than_equal");
        }
        if limit > MAX_LIMIT {
            self.refuse("limit", "Input should be less than or equal to 200", "less_than_equal");
        }
        limit
    }
}
