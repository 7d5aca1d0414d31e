//! A parameter: where it stands, what it may be.

use serde_json::{Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
    Header,
}

#[derive(Debug, Clone)]
pub(super) struct Parameter {
    pub(super) place: Place,
    pub(super) name: &'static str,
    pub(super) schema: Value,
    pub(super) sentence: &'static str,
    pub(super) example: Value,
    pub(super) required: bool,
}

impl Parameter {
    pub(super) fn object(&self) -> Value {
        let Self { name, schema, sentence, example, required, .. } = self;
        let place = match self.place {
            Place::Path => "path",
            Place::Query => "query",
            Place::Header => "header",
        };
        json!({
            "name": name, "in": place, "required": required, "description": sentence, "schema": schema, "example": example,
        })
    }
}
