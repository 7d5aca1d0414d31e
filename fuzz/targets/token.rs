//! Stream tokens: any text, and any claims under a right signature, for parsers behind a signature must hold as well.
#![no_main]

use std::sync::OnceLock;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use hmac::{Hmac, KeyInit, Mac};
use libfuzzer_sys::fuzz_target;
use reelgate_common::{
    config::Secret,
    timestamp::Timestamp,
    tokens::{Keyring, config::TokensConfig},
};
use sha2::Sha256;

const KEY: [u8; 32] = [7; 32];
const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn keyring() -> &'static Keyring {
    static KEYRING: OnceLock<Keyring> = OnceLock::new();
    KEYRING.get_or_init(|| {
        let keys = Secret::new(format!("k:{}", STANDARD.encode(KEY)));
        Keyring::new(&TokensConfig { keys, ..TokensConfig::default() }).expect("a key of 32 bytes")
    })
}

fn signed(claims: &[u8]) -> String {
    let text = format!("v1.k.{}", URL_SAFE_NO_PAD.encode(claims));
    let mac = Hmac::<Sha256>::new_from_slice(&KEY).expect("any length").chain_update(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fuzz_target!(|input: &[u8]| {
    if let Ok(text) = std::str::from_utf8(input) {
        assert!(keyring().authenticate(text, NOW).is_err(), "nobody guesses a signature");
    }
    if let Ok(claims) = keyring().authenticate(&signed(input), NOW) {
        // What was understood is said again without loss.
        assert_eq!(keyring().authenticate(&keyring().sign(&claims), NOW), Ok(claims));
    }
});
