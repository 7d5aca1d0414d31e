//! What the endpoints of captions are, for the document.

use serde_json::{Value, json};

use super::Removed;
use crate::{
    endpoint::{Endpoint, Tag, failures::STORAGE},
    file_json::{self, RenditionJson},
};

const ONE: &str = "/v1/files/{file_id}/captions/{language}.vtt";

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let add = Endpoint::post("/v1/files/{file_id}/captions", "addCaptions", Tag::Captions)
        .says(
            "Adds captions",
            "A WebVTT or SubRip document, as the body with its language in the query, or in a form. It takes the place of one that was added in the same language.",
        )
        .signed_in()
        .of_file()
        .query("language", language(), "A tag of BCP 47; with a form, a field of that name.", json!("pt-BR"))
        .query("label", json!({ "type": "string", "maxLength": 128 }), "For people.", json!("Português"))
        .query("default", json!({ "type": "boolean" }), "Shown unless the viewer chooses otherwise.", json!(false))
        .takes_content("The document, of at most 1 MiB.", &bodies(), true)
        .answers::<RenditionJson<'_>>(200, "The captions, as a rendition of the file.", &file_json::captions_example())
        .fails(&["not_owner", "not_ready", "captions_too_large", "too_many_captions", "malformed_form"])
        .fails(&["body_timeout", "body_cut"])
        .fails(STORAGE);
    let get = of_language(Endpoint::get(ONE, "getCaptions", Tag::Captions).played())
        .says("Captions of a file", "As WebVTT, for `<track>`.")
        .shows("The captions.", &["text/vtt"]);
    let removed = json!({ "name": "captions-pt-br", "deleted": true });
    let remove = of_language(Endpoint::delete(ONE, "removeCaptions", Tag::Captions).signed_in())
        .says("Removes captions", "Those that somebody has added; captions of the source itself stay.")
        .answers::<Removed<'_>>(200, "They are gone.", &removed)
        .fails(&["not_owner", "rendition_not_found"]);
    vec![add, get, remove]
}

fn of_language(endpoint: Endpoint) -> Endpoint {
    endpoint.of_file().path("language", language(), "A tag of BCP 47.", json!("pt-BR"))
}

fn language() -> Value {
    json!({ "type": "string", "minLength": 2, "maxLength": 35, "pattern": "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$" })
}

fn bodies() -> Value {
    let document = "WEBVTT\n\n00:00.000 --> 00:02.500\nThe harbour, at dawn.\n";
    let text = json!({ "schema": { "type": "string", "minLength": 1 }, "example": document });
    let form = json!({
        "type": "object",
        "required": ["file", "language"],
        "properties": {
            "file": { "type": "string", "contentMediaType": "text/vtt", "description": "The document, with a filename." },
            "language": language(),
            "label": { "type": "string", "maxLength": 128 },
            "default": { "type": "boolean" },
        },
    });
    json!({ "text/vtt": text, "application/x-subrip": text, "multipart/form-data": { "schema": form } })
}
