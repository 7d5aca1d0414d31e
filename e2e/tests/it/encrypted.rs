//! Postgres over TLS and `rediss://`, with certificates of an authority that only we trust: a film is processed through them,
//! and a server that shows another certificate is not spoken to.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reelgate_common::{
    config::Secret,
    db::{Db, config::DatabaseConfig},
};
use reelgate_e2e::{
    client::Upload,
    ports::free_port,
    process::{Folder, Launch, Process, eventually},
    services::Postgres,
    sign_in::SignIn,
    site::{Builder, Footing, Site, program, web_safe_clip},
};

const PATIENCE: Duration = Duration::from_secs(60);

/// An authority, and what it has signed for the servers of this machine.
struct Certificates {
    folder: Folder,
}

impl Certificates {
    fn new() -> Result<Self> {
        let folder = Folder::new("certificates")?;
        for name in ["ours", "others"] {
            let mut params = CertificateParams::new(Vec::new())?;
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
            let key = KeyPair::generate()?;
            let server = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()])?;
            let server = server.signed_by(&key, &issuer)?;
            std::fs::write(folder.join(&format!("{name}-ca.crt")), issuer.pem())?;
            std::fs::write(folder.join(&format!("{name}.crt")), server.pem())?;
            std::fs::write(folder.join(&format!("{name}.key")), key.serialize_pem())?;
        }
        Ok(Self { folder })
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name)
    }
}

/// Turns TLS on in a running server.
fn encrypt(postgres: &Postgres, certificates: &Certificates) -> Result<()> {
    let data = PathBuf::from(postgres.psql("postgres", "show data_directory")?);
    for (from, to) in [("ours.crt", "server.crt"), ("ours.key", "server.key")] {
        std::fs::copy(certificates.path(from), data.join(to))?;
    }
    let made = Command::new("chmod").arg("600").arg(data.join("server.key")).status()?;
    ensure!(made.success(), "chmod");
    if rustix::process::geteuid().is_root() {
        let both = [data.join("server.key"), data.join("server.crt")];
        ensure!(Command::new("chown").arg("postgres").args(both).status()?.success(), "chown");
    }
    postgres.psql("postgres", "alter system set ssl = on")?;
    postgres.psql("postgres", "select pg_reload_conf()")?;
    Ok(())
}

/// A Redis that speaks nothing but TLS.
async fn redis(certificates: &Certificates) -> Result<(Process, u16)> {
    let port = free_port();
    let mut process = Launch::new("redis-server", certificates.path("redis.log"))
        .args(["--port", "0", "--tls-port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
        .args(["--tls-cert-file", &certificates.path("ours.crt"), "--tls-key-file", &certificates.path("ours.key")])
        .args(["--tls-ca-cert-file", &certificates.path("ours-ca.crt"), "--tls-auth-clients", "no"])
        .start()?;
    eventually("redis listens", PATIENCE, async || {
        !process.is_running() || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
    })
    .await?;
    ensure!(process.is_running(), "redis ended: {}", process.output());
    Ok((process, port))
}

fn verified(address: &str, certificates: &Certificates, authority: &str) -> String {
    format!("{address}?sslmode=verify-full&sslrootcert={}", certificates.path(authority))
}

/// By the programs of the images.
#[tokio::test(flavor = "multi_thread")]
async fn a_film_is_processed_over_encrypted_connections() -> Result<()> {
    a_film_is_processed(Site::builder(Footing::Production)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_film_is_processed_over_encrypted_connections_by_the_command() -> Result<()> {
    a_film_is_processed(Site::builder(Footing::Production).by_command()).await
}

async fn a_film_is_processed(builder: Builder) -> Result<()> {
    let (folder, certificates) = (Folder::new("encrypted")?, Certificates::new()?);
    let (_redis, redis_port) = redis(&certificates).await?;
    let mut site = builder.own_services().gateways(0).workers(0).start().await?;
    let services = site.services()?;
    let address = services.database.clone();
    encrypt(services.postgres.as_ref().context("a server of its own")?, &certificates)?;
    let postgres_port = services.postgres.as_ref().map(Postgres::port).context("a port")?;

    site.set_env("REELGATE__DATABASE__URL", verified(&address, &certificates, "ours-ca.crt"));
    site.set_env("REELGATE__QUEUE__URL", format!("rediss://127.0.0.1:{redis_port}"));
    site.set_env("SSL_CERT_FILE", certificates.path("ours-ca.crt"));
    site.start_gateway().await?;
    site.start_worker()?;
    let alice = site.client().signed_in(SignIn::member("alice", "acme").jwt());
    let film = alice.upload_one(Upload::file("clip.mp4", "video/mp4", web_safe_clip(&folder)?)).await?;
    let settled = alice.wait_settled(&film, PATIENCE).await.with_context(|| site.output())?;
    ensure!(settled["state"] == "ready", "{settled}\n{}", site.output());
    let ready = reelgate_e2e::client::Client::new(site.gateways[0].ops_url()).get("/readyz").await?.json()?;
    ensure!(ready["checks"]["queue"]["ok"] == true && ready["checks"]["database"]["ok"] == true, "{ready}");

    let services = site.services()?;
    let postgres = services.postgres.as_ref().context("a server of its own")?;
    let open = "from pg_stat_ssl join pg_stat_activity using (pid) where application_name = 'reelgate'";
    let plain = postgres.psql("postgres", &format!("select count(*) {open} and not ssl"))?;
    let encrypted: u32 = postgres.psql("postgres", &format!("select count(*) {open} and ssl"))?.parse()?;
    ensure!(plain == "0" && encrypted >= 2, "{plain} plain and {encrypted} encrypted connections");

    // A certificate of somebody else's authority.
    let config = |authority: &str| DatabaseConfig {
        url: Secret::new(verified(&address, &certificates, authority)),
        ..DatabaseConfig::default()
    };
    ensure!(Db::connect(&config("others-ca.crt")).await.is_err(), "Postgres is believed without a right certificate");
    Db::connect(&config("ours-ca.crt")).await?.ping().await?;
    // The right authority, but it says that it is somebody else.
    let elsewhere = address.replace("127.0.0.1", "127.0.0.2");
    let elsewhere = DatabaseConfig {
        url: Secret::new(verified(&elsewhere, &certificates, "ours-ca.crt")),
        ..DatabaseConfig::default()
    };
    ensure!(Db::connect(&elsewhere).await.is_err(), "any name will do for Postgres on {postgres_port}");
    Ok(())
}

/// Whether `reelgate check` finds nothing wrong with the queue when it trusts that authority.
fn is_sound(certificates: &Certificates, authority: &str, address: &str) -> Result<bool> {
    let output = Command::new(program("reelgate")?)
        .arg("check")
        .current_dir(certificates.folder.path())
        // Some address of the production footing, else the queue is not looked at.
        .env("REELGATE__DATABASE__URL", "postgres://nobody@127.0.0.1:1/none")
        .env("REELGATE__QUEUE__URL", address)
        .env("REELGATE__QUEUE__TIMEOUT_MS", "10000")
        .env("SSL_CERT_FILE", certificates.path(authority))
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let found = |word: &str| text.lines().any(|line| line.starts_with(word) && line.contains("queue"));
    ensure!(found("ok ") != found("WRONG "), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(found("ok "))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_with_a_wrong_certificate_is_not_spoken_to() -> Result<()> {
    let certificates = Certificates::new()?;
    let (redis, port) = redis(&certificates).await?;
    let address = format!("rediss://127.0.0.1:{port}");
    ensure!(is_sound(&certificates, "ours-ca.crt", &address)?, "{}", redis.output());
    ensure!(!is_sound(&certificates, "others-ca.crt", &address)?, "Redis is believed without a right certificate");
    // And one that speaks no TLS at all.
    let plain = reelgate_e2e::services::Redis::start().await?;
    ensure!(!is_sound(&certificates, "ours-ca.crt", &format!("rediss://127.0.0.1:{}", plain.port()))?);
    Ok(())
}
