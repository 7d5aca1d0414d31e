//! A worker that dies between any two steps: fault 2 of docs/faults.md.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::print_stdout, reason = "which seeds were run is wanted")]

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result, ensure};
use reelgate_common::{
    db::FileWithRenditions,
    ids::{FileId, OrgId},
    job::JobState,
};
use reelgate_e2e::{
    chaos::dice::Dice,
    client::{Client, Upload},
    left_over::{NO_GRACE, left_over},
    process::{Folder, eventually},
    proxied::Proxied,
    proxy::Link,
    sign_in::SignIn,
    site::{Footing, Site},
};

use super::{foreign_clip, number};

/// In the order in which an attempt meets them.
const POINTS: [&str; 15] = [
    "claimed",
    "begun",
    "probed",
    "planned",
    "copied",
    "staging-left",
    "staging-deleted",
    "downloaded",
    "encoded",
    "stored",
    "not-published",
    "published",
    "all-published",
    "finished",
    "queue-told",
];
const PATIENCE: Duration = Duration::from_secs(60);
const CRASH_AT: &str = "REELGATE_CRASH_AT";
const ORG: &str = "acme";

/// Once by default; `CRASH_SEEDS` times in `make chaos`. Where the worker dies is exact; a seed says in which order the points come, and how long
/// database and queue take for each of their answers meanwhile, so that who looks when is another time each time.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_at_any_point_leaves_one_whole_result_and_nothing_else() -> Result<()> {
    for seed in 0..number("CRASH_SEEDS", 1) {
        let mut dice = Dice::new(number("CHAOS_SEED", 20_261_130) + seed);
        every_point(&mut dice).await.with_context(|| format!("seed {seed}"))?;
        println!("seed {seed}: {} points", POINTS.len());
    }
    Ok(())
}

async fn every_point(dice: &mut Dice) -> Result<()> {
    let settings = [
        ("REELGATE__LADDER__RUNGS", "144"),
        ("REELGATE__LADDER__PREVIEW", "false"),
        ("REELGATE__LADDER__STORYBOARD", "false"),
        // The worker must meet the points of a promotion, not a gateway.
        ("REELGATE__MAINTENANCE__PROMOTE_MS", "3600000"),
    ];
    let builder = Site::builder(Footing::Production).gateways(0).workers(0);
    let settings = settings.iter().chain(NO_GRACE);
    let builder = settings.fold(builder, |builder, (key, value)| builder.env(*key, *value));
    let Proxied { mut site, database, redis, store: _store } = Proxied::before(builder).await?;
    site.start_gateway().await?;
    let folder = Folder::new("crash")?;
    let clip = foreign_clip(&folder)?;
    let client = site.client().signed_in(SignIn::member("alice", ORG).jwt());
    let mut expected = None;
    for point in shuffled(dice) {
        for link in [&database, &redis] {
            link.set(Link::Delayed(dice.time(0, 5)));
        }
        let file = client.upload_one(Upload::file("film.mkv", "video/x-matroska", &clip)).await?;
        dies(&mut site, point).await?;
        site.start_worker()?;
        let row = survives(&site, &client, &file).await.with_context(|| format!("{point}: {}", site.output()))?;
        let names: BTreeSet<String> = row.renditions.iter().map(|it| it.name.clone()).collect();
        assert_eq!(names.len(), row.renditions.len(), "{point}: a rendition twice");
        assert_eq!(*expected.get_or_insert_with(|| names.clone()), names, "{point}");
        assert_eq!(client.get(&format!("/v1/files/{file}")).await?.expect(200)?.body, std::fs::read(&clip)?);
        let left = || left_over(&site, &row);
        eventually("nothing else is in the store", PATIENCE, async || left().await.is_ok_and(|left| left.is_empty()))
            .await
            .with_context(|| format!("{point}:\n{}", site.output()))?;
        site.workers.clear();
    }
    Ok(())
}

fn shuffled(dice: &mut Dice) -> Vec<&'static str> {
    let mut left = POINTS.to_vec();
    std::iter::from_fn(|| (!left.is_empty()).then(|| left.swap_remove(dice.below(left.len())))).collect()
}

/// A worker that takes the job and dies at the point.
async fn dies(site: &mut Site, point: &str) -> Result<()> {
    site.set_env(CRASH_AT, point);
    site.start_worker()?;
    site.set_env(CRASH_AT, "");
    let worker = site.workers.last_mut().context("just started")?;
    let died = eventually("it dies", PATIENCE, async || !worker.is_running()).await;
    died.with_context(|| worker.output())?;
    ensure!(worker.output().contains(&format!("crashing at {point}")), "{}", worker.output());
    site.workers.clear();
    Ok(())
}

async fn survives(site: &Site, client: &Client, file: &str) -> Result<FileWithRenditions> {
    let info = client.wait_settled(file, PATIENCE).await?;
    ensure!(info["state"] == "ready", "{info}");
    let (db, id): (_, FileId) = (site.database().await?, file.parse()?);
    let org = OrgId::new(ORG);
    // The last result is there a moment before its job has ended.
    let ended = eventually("the job has ended", PATIENCE, async || {
        db.jobs_of(&org, id).await.is_ok_and(|jobs| jobs.iter().all(|job| job.state == JobState::Done))
    });
    ended.await.with_context(|| site.output())?;
    let job = db.jobs_of(&org, id).await?.remove(0);
    ensure!(job.state == JobState::Done && job.failures == 0, "{job:?}");
    db.find_file(&OrgId::new(ORG), id).await?.context("the file is gone")
}
