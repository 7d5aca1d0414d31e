//! Answers in the words of the draft.

use std::time::SystemTime;

use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, LOCATION},
};
use reelgate_common::{db::FileWithRenditions, resumable::Resumable};

use super::head::{INTEROP_VERSION, PARTIAL_UPLOAD, UPLOAD_COMPLETE, UPLOAD_LIMIT};
use crate::{
    file_json::FileJson,
    respond::{Response, bare, ok},
    upload::tus::{
        Secret,
        answer::{self, set_digest, set_offset},
        headers::{ACCEPT_PATCH, UPLOAD_LENGTH},
    },
};

/// With what every answer bears: the version that was asked in.
pub(super) fn dressed(mut response: Response, asked: &HeaderMap) -> Response {
    let headers = response.headers_mut();
    if let Some(version) = asked.get(INTEROP_VERSION) {
        headers.insert(INTEROP_VERSION, version.clone());
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Of `OPTIONS`.
pub(in crate::upload::tus) fn describe(max_file_bytes: u64, headers: &mut HeaderMap) {
    headers.insert(ACCEPT_PATCH, HeaderValue::from_static(PARTIAL_UPLOAD));
    set_limit(headers, max_file_bytes, None);
}

/// 201 with the upload's address.
pub(super) fn created(secret: &Secret, upload: &Resumable) -> Response {
    let mut response = about(StatusCode::CREATED, upload);
    if let Ok(address) = HeaderValue::try_from(secret.path()) {
        response.headers_mut().insert(LOCATION, address);
    }
    set_complete(&mut response, false);
    response
}

pub(super) fn appended(mut response: Response, bytes: u64) -> Response {
    set_offset(&mut response, bytes);
    response
}

/// 204: these bytes are safe, and more may come.
pub(super) fn more(upload: &Resumable) -> Response {
    let mut response = appended(about(StatusCode::NO_CONTENT, upload), upload.stored.bytes);
    set_complete(&mut response, false);
    response
}

/// 204 of `HEAD`.
pub(super) fn shown(upload: &Resumable, file: Option<&FileWithRenditions>) -> Response {
    let mut response = appended(about(StatusCode::NO_CONTENT, upload), upload.stored.bytes);
    set_complete(&mut response, upload.finished);
    if let Some(length) = upload.length {
        response.headers_mut().insert(UPLOAD_LENGTH, HeaderValue::from(length));
    }
    set_digest(&mut response, file.map(|file| file.file.sha256.as_str()));
    response
}

/// What an upload has become.
pub(super) struct Done<'a> {
    pub(super) upload: &'a Resumable,
    pub(super) file: Option<FileWithRenditions>,
}

impl Done<'_> {
    /// 200 with the file.
    pub(super) fn answer(&self) -> Response {
        let mut response = match &self.file {
            Some(file) => ok(&FileJson::from(file)),
            None => bare(StatusCode::NO_CONTENT),
        };
        response.headers_mut().extend(about(StatusCode::OK, self.upload).headers().clone());
        set_offset(&mut response, self.upload.stored.bytes);
        set_complete(&mut response, true);
        set_digest(&mut response, self.file.as_ref().map(|file| file.file.sha256.as_str()));
        response
    }
}

fn about(status: StatusCode, upload: &Resumable) -> Response {
    let mut response = answer::about(status, upload);
    let left = upload.expires_at.system_time().duration_since(SystemTime::now()).unwrap_or_default().as_secs();
    set_limit(response.headers_mut(), upload.max_bytes, Some(left).filter(|_| !upload.finished));
    response
}

pub(super) fn set_complete(response: &mut Response, complete: bool) {
    let value = if complete { "?1" } else { "?0" };
    response.headers_mut().insert(UPLOAD_COMPLETE, HeaderValue::from_static(value));
}

/// In bytes and seconds.
pub(super) fn set_limit(headers: &mut HeaderMap, max_size: u64, max_age: Option<u64>) {
    let age = max_age.map(|age| format!(", max-age={age}")).unwrap_or_default();
    if let Ok(limit) = HeaderValue::try_from(format!("max-size={max_size}{age}")) {
        headers.insert(UPLOAD_LIMIT, limit);
    }
}
