//! What `POST /v1/files` is, for the document.

use reelgate_common::timestamp::Timestamp;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::answer::{Refusal, Uploaded};
use crate::{
    endpoint::{
        Endpoint, Tag,
        failures::{DATABASE, STORAGE},
    },
    file_json,
};

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let key = json!({ "type": "string", "minLength": 1, "maxLength": 255 });
    let upload = Endpoint::post("/v1/files", "uploadFiles", Tag::Files)
        .says(
            "Uploads files",
            "As a form: every part with a filename is a file, whatever its field is called. The answer tells what became of each, \
             with 200 if any was stored. What was answered with 200 is safe.",
        )
        .signed_in()
        .header("Idempotency-Key", key, "Makes it safe to send the request again, for a day.", json!("b1946ac9-2d1f"))
        .knows::<UploadForm>()
        .takes_content("The files.", &form(), true)
        .answers::<Uploaded<'_>>(200, "What became of each file, in the order sent.", &answer())
        .refuses_with::<Refusal<'_>>()
        .fails(&["validation_failed", "not_multipart", "malformed_form", "file_too_large", "too_many_files"])
        .fails(&["too_many_fields", "fields_too_long", "upload_stalled", "upload_incomplete", "upload_closed"])
        .fails(&["invalid_idempotency_key", "idempotency_key_reused", "upload_still_arriving", "invalid_digest"])
        .fails(&["digest_mismatch", "quota_bytes", "quota_files", "quota_uploads", "too_many_uploads"])
        .fails(&["too_many_own_uploads", "queue_full", "upload_too_slow"])
        .fails(DATABASE)
        .fails(STORAGE);
    vec![upload]
}

/// Files to be uploaded.
#[derive(ToSchema)]
#[schema(as = Body_upload_files_route_v1_files_post)]
#[expect(dead_code, reason = "read by the derived schema alone")]
struct UploadForm {
    /// For the files behind it, with commas between them.
    tags: Option<String>,
    /// For the files behind it: a JSON object of strings.
    metadata: Option<String>,
    /// When the files behind it end.
    expires_at: Option<Timestamp>,
    /// Each with a filename. A part may bear `Repr-Digest`, which is then held against its bytes.
    #[schema(min_items = 1)]
    files: Vec<FileBytes>,
}

/// The bytes of a file.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary, content_media_type = "application/octet-stream")]
#[expect(dead_code, reason = "read by the derived schema alone")]
struct FileBytes(Vec<u8>);

fn form() -> Value {
    let schema = json!({ "$ref": "#/components/schemas/Body_upload_files_route_v1_files_post" });
    let example =
        json!({ "tags": "holiday,2026", "metadata": "{\"album\": \"17\"}", "files": ["the bytes of a film"] });
    json!({ "multipart/form-data": { "schema": schema, "example": example } })
}

fn answer() -> Value {
    let message = "The file is larger than 1073741824 bytes";
    json!({ "files": [
        file_json::example(),
        { "filename": "huge.mov", "error": { "code": "file_too_large", "message": message } },
    ] })
}
