//! Sign-in: any text, and any header and claims under a right HS256 signature.
#![no_main]

use std::sync::OnceLock;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::FutureExt;
use hmac::{Hmac, KeyInit, Mac};
use libfuzzer_sys::fuzz_target;
use reelgate_common::{
    auth::{Authenticator, config::AuthConfig},
    config::Secret,
};
use sha2::Sha256;

const SECRET: &str = "a secret of the fuzz target, long enough";
const HEADER: &[u8] = br#"{"alg":"HS256","typ":"JWT"}"#;

fn authenticator() -> &'static Authenticator {
    static ONE: OnceLock<Authenticator> = OnceLock::new();
    ONE.get_or_init(|| {
        let config = AuthConfig { secret: Secret::new(SECRET), ..AuthConfig::default() };
        let made = Authenticator::new(&config).now_or_never().expect("no JWKS, nothing to wait for");
        made.expect("a long secret")
    })
}

fn signed(header: &[u8], claims: &[u8]) -> String {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length").chain_update(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn accepted(token: &str) -> bool {
    authenticator().verify(token).now_or_never().expect("no JWKS, nothing to wait for").is_ok()
}

fuzz_target!(|input: &[u8]| {
    if let Ok(text) = std::str::from_utf8(input) {
        assert!(!accepted(text), "nobody guesses a signature");
    }
    accepted(&signed(HEADER, input));
    let middle = input.iter().position(|byte| *byte == 0).unwrap_or(input.len());
    let (header, claims) = input.split_at(middle);
    accepted(&signed(header, claims.get(1..).unwrap_or_default()));
});
