//! What `/v1/uploads` is, for the document. The protocol is tus 1.0, so its headers are told, too.

use http::Method;
use serde_json::{Value, json};

use super::{
    draft::Problem,
    headers::OFFSET_STREAM,
    tokens::{TokenJson, TokenWish},
};
use crate::{
    endpoint::{
        BEARER, Endpoint, Tag, UPLOAD_TOKEN,
        failures::{COUNTED, DATABASE, SIGNED_IN, STORAGE},
    },
    file_json::{self, FileJson},
};

const UPLOADS: &str = "/v1/uploads";
const UPLOAD: &str = "/v1/uploads/{upload}";
const EXPIRES: &str = "Mon, 30 Nov 2026 21:12:44 GMT";
const DIGEST: &str = "sha-256=:n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=:";
const METADATA: &str = "filename aGFyYm91ci5tcDQ=,filetype dmlkZW8vbXA0";

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![create(), describe(), look(), append(), terminate(), mint()]
}

fn create() -> Endpoint {
    let said = Endpoint::new(Method::POST, UPLOADS, "createUpload", Tag::Uploads)
        .says(
            "Begins an upload",
            "With `Upload-Length`, or `Upload-Defer-Length: 1` to say it later, or `Upload-Concat: final;…` to put partial uploads together. \
             The first bytes may come along. A server with `resumable.ietf` also speaks the IETF's draft here (docs/uploads.md).",
        )
        .secured(&[BEARER, UPLOAD_TOKEN])
        .fails(SIGNED_IN)
        .fails(COUNTED)
        .header("Upload-Length", number(), "Bytes of the whole upload.", json!(48_231_004))
        .header("Upload-Defer-Length", json!({ "type": "integer", "enum": [1] }), "The length comes later.", json!(1))
        .header("Upload-Metadata", text(), "Names with values in base64: `filename`, `filetype`.", json!(METADATA))
        .header("Upload-Concat", text(), "`partial`, or `final;` with the addresses of the pieces.", json!("partial"))
        .header("Upload-Checksum", text(), "Of the bytes that come along.", json!("sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk="));
    spoken(said)
        .takes_content("The first bytes.", &bytes(), false)
        .ends(201, "It has begun.")
        .bears(
            "Location",
            "The upload's address, which is a secret and the right to go on.",
            "/v1/uploads/Zt3x0aWqQb2vP8yN4uKe1w",
        )
        .bears("Reelgate-File-Id", "`id` of the file that it becomes.", crate::endpoint::media::FILE)
        .bears("Upload-Expires", "Until when it may be gone on with.", EXPIRES)
        .bears("Upload-Offset", "Bytes that are safe, if any came along.", "0")
        .bears("Repr-Digest", "Of the whole file, once it is whole.", DIGEST)
        .bears("Tus-Resumable", "`1.0.0`", "1.0.0")
        .answers::<FileJson<'_>>(200, "By the IETF's draft: it is whole, and this is the file.", &file_json::example())
        .may_answer_problems::<Problem<'_>>(PROBLEMS, &problem())
        .fails(&["upload_token_invalid", "upload_token_spent", "upload_type_not_allowed", "upload_pieces_invalid"])
        .fails(&["upload_assembling", "upload_exceeds_length", "file_too_large"])
        .fails(WRITTEN)
}

fn describe() -> Endpoint {
    Endpoint::new(Method::OPTIONS, UPLOADS, "describeUploads", Tag::Uploads)
        .says("Tells what is spoken", "Version and extensions of tus, and the largest upload.")
        .ends(204, "See its headers.")
        .bears("Tus-Resumable", "`1.0.0`", "1.0.0")
        .bears("Tus-Version", "`1.0.0`", "1.0.0")
        .bears("Tus-Extension", "Extensions, with commas between them.", "creation,creation-with-upload,expiration")
        .bears("Tus-Checksum-Algorithm", "What `Upload-Checksum` may name.", super::checksum::ALGORITHMS)
        .bears("Tus-Max-Size", "Bytes of the largest upload.", "1099511627776")
}

fn look() -> Endpoint {
    let said = Endpoint::new(Method::HEAD, UPLOAD, "getUploadOffset", Tag::Uploads)
        .says("Asks how far an upload is", "Whoever writes it at this moment is stopped first.");
    one(said)
        .ends(200, "See `Upload-Offset`.")
        .bears("Upload-Offset", "Bytes that are safe; missing while pieces are put together.", "20971520")
        .bears("Upload-Length", "Bytes of the whole upload, if they are known.", "48231004")
        .bears("Upload-Defer-Length", "`1` while the length is not known.", "1")
        .bears("Upload-Metadata", "As the client has sent it.", METADATA)
        .bears("Upload-Concat", "`partial` or `final;`.", "partial")
        .bears("Upload-Expires", "Until when it may be gone on with.", EXPIRES)
        .bears("Reelgate-File-Id", "`id` of the file that it becomes.", crate::endpoint::media::FILE)
        .bears("Repr-Digest", "Of the whole file, once it is whole.", DIGEST)
        .bears("Tus-Resumable", "`1.0.0`", "1.0.0")
        .ends(204, "The same, by the IETF's draft.")
        .bears("Upload-Offset", "Bytes that are safe.", "20971520")
        .bears("Upload-Complete", "`?1` or `?0`.", "?0")
        .fails(&["upload_taken_over"])
}

fn append() -> Endpoint {
    let said = Endpoint::new(Method::PATCH, UPLOAD, "appendToUpload", Tag::Uploads)
        .says("Goes on with an upload", "The bytes from `Upload-Offset` on. What arrives before a connection breaks is kept, unless there is a checksum.")
        .header("Upload-Offset", number(), "Where these bytes begin.", json!(20_971_520))
        .required()
        .header("Upload-Length", number(), "Said now, where it was to come later.", json!(48_231_004))
        .header("Upload-Checksum", text(), "Of these bytes.", json!("sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk="));
    one(said)
        .takes_content("The bytes.", &bytes(), true)
        .ends(204, "They are safe.")
        .bears("Upload-Offset", "Bytes that are safe now.", "48231004")
        .bears("Upload-Expires", "Until when it may be gone on with.", EXPIRES)
        .bears("Reelgate-File-Id", "`id` of the file that it becomes.", crate::endpoint::media::FILE)
        .bears("Repr-Digest", "Of the whole file, once it is whole.", DIGEST)
        .bears("Tus-Resumable", "`1.0.0`", "1.0.0")
        .answers::<FileJson<'_>>(200, "By the IETF's draft: it is whole, and this is the file.", &file_json::example())
        .may_answer_problems::<Problem<'_>>(PROBLEMS, &problem())
        .fails(&[
            "upload_completed",
            "not_partial_upload",
            "not_offset_stream",
            "upload_offset_mismatch",
            "upload_taken_over",
            "upload_is_final",
        ])
        .fails(&["upload_exceeds_length", "file_too_large"])
        .fails(WRITTEN)
}

fn terminate() -> Endpoint {
    let said = Endpoint::new(Method::DELETE, UPLOAD, "terminateUpload", Tag::Uploads)
        .says("Gives an upload up", "A file that was made of it stays.");
    one(said).ends(204, "It is gone.").bears("Tus-Resumable", "`1.0.0`", "1.0.0").fails(&["upload_taken_over"])
}

fn mint() -> Endpoint {
    let wish = json!({ "max_bytes": 1_073_741_824, "uploads": 1, "expires_in": 900, "content_type": "video/*", "metadata": { "album": "42" } });
    let example = json!({
        "token": "Hq7s2kJd0fXc9vLmB3nTgA",
        "expires_at": "2026-11-30T09:27:44.017Z",
        "max_bytes": 1_073_741_824,
        "uploads": 1,
    });
    Endpoint::post("/v1/uploads/token", "mintUploadToken", Tag::Uploads)
        .says("Makes an upload token", "For a page that uploads without its user's credentials. It is looked at when an upload begins, and never again.")
        .signed_in()
        .may_take::<TokenWish>("What it is for.", &wish)
        .answers::<TokenJson>(200, "The token.", &example)
        .fails(DATABASE)
}

/// What the draft has problems for: a length or an offset that is wrong, and what is complete.
const PROBLEMS: &[u16] = &[400, 409];

/// Where bytes are written.
const WRITTEN: &[&str] = &[
    "checksum_unsupported",
    "checksum_mismatch",
    "quota_bytes",
    "quota_files",
    "quota_uploads",
    "too_many_uploads",
    "too_many_own_uploads",
    "queue_full",
    "upload_too_slow",
    "upload_stalled",
    "upload_closed",
    "gateway_stopping",
    "upload_damaged",
];

/// About one upload; its address is the right to it.
fn one(said: Endpoint) -> Endpoint {
    let secret = json!({ "type": "string", "minLength": 1, "pattern": "^[^/]+$" });
    let said = said.path("upload", secret, "The secret of its address.", json!("Zt3x0aWqQb2vP8yN4uKe1w"));
    spoken(said).fails(&["upload_not_found", "upload_expired", "upload_damaged"])
}

/// Every request says which version it speaks.
fn spoken(said: Endpoint) -> Endpoint {
    said.header(
        "Tus-Resumable",
        json!({ "type": "string", "enum": ["1.0.0"] }),
        "The version of the protocol.",
        json!("1.0.0"),
    )
    .required()
    .fails(&["tus_version_unsupported", "invalid_upload_header"])
    .fails(DATABASE)
    .fails(STORAGE)
}

fn problem() -> Value {
    json!({
        "type": "https://iana.org/assignments/http-problem-types#mismatching-upload-offset",
        "title": "Mismatching Upload Offset",
        "status": 409,
        "detail": "The piece begins elsewhere than where the upload has got to",
        "code": "upload_offset_mismatch",
        "expected-offset": 20_971_520,
        "provided-offset": 10_485_760,
    })
}

fn bytes() -> Value {
    json!({ OFFSET_STREAM: {} })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn number() -> Value {
    json!({ "type": "integer", "minimum": 0, "maximum": i64::MAX })
}
