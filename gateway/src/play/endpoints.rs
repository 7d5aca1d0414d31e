//! What the streaming endpoints are, for the document.

use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::endpoint::{
    BEARER, Endpoint, Tag,
    failures::{DATABASE, ONE_FILE, SIGNED_IN},
};

const LOCATION: &str = "2026/11/0193d2c8-5f3a-7c41-9d2e-6b1f0a7c4e55/harbour.mp4";
/// A file is of any type.
const ANY: &[&str] = &["*/*"];

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![stream_file(), stream_location(), open_location(), open_file()]
}

fn stream_file() -> Endpoint {
    let said = Endpoint::get("/v1/files/stream/{file_id}", "streamFile", Tag::Playback)
        .says(
            "Streams a file",
            "The best playable rendition unless another is named, whole or by ranges. Takes a stream token in `token`, or `Authorization`.",
        )
        .played()
        .of_file();
    rendition(said, "best").shows("The bytes.", ANY)
}

fn stream_location() -> Endpoint {
    let said = Endpoint::get("/v1/files/stream", "streamFileByLocation", Tag::Playback)
        .says("Streams a file by its location", "As by its id, which is the way to go: this is kept for older clients.")
        .deprecated()
        .played()
        .query("location", location(), "`location` of the file.", json!(LOCATION))
        .required()
        .fails(ONE_FILE)
        .fails(DATABASE);
    let said = rendition(said, "best").shows("The bytes.", ANY);
    said.bears("Deprecation", "Since when there is a better way (RFC 9745).", "@1767225600")
}

fn open_location() -> Endpoint {
    let said = Endpoint::post("/v1/files/location", "getFileByLocation", Tag::Files)
        .says(
            "Sends a file by its location",
            "The exact upload unless a rendition is named, for a signed-in caller of its organisation.",
        )
        .secured(&[BEARER])
        .fails(SIGNED_IN)
        .takes::<GetFile>("Which.", &json!({ "location": LOCATION }))
        .fails(ONE_FILE)
        .fails(DATABASE);
    rendition(said, "source").shows("The bytes.", ANY)
}

fn open_file() -> Endpoint {
    let said = Endpoint::get("/v1/files/{file_id}", "getFile", Tag::Files)
        .says(
            "Sends a file",
            "The exact upload unless a rendition is named. For its owner and admins of its organisation.",
        )
        .played()
        .of_file()
        .fails(&["not_owner"]);
    rendition(said, "source").shows("The bytes.", ANY)
}

fn rendition(said: Endpoint, usual: &'static str) -> Endpoint {
    let sentence = match usual {
        "best" => "`name` of a rendition, or `source` for the exact upload; without it the best that plays.",
        _ => "`name` of a rendition; without it the exact upload.",
    };
    said.query("rendition", json!({ "type": "string", "minLength": 1 }), sentence, json!("720p"))
}

fn location() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": super::MAX_LOCATION })
}

/// Which file, by its location.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the derived schema alone")]
struct GetFile {
    /// `location` of a file.
    #[schema(min_length = 1, max_length = 4096)]
    location: String,
}
