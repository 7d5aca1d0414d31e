//! The signature of a delivery: `t=<unix seconds>,v1=<hex HMAC-SHA256 over "t.body">`, with one `v1=` for each secret that signs. Pure.

use hmac::{Hmac, KeyInit, Mac};
use reelgate_common::{hex::hex, timestamp::Timestamp};
use sha2::Sha256;

/// What `Reelgate-Signature` says.
pub(super) fn signature<'a>(secrets: impl IntoIterator<Item = &'a str>, at: Timestamp, body: &str) -> String {
    let seconds = at.0.div_euclid(1_000);
    let mut header = format!("t={seconds}");
    for secret in secrets {
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
        let mac = mac.chain_update(seconds.to_string()).chain_update(b".").chain_update(body).finalize();
        header.push_str(",v1=");
        header.push_str(&hex(&mac.into_bytes()));
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp(1_700_000_000_999);

    /// Computed by `openssl dgst -sha256 -hmac`.
    #[test]
    fn it_is_what_any_other_program_computes() {
        let header = signature(["whsec_test"], AT, "{\"id\":\"1\"}");
        assert_eq!(header, "t=1700000000,v1=11bf4466ea17c3df3fd743af0b435368e16b7a05eb8eced85e8c4670767bdec5");
    }

    #[test]
    fn each_secret_signs_and_body_and_time_count() {
        let both = signature(["new", "old"], AT, "body");
        let [time, new, old] = both.split(',').collect::<Vec<_>>().try_into().unwrap();
        assert_eq!(signature(["new"], AT, "body"), format!("{time},{new}"));
        assert_eq!(signature(["old"], AT, "body"), format!("{time},{old}"));
        for other in [
            signature(["new"], Timestamp(AT.0 + 1_000), "body"),
            signature(["new"], AT, "bodies"),
            signature(["next"], AT, "body"),
        ] {
            assert!(!other.contains(new), "{other}");
        }
    }
}
