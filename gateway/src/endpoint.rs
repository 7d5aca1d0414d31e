//! An endpoint as `/openapi.json` tells it: who may, what is asked and answered, and how it fails. Each handler keeps its own beside
//! itself and `openapi` collects them; this knows neither. Schemas come from the types that are sent (`utoipa::ToSchema`).

mod answer;
pub(crate) mod failures;
pub(crate) mod media;
mod parameter;
mod schema;
mod tag;

use http::Method;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use self::{
    answer::Answer,
    failures::{COUNTED, PLAYED, SIGNED_IN},
    parameter::{Parameter, Place},
};
pub(crate) use self::{
    schema::{Schemas, inline},
    tag::Tag,
};
use crate::query::{DEFAULT_LIMIT, MAX_LIMIT};

/// Security schemes of the document.
pub(crate) const BEARER: &str = "bearer";
pub(crate) const STREAM_TOKEN: &str = "stream_token";
pub(crate) const UPLOAD_TOKEN: &str = "upload_token";

/// What the document says of one method of one path. `HEAD` beside a `GET` goes without saying.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    /// Names it in clients that are generated, for ever.
    id: &'static str,
    tag: Tag,
    summary: &'static str,
    description: &'static str,
    deprecated: bool,
    /// One of them is enough; none: everybody may.
    security: Vec<&'static str>,
    parameters: Vec<Parameter>,
    body: Option<Value>,
    answers: Vec<Answer>,
    /// Codes of `docs/errors.md`.
    pub(crate) failures: Vec<&'static str>,
    /// What errors look like, where they bear more than others.
    pub(crate) failure_schema: Option<String>,
    /// Statuses whose errors may also come as problems (RFC 9457), and such a body.
    pub(crate) problems: Option<(&'static [u16], Value)>,
    pub(crate) schemas: Schemas,
}

impl Endpoint {
    pub(crate) fn new(method: Method, path: &'static str, id: &'static str, tag: Tag) -> Self {
        Self {
            method,
            path,
            id,
            tag,
            summary: "",
            description: "",
            deprecated: false,
            security: Vec::new(),
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            failures: vec!["internal"],
            failure_schema: None,
            problems: None,
            schemas: Schemas::default(),
        }
    }

    pub(crate) fn get(path: &'static str, id: &'static str, tag: Tag) -> Self {
        Self::new(Method::GET, path, id, tag)
    }

    pub(crate) fn post(path: &'static str, id: &'static str, tag: Tag) -> Self {
        Self::new(Method::POST, path, id, tag)
    }

    pub(crate) fn delete(path: &'static str, id: &'static str, tag: Tag) -> Self {
        Self::new(Method::DELETE, path, id, tag)
    }

    /// A line, and some sentences.
    pub(crate) fn says(self, summary: &'static str, description: &'static str) -> Self {
        Self { summary, description, ..self }
    }

    pub(crate) fn deprecated(self) -> Self {
        Self { deprecated: true, ..self }
    }

    /// Only for a signed-in caller, whose requests are counted.
    pub(crate) fn signed_in(self) -> Self {
        self.secured(&[BEARER]).fails(SIGNED_IN).fails(COUNTED)
    }

    /// For a signed-in caller or a stream token: what stands in `src` of an element.
    pub(crate) fn played(self) -> Self {
        self.secured(&[BEARER, STREAM_TOKEN]).fails(SIGNED_IN).fails(PLAYED).query(
            "token",
            inline::<String>(),
            "A stream token (`POST /v1/files/token`), instead of `Authorization`.",
            json!("v1.k1.eyJqIjoi.c2lnbmF0dXJl"),
        )
    }

    /// Any of these schemes lets in.
    pub(crate) fn secured(self, schemes: &[&'static str]) -> Self {
        Self { security: schemes.to_vec(), ..self }
    }

    /// A part of the path.
    pub(crate) fn path(self, name: &'static str, schema: Value, sentence: &'static str, example: Value) -> Self {
        self.parameter(Place::Path, name, (schema, sentence, example))
    }

    /// An optional parameter of the query.
    pub(crate) fn query(self, name: &'static str, schema: Value, sentence: &'static str, example: Value) -> Self {
        self.parameter(Place::Query, name, (schema, sentence, example))
    }

    /// A page of a list, as long as the caller says.
    pub(crate) fn limited(self) -> Self {
        let limits = json!({ "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT });
        self.query("limit", limits, "As many at most.", json!(DEFAULT_LIMIT))
    }

    /// An optional header.
    pub(crate) fn header(self, name: &'static str, schema: Value, sentence: &'static str, example: Value) -> Self {
        self.parameter(Place::Header, name, (schema, sentence, example))
    }

    fn parameter(mut self, place: Place, name: &'static str, said: (Value, &'static str, Value)) -> Self {
        let (schema, sentence, example) = said;
        self.parameters.push(Parameter { place, name, schema, sentence, example, required: place == Place::Path });
        self
    }

    /// The parameter that was given last must be there.
    pub(crate) fn required(mut self) -> Self {
        self.parameters.last_mut().expect("follows a parameter").required = true;
        self
    }

    /// A JSON body, which may be left out.
    pub(crate) fn may_take<T: ToSchema>(self, sentence: &'static str, example: &Value) -> Self {
        self.body::<T>(sentence, example, false)
    }

    /// A JSON body.
    pub(crate) fn takes<T: ToSchema>(self, sentence: &'static str, example: &Value) -> Self {
        self.body::<T>(sentence, example, true)
    }

    fn body<T: ToSchema>(mut self, sentence: &'static str, example: &Value, required: bool) -> Self {
        let schema = self.schemas.add::<T>();
        let content = json!({ "application/json": { "schema": schema, "example": example } });
        self.fails(failures::JSON_BODY).takes_content(sentence, &content, required)
    }

    /// Any other body: media types with what they hold.
    pub(crate) fn takes_content(self, sentence: &'static str, content: &Value, required: bool) -> Self {
        let body = json!({ "description": sentence, "required": required, "content": content });
        Self { body: Some(body), ..self }
    }

    /// A JSON answer.
    pub(crate) fn answers<T: ToSchema>(mut self, status: u16, sentence: &'static str, example: &Value) -> Self {
        let schema = self.schemas.add::<T>();
        let content = json!({ "application/json": { "schema": schema, "example": example } });
        self.answer(status, sentence, content)
    }

    /// Bytes of one of these types.
    pub(crate) fn sends(self, status: u16, sentence: &'static str, types: &[&str]) -> Self {
        let content: Map<_, _> = types.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
        self.answer(status, sentence, Value::Object(content))
    }

    /// JSON, wherever the whole of it or a part is sent.
    pub(crate) fn told<T: ToSchema>(mut self, example: &Value) -> Self {
        let schema = self.schemas.add::<T>();
        for answer in &mut self.answers {
            match answer.status {
                200 => answer.content["application/json"] = json!({ "schema": schema, "example": example }),
                206 => answer.content["application/json"] = json!({}),
                _ => {}
            }
        }
        self
    }

    /// An answer without a body.
    pub(crate) fn ends(self, status: u16, sentence: &'static str) -> Self {
        self.answer(status, sentence, Value::Null)
    }

    fn answer(mut self, status: u16, sentence: &'static str, content: Value) -> Self {
        self.answers.push(Answer { status, sentence, content, headers: Map::new() });
        self
    }

    /// A header of the answer that was given last.
    pub(crate) fn bears(mut self, name: &'static str, sentence: &'static str, example: &str) -> Self {
        let header = json!({ "description": sentence, "schema": { "type": "string" }, "example": example });
        let last = self.answers.last_mut().expect("follows an answer");
        last.headers.insert(name.to_owned(), header);
        self
    }

    /// With these codes of `docs/errors.md`.
    pub(crate) fn fails(mut self, codes: &[&'static str]) -> Self {
        self.failures.extend(codes);
        self
    }

    /// Errors bear more than elsewhere.
    pub(crate) fn refuses_with<T: ToSchema>(mut self) -> Self {
        self.schemas.add::<T>();
        Self { failure_schema: Some(T::name().into_owned()), ..self }
    }

    /// Errors with these statuses may also come as problems (RFC 9457).
    pub(crate) fn may_answer_problems<T: ToSchema>(mut self, statuses: &'static [u16], example: &Value) -> Self {
        let content = json!({ "schema": self.schemas.add::<T>(), "example": example });
        Self { problems: Some((statuses, content)), ..self }
    }

    /// A type that only a schema written by hand names.
    pub(crate) fn knows<T: ToSchema>(mut self) -> Self {
        self.schemas.add::<T>();
        self
    }

    /// The operation object, without its failures.
    pub(crate) fn operation(&self) -> Map<String, Value> {
        let mut said = Map::new();
        let mut say = |name: &str, value: Value| drop(said.insert(name.to_owned(), value));
        say("operationId", self.id.into());
        say("tags", json!([self.tag.name()]));
        say("summary", self.summary.into());
        say("description", self.description.into());
        if self.deprecated {
            say("deprecated", true.into());
        }
        // An empty list is none, not "whatever the document says".
        say("security", self.security.iter().map(|scheme| json!({ *scheme: [] })).collect());
        say("parameters", self.parameters.iter().map(Parameter::object).collect());
        if let Some(body) = &self.body {
            say("requestBody", body.clone());
        }
        say("responses", self.answers.iter().map(Answer::entry).collect::<Map<_, _>>().into());
        said
    }
}
