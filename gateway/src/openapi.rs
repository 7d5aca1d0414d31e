//! `/openapi.json`: what every endpoint says of itself, as one OpenAPI 3.1 document. Handlers keep their entries beside themselves
//! (`fn endpoints`); this collects them, adds how requests fail, and is known by the dispatcher alone. A test holds it against the routes.

mod complete;
mod failed;
mod security;
#[cfg(test)]
mod tests;
mod told;

use std::sync::LazyLock;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
};
use reelgate_common::hex::hex;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::{
    body, captions, delete,
    endpoint::{Endpoint, Schemas, Tag},
    error, events, files, hls, images, jobs, leases, mint, page, play,
    respond::{Response, bare},
    revoke, thumbnail, trash,
    upload::{self, tus},
    usage, webhooks,
};

const DESCRIPTION: &str = include_str!("openapi/description.md");

/// Made once: it is the same for everybody.
static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
    let value = assemble(endpoints());
    let bytes = Bytes::from(serde_json::to_vec(&value).expect("made of texts and numbers"));
    let tag = hex(&Sha256::digest(&bytes)[..8]);
    let tag = HeaderValue::try_from(format!("\"{tag}\"")).expect("hexadecimal digits in quotes");
    Document { value, bytes, tag }
});

struct Document {
    value: Value,
    bytes: Bytes,
    tag: HeaderValue,
}

/// The whole document.
#[must_use]
pub fn document() -> &'static Value {
    &DOCUMENT.value
}

/// `GET /openapi.json`
pub(crate) fn answer(asked: &HeaderMap) -> Response {
    let Document { bytes, tag, .. } = &*DOCUMENT;
    let same = asked.get(IF_NONE_MATCH).is_some_and(|known| known == tag);
    let mut response = if same { bare(StatusCode::NOT_MODIFIED) } else { Response::new(body::full(bytes.clone())) };
    let headers = response.headers_mut();
    headers.insert(ETAG, tag.clone());
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// In the order of the document.
fn endpoints() -> Vec<Endpoint> {
    [
        upload::endpoints(),
        files::endpoints(),
        play::endpoints(),
        delete::endpoints(),
        trash::endpoints(),
        mint::endpoints(),
        hls::endpoints(),
        images::endpoints(),
        thumbnail::endpoints(),
        captions::endpoints(),
        tus::endpoints(),
        jobs::endpoints(),
        events::endpoints(),
        leases::endpoints(),
        usage::endpoints(),
        revoke::endpoints(),
        webhooks::endpoints(),
        page::endpoints(),
        self_described(),
    ]
    .concat()
}

fn self_described() -> Vec<Endpoint> {
    let said = Endpoint::get("/openapi.json", "getOpenapi", Tag::Documentation)
        .says("This document", "OpenAPI 3.1, made from the code of the server that answers.")
        .header("If-None-Match", json!({"type": "string"}), "The `ETag` of what the client has.", json!("\"8f14e45f\""))
        .sends(200, "The document.", &["application/json"])
        .bears("ETag", "Changes with the document.", "\"8f14e45f\"")
        .ends(304, "The client has it.");
    vec![said]
}

fn assemble(endpoints: Vec<Endpoint>) -> Value {
    let mut schemas = Schemas::default();
    error::schemas(&mut schemas);
    let webhooks = told::webhooks(&mut schemas);
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in endpoints {
        let mut operation = endpoint.operation();
        failed::add(&mut operation, &endpoint);
        let item = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        let method = endpoint.method.as_str().to_ascii_lowercase();
        let before = item[&method].take();
        assert!(before.is_null(), "{method} {} is described twice", endpoint.path);
        item[&method] = operation.into();
        schemas.merge(endpoint.schemas);
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Reelgate",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Upload media, have it made playable, stream it under short-lived tokens.",
            "description": DESCRIPTION,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "The server that sent this document." }],
        "tags": Tag::ALL.map(|tag| json!({ "name": tag.name(), "description": tag.sentence() })),
        "paths": paths,
        "webhooks": webhooks,
        "components": { "schemas": schemas.into_map(), "securitySchemes": security::schemes() },
    });
    complete::complete(&mut document);
    document
}
