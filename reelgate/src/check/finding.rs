//! What came of a look at something, and what to do about it.

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    Ok,
    /// Works, and something about it should be known.
    Note,
    Wrong,
}

#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub(super) what: &'static str,
    pub(super) level: Level,
    /// What was found.
    pub(super) found: Option<String>,
    pub(super) advice: Option<&'static str>,
}

impl Finding {
    pub(super) fn ok(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, level: Level::Ok, found: Some(found.into()), advice: None }
    }

    pub(super) fn note(what: &'static str, found: impl Into<String>, advice: &'static str) -> Self {
        Self { what, level: Level::Note, found: Some(found.into()), advice: Some(advice) }
    }

    pub(super) fn wrong(what: &'static str, found: impl Into<String>, advice: &'static str) -> Self {
        Self { what, level: Level::Wrong, found: Some(found.into()), advice: Some(advice) }
    }

    /// The whole chain of an error: the cause that helps is usually the innermost one.
    pub(super) fn of<E: Into<anyhow::Error>>(what: &'static str, outcome: Result<(), E>, advice: &'static str) -> Self {
        match outcome {
            Ok(()) => Self { what, level: Level::Ok, found: None, advice: None },
            Err(error) => Self::wrong(what, format!("{:#}", error.into()), advice),
        }
    }

    /// A line, and one with advice.
    pub(super) fn text(&self) -> String {
        let word = match self.level {
            Level::Ok => "ok   ",
            Level::Note => "note ",
            Level::Wrong => "WRONG",
        };
        let found = self.found.as_ref().map(|found| format!(": {found}")).unwrap_or_default();
        let advice = self.advice.map(|advice| format!("\n      {advice}")).unwrap_or_default();
        format!("{word} {}{found}{advice}", self.what)
    }
}
