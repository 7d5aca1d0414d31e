//! A representation ready to be sent again and again: its objects are named and the headers that do not depend on the request
//! are written. Making one costs more than sending a range of it from memory. Reads nothing.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, LAST_MODIFIED,
        VARY,
    },
};
use reelgate_common::file::FileRecord;

use crate::{conditional::whole_seconds, objects::Objects, representation::Representation};

/// Files are other people's content on our origin: nothing in them may run or reach anything.
const FILE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox",
);
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Room for all headers of an answer: what others add makes the map grow no more.
const HEADERS: usize = 24;

pub(crate) struct Presented {
    pub(crate) shown: Representation,
    pub(crate) objects: Arc<Objects>,
    /// What 200, 206 and 304 have in common.
    validating: HeaderMap,
    /// The same, and what only answers with a body say.
    describing: HeaderMap,
}

impl Presented {
    pub(crate) fn new(file: &FileRecord, shown: Representation) -> Self {
        let objects = Arc::new(Objects::of(file, shown.attempt, &shown.bytes));
        let validating = validating(&shown);
        let mut describing = HeaderMap::with_capacity(HEADERS);
        describing.extend(validating.clone());
        describing.insert(CONTENT_TYPE, shown.content_type.clone());
        describing.insert(CONTENT_DISPOSITION, shown.disposition.clone());
        describing.insert(CONTENT_SECURITY_POLICY, FILE_POLICY);
        Self { validating, objects, describing, shown }
    }

    pub(crate) fn validating(&self) -> HeaderMap {
        self.validating.clone()
    }

    pub(crate) fn describing(&self) -> HeaderMap {
        self.describing.clone()
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
