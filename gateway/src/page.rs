//! The built-in web page at `/`: one file, no other host, works without a build step.

use http::{
    HeaderValue,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE},
};

use crate::{body, respond::Response};

const HTML: &str = include_str!("page/index.html");
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; \
                      media-src 'self' blob:; img-src 'self' data:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

#[must_use]
pub(crate) fn page() -> Response {
    let mut response = Response::new(body::full(HTML));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_asks_no_other_host() {
        for foreign in ["http://", "https://", "//cdn", "@import"] {
            assert!(!HTML.contains(foreign), "{foreign}");
        }
    }
}
