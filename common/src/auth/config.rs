//! Config section `[auth]`.

use serde::{Deserialize, Serialize};

use crate::config::Secret;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// HS256 secret, at least 32 bytes. Empty: HS256 is refused (and `--data-dir` makes one on first start).
    pub secret: Secret,
    /// A JWKS as a file path or an http(s) address; RS256, ES256 and EdDSA keys in it are accepted.
    pub jwks: Option<String>,
    /// How often the JWKS is read again; an unknown `kid` reads it at once, at most every 10 s.
    pub jwks_refresh_seconds: u64,
    /// Required `iss`, if set.
    pub issuer: Option<String>,
    /// Required `aud`, if set.
    pub audience: Option<String>,
    pub user_claim: String,
    pub org_claim: String,
    pub roles_claim: String,
    /// Value among the roles that makes an organisation admin.
    pub admin_role: String,
    /// Value among the roles that makes an operator; unset: nobody is.
    pub operator_role: Option<String>,
    /// Tolerated clock difference.
    pub leeway_seconds: u64,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            secret: Secret::default(),
            jwks: None,
            jwks_refresh_seconds: 300,
            issuer: None,
            audience: None,
            user_claim: "sub".to_owned(),
            org_claim: "org".to_owned(),
            roles_claim: "roles".to_owned(),
            admin_role: "admin".to_owned(),
            operator_role: None,
            leeway_seconds: 5,
        }
    }
}
