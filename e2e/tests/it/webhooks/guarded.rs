//! Addresses that must not be reached, however their names are served; certificates that must hold; and what the receiver says, which
//! nobody gets to see.

use anyhow::{Context, Result, ensure};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reelgate_e2e::{
    names::Names,
    process::Folder,
    site::{Footing, Site},
};
use serde_json::{Value, json};

use super::{
    People, builder, code_of,
    receiver::{Receiver, Reply, SECRET_BODY},
};

crate::on_both_footings!(
    no_name_leads_to_an_address_that_must_not_be_reached,
    a_test_says_what_came_of_it_and_nothing_that_the_receiver_says,
);

async fn test(people: &People, id: &str) -> Result<Value> {
    people.post(&format!("/v1/webhooks/{id}/test")).await?.expect(200)?.json()
}

async fn endpoint(people: &People, url: String) -> Result<String> {
    Ok(people.endpoint(&json!({"url": url})).await?.0)
}

/// 127.0.0.1 is allowed here, 127.0.0.2 is not.
async fn no_name_leads_to_an_address_that_must_not_be_reached(footing: Footing) -> Result<()> {
    let names = Names::new(&[
        ("allowed.example", &["127.0.0.1"]),
        ("inside.example", &["127.0.0.2"]),
        ("metadata.example", &["169.254.169.254"]),
        ("mapped.example", &["::ffff:127.0.0.1"]),
        ("mixed.example", &["127.0.0.1,127.0.0.2"]),
        ("rebinding.example", &["127.0.0.1", "127.0.0.2", "127.0.0.1"]),
    ])?;
    let site = names.environment().into_iter().fold(builder(footing), |site, (key, value)| site.env(key, value));
    let site = site.start().await?;
    let people = People::of(&site);
    let allowed = Receiver::start(|_| Reply::Status(200)).await?;
    let port = allowed.address.port();
    let inside = Receiver::start_on(format!("127.0.0.2:{port}").parse()?, None, |_| Reply::Status(200)).await?;
    let named = async |name: &str| endpoint(&people, format!("http://{name}:{port}/")).await;

    let good = named("allowed.example").await?;
    ensure!(test(&people, &good).await?["state"] == "delivered");
    for name in ["inside.example", "metadata.example", "mapped.example", "mixed.example"] {
        let refused = test(&people, &named(name).await?).await?;
        ensure!(refused["state"] == "given_up" && code_of(&refused) == "address_forbidden", "{name}: {refused}");
        ensure!(refused["last_attempt"]["status"].is_null(), "{name}: {refused}");
        ensure!(names.asked(name)? == 1, "{name} was looked up more than once");
    }
    let unknown = test(&people, &named("unknown.example").await?).await?;
    ensure!(code_of(&unknown) == "name_not_found", "{unknown}");

    // One lookup for each attempt, and the connection goes where it was looked at.
    let turning = named("rebinding.example").await?;
    let mut outcomes = Vec::new();
    for _ in 0..3 {
        outcomes.push(test(&people, &turning).await?["state"].clone());
    }
    ensure!(outcomes == ["delivered", "given_up", "delivered"], "{outcomes:?}");
    ensure!(names.asked("rebinding.example")? == 3);
    ensure!((allowed.connections(), inside.connections()) == (3, 0), "somebody was reached who must not be");

    for url in [
        format!("http://127.0.0.2:{port}/"),
        format!("http://0x7f000002:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://user:secret@allowed.example:{port}/"),
        format!("http://allowed.example:{port}/#part"),
        "ftp://allowed.example/".to_owned(),
    ] {
        let answer = people.admin.post_json("/v1/webhooks", &json!({"url": url})).await?.expect(422)?.json()?;
        ensure!(answer["detail"][0]["loc"] == json!(["body", "url"]), "{url}: {answer}");
    }
    ensure!(inside.connections() == 0);
    Ok(())
}

async fn a_test_says_what_came_of_it_and_nothing_that_the_receiver_says(footing: Footing) -> Result<()> {
    let site = builder(footing).env("REELGATE__LOG__LEVEL", "debug").start().await?;
    let people = People::of(&site);
    let elsewhere = Receiver::start(|_| Reply::Status(200)).await?;
    let away = elsewhere.url("/");
    let receiver = Receiver::start(move |request| match request.path.as_str() {
        "/ok" => Reply::Status(202),
        "/gone" => Reply::Status(410),
        "/redirect" => Reply::RedirectTo(away.clone()),
        "/close" => Reply::Close,
        _ => Reply::Hang,
    })
    .await?;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    for (url, status, code) in [
        (receiver.url("/ok"), json!(202), ""),
        (receiver.url("/gone"), json!(410), "bad_status"),
        (receiver.url("/redirect"), json!(307), "redirected"),
        (receiver.url("/close"), Value::Null, "answer_unreadable"),
        (receiver.url("/hang"), Value::Null, "answer_timeout"),
        (format!("http://{nobody}/"), Value::Null, "connect_failed"),
    ] {
        let id = endpoint(&people, url.clone()).await?;
        let answer = people.post(&format!("/v1/webhooks/{id}/test")).await?.expect(200)?;
        ensure!(!String::from_utf8_lossy(&answer.body).contains(SECRET_BODY), "{url}");
        let tried = answer.json()?;
        ensure!(tried["last_attempt"]["status"] == status && code_of(&tried) == code, "{url}: {tried}");
        ensure!(tried["state"] == if code.is_empty() { "delivered" } else { "given_up" }, "{url}: {tried}");
        ensure!(tried["last_attempt"]["duration_ms"].is_u64() && tried["attempts"] == 1, "{url}: {tried}");
        let log = people.log(&id, "").await?;
        ensure!(log.len() == 1 && log[0] == tried, "{log:#?}");
        // A test says nothing of how the endpoint does otherwise.
        ensure!(people.show(&id).await?["failures"] == 0);
    }
    ensure!(elsewhere.connections() == 0, "a redirect was followed");
    ensure!(!site.output().contains(SECRET_BODY), "the receiver's words are in a log");
    Ok(())
}

/// A certificate for `good.example`, and the authority that has signed it.
struct Certificate {
    authority: String,
    chain: String,
    key: String,
}

impl Certificate {
    fn new() -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let signed = CertificateParams::new(["good.example".to_owned()])?.signed_by(&key, &issuer)?;
        Ok(Self { authority: issuer.pem(), chain: signed.pem(), key: key.serialize_pem() })
    }
}

/// The connection goes to an address, the certificate is for the name.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_must_be_for_the_name_whatever_address_it_leads_to() -> Result<()> {
    let (certificate, folder) = (Certificate::new()?, Folder::new("hooks")?);
    let authority = folder.join("authority.pem");
    std::fs::write(&authority, &certificate.authority)?;
    let names = Names::new(&[("good.example", &["127.0.0.1"]), ("other.example", &["127.0.0.1"])])?;
    let site =
        names.environment().into_iter().fold(builder(Footing::Embedded), |site, (key, value)| site.env(key, value));
    let site: Site =
        site.env("SSL_CERT_FILE", authority).env("REELGATE__WEBHOOKS__ALLOW_HTTP", "false").start().await?;
    let people = People::of(&site);
    let pem = (certificate.chain.clone(), certificate.key.clone());
    let receiver = Receiver::start_on("127.0.0.1:0".parse()?, Some(pem), |_| Reply::Status(200)).await?;
    let plain = Receiver::start(|_| Reply::Status(200)).await?;
    for (host, port, code) in [
        ("good.example", receiver.address.port(), ""),
        ("other.example", receiver.address.port(), "tls_failed"),
        ("127.0.0.1", receiver.address.port(), "tls_failed"),
        ("good.example", plain.address.port(), "tls_failed"),
    ] {
        let tried = test(&people, &endpoint(&people, format!("https://{host}:{port}/")).await?).await?;
        ensure!(code_of(&tried) == code, "{host}:{port}: {tried}");
    }
    ensure!(receiver.received().len() == 1, "something was told before the certificate was looked at");
    let answer = people.admin.post_json("/v1/webhooks", &json!({"url": plain.url("/")})).await?.expect(422)?;
    ensure!(answer.code() == "validation_failed");
    let request = receiver.received().pop().context("nothing came")?;
    ensure!(request.header("host") == format!("good.example:{}", receiver.address.port()));
    Ok(())
}
