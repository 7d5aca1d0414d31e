//! A representation ready to be sent again and again: its objects are named and the headers that do not depend on the request
//! are written. Making one costs more than sending a range of it from memory. Reads nothing.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL, CONTENT_DISPOSITION,
        CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, LAST_MODIFIED, REFERRER_POLICY,
        VARY, X_CONTENT_TYPE_OPTIONS,
    },
};
use reelgate_common::file::FileRecord;

use crate::{conditional::whole_seconds, objects::Objects, representation::Representation, request_id::X_REQUEST_ID};

/// Files are other people's content on our origin: nothing in them may run or reach anything.
const FILE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox",
);
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

pub(crate) const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// What is said of each part of a file by itself. A map that is cloned has room for nothing more, so the places are there
/// from the start: whoever sends a part fills them all.
const PLACES: [HeaderName; 8] = [
    CONTENT_RANGE,
    CONTENT_LENGTH,
    SERVER_TIMING,
    X_REQUEST_ID,
    X_CONTENT_TYPE_OPTIONS,
    REFERRER_POLICY,
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS,
];

pub(crate) struct Presented {
    pub(crate) shown: Representation,
    pub(crate) objects: Arc<Objects>,
    /// What 200, 206 and 304 have in common.
    validating: HeaderMap,
    /// The same, and what only answers with a body say.
    describing: HeaderMap,
    /// The same, with the `PLACES`.
    part: HeaderMap,
}

impl Presented {
    pub(crate) fn new(file: &FileRecord, shown: Representation) -> Self {
        let objects = Arc::new(Objects::of(file, shown.attempt, &shown.bytes));
        Self::with(objects, shown)
    }

    /// The same once more, which shares nothing with the first. References to what is shared are counted at each request, and
    /// where several threads count they wait for each other.
    pub(crate) fn copy(&self) -> Self {
        let own = |value: &HeaderValue| HeaderValue::from_bytes(value.as_bytes()).expect("it was one before");
        let shown = &self.shown;
        let (content_type, disposition) = (own(&shown.content_type), own(&shown.disposition));
        Self::with(Arc::new(self.objects.copy()), Representation { content_type, disposition, ..shown.clone() })
    }

    fn with(objects: Arc<Objects>, shown: Representation) -> Self {
        let validating = validating(&shown);
        let mut describing = validating.clone();
        describing.insert(CONTENT_TYPE, shown.content_type.clone());
        describing.insert(CONTENT_DISPOSITION, shown.disposition.clone());
        describing.insert(CONTENT_SECURITY_POLICY, FILE_POLICY);
        let mut part = describing.clone();
        part.extend(PLACES.map(|name| (name, HeaderValue::from_static(""))));
        Self { validating, objects, describing, part, shown }
    }

    pub(crate) fn validating(&self) -> HeaderMap {
        self.validating.clone()
    }

    pub(crate) fn describing(&self) -> HeaderMap {
        self.describing.clone()
    }

    /// For a single part with a body. Some headers are empty until they are said.
    pub(crate) fn describing_part(&self) -> HeaderMap {
        self.part.clone()
    }
}

fn validating(shown: &Representation) -> HeaderMap {
    let modified = httpdate::fmt_http_date(whole_seconds(shown.modified.system_time()));
    let tag = HeaderValue::from_str(&format!("\"{}\"", shown.etag)).ok();
    let mut headers = HeaderMap::new();
    headers.insert(LAST_MODIFIED, HeaderValue::from_str(&modified).expect("a date is a header value"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CACHE_CONTROL, shown.caching.header());
    headers.insert(VARY, HeaderValue::from_static("Authorization"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    headers.extend(tag.map(|tag| (ETAG, tag)));
    headers
}
