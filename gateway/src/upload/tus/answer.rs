//! Answers of the tus protocol.

use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, LOCATION},
};
use reelgate_common::{resumable::Resumable, timestamp::Timestamp};

use super::{
    Secret,
    checksum::{ALGORITHMS, repr_digest},
    headers::{
        FILE_ID, REPR_DIGEST, TUS_CHECKSUM_ALGORITHM, TUS_EXTENSION, TUS_MAX_SIZE, TUS_RESUMABLE, TUS_VERSION,
        UPLOAD_EXPIRES, UPLOAD_OFFSET, VERSION,
    },
};
use crate::{
    respond::{Response, bare},
    upload::Uploads,
};

const EXTENSIONS: &str =
    "creation,creation-with-upload,creation-defer-length,expiration,checksum,termination,concatenation";

/// With what every answer bears.
pub(super) fn dressed(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(TUS_RESUMABLE, HeaderValue::from_static(VERSION));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(super) fn describe(uploads: &Uploads, headers: &mut HeaderMap) {
    headers.insert(TUS_RESUMABLE, HeaderValue::from_static(VERSION));
    headers.insert(TUS_VERSION, HeaderValue::from_static(VERSION));
    headers.insert(TUS_EXTENSION, HeaderValue::from_static(EXTENSIONS));
    headers.insert(TUS_CHECKSUM_ALGORITHM, HeaderValue::from_static(ALGORITHMS));
    headers.insert(TUS_MAX_SIZE, HeaderValue::from(uploads.config.max_file_bytes));
}

/// 201 with the upload's address.
pub(super) fn created(secret: &Secret, upload: &Resumable) -> Response {
    let mut response = about(StatusCode::CREATED, upload);
    if let Ok(address) = HeaderValue::try_from(secret.path()) {
        response.headers_mut().insert(LOCATION, address);
    }
    response
}

/// With the file that it becomes, and until when it may go on.
pub(super) fn about(status: StatusCode, upload: &Resumable) -> Response {
    let mut response = bare(status);
    let headers = response.headers_mut();
    if upload.role.is_file()
        && let Ok(file) = HeaderValue::try_from(upload.file_id.to_string())
    {
        headers.insert(FILE_ID, file);
    }
    if !upload.finished {
        headers.insert(UPLOAD_EXPIRES, date(upload.expires_at));
    }
    response
}

pub(super) fn set_offset(response: &mut Response, bytes: u64) {
    response.headers_mut().insert(UPLOAD_OFFSET, HeaderValue::from(bytes));
}

pub(super) fn set_digest(response: &mut Response, sha256: Option<&str>) {
    if let Some(digest) = sha256.and_then(repr_digest).and_then(|digest| HeaderValue::try_from(digest).ok()) {
        response.headers_mut().insert(REPR_DIGEST, digest);
    }
}

fn date(time: Timestamp) -> HeaderValue {
    HeaderValue::try_from(httpdate::fmt_http_date(time.system_time())).expect("a date fits into a header")
}
