//! Which claim says what. Providers differ in names (`realm_access.roles`, `https://acme.example/org`), so the names come
//! from the configuration; this file turns checked claims into a `Caller` and knows no key and no token.

use serde_json::{Map, Value};

use super::{AuthError, Caller, config::AuthConfig};
use crate::ids::{OrgId, UserId};

/// The organisation becomes a part of object keys, where each byte may take three.
const MAX_ID: usize = 64;

/// Names of the claims and the values that matter.
#[derive(Debug, Clone)]
pub(super) struct ClaimNames {
    user: String,
    org: String,
    roles: String,
    admin_role: String,
    operator_role: Option<String>,
}

impl ClaimNames {
    pub(super) fn new(config: &AuthConfig) -> Result<Self, String> {
        let named = [
            ("user_claim", &config.user_claim),
            ("org_claim", &config.org_claim),
            ("roles_claim", &config.roles_claim),
            ("admin_role", &config.admin_role),
        ];
        if let Some((key, _)) = named.iter().find(|(_, value)| value.trim().is_empty()) {
            return Err(format!("auth.{key} must not be empty"));
        }
        Ok(Self {
            user: config.user_claim.clone(),
            org: config.org_claim.clone(),
            roles: config.roles_claim.clone(),
            admin_role: config.admin_role.clone(),
            operator_role: config.operator_role.clone().filter(|role| !role.is_empty()),
        })
    }

    pub(super) fn caller(&self, claims: &Value) -> Result<Caller, AuthError> {
        let user = identifier(claims, &self.user).ok_or(AuthError::Invalid("it names no usable user"))?;
        let org = identifier(claims, &self.org).ok_or(AuthError::Invalid("it names no usable organisation"))?;
        let roles = roles(find(claims, &self.roles));
        Ok(Caller {
            user: UserId::new(user),
            org: OrgId::new(org),
            admin: roles.contains(&self.admin_role.as_str()),
            operator: self.operator_role.as_deref().is_some_and(|role| roles.contains(&role)),
        })
    }

    /// The reverse of `caller`, for `mint`.
    pub(super) fn claims(&self, user: &str, org: &str, roles: &[String]) -> Map<String, Value> {
        let mut claims = Map::new();
        put(&mut claims, &self.user, user.into());
        put(&mut claims, &self.org, org.into());
        put(&mut claims, &self.roles, roles.into());
        claims
    }
}

/// A claim of exactly that name wins over a path, because namespaced claims are addresses with dots in them.
fn find<'c>(claims: &'c Value, name: &str) -> Option<&'c Value> {
    claims.get(name).or_else(|| name.split('.').try_fold(claims, |value, step| value.get(step)))
}

fn put(claims: &mut Map<String, Value>, name: &str, value: Value) {
    match name.split_once('.') {
        Some((first, rest)) if !name.contains('/') => {
            let inner = claims.entry(first).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
        _ => drop(claims.insert(name.to_owned(), value)),
    }
}

/// Whether somebody may be called so: a user, an organisation.
#[must_use]
pub fn usable_identifier(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_ID && !text.chars().any(char::is_control)
}

fn identifier<'c>(claims: &'c Value, name: &str) -> Option<&'c str> {
    find(claims, name)?.as_str().filter(|text| usable_identifier(text))
}

/// An array of texts, or one text with spaces between (OAuth's `scope` style); anything else is no role.
fn roles(claim: Option<&Value>) -> Vec<&str> {
    match claim {
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(text)) => text.split_ascii_whitespace().collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(change: impl FnOnce(&mut AuthConfig)) -> ClaimNames {
        let mut config = AuthConfig::default();
        change(&mut config);
        ClaimNames::new(&config).unwrap()
    }

    #[test]
    fn roles_come_as_an_array_or_as_words() {
        let names = names(|c| c.operator_role = Some("ops".to_owned()));
        for (roles, admin, operator) in [
            (json!(["admin", 7]), true, false),
            (json!("user ops"), false, true),
            (json!("administrator"), false, false),
            (json!(["ops admin"]), false, false),
            (json!({"admin": true}), false, false),
            (Value::Null, false, false),
        ] {
            let caller = names.caller(&json!({"sub": "a", "org": "b", "roles": roles})).unwrap();
            assert_eq!((caller.admin, caller.operator), (admin, operator), "{roles}");
        }
    }

    #[test]
    fn nobody_is_an_operator_unless_configured() {
        for operator_role in [None, Some(String::new())] {
            let names = names(|c| c.operator_role = operator_role);
            let caller = names.caller(&json!({"sub": "a", "org": "b", "roles": ["operator", ""]})).unwrap();
            assert!(!caller.operator);
        }
    }

    #[test]
    fn a_claim_may_lie_deeper_or_have_dots_in_its_name() {
        let names = names(|c| {
            c.roles_claim = "realm_access.roles".to_owned();
            c.org_claim = "https://acme.example/org".to_owned();
        });
        let claims = json!({"sub": "a", "https://acme.example/org": "b", "realm_access": {"roles": ["admin"]}});
        assert!(names.caller(&claims).unwrap().admin);
        assert_eq!(Value::Object(names.claims("a", "b", &["admin".to_owned()])), claims);
    }

    #[test]
    fn unusable_users_and_organisations_are_refused() {
        let names = names(|_| ());
        for bad in [json!(""), json!("a\n"), json!("x".repeat(65)), json!("ä".repeat(33)), json!(7), Value::Null] {
            assert!(names.caller(&json!({"sub": bad, "org": "b"})).is_err(), "{bad}");
            assert!(names.caller(&json!({"sub": "a", "org": bad})).is_err(), "{bad}");
        }
        assert!(names.caller(&json!({"sub": "ä".repeat(32), "org": "../x"})).is_ok());
    }
}
