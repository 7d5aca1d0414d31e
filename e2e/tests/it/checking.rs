//! `reelgate check`: on a sound deployment it tries everything and leaves nothing; of what is wrong it says what to do.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{collections::BTreeMap, os::unix::fs::PermissionsExt, time::Duration};

use anyhow::{Context, Result, ensure};
use reelgate_e2e::{
    client::Upload,
    process::{Folder, eventually},
    services::Postgres,
    sign_in::SignIn,
    site::{Footing, Site},
};
use sea_orm::ConnectionTrait;
use serde_json::Value;

/// Each finding by what it is of; whether the command succeeded.
fn checked(site: &Site) -> Result<(bool, BTreeMap<String, Value>)> {
    let (succeeded, output) = site.command(&["check", "--json"])?;
    let json = output.find("{\n").context(output.clone())?;
    let mut values = serde_json::Deserializer::from_str(&output[json..]).into_iter::<Value>();
    let all = values.next().context("no JSON")??;
    let findings = all["findings"].as_array().context("findings")?.iter();
    let named = findings.map(|it| (it["what"].as_str().unwrap_or_default().to_owned(), it.clone()));
    ensure!(all["settings"]["database"]["url"] == "***", "settings are shown, and no secret");
    Ok((succeeded, named.collect()))
}

async fn site(footing: Footing) -> Result<Site> {
    let mut site = Site::start(footing).await?;
    // Not the default one, below wherever the tests are run.
    site.set_env("REELGATE__WORKER__SCRATCH_DIR", site.scratch());
    Ok(site)
}

async fn a_sound_deployment_is_tried_and_nothing_is_left(footing: Footing) -> Result<()> {
    let site = site(footing).await?;
    let alice = site.client().signed_in(SignIn::member("alice", "acme").jwt());
    alice.upload_one(Upload::text("note.txt", "stays")).await?;
    eventually("its source is promoted", Duration::from_secs(60), async || {
        site.stored("staging/").await.is_ok_and(|staged| staged.is_empty())
    })
    .await?;
    let before = site.stored("").await?;
    let (succeeded, findings) = checked(&site)?;
    ensure!(succeeded, "{findings:#?}");
    for what in ["sign-in", "stream tokens", "database", "schema", "queue", "storage", "scratch folder", "encoders"] {
        ensure!(findings.get(what).is_some_and(|it| it["level"] == "ok"), "{what}: {findings:#?}");
    }
    let found = |what: &str| findings[what]["found"].as_str().unwrap_or_default();
    ensure!(found("storage").contains("upload in parts") && found("encoders").contains("h264"), "{findings:#?}");
    ensure!(found("sandbox of tasks").contains("seccomp"), "{findings:#?}");
    let clocks = findings.keys().filter(|what| what.starts_with("clock")).count();
    ensure!(clocks == if footing == Footing::Embedded { 1 } else { 3 }, "{findings:#?}");
    ensure!(findings.contains_key("conditional writes (If-None-Match)") == (footing == Footing::Production));
    ensure!(site.stored("").await? == before, "something is left in the store");
    let tables = site.database().await?;
    ensure!(tables.connection().execute_unprepared("SELECT * FROM reelgate_check").await.is_err(), "a table is left");
    let (succeeded, text) = site.command(&["check"])?;
    ensure!(succeeded && text.contains("\nok    storage: ") && !text.contains("WRONG"), "{text}");
    Ok(())
}

crate::on_both_footings!(a_sound_deployment_is_tried_and_nothing_is_left);

#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_rights_and_a_queue_that_forgets_are_found() -> Result<()> {
    let mut site = site(Footing::Production).await?;
    let owner = site.database().await?;
    let role = format!("reader_{}", uuid::Uuid::new_v4().simple());
    let grant = format!(
        "CREATE ROLE {role} LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}; \
         REVOKE DELETE ON jobs FROM {role}"
    );
    owner.connection().execute_unprepared(&grant).await?;
    let services = site.services()?;
    let (_, at) = services.database.split_once('@').context("no user in the address")?;
    let as_reader = format!("postgres://{role}@{at}");
    let redis = services.redis.command("CONFIG SET maxmemory-policy allkeys-lru").await?;
    ensure!(redis.contains("OK"), "{redis}");
    site.set_env("REELGATE__DATABASE__URL", as_reader);
    let (succeeded, findings) = checked(&site)?;
    ensure!(!succeeded, "{findings:#?}");
    let found = findings["database"]["found"].as_str().unwrap_or_default();
    ensure!(found.contains("DELETE FROM jobs is refused"), "{findings:#?}");
    ensure!(findings["database"]["advice"].as_str().is_some_and(|advice| advice.contains("grant")), "{findings:#?}");
    ensure!(findings["memory of the queue's server"]["level"] == "note", "{findings:#?}");

    owner.connection().execute_unprepared(&format!("GRANT DELETE ON jobs TO {role}")).await?;
    let (succeeded, findings) = checked(&site)?;
    let found = findings["database"]["found"].as_str().unwrap_or_default();
    ensure!(succeeded && found.contains("needs another role"), "least privileges are enough: {findings:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_not_migrated_is_found() -> Result<()> {
    let mut site = site(Footing::Production).await?;
    let fresh = Postgres::shared().await?.fresh_database()?;
    site.set_env("REELGATE__DATABASE__URL", &fresh);
    let (succeeded, findings) = checked(&site)?;
    ensure!(!succeeded && findings["database"]["level"] == "wrong", "{findings:#?}");
    ensure!(findings["database"]["advice"].as_str().is_some_and(|advice| advice.contains("migrate")), "{findings:#?}");
    Ok(())
}

/// A store that can be read and not written. Root may write everywhere, so this is only seen by others.
#[tokio::test(flavor = "multi_thread")]
async fn folders_that_cannot_be_written_are_found() -> Result<()> {
    let folder = Folder::new("check")?;
    std::fs::write(folder.join("file"), "x")?;
    let mut site = site(Footing::Embedded).await?;
    site.set_env("REELGATE__WORKER__SCRATCH_DIR", folder.join("file/scratch"));
    site.set_env("REELGATE__CACHE__DISK_DIR", folder.join("file/cache"));
    let objects = site.data_folder().join("objects");
    std::fs::set_permissions(&objects, std::fs::Permissions::from_mode(0o500))?;
    let (succeeded, findings) = checked(&site)?;
    std::fs::set_permissions(&objects, std::fs::Permissions::from_mode(0o700))?;
    ensure!(!succeeded, "{findings:#?}");
    for what in ["scratch folder", "cache folder"] {
        ensure!(findings[what]["level"] == "wrong" && findings[what]["advice"].is_string(), "{findings:#?}");
    }
    let is_root = rustix::process::geteuid().is_root();
    ensure!(is_root || findings["storage"]["level"] == "wrong", "{findings:#?}");
    Ok(())
}
