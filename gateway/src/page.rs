//! The built-in web page at `/`: one file, no other host, works without a build step.

use std::sync::LazyLock;

use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
};
use reelgate_common::hex::hex;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    body,
    endpoint::{Endpoint, Tag},
    respond::{Response, bare},
};

const HTML: &str = include_str!("page/index.html");
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; \
                      media-src 'self' blob:; img-src 'self' data:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// Of the page's bytes, so that it changes with them.
static TAG: LazyLock<HeaderValue> = LazyLock::new(|| {
    let tag = hex(&Sha256::digest(HTML)[..8]);
    HeaderValue::try_from(format!("\"{tag}\"")).expect("hexadecimal digits in quotes")
});

/// What `GET /` is.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let page = Endpoint::get("/", "getPage", Tag::Documentation)
        .says("The web page", "Upload, library and player, for people.")
        .header(
            "If-None-Match",
            json!({ "type": "string" }),
            "The `ETag` of what the client has.",
            json!("\"8f14e45f\""),
        )
        .sends(200, "The page.", &["text/html"])
        .bears("ETag", "Changes with the page.", "\"8f14e45f\"")
        .ends(304, "The client has it.");
    vec![page]
}

#[must_use]
pub(crate) fn page(asked: &HeaderMap) -> Response {
    let same = asked.get(IF_NONE_MATCH).is_some_and(|tag| tag == *TAG);
    let mut response = if same { bare(StatusCode::NOT_MODIFIED) } else { Response::new(body::full(HTML)) };
    let headers = response.headers_mut();
    headers.insert(ETAG, TAG.clone());
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_that_has_the_page_is_told_so() {
        let whole = page(&HeaderMap::new());
        assert_eq!(whole.status(), StatusCode::OK);
        let asked = [(IF_NONE_MATCH, whole.headers()[ETAG].clone())].into_iter().collect();
        assert_eq!(page(&asked).status(), StatusCode::NOT_MODIFIED);
        let other = [(IF_NONE_MATCH, HeaderValue::from_static("\"x\""))].into_iter().collect();
        assert_eq!(page(&other).status(), StatusCode::OK);
    }

    #[test]
    fn the_page_asks_no_other_host() {
        for foreign in ["http://", "https://", "//cdn", "@import"] {
            assert!(!HTML.contains(foreign), "{foreign}");
        }
    }
}
