//! The web page at `/` and what belongs to it, embedded by `build.rs`: from memory, without another host, compressed for those who
//! take that. Knows nothing of the API.

mod asset;
mod encoding;
mod policy;

pub(crate) use asset::Asset;

use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, VARY},
};
use serde_json::json;

use crate::{
    body, conditional,
    endpoint::{Endpoint, Tag},
    respond::{Response, bare},
};

/// What is named by a hash of its content never changes (RFC 8246).
const FOREVER: &str = "public, max-age=31536000, immutable";

/// What `GET /` and `GET /docs` are.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let page = Endpoint::get("/", "getPage", Tag::Documentation)
        .says("The web page", "Upload, library and player, for people. What it loads besides is of no use to others.");
    let docs = Endpoint::get("/docs", "getDocs", Tag::Documentation).says(
        "This document as a page",
        "For people, to read and to try; of a gateway without the web page, how to have it.",
    );
    [page, docs].map(document).into()
}

fn document(endpoint: Endpoint) -> Endpoint {
    let tag = "\"8f14e45f\"";
    endpoint
        .header("If-None-Match", json!({ "type": "string" }), "The `ETag` of what the client has.", json!(tag))
        .sends(200, "The page.", &["text/html"])
        .bears("ETag", "Changes with the page.", tag)
        .ends(304, "The client has it.")
}

#[must_use]
pub(crate) fn page(asset: &'static Asset, asked: &HeaderMap) -> Response {
    let packed = asset.gzip.filter(|_| encoding::takes_gzip(asked));
    // Two representations are two tags (RFC 9110, 8.8.3.3).
    let tag = if packed.is_some() { format!("{}-gz", asset.tag) } else { asset.tag.to_owned() };
    let mut response = match conditional::has(asked, &tag) {
        true => bare(StatusCode::NOT_MODIFIED),
        false => Response::new(body::full(packed.unwrap_or(asset.bytes))),
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, HeaderValue::try_from(format!("\"{tag}\"")).expect("hexadecimal digits in quotes"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(if asset.is_hashed() { FOREVER } else { "no-cache" }));
    if asset.gzip.is_some() {
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    if packed.is_some() {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if asset.is_page() {
        headers.insert(CONTENT_SECURITY_POLICY, policy::policy().clone());
    }
    response
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT_ENCODING, IF_NONE_MATCH};

    use super::*;

    static WHOLE: Asset = Asset { path: "assets/main-ABC.js", tag: "01", bytes: b"plain", gzip: Some(b"packed") };

    fn asked(pairs: &[(http::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    fn length(response: &Response) -> Option<u64> {
        http_body::Body::size_hint(response.body()).exact()
    }

    #[test]
    fn a_browser_that_has_it_is_told_so() {
        for (encoding, tag) in [("identity", "\"01\""), ("gzip", "\"01-gz\"")] {
            let whole = page(&WHOLE, &asked(&[(ACCEPT_ENCODING, encoding)]));
            assert_eq!((whole.status(), &whole.headers()[ETAG]), (StatusCode::OK, &HeaderValue::from_static(tag)));
            let again = page(&WHOLE, &asked(&[(ACCEPT_ENCODING, encoding), (IF_NONE_MATCH, tag)]));
            assert_eq!((again.status(), length(&again)), (StatusCode::NOT_MODIFIED, Some(0)));
            let other = page(&WHOLE, &asked(&[(ACCEPT_ENCODING, encoding), (IF_NONE_MATCH, "\"x\"")]));
            assert_eq!(other.status(), StatusCode::OK);
        }
    }

    #[test]
    fn it_is_compressed_for_those_who_take_that() {
        let packed = page(&WHOLE, &asked(&[(ACCEPT_ENCODING, "gzip, br")]));
        assert_eq!(
            (length(&packed), &packed.headers()[CONTENT_ENCODING]),
            (Some(6), &HeaderValue::from_static("gzip"))
        );
        let plain = page(&WHOLE, &HeaderMap::new());
        assert_eq!((length(&plain), plain.headers().get(CONTENT_ENCODING)), (Some(5), None));
        assert!([packed, plain].iter().all(|response| response.headers()[VARY] == "Accept-Encoding"));
    }

    #[test]
    fn the_page_itself_is_asked_for_again_each_time_and_runs_no_script_of_others() {
        let index = page(Asset::find("/").unwrap(), &HeaderMap::new());
        assert_eq!(index.headers()[CACHE_CONTROL], "no-cache");
        assert_eq!(index.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
        let policy = index.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(page(&WHOLE, &HeaderMap::new()).headers()[CACHE_CONTROL], FOREVER);
    }
}
