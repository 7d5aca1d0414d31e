//! What we send always has all its members, with `null` for what is not known, though a type that is read may lack them. A derived schema does
//! not know which of both a type is for, so whatever an answer reaches is completed here.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::told::EVENT;

/// May be left out of what we send, and `null` besides.
const LEFT_OUT: [(&str, &str); 1] = [("Rendition", "label")];

/// Requires, of all that successful answers, events and webhooks consist of, every member that may be `null`.
pub(super) fn complete(document: &mut Value) {
    let mut reached = BTreeSet::new();
    let told = [&document["webhooks"], &document["components"]["schemas"][EVENT]];
    for sent in answers(document).chain(told) {
        reach(document, sent, &mut reached);
    }
    for name in reached {
        require(&name, &mut document["components"]["schemas"][&name]);
    }
}

/// Schemas of successful answers.
fn answers(document: &Value) -> impl Iterator<Item = &Value> {
    let operations =
        document["paths"].as_object().into_iter().flatten().filter_map(|(_, item)| item.as_object()).flatten();
    let responses = operations.filter_map(|(_, operation)| operation["responses"].as_object()).flatten();
    responses
        .filter(|(status, _)| status.starts_with('2'))
        .filter_map(|(_, response)| response.get("content")?.as_object())
        .flatten()
        .filter_map(|(_, content)| content.get("schema"))
}

/// Names of all schemas that this one leads to.
fn reach(document: &Value, schema: &Value, reached: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            if let Some(name) = members.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next())
                && reached.insert(name.to_owned())
            {
                reach(document, &document["components"]["schemas"][name], reached);
            }
            members.values().for_each(|member| reach(document, member, reached));
        }
        Value::Array(items) => items.iter().for_each(|item| reach(document, item, reached)),
        _ => {}
    }
}

/// In this schema and in those that stand within it.
fn require(name: &str, schema: &mut Value) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        let known: BTreeSet<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let required: Vec<String> = properties
            .iter()
            .filter(|(member, told)| {
                known.contains(member.as_str()) || is_nullable(told) && !LEFT_OUT.contains(&(name, member.as_str()))
            })
            .map(|(member, _)| member.clone())
            .collect();
        schema["required"] = json!(required);
    }
    match schema {
        Value::Object(members) => members.values_mut().for_each(|member| require(name, member)),
        Value::Array(items) => items.iter_mut().for_each(|item| require(name, item)),
        _ => {}
    }
}

fn is_nullable(schema: &Value) -> bool {
    let is_null = |schema: &Value| schema["type"] == "null";
    let types = schema["type"].as_array();
    types.is_some_and(|types| types.contains(&json!("null")))
        || ["oneOf", "anyOf"].iter().any(|name| schema[*name].as_array().is_some_and(|all| all.iter().any(is_null)))
}
