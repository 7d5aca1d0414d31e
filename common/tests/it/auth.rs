//! Sign-in as a caller of the crate sees it: real keys of each kind, made at run time, against a JWKS file and address.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use reelgate_common::{
    auth::{AuthError, Authenticator, MintRequest, config::AuthConfig, mint},
    config::Secret,
    timestamp::Timestamp,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::watch,
};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A private key, its algorithm and its public half as a JWK.
struct Signer {
    algorithm: Algorithm,
    private: EncodingKey,
    kid: String,
}

impl Signer {
    fn rsa(kid: &str) -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
        // jsonwebtoken wants the PKCS #1 key inside: for 2048 bits it follows 26 bytes of PKCS #8 head.
        Self::new(kid, Algorithm::RS256, EncodingKey::from_rsa_der(&der.as_ref()[26..]))
    }

    fn ec(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self::new(kid, Algorithm::ES256, EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref()))
    }

    fn ed(kid: &str) -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        Self::new(kid, Algorithm::EdDSA, EncodingKey::from_ed_der(pair.to_pkcs8v1().unwrap().as_ref()))
    }

    fn new(kid: &str, algorithm: Algorithm, private: EncodingKey) -> Self {
        Self { algorithm, private, kid: kid.to_owned() }
    }

    fn public(&self) -> Value {
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&self.private, self.algorithm).unwrap()).unwrap();
        jwk["kid"] = self.kid.clone().into();
        jwk
    }

    fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(self.algorithm) };
        encode(&header, claims, &self.private).unwrap()
    }
}

fn seconds(offset: i64) -> i64 {
    Timestamp::now().0 / 1000 + offset
}

fn claims() -> Value {
    json!({"sub": "alice", "org": "acme", "roles": ["admin"], "exp": seconds(60)})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn jwks(signers: &[&Signer]) -> String {
    json!({"keys": signers.iter().map(|signer| signer.public()).collect::<Vec<_>>()}).to_string()
}

fn hs256(claims: &Value, header: &Header, secret: &[u8]) -> String {
    encode(header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

fn with_secret() -> AuthConfig {
    AuthConfig { secret: Secret::new(SECRET), ..AuthConfig::default() }
}

async fn by_secret(change: impl FnOnce(&mut AuthConfig)) -> Authenticator {
    let mut config = with_secret();
    change(&mut config);
    Authenticator::new(&config).await.unwrap()
}

fn assert_invalid<T: std::fmt::Debug>(answer: &Result<T, AuthError>, what: &str) {
    assert!(matches!(answer, Err(AuthError::Invalid(_))), "{what}: {answer:?}");
}

/// A provider: answers each request with the document it holds at that time, and counts.
struct Provider {
    address: String,
    document: watch::Sender<String>,
    requests: Arc<AtomicUsize>,
}

impl Provider {
    async fn start(document: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/jwks", listener.local_addr().unwrap());
        let (document, current) = watch::channel(document);
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = [0; 2048];
                if socket.read(&mut request).await.unwrap_or(0) == 0 {
                    continue;
                }
                count.fetch_add(1, Ordering::SeqCst);
                let body = current.borrow().clone();
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                let _ = socket.write_all((head + &body).as_bytes()).await;
            }
        });
        Self { address, document, requests }
    }

    async fn authenticator(&self) -> Authenticator {
        let config = AuthConfig { jwks: Some(self.address.clone()), ..AuthConfig::default() };
        Authenticator::new(&config).await.unwrap()
    }
}

#[tokio::test]
async fn a_minted_token_signs_its_user_in() {
    for change in [
        (|_| ()) as fn(&mut AuthConfig),
        |c| c.roles_claim = "realm_access.roles".to_owned(),
        |c| c.user_claim = "https://acme.example/user".to_owned(),
        |c| (c.issuer, c.audience) = (Some("me".to_owned()), Some("you".to_owned())),
    ] {
        let mut config = with_secret();
        change(&mut config);
        let request = MintRequest {
            sub: "alice".to_owned(),
            org: "acme".to_owned(),
            roles: vec!["admin".to_owned()],
            ttl: Duration::from_secs(60),
        };
        let token = mint(&config, &config.secret, &request).unwrap();
        let caller = Authenticator::new(&config).await.unwrap().verify(&token).await.unwrap();
        assert_eq!((caller.user.as_str(), caller.org.as_str()), ("alice", "acme"));
        assert!(caller.admin && !caller.operator);
    }
}

#[tokio::test]
async fn mint_refuses_what_verify_would_refuse() {
    let config = with_secret();
    let request = |sub: &str| MintRequest {
        sub: sub.to_owned(),
        org: "acme".to_owned(),
        roles: Vec::new(),
        ttl: Duration::from_secs(60),
    };
    assert!(mint(&config, &config.secret, &request("")).is_err());
    assert!(mint(&config, &Secret::new("short"), &request("alice")).is_err());
}

#[tokio::test]
async fn each_kind_of_key_in_a_jwks_file_signs_in() {
    let signers = [Signer::rsa("r"), Signer::ec("e"), Signer::ed("d")];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    std::fs::write(&path, jwks(&signers.each_ref())).unwrap();
    let config = AuthConfig { jwks: Some(path.to_str().unwrap().to_owned()), ..AuthConfig::default() };
    let authenticator = Authenticator::new(&config).await.unwrap();
    for signer in &signers {
        let caller = authenticator.verify(&signer.sign(&claims())).await.unwrap();
        assert_eq!(caller.user.as_str(), "alice", "{:?}", signer.algorithm);
        let expired = signer.sign(&with("exp", seconds(-60).into()));
        assert_eq!(authenticator.verify(&expired).await, Err(AuthError::Expired));
        // Same name, other key.
        let forged = Signer { kid: signer.kid.clone(), ..Signer::ed("") };
        assert_invalid(&authenticator.verify(&forged.sign(&claims())).await, "forged");
    }
    // The names of keys of different kinds exchanged.
    let confused = Signer { kid: "r".to_owned(), ..Signer::ec("") };
    assert_invalid(&authenticator.verify(&confused.sign(&claims())).await, "confused");
}

#[tokio::test]
async fn a_public_key_is_no_secret() {
    let signer = Signer::rsa("r");
    let provider = Provider::start(jwks(&[&signer])).await;
    let config = AuthConfig { jwks: Some(provider.address.clone()), ..with_secret() };
    let authenticator = Authenticator::new(&config).await.unwrap();
    let modulus = URL_SAFE_NO_PAD.decode(signer.public()["n"].as_str().unwrap()).unwrap();
    let header = Header { kid: Some("r".to_owned()), ..Header::default() };
    for secret in [modulus, signer.public()["n"].to_string().into_bytes(), jwks(&[&signer]).into_bytes()] {
        assert_invalid(&authenticator.verify(&hs256(&claims(), &header, &secret)).await, "RS256 key as HS256 secret");
    }
    assert!(authenticator.verify(&hs256(&claims(), &header, SECRET.as_bytes())).await.is_ok());
}

#[tokio::test]
async fn an_unsigned_token_is_invalid_however_it_is_spelt() {
    let authenticator = by_secret(|_| ()).await;
    let payload = URL_SAFE_NO_PAD.encode(claims().to_string());
    for alg in ["none", "None", "nOnE", "", "HS256", "HS384", "RS256"] {
        let header = URL_SAFE_NO_PAD.encode(json!({"typ": "JWT", "alg": alg}).to_string());
        for token in [format!("{header}.{payload}."), format!("{header}.{payload}"), format!("{header}..{payload}")] {
            assert_invalid(&authenticator.verify(&token).await, &token);
        }
    }
}

#[tokio::test]
async fn other_hmac_lengths_wrong_secrets_and_critical_headers_are_refused() {
    let authenticator = by_secret(|_| ()).await;
    let secret = SECRET.as_bytes();
    for alg in [Algorithm::HS384, Algorithm::HS512] {
        assert_invalid(&authenticator.verify(&hs256(&claims(), &Header::new(alg), secret)).await, "other length");
    }
    let wrong = hs256(&claims(), &Header::default(), &[7; 32]);
    assert_invalid(&authenticator.verify(&wrong).await, "wrong secret");
    let critical = Header { crit: Some(vec!["b64".to_owned()]), ..Header::default() };
    assert_invalid(&authenticator.verify(&hs256(&claims(), &critical, secret)).await, "crit");
    let long = hs256(&with("x", "y".repeat(16 * 1024).into()), &Header::default(), secret);
    assert_invalid(&authenticator.verify(&long).await, "long");
}

#[tokio::test]
async fn a_tampered_token_is_invalid_at_each_byte() {
    let authenticator = by_secret(|_| ()).await;
    let token = hs256(&claims(), &Header::default(), SECRET.as_bytes());
    for index in 0..token.len() {
        for bit in [1, 4, 32] {
            let mut bytes = token.clone().into_bytes();
            bytes[index] ^= bit;
            let tampered = String::from_utf8(bytes).unwrap();
            assert_invalid(&authenticator.verify(&tampered).await, &format!("byte {index}"));
        }
        assert_invalid(&authenticator.verify(&token[..index]).await, "truncated");
    }
}

#[tokio::test]
async fn times_are_honoured_with_leeway() {
    let authenticator = by_secret(|c| c.leeway_seconds = 30).await;
    let verify = async |claims: Value| {
        authenticator.verify(&hs256(&claims, &Header::default(), SECRET.as_bytes())).await.map(drop)
    };
    assert_eq!(verify(with("exp", seconds(-10).into())).await, Ok(()));
    assert_eq!(verify(with("exp", seconds(-60).into())).await, Err(AuthError::Expired));
    assert_eq!(verify(with("nbf", seconds(10).into())).await, Ok(()));
    for (name, value) in [
        ("nbf", json!(seconds(60))),
        ("nbf", json!("soon")),
        ("exp", Value::Null),
        ("exp", json!("2100-01-01")),
        ("exp", json!(-5)),
    ] {
        assert_invalid(&verify(with(name, value)).await, name);
    }
}

#[tokio::test]
async fn issuer_and_audience_are_required_when_configured() {
    let open = by_secret(|_| ()).await;
    let strict = by_secret(|c| (c.issuer, c.audience) = (Some("me".to_owned()), Some("you".to_owned()))).await;
    for (issuer, audience, accepted) in [
        (json!("me"), json!("you"), true),
        (json!("me"), json!(["other", "you"]), true),
        (json!("me"), Value::Null, false),
        (json!("me"), json!(["other"]), false),
        (json!("me"), json!([]), false),
        (json!("other"), json!("you"), false),
        (Value::Null, json!("you"), false),
    ] {
        let mut claims = claims();
        (claims["iss"], claims["aud"]) = (issuer, audience);
        let token = hs256(&claims, &Header::default(), SECRET.as_bytes());
        assert_eq!(strict.verify(&token).await.is_ok(), accepted, "{claims}");
        assert!(open.verify(&token).await.is_ok(), "{claims}");
    }
}

#[tokio::test]
async fn a_configuration_by_which_nobody_could_sign_in_is_refused() {
    let path = |place: &str| AuthConfig { jwks: Some(place.to_owned()), ..AuthConfig::default() };
    let configs = [
        (AuthConfig::default(), "auth.secret"),
        (AuthConfig { secret: Secret::new("short"), ..AuthConfig::default() }, "32 bytes"),
        (AuthConfig { user_claim: String::new(), ..with_secret() }, "auth.user_claim"),
        (AuthConfig { leeway_seconds: 601, ..with_secret() }, "auth.leeway_seconds"),
        (AuthConfig { jwks_refresh_seconds: 0, ..path("/dev/null") }, "auth.jwks_refresh_seconds"),
        (path("/nonexistent/jwks.json"), "auth.jwks"),
        (path("/dev/null"), "not a JWKS"),
        (path("/dev/zero"), "1 MiB"),
    ];
    for (config, word) in configs {
        let message = Authenticator::new(&config).await.unwrap_err();
        assert!(message.contains(word), "{message}");
    }
}

#[tokio::test]
async fn a_new_key_is_found_at_once_but_unknown_ones_do_not_hammer_the_provider() {
    let (old, new) = (Signer::ed("old"), Signer::ed("new"));
    let provider = Provider::start(jwks(&[&old])).await;
    let authenticator = provider.authenticator().await;
    assert!(authenticator.verify(&old.sign(&claims())).await.is_ok());
    assert_eq!(provider.requests.load(Ordering::SeqCst), 1);
    // The start has just fetched: within the first seconds an unknown key asks nobody.
    for _ in 0..20 {
        assert_invalid(&authenticator.verify(&new.sign(&claims())).await, "unknown");
    }
    assert_eq!(provider.requests.load(Ordering::SeqCst), 1);
    provider.document.send_replace(jwks(&[&old, &new]));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(11)).await;
    tokio::time::resume();
    let token = new.sign(&claims());
    let (a, b) = tokio::join!(authenticator.verify(&token), authenticator.verify(&token));
    assert!(a.is_ok() && b.is_ok(), "{a:?} {b:?}");
    assert_eq!(provider.requests.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn old_keys_stay_when_a_refresh_fails() {
    let signer = Signer::ed("a");
    let provider = Provider::start(jwks(&[&signer])).await;
    let authenticator = provider.authenticator().await;
    for broken in ["{}".to_owned(), "<html>".to_owned(), " ".repeat(1024 * 1024 + 1), json!({"keys": []}).to_string()] {
        provider.document.send_replace(broken);
        let before = provider.requests.load(Ordering::SeqCst);
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(11)).await;
        tokio::time::resume();
        let unknown = authenticator.verify(&Signer::ed("b").sign(&claims())).await;
        assert_eq!(unknown, Err(AuthError::Unavailable));
        assert!(provider.requests.load(Ordering::SeqCst) > before);
        assert!(authenticator.verify(&signer.sign(&claims())).await.is_ok());
    }
}

#[tokio::test]
async fn without_any_key_yet_sign_in_is_unavailable_and_recovers() {
    let signer = Signer::ed("a");
    let provider = Provider::start(String::new()).await;
    let authenticator = provider.authenticator().await;
    let token = signer.sign(&claims());
    assert_eq!(authenticator.verify(&token).await, Err(AuthError::Unavailable));
    provider.document.send_replace(jwks(&[&signer]));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(11)).await;
    tokio::time::resume();
    assert!(authenticator.verify(&token).await.is_ok());
}
