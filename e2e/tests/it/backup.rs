//! A backup of the database, taken while everything runs and brought back beside a store that has gone on: what it names plays,
//! what came after it is unknown and is not thrown away.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use reelgate_e2e::{
    client::{Client, Upload},
    process::{Folder, eventually},
    services::Postgres,
    sign_in::SignIn,
    site::{Footing, Site, web_safe_clip},
};
use sea_orm::ConnectionTrait;

const PATIENCE: Duration = Duration::from_secs(120);

fn alice(site: &Site) -> Client {
    site.client().signed_in(SignIn::member("alice", "acme").jwt())
}

async fn uploaded(site: &Site, clip: &Path) -> Result<String> {
    let alice = alice(site);
    let id = alice.upload_one(Upload::file("clip.mp4", "video/mp4", clip)).await?;
    alice.wait_settled(&id, PATIENCE).await.with_context(|| site.output())?;
    Ok(id)
}

fn database_of(site: &mut Site) -> Result<String> {
    Ok(site.services()?.database.rsplit('/').next().context("no name")?.to_owned())
}

async fn back_up(site: &mut Site, to: &Path) -> Result<()> {
    match site.footing {
        Footing::Embedded => {
            let statement = format!("VACUUM INTO '{}'", to.display());
            site.database().await?.connection().execute_unprepared(&statement).await?;
            Ok(())
        }
        Footing::Production => Postgres::shared().await?.dump(&database_of(site)?, to),
    }
}

/// With everything stopped, as the documentation says.
async fn bring_back(site: &mut Site, from: &Path) -> Result<()> {
    for gateway in &mut site.gateways {
        gateway.process.kill()?;
    }
    for worker in &mut site.workers {
        worker.kill()?;
    }
    if site.footing == Footing::Production {
        return Postgres::shared().await?.restore(&database_of(site)?, from);
    }
    let database = site.data_folder().join("reelgate.db");
    for aside in ["-wal", "-shm"] {
        let path = format!("{}{aside}", database.display());
        if Path::new(&path).exists() {
            std::fs::remove_file(path)?;
        }
    }
    std::fs::copy(from, database)?;
    Ok(())
}

async fn start_again(site: &mut Site) -> Result<()> {
    site.restart_gateway(0).await?;
    if site.footing == Footing::Production {
        site.workers.clear();
        site.start_worker()?;
    }
    Ok(())
}

async fn a_backup_brought_back_loses_nothing_that_it_names_and_erases_nothing(footing: Footing) -> Result<()> {
    let mut site = Site::builder(footing)
        .env("REELGATE__MAINTENANCE__ORPHAN_GRACE_MS", "0")
        .env("REELGATE__MAINTENANCE__RECONCILE_MS", "500")
        .start()
        .await?;
    let folder = Folder::new("backup")?;
    let (clip, backup) = (web_safe_clip(&folder)?, folder.path().join("backup"));
    let before = uploaded(&site, &clip).await?;
    back_up(&mut site, &backup).await?;
    let after = uploaded(&site, &clip).await?;
    let of_after = format!("media/acme/{after}/");
    let kept = site.stored(&of_after).await?;
    assert!(!kept.is_empty());

    bring_back(&mut site, &backup).await?;
    start_again(&mut site).await?;
    let alice = alice(&site);
    let played = alice.get(&format!("/v1/files/{before}?rendition=source")).await?.expect(200)?;
    assert_eq!(played.body, std::fs::read(&clip)?);
    assert_eq!(alice.info(&before).await?["state"], "ready");
    alice.get(&format!("/v1/files/{after}/info")).await?.expect(404)?;
    uploaded(&site, &clip).await.context("it takes uploads again")?;

    eventually("the reconciler has looked, and stopped", PATIENCE, async || {
        site.output().contains("nothing is deleted")
    })
    .await?;
    let (succeeded, said) = site.command(&["reconcile"])?;
    assert!(!succeeded && said.contains("STOPPED"), "{said}");
    assert_eq!(site.stored(&of_after).await?, kept);
    Ok(())
}

mod embedded {
    #[tokio::test(flavor = "multi_thread")]
    async fn a_backup_brought_back_loses_nothing_that_it_names_and_erases_nothing() -> anyhow::Result<()> {
        super::a_backup_brought_back_loses_nothing_that_it_names_and_erases_nothing(super::Footing::Embedded).await
    }
}

mod production {
    #[tokio::test(flavor = "multi_thread")]
    async fn a_backup_brought_back_loses_nothing_that_it_names_and_erases_nothing() -> anyhow::Result<()> {
        super::a_backup_brought_back_loses_nothing_that_it_names_and_erases_nothing(super::Footing::Production).await
    }
}
