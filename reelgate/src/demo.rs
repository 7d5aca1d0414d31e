//! The sign-in of `--demo`: a token in the fragment of the printed address, which browsers neither send nor log.

use std::{net::SocketAddr, time::Duration};

use reelgate_common::auth::{MintRequest, config::AuthConfig, mint};

/// Long enough to look around.
const TTL: Duration = Duration::from_secs(12 * 3_600);

/// Refuses addresses that others can reach: whoever sees the address is signed in.
///
/// # Errors
/// The address is not a loopback one.
pub(crate) fn permitted(listen: SocketAddr) -> anyhow::Result<()> {
    anyhow::ensure!(
        listen.ip().is_loopback(),
        "--demo signs everybody in, so it listens on loopback only, not {listen}"
    );
    Ok(())
}

/// The address of the page, signed in as the demo's own organisation admin.
///
/// # Errors
/// No secret is set.
pub(crate) fn address(auth: &AuthConfig, scheme: &str, listen: SocketAddr) -> anyhow::Result<String> {
    permitted(listen)?;
    Ok(format!("{scheme}://{listen}/#jwt={}", sign_in(auth)?))
}

/// The demo's own organisation admin.
///
/// # Errors
/// No secret is set.
pub(crate) fn sign_in(auth: &AuthConfig) -> anyhow::Result<String> {
    let request =
        MintRequest { sub: "demo".to_owned(), org: "demo".to_owned(), roles: vec![auth.admin_role.clone()], ttl: TTL };
    mint(auth, &auth.secret, &request).map_err(anyhow::Error::msg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_permitted() {
        assert!(permitted("127.0.0.1:8080".parse().unwrap()).is_ok());
        assert!(permitted("[::1]:8080".parse().unwrap()).is_ok());
        assert!(permitted("0.0.0.0:8080".parse().unwrap()).is_err());
        assert!(permitted("192.168.1.2:8080".parse().unwrap()).is_err());
    }
}
