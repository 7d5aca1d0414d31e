//! The document against the routes, and against what it promises.

use std::collections::BTreeSet;

use http::{Method, StatusCode};

use super::*;
use crate::route::{Route, resource};

/// Described by words alone, in the document's introduction.
const UNSPOKEN: [&str; 2] = ["HEAD", "OPTIONS"];

/// An operation: path, method in capitals, what is said of it.
fn operations() -> Vec<(&'static str, Method, &'static Value)> {
    let items = document()["paths"].as_object().unwrap().iter();
    let operations =
        items.flat_map(|(path, item)| item.as_object().unwrap().iter().map(move |said| (path.as_str(), said)));
    operations.map(|(path, (method, said))| (path, method.to_ascii_uppercase().parse().unwrap(), said)).collect()
}

/// A path with the examples of its parameters.
fn filled(path: &str, operation: &Value) -> String {
    let parameters = operation["parameters"].as_array().unwrap().iter().filter(|parameter| parameter["in"] == "path");
    let filled = parameters.fold(path.to_owned(), |path, parameter| {
        let name = format!("{{{}}}", parameter["name"].as_str().unwrap());
        assert!(path.contains(&name), "{path} has no {name}");
        let example = &parameter["example"];
        path.replace(&name, &example.as_str().map_or_else(|| example.to_string(), str::to_owned))
    });
    assert!(!filled.contains('{'), "{filled}: a parameter is not described");
    filled
}

/// The members of an enum, as its source lists them.
fn members<'a>(source: &'a str, declaration: &str) -> BTreeSet<&'a str> {
    let (_, rest) = source.split_once(declaration).unwrap_or_else(|| panic!("no {declaration}"));
    let (body, _) = rest.split_once("\n}").unwrap();
    let member = |line: &'a str| {
        line.trim().split(['(', ',', ' ', '{']).next().filter(|name| name.starts_with(char::is_uppercase))
    };
    body.lines().filter_map(member).collect()
}

#[test]
fn every_described_operation_is_a_route() {
    for (path, method, operation) in operations() {
        let path = filled(path, operation);
        assert!(Route::parse(&method, &path).is_ok(), "{method} {path}");
    }
}

/// Where a span is called by more than the document tells, it is called by less.
#[test]
fn spans_are_called_by_paths_that_are_described() {
    let like =
        |(said, documented): (&str, &str)| said == documented || said.starts_with('{') || documented.starts_with('{');
    for (path, method, operation) in operations() {
        let route = Route::parse(&method, &filled(path, operation)).unwrap();
        let template = route.template();
        let same = template.split('/').count() == path.split('/').count();
        let many = ["/", "*"].contains(&template) || template.ends_with("/{lease}/{path}");
        assert!(many || (same && template.split('/').zip(path.split('/')).all(like)), "{template} for {path}");
    }
}

#[test]
fn every_path_of_the_router_is_described() {
    let mut met = BTreeSet::new();
    for (path, method, operation) in operations() {
        let path = filled(path, operation);
        let route = Route::parse(&method, &path).unwrap();
        let told = format!("{route:?} {}", resource(&path).unwrap());
        met.extend(told.split(|letter: char| !letter.is_alphanumeric()).map(str::to_owned));
    }
    let (route, verbs) = (include_str!("../route.rs"), include_str!("../upload/tus.rs"));
    let webhooks = include_str!("../webhooks/ask.rs");
    let (images, pieces) = (include_str!("../images.rs"), include_str!("../hls/path.rs"));
    for (source, declaration) in [
        (route, "pub(crate) enum Route {"),
        (route, "enum Resource<'a> {"),
        (images, "pub(crate) enum Image {"),
        (pieces, "pub(crate) enum Part {"),
        (pieces, "pub(crate) enum Item {"),
        (verbs, "pub(crate) enum Verb {"),
        (webhooks, "pub(crate) enum Ask {"),
        (webhooks, "pub(crate) enum Place<'a> {"),
    ] {
        let members = members(source, declaration);
        assert!(members.len() > 2, "{declaration}");
        let missing: Vec<_> = members.iter().filter(|name| !met.contains(**name) && **name != "Preflight").collect();
        assert!(
            missing.is_empty(),
            "/openapi.json lacks {missing:?} of `{declaration}`: add an entry beside the handler"
        );
    }
}

#[test]
fn every_method_of_a_described_path_is_described() {
    let any: Method = "BREW".parse().unwrap();
    for (path, _, operation) in operations() {
        let described: BTreeSet<String> =
            document()["paths"][path].as_object().unwrap().keys().map(|method| method.to_ascii_uppercase()).collect();
        let refusal = Route::parse(&any, &filled(path, operation)).unwrap_err();
        assert_eq!(refusal.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        let allowed = refusal.into_response().headers()["allow"].to_str().unwrap().to_owned();
        let allowed: BTreeSet<String> = allowed.split(", ").map(str::to_owned).collect();
        let unspoken = |method: &&String| !UNSPOKEN.contains(&method.as_str());
        let missing: Vec<_> = allowed.difference(&described).filter(unspoken).collect();
        assert!(missing.is_empty() && described.is_subset(&allowed), "{path}: {described:?} of {allowed:?}");
    }
}

#[test]
fn every_operation_is_told_in_full() {
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations() {
        let name = format!("{method} {path}");
        let id = operation["operationId"].as_str().unwrap();
        assert!(id.chars().all(char::is_alphanumeric) && id.starts_with(char::is_lowercase), "{name}: {id}");
        assert!(ids.insert(id), "{id} is there twice");
        for told in ["summary", "description"] {
            assert!(operation[told].as_str().is_some_and(|text| text.len() > 7), "{name} has no {told}");
        }
        for parameter in operation["parameters"].as_array().unwrap() {
            assert!(!parameter["example"].is_null() && !parameter["schema"].is_null(), "{name}: {parameter}");
        }
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{name}");
        let contents =
            responses.values().chain(operation.get("requestBody")).filter_map(|told| told["content"].as_object());
        for content in contents.flat_map(Map::values).filter(|content| content["schema"]["$ref"].is_string()) {
            assert!(
                !content["example"].is_null() || !content["examples"].is_null(),
                "{name} has no example: {content}"
            );
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let text = serde_json::to_string(document()).unwrap();
    let mut references = 0;
    for (at, mark) in text.match_indices("\"$ref\":\"#") {
        let pointer = text[at + mark.len()..].split('"').next().unwrap();
        assert!(document().pointer(pointer).is_some(), "{pointer}");
        references += 1;
    }
    assert!(references > 100, "{references}");
}

/// Clients that were made from the contract's first document know these.
#[test]
fn the_names_of_the_contract_are_kept() {
    let schemas = &document()["components"]["schemas"];
    for name in ["GetFile", "HTTPValidationError", "ValidationError", "Body_upload_files_route_v1_files_post"] {
        assert!(schemas[name]["properties"].is_object(), "{name}");
    }
    for (method, path) in [
        ("post", "/v1/files/token"),
        ("get", "/v1/files/stream/{file_id}"),
        ("get", "/v1/files/stream"),
        ("post", "/v1/files/location"),
        ("get", "/v1/files/{file_id}"),
        ("delete", "/v1/files/{file_id}"),
        ("post", "/v1/files"),
    ] {
        assert!(document()["paths"][path][method]["responses"]["200"].is_object(), "{method} {path}");
        assert!(document()["paths"][path][method]["responses"]["422"].is_object(), "{method} {path}");
    }
}

#[test]
fn what_is_answered_says_what_it_must_have_and_is_no_free_form() {
    let mut looked_at = 0;
    for (path, method, operation) in operations() {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let schema = &response["content"]["application/json"]["schema"];
            if status.starts_with('2') && !schema.is_null() {
                look(schema, &mut vec![format!("{method} {path}")]);
                looked_at += 1;
            }
        }
    }
    assert!(looked_at > 15, "{looked_at}");
}

fn look(schema: &Value, way: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        if !way.iter().any(|step| step == name) {
            way.push(name.to_owned());
            look(document().pointer(&name[1..]).unwrap(), way);
            way.pop();
        }
        return;
    }
    let parts = ["oneOf", "anyOf", "allOf", "prefixItems"].iter().filter_map(|name| schema[*name].as_array()).flatten();
    let parts: Vec<&Value> = parts.chain(schema.get("items").filter(|items| items.is_object())).collect();
    parts.iter().for_each(|part| look(part, way));
    let types = schema["type"].as_array().cloned().unwrap_or_else(|| vec![schema["type"].clone()]);
    assert!(!types[0].is_null() || !parts.is_empty(), "{way:?}: anything: {schema}");
    if !types.contains(&json!("object")) {
        return;
    }
    match (schema["properties"].as_object(), schema["additionalProperties"].as_object()) {
        (Some(properties), _) => {
            assert!(
                schema["required"].as_array().is_some_and(|names| !names.is_empty()),
                "{way:?}: nothing is required: {schema}"
            );
            properties.values().for_each(|member| look(member, way));
        }
        (None, Some(values)) => look(&values.clone().into(), way),
        (None, None) => panic!("{way:?}: a free form: {schema}"),
    }
}

#[test]
fn a_client_that_has_the_document_is_told_so() {
    let whole = answer(&HeaderMap::new());
    assert_eq!(whole.status(), StatusCode::OK);
    assert_eq!(whole.headers()[CACHE_CONTROL], "no-cache");
    let asked = [(IF_NONE_MATCH, whole.headers()[ETAG].clone())].into_iter().collect();
    assert_eq!(answer(&asked).status(), StatusCode::NOT_MODIFIED);
}
