//! What all endpoints have in common that send bytes of a file: who may, ranges, preconditions.

use reelgate_common::ids::FileId;
use serde_json::json;

use super::{
    Endpoint,
    failures::{DATABASE, ONE_FILE, SHOWN, STORAGE},
    inline,
};

/// An id for examples.
pub(crate) const FILE: &str = "0193d2c8-5f3a-7c41-9d2e-6b1f0a7c4e55";

impl Endpoint {
    /// About the file that the path names.
    pub(crate) fn of_file(self) -> Self {
        self.path("file_id", inline::<FileId>(), "The file, by its `id`.", json!(FILE)).fails(ONE_FILE).fails(DATABASE)
    }

    /// Answers with the bytes of something, whole or in part.
    pub(crate) fn shows(self, sentence: &'static str, types: &[&str]) -> Self {
        let text = || json!({ "type": "string" });
        let tag = "\"5d41402abc4b2a76b9719d911017c592\"";
        self.header("Range", text(), "Bytes that are wanted (RFC 9110, section 14.2).", json!("bytes=0-65535"))
            .header("If-Range", text(), "The `Range` counts only if this is still the `ETag`.", json!(tag))
            .header("If-None-Match", text(), "The `ETag` of what the client has.", json!(tag))
            .sends(200, sentence, types)
            .described(tag)
            .sends(206, "The bytes that were asked for; several ranges as `multipart/byteranges`.", &with_parts(types))
            .described(tag)
            .bears("Content-Range", "Which they are; of one range.", "bytes 0-65535/48231004")
            .ends(304, "The client has it.")
            .bears("ETag", "Strong: other bytes have another.", tag)
            .fails(SHOWN)
            .fails(STORAGE)
    }

    fn described(self, tag: &str) -> Self {
        self.bears("ETag", "Strong: other bytes have another.", tag)
            .bears("Accept-Ranges", "`bytes`", "bytes")
            .bears("Last-Modified", "When it was made.", "Mon, 30 Nov 2026 09:12:58 GMT")
            .bears(
                "Content-Disposition",
                "Inline, or as an attachment with its name.",
                "inline; filename=\"harbour.mp4\"",
            )
    }
}

fn with_parts<'a>(types: &[&'a str]) -> Vec<&'a str> {
    types.iter().copied().chain(["multipart/byteranges"]).collect()
}
