//! Copies that are too large for one request: `UploadPartCopy`, which `object_store` does not offer.

use http::{HeaderName, HeaderValue, Method};
use object_store::{
    multipart::{MultipartStore, PartId},
    signer::SignedUrlOptions,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::{
    Bucket,
    error::{failed, from_store},
};
use crate::{
    key::Key,
    storage::{MultipartId, ObjectMeta, StorageError},
};

/// What a URI's path may hold as it is (RFC 3986 section 2.3), and the slash.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html>
#[derive(Debug, Deserialize)]
#[serde(rename = "CopyPartResult")]
struct CopiedPart {
    #[serde(rename = "ETag")]
    etag: String,
}

impl Bucket {
    pub(super) async fn copy_in_parts(&self, source: &ObjectMeta, to: &Key) -> Result<ObjectMeta, StorageError> {
        let created = self.control.create_multipart(&self.path(to)?).await;
        let upload = MultipartId(created.map_err(|error| from_store(to, error))?);
        let copied = match self.copy_parts(source, to, &upload).await {
            Ok(parts) => self.complete(to, &upload, parts, source.size).await,
            Err(error) => Err(error),
        };
        if copied.is_err() {
            // What cannot be aborted now is found by the reconciler.
            let _ = self.abort(to, &upload).await;
        }
        copied
    }

    async fn copy_parts(
        &self,
        source: &ObjectMeta,
        to: &Key,
        upload: &MultipartId,
    ) -> Result<Vec<PartId>, StorageError> {
        let mut parts = Vec::new();
        let mut start = 0;
        while start < source.size {
            let end = source.size.min(start + self.copy_part);
            parts.push(self.copy_part(source, to, upload, parts.len() + 1, start..end).await?);
            start = end;
        }
        Ok(parts)
    }

    async fn copy_part(
        &self,
        source: &ObjectMeta,
        to: &Key,
        upload: &MultipartId,
        number: usize,
        range: std::ops::Range<u64>,
    ) -> Result<PartId, StorageError> {
        let from = format!("{}/{}", self.name, self.path(&source.key)?);
        let from = utf8_percent_encode(&from, PLAIN).to_string();
        let header = |text: &str| HeaderValue::from_str(text).map_err(|error| failed(to, error));
        let options = SignedUrlOptions::new()
            .with_query([("partNumber", number.to_string()), ("uploadId", upload.0.clone())])
            .with_signed_header(HeaderName::from_static("x-amz-copy-source"), header(&from)?)
            .with_signed_header(
                HeaderName::from_static("x-amz-copy-source-range"),
                header(&format!("bytes={}-{}", range.start, range.end - 1))?,
            )
            // Parts of two versions must not become one object.
            .with_signed_header(HeaderName::from_static("x-amz-copy-source-if-match"), header(&source.version.0)?);
        let copied: CopiedPart = self.ask_signed(to, Method::PUT, &self.path(to)?, options).await?;
        Ok(PartId { content_id: copied.etag })
    }
}
