//! An answer that is none of the failures.

use serde_json::{Map, Value, json};

#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) sentence: &'static str,
    /// By media type; `null` for none.
    pub(super) content: Value,
    pub(super) headers: Map<String, Value>,
}

impl Answer {
    /// Status and response object.
    pub(super) fn entry(&self) -> (String, Value) {
        let mut object = json!({ "description": self.sentence });
        if !self.content.is_null() {
            object["content"] = self.content.clone();
        }
        if !self.headers.is_empty() {
            object["headers"] = self.headers.clone().into();
        }
        (self.status.to_string(), object)
    }
}
