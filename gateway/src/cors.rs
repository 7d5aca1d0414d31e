//! Cross-origin rules: pages of other origins may call the API with tokens, never with cookies.

use http::{
    HeaderMap, HeaderValue,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ALLOW, VARY,
    },
};

const EXPOSED: HeaderValue = HeaderValue::from_static(
    "Accept-Patch, Accept-Ranges, Content-Disposition, Content-Length, Content-Range, Deprecation, ETag, \
     Last-Modified, Location, Reelgate-File-Id, Repr-Digest, Retry-After, Tus-Checksum-Algorithm, Tus-Extension, \
     Tus-Max-Size, Tus-Resumable, Tus-Version, Upload-Complete, Upload-Concat, Upload-Defer-Length, \
     Upload-Draft-Interop-Version, Upload-Expires, Upload-Length, Upload-Limit, Upload-Metadata, Upload-Offset, \
     X-Request-Id",
);
/// Spelled out: a `*` would not cover `Authorization`.
const ALLOWED: HeaderValue = HeaderValue::from_static(
    "Authorization, Cache-Control, Content-Digest, Content-Disposition, Content-Type, Idempotency-Key, If-Match, \
     If-Modified-Since, If-None-Match, If-Range, If-Unmodified-Since, Range, Reelgate-Upload-Token, Repr-Digest, \
     Traceparent, Tracestate, Tus-Resumable, Upload-Checksum, Upload-Complete, Upload-Concat, Upload-Defer-Length, \
     Upload-Draft-Interop-Version, Upload-Length, Upload-Metadata, Upload-Offset, X-HTTP-Method-Override, \
     X-Request-Id, X-Requested-With",
);

/// What every answer says, errors included. `Access-Control-Allow-Credentials` is never sent.
pub(crate) fn allow_origin(origins: &[String], origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
    if origins.iter().any(|allowed| allowed == "*") {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        return;
    }
    headers.remove(ACCESS_CONTROL_ALLOW_ORIGIN);
    headers.remove(ACCESS_CONTROL_EXPOSE_HEADERS);
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin.filter(|origin| origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()))
    {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
}

/// What `OPTIONS` is answered: the methods there are (RFC 9110, 9.3.7), and to a preflight what a page may do.
pub(crate) fn options(methods: &'static str, asked: &HeaderMap, headers: &mut HeaderMap) {
    headers.insert(ALLOW, HeaderValue::from_static(methods));
    if !asked.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return;
    }
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED);
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(origins: &[&str], origin: Option<&'static str>) -> HeaderMap {
        let origins: Vec<String> = origins.iter().map(|text| (*text).to_owned()).collect();
        let mut headers = HeaderMap::new();
        allow_origin(&origins, origin.map(HeaderValue::from_static).as_ref(), &mut headers);
        headers
    }

    #[test]
    fn only_a_preflight_is_told_what_a_page_may_do() {
        let told = |asked: &HeaderMap| {
            let mut headers = HeaderMap::new();
            options("GET, HEAD", asked, &mut headers);
            assert_eq!(headers[ALLOW], "GET, HEAD");
            headers.contains_key(ACCESS_CONTROL_ALLOW_METHODS) && headers.contains_key(ACCESS_CONTROL_ALLOW_HEADERS)
        };
        let mut asked = HeaderMap::new();
        assert!(!told(&asked));
        asked.insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("GET"));
        assert!(told(&asked));
    }

    #[test]
    fn a_star_lets_every_page_in_and_varies_on_nothing() {
        let headers = answer(&["*"], Some("https://a.example"));
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert!(!headers.contains_key(VARY));
    }

    #[test]
    fn a_list_echoes_a_member_and_varies_for_everybody() {
        let headers = answer(&["https://a.example"], Some("https://a.example"));
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "https://a.example");
        assert_eq!(headers[VARY], "Origin");
        let headers = answer(&["https://a.example"], Some("https://a.example.evil"));
        assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
        assert_eq!(headers[VARY], "Origin");
        assert_eq!(answer(&["https://a.example"], None)[VARY], "Origin");
    }

    #[test]
    fn what_a_part_keeps_a_place_for_is_said_or_left_out() {
        let places = HeaderMap::from_iter([
            (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("")),
            (ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("")),
        ]);
        for origins in ["*", "https://a.example"] {
            let mut headers = places.clone();
            allow_origin(&[origins.to_owned()], None, &mut headers);
            assert!(headers.values().all(|value| !value.is_empty()), "{headers:?}");
        }
    }
}
