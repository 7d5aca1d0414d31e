//! A set of keys that verify. Each key has one algorithm, fixed when it is read; a token's header only chooses among
//! keys, so `alg: none` and an RSA key used as an HMAC secret have nothing to choose. Pure: no IO.

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

/// More keys than any provider publishes.
const MAX_KEYS: usize = 100;

pub(super) struct VerifyKey {
    pub(super) kid: Option<String>,
    pub(super) key: DecodingKey,
    /// Holds the one algorithm of this key.
    pub(super) validation: Validation,
    algorithm: Algorithm,
}

impl VerifyKey {
    pub(super) fn new(kid: Option<String>, key: DecodingKey, algorithm: Algorithm, rules: &Validation) -> Self {
        let validation = Validation { algorithms: vec![algorithm], ..rules.clone() };
        Self { kid, key, validation, algorithm }
    }
}

/// What a token's header finds.
pub(super) enum Found<'k> {
    Key(&'k VerifyKey),
    /// The key is there, but made for another algorithm; or without a `kid` the choice is not clear.
    Unfit,
    Unknown,
}

pub(super) struct KeySet {
    keys: Vec<VerifyKey>,
}

impl KeySet {
    /// Reads a JWKS (RFC 7517). Keys of other kinds, uses or algorithms are passed over, as section 5 asks.
    pub(super) fn parse(document: &[u8], rules: &Validation) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        let document: Document = serde_json::from_slice(document).map_err(|error| format!("not a JWKS: {error}"))?;
        let keys: Vec<_> =
            document.keys.into_iter().take(MAX_KEYS).filter_map(|value| verify_key(value, rules)).collect();
        if keys.is_empty() {
            return Err("it has no RS256, ES256 or EdDSA key".to_owned());
        }
        Ok(Self { keys })
    }

    pub(super) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Found<'_> {
        let Some(kid) = kid else {
            return self.only_one_of(algorithm);
        };
        let mut named = self.keys.iter().filter(|key| key.kid.as_deref() == Some(kid)).peekable();
        if named.peek().is_none() {
            return Found::Unknown;
        }
        named.find(|key| key.algorithm == algorithm).map_or(Found::Unfit, Found::Key)
    }

    /// Without a `kid`, keys are not tried one after the other: only one may be meant.
    fn only_one_of(&self, algorithm: Algorithm) -> Found<'_> {
        let mut fitting = self.keys.iter().filter(|key| key.algorithm == algorithm);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Found::Key(key),
            _ => Found::Unfit,
        }
    }
}

fn verify_key(value: Value, rules: &Validation) -> Option<VerifyKey> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    let algorithm = algorithm_of(&jwk)?;
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    Some(VerifyKey::new(jwk.common.key_id, key, algorithm, rules))
}

/// The one algorithm this key is for; `None` if it is none of ours or not for signatures.
fn algorithm_of(jwk: &Jwk) -> Option<Algorithm> {
    let common = &jwk.common;
    let signs = !matches!(&common.public_key_use, Some(other) if *other != PublicKeyUse::Signature);
    let verifies = !matches!(&common.key_operations, Some(ops) if !ops.contains(&KeyOperations::Verify));
    let (algorithm, name) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(okp) if okp.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        _ => return None,
    };
    (signs && verifies && common.key_algorithm.is_none_or(|stated| stated == name)).then_some(algorithm)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ed(kid: Option<&str>) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": kid})
    }

    fn parse(keys: &Value) -> Result<KeySet, String> {
        KeySet::parse(json!({"keys": keys}).to_string().as_bytes(), &Validation::default())
    }

    #[test]
    fn keys_for_other_purposes_are_passed_over() {
        let with = |name: &str, value: Value| {
            let mut key = ed(Some("a"));
            key[name] = value;
            key
        };
        let secret = json!({"kty": "oct", "k": "c2VjcmV0", "kid": "a", "alg": "HS256"});
        let foreign = [
            secret,
            with("use", json!("enc")),
            with("key_ops", json!(["sign"])),
            with("alg", json!("RS256")),
            with("alg", json!("XYZ")),
            with("crv", json!("P-256")),
            json!({"kty": "AKP"}),
            json!(7),
        ];
        for key in foreign {
            assert!(parse(&json!([key])).is_err(), "{key}");
            assert_eq!(parse(&json!([key, ed(Some("b"))])).map(|set| set.keys.len()), Ok(1), "{key}");
        }
        assert!(parse(&json!([with("use", json!("sig")), with("key_ops", json!(["verify"]))])).is_ok());
    }

    #[test]
    fn a_kid_is_matched_exactly_and_never_lends_its_key_to_another_algorithm() {
        let set = parse(&json!([ed(Some("a")), ed(Some("b"))])).unwrap();
        assert!(matches!(set.find(Some("a"), Algorithm::EdDSA), Found::Key(_)));
        assert!(matches!(set.find(Some("a"), Algorithm::RS256), Found::Unfit));
        assert!(matches!(set.find(Some("A"), Algorithm::EdDSA), Found::Unknown));
        assert!(matches!(set.find(None, Algorithm::EdDSA), Found::Unfit));
        let single = parse(&json!([ed(None)])).unwrap();
        assert!(matches!(single.find(None, Algorithm::EdDSA), Found::Key(_)));
        assert!(matches!(single.find(Some("a"), Algorithm::EdDSA), Found::Unknown));
    }
}
