//! Answers held against the API's own document: what the tests' client receives must be what `/openapi.json` tells of, with its status, its
//! type and, where it is JSON, its schema. Pure; knows no connection.

mod template;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use http::{HeaderMap, Method, StatusCode, header::CONTENT_TYPE};
use jsonschema::{Draft, Registry, Validator};
use serde_json::Value;

/// What the document is called where schemas refer to it.
const DOCUMENT: &str = "urn:reelgate:openapi";
/// Everything below is described; beside it are the page and what it loads.
const API: &str = "/v1/";
/// Of answers that belong to no operation: there is no such path, or it does not take the method.
const STRAY: &str = "/components/schemas/Error";
/// So much of a body is shown.
const SHOWN: usize = 1_000;
/// As many of its mistakes.
const MISTAKES: usize = 5;

static OWN: LazyLock<Contract> = LazyLock::new(|| Contract::new(reelgate_gateway::openapi::document().clone()));

/// An answer and what was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    pub method: &'a Method,
    /// May have a query.
    pub path: &'a str,
    pub status: StatusCode,
    pub headers: &'a HeaderMap,
    /// None where nobody has read it.
    pub body: Option<&'a [u8]>,
}

/// Where an answer is not what the document tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// Method and template; of what belongs to no operation, what was asked for.
    pub operation: String,
    pub status: StatusCode,
    pub wrong: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, status, wrong } = self;
        write!(f, "not as /openapi.json has it: {operation}, {}: {wrong}", status.as_u16())
    }
}

impl std::error::Error for Breach {}

/// A document, ready to be asked.
pub struct Contract {
    document: Value,
    registry: Registry<'static>,
    /// Made when they are first asked for, by where their schemas lie.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl fmt::Debug for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contract").finish_non_exhaustive()
    }
}

impl Contract {
    /// # Panics
    /// A schema of the document refers to somewhere else.
    #[must_use]
    pub fn new(document: Value) -> Self {
        let registry = Registry::new().draft(Draft::Draft202012).add(DOCUMENT, document.clone());
        let registry = registry.and_then(|registry| registry.prepare()).expect("the document refers to itself only");
        Self { document, registry, validators: Mutex::default() }
    }

    /// That of this build.
    #[must_use]
    pub fn own() -> &'static Self {
        &OWN
    }

    /// # Errors
    /// The answer is not as the document has it.
    pub fn hold(&self, exchange: &Exchange<'_>) -> Result<(), Breach> {
        let Exchange { method, path, status, .. } = *exchange;
        let path = path.split('?').next().unwrap_or_default();
        let found = self.find(path);
        let operation = found.and_then(|(template, item)| self.operation(template, item, method));
        let breach = |operation: &str, wrong| Breach { operation: format!("{method} {operation}"), status, wrong };
        match (operation, found) {
            (Some((pointer, operation)), Some((template, _))) => {
                self.described(&pointer, operation, exchange).map_err(|wrong| breach(template, wrong))
            }
            (_, Some(_)) if method == Method::OPTIONS => Ok(()),
            (_, Some((template, _))) => self.stray(405, exchange).map_err(|wrong| breach(template, wrong)),
            (_, None) if path.starts_with(API) => self.stray(404, exchange).map_err(|wrong| breach(path, wrong)),
            (_, None) => Ok(()),
        }
    }

    /// The template that a path is meant by, and its path item.
    fn find(&self, path: &str) -> Option<(&str, &Value)> {
        let items = self.document["paths"].as_object()?.iter().map(|(template, item)| (template.as_str(), item));
        items.filter(|(name, _)| template::matches(name, path)).max_by_key(|(name, _)| template::literal(name))
    }

    /// Where an operation lies, and what is said of it. What a HEAD is not said of is answered like a GET.
    fn operation<'a>(&self, template: &str, item: &'a Value, method: &Method) -> Option<(String, &'a Value)> {
        let name = method.as_str().to_ascii_lowercase();
        let name = if name == "head" && item.get(&name).is_none() { "get".to_owned() } else { name };
        Some((pointer(&["paths", template, &name]), item.get(name)?))
    }

    fn described(&self, at: &str, operation: &Value, exchange: &Exchange<'_>) -> Result<(), String> {
        let Exchange { status, headers, body, .. } = *exchange;
        let body = body.filter(|_| *exchange.method != Method::HEAD && status != StatusCode::NOT_MODIFIED);
        let is_empty = body.is_some_and(<[u8]>::is_empty);
        // A head that cannot be read or is too long is answered before anybody knows what it asks for (docs/errors.md).
        if is_empty && [400, 431].contains(&status.as_u16()) {
            return Ok(());
        }
        let code = status.as_str();
        let response = operation["responses"].get(code).ok_or_else(|| format!("no such status{}", shown(body)))?;
        let Some(content) = response["content"].as_object() else {
            return if body.is_none() || is_empty { Ok(()) } else { Err(format!("a body{}", shown(body))) };
        };
        let Some(told) = headers.get(CONTENT_TYPE) else {
            return if body.is_none() || is_empty { Ok(()) } else { Err(format!("no type{}", shown(body))) };
        };
        let told = told.to_str().unwrap_or_default();
        let essence = told.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let kind = essence.split('/').next().unwrap_or_default();
        let names = [essence.clone(), format!("{kind}/*"), "*/*".to_owned()];
        let name = names.iter().find(|name| content.contains_key(*name));
        let name = name.ok_or_else(|| format!("no such type: {told}{}", shown(body)))?;
        match body {
            Some(body) if is_json(&essence) && content[name].get("schema").is_some() => {
                let schema = format!("{at}{}", pointer(&["responses", code, "content", name, "schema"]));
                self.is(&schema, body)
            }
            _ => Ok(()),
        }
    }

    fn stray(&self, status: u16, exchange: &Exchange<'_>) -> Result<(), String> {
        if exchange.status != status {
            return Err(format!("belongs to no operation, so {status} was due{}", shown(exchange.body)));
        }
        match exchange.body.filter(|_| *exchange.method != Method::HEAD) {
            Some(body) => self.is(STRAY, body),
            None => Ok(()),
        }
    }

    /// Whether a body is as the schema at `pointer` has it.
    ///
    /// # Errors
    /// What is wrong with it.
    fn is(&self, pointer: &str, body: &[u8]) -> Result<(), String> {
        let value: Value =
            serde_json::from_slice(body).map_err(|error| format!("no JSON, {error}{}", shown(Some(body))))?;
        let mistakes = self.mistakes(pointer, &value);
        if mistakes.is_empty() { Ok(()) } else { Err(format!("{}{}", mistakes.join("; "), shown(Some(body)))) }
    }

    /// Holds what was told as an event of this kind: its data as it came by `GET /v1/events`, or as a webhook's body.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn hold_event(&self, kind: &str, event: &Value) -> Result<(), String> {
        let name = match kind {
            "reset" => "ResetEvent",
            "webhook.test" => "WebhookTestEvent",
            _ => "Event",
        };
        let mut mistakes = self.mistakes(&format!("/components/schemas/{name}"), event);
        if event["type"] != kind {
            mistakes.push(format!("its type is {}", event["type"]));
        }
        if mistakes.is_empty() {
            return Ok(());
        }
        Err(format!("not as /openapi.json has it: the event {kind}: {}, in {event}", mistakes.join("; ")))
    }

    /// Where a value is not as the schema at `pointer` has it, the first few.
    ///
    /// # Panics
    /// There is no schema.
    #[must_use]
    pub fn mistakes(&self, pointer: &str, value: &Value) -> Vec<String> {
        let validator = self.validator(pointer);
        let mistakes = validator.iter_errors(value).take(MISTAKES);
        mistakes.map(|mistake| format!("`{}`: {}", mistake.instance_path(), mistake.masked())).collect()
    }

    fn validator(&self, pointer: &str) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(validator) = validators.get(pointer) {
            return validator.clone();
        }
        let fragment = pointer.replace('{', "%7B").replace('}', "%7D");
        let schema = serde_json::json!({ "$ref": format!("{DOCUMENT}#{fragment}") });
        let options = jsonschema::options().with_draft(Draft::Draft202012).with_registry(&self.registry);
        let built = options.should_validate_formats(true).build(&schema);
        let validator = Arc::new(built.unwrap_or_else(|error| panic!("the schema at {pointer} is none: {error}")));
        validators.insert(pointer.to_owned(), validator.clone());
        validator
    }
}

/// JSON, or something that is written in it (RFC 6839).
fn is_json(essence: &str) -> bool {
    essence == "application/json" || essence.ends_with("+json")
}

/// RFC 6901.
fn pointer(steps: &[&str]) -> String {
    steps.iter().map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1"))).collect()
}

fn shown(body: Option<&[u8]>) -> String {
    let text = String::from_utf8_lossy(body.unwrap_or_default());
    let begun: String = text.chars().take(SHOWN).collect();
    if begun.is_empty() { begun } else { format!(", in {begun}") }
}

#[cfg(test)]
mod tests;
