//! Listing unfinished multipart uploads, which `object_store` does not offer; and asking by signed address in general.

use std::time::Duration;

use bytes::{Buf, Bytes};
use http::{HeaderName, HeaderValue, Method, Request};
use object_store::{
    client::HttpRequestBody,
    path::Path,
    signer::{SignedUrlOptions, Signer},
};
use serde::{Deserialize, de::DeserializeOwned};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    Bucket,
    error::{failed, from_store},
};
use crate::{
    storage::{MultipartId, PendingMultipart, StorageError},
    timestamp::Timestamp,
};

/// Signed addresses are used at once.
const VALID_FOR: Duration = Duration::from_secs(600);

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>
#[derive(Debug, Deserialize)]
#[serde(rename = "ListMultipartUploadsResult", rename_all = "PascalCase")]
struct Listing {
    #[serde(default)]
    is_truncated: bool,
    #[serde(default)]
    next_key_marker: String,
    #[serde(default)]
    next_upload_id_marker: String,
    #[serde(default, rename = "Upload")]
    uploads: Vec<Unfinished>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Unfinished {
    key: String,
    upload_id: String,
    initiated: String,
}

impl Bucket {
    /// All of them: there are as many as uploads in flight, and few more.
    pub(super) async fn pending(&self, prefix: &str) -> Result<Vec<PendingMultipart>, StorageError> {
        let mut all = Vec::new();
        let mut markers = (String::new(), String::new());
        loop {
            let page = self.pending_page(prefix, &markers).await?;
            all.extend(page.uploads.into_iter().filter_map(|upload| self.unfinished(upload)));
            let next = (page.next_key_marker, page.next_upload_id_marker);
            // A server that repeats its markers would be asked for ever.
            if !page.is_truncated || next == markers {
                return Ok(all);
            }
            markers = next;
        }
    }

    async fn pending_page(&self, prefix: &str, markers: &(String, String)) -> Result<Listing, StorageError> {
        let mut query = vec![("uploads", String::new()), ("prefix", format!("{}{prefix}", self.prefix))];
        if !markers.0.is_empty() {
            query.extend([("key-marker", markers.0.clone()), ("upload-id-marker", markers.1.clone())]);
        }
        let options = SignedUrlOptions::new().with_query(query);
        self.ask_signed(&prefix, Method::GET, &Path::default(), options).await
    }

    fn unfinished(&self, upload: Unfinished) -> Option<PendingMultipart> {
        let began = OffsetDateTime::parse(&upload.initiated, &Rfc3339).ok()?;
        Some(PendingMultipart {
            key: self.key(&upload.key)?,
            upload: MultipartId(upload.upload_id),
            started: Timestamp(i64::try_from(began.unix_timestamp_nanos() / 1_000_000).ok()?),
        })
    }

    /// Asks by an address signed for this one request, and reads the answer's XML.
    pub(super) async fn ask_signed<T: DeserializeOwned>(
        &self,
        what: &impl std::fmt::Display,
        method: Method,
        path: &Path,
        options: SignedUrlOptions,
    ) -> Result<T, StorageError> {
        let body = self.order_signed(what, method, path, options).await?;
        // An error under a 200 has other elements, so it does not read as the answer.
        quick_xml::de::from_reader(body.reader()).map_err(|error| failed(what, error))
    }

    /// As `ask_signed`, for answers that nobody reads.
    pub(super) async fn order_signed(
        &self,
        what: &impl std::fmt::Display,
        method: Method,
        path: &Path,
        options: SignedUrlOptions,
    ) -> Result<Bytes, StorageError> {
        let url = self.control.signed_url_opts(method.clone(), path, VALID_FOR, &options).await;
        let url = url.map_err(|error| from_store(what, error))?;
        let mut request = Request::new(HttpRequestBody::empty());
        *request.method_mut() = method;
        *request.uri_mut() = url.as_str().parse().map_err(|error: http::uri::InvalidUri| failed(what, error))?;
        let headers: Vec<(HeaderName, HeaderValue)> =
            options.signed_headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        request.headers_mut().extend(headers);
        let answer = self.http.execute(request).await.map_err(|error| from_store(what, generic(error)))?;
        let (head, body) = answer.into_parts();
        let body: Bytes = body.bytes().await.map_err(|error| from_store(what, generic(error)))?;
        if !head.status.is_success() {
            return Err(refused(what, head.status, &body));
        }
        Ok(body)
    }
}

fn generic(error: object_store::client::HttpError) -> object_store::Error {
    object_store::Error::Generic { store: "S3", source: Box::new(error) }
}

fn refused(what: &impl std::fmt::Display, status: http::StatusCode, body: &Bytes) -> StorageError {
    let key = what.to_string();
    match status.as_u16() {
        404 => StorageError::NotFound { key },
        412 => StorageError::Changed { key },
        401 | 403 => StorageError::Denied { key },
        _ => {
            let text = String::from_utf8_lossy(&body[..body.len().min(512)]).into_owned();
            failed(what, format!("the store answers {status}: {text}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_of_uploads_is_read_with_and_without_entries() {
        let none = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>";
        assert!(quick_xml::de::from_str::<Listing>(none).unwrap().uploads.is_empty());
        let two = "<?xml version=\"1.0\"?><ListMultipartUploadsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
            <Bucket>b</Bucket><KeyMarker/><NextKeyMarker>k</NextKeyMarker><NextUploadIdMarker>i</NextUploadIdMarker>\
            <IsTruncated>true</IsTruncated>\
            <Upload><Key>a</Key><UploadId>1</UploadId><Initiated>2026-01-01T00:00:00.000Z</Initiated></Upload>\
            <Upload><Key>b</Key><UploadId>2</UploadId><Initiated>2026-01-01T00:00:00Z</Initiated></Upload>\
            </ListMultipartUploadsResult>";
        let two = quick_xml::de::from_str::<Listing>(two).unwrap();
        assert!(two.is_truncated && two.next_key_marker == "k" && two.uploads.len() == 2);
        assert_eq!(two.uploads[1].upload_id, "2");
    }
}
