//! What the page may load and run: its own files and nothing else, no script or style that somebody has put into it.

use std::sync::LazyLock;

use http::HeaderValue;

use super::asset::style_hashes;

/// `blob:` is how scripts hand pictures and media segments to the browser, and hls.js empties its tracks with
/// `data:`; the styles are those of the player's controls, which bring them as elements, each named by its hash.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let styles: String = style_hashes().map(|hash| format!(" '{hash}'")).collect();
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'{styles}; connect-src 'self'; media-src 'self' blob: data:; \
         img-src 'self' data: blob:; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).expect("base64 is visible ASCII")
});

#[must_use]
pub(super) fn policy() -> &'static HeaderValue {
    &POLICY
}
