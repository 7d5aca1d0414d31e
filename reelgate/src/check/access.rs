//! Who may come in, and how: sign-in, stream tokens, TLS.

use reelgate_common::{auth::Authenticator, tokens::Keyring};
use reelgate_gateway::check_tls;

use super::finding::Finding;
use crate::settings::Settings;

pub(super) async fn auth(settings: &Settings) -> Finding {
    let outcome = if settings.auth.secret.is_empty() && settings.auth.jwks.is_none() {
        Err(anyhow::anyhow!("neither auth.secret nor auth.jwks is set, so nobody can sign in"))
    } else {
        Authenticator::new(&settings.auth).await.map(drop).map_err(anyhow::Error::msg)
    };
    Finding::of(
        "sign-in",
        outcome,
        "set REELGATE__AUTH__SECRET (32 bytes or more) or REELGATE__AUTH__JWKS (file or address)",
    )
}

pub(super) fn tokens(settings: &Settings) -> Finding {
    let outcome = Keyring::new(&settings.tokens).map(drop).map_err(anyhow::Error::msg);
    Finding::of(
        "stream tokens",
        outcome,
        "set REELGATE__TOKENS__KEYS to kid:base64 of 32 random bytes, the same on every gateway",
    )
}

pub(super) fn tls(settings: &Settings) -> Finding {
    let what = if settings.http.tls_cert.is_some() { "TLS" } else { "TLS (none: plain HTTP)" };
    let advice = "REELGATE__HTTP__TLS_CERT and REELGATE__HTTP__TLS_KEY name PEM files: the certificate with its chain, and \
                  its key";
    Finding::of(what, check_tls(&settings.http), advice)
}
