//! Schemas of the types that are sent, by their names in the document.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::{PartialSchema, ToSchema};

/// Those that an endpoint names, and those that these name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schemas(BTreeMap<String, Value>);

impl Schemas {
    /// Where the schema of a type lies from now on.
    pub(crate) fn add<T: ToSchema>(&mut self) -> Value {
        let mut named = Vec::new();
        T::schemas(&mut named);
        let name = T::name();
        self.0.extend(named.into_iter().map(|(name, schema)| (name, value(&schema))));
        self.0.insert(name.clone().into_owned(), inline::<T>());
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }

    /// One that is put together by hand, by its name.
    pub(crate) fn put(&mut self, name: &str, schema: Value) -> Value {
        self.0.insert(name.to_owned(), schema);
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }

    pub(crate) fn merge(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    pub(crate) fn into_map(self) -> BTreeMap<String, Value> {
        self.0
    }
}

/// The schema of a type as it stands, for parameters.
pub(crate) fn inline<T: PartialSchema>() -> Value {
    value(&T::schema())
}

fn value(schema: &impl serde::Serialize) -> Value {
    serde_json::to_value(schema).expect("a schema is made of texts and numbers")
}
