//! The database fails in one place and in one way: faults 25 to 27 of docs/faults.md.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result};
use futures_util::future::join_all;
use reelgate_common::{
    ids::{FileId, OrgId},
    job::{JobRecord, JobState},
};
use reelgate_e2e::{
    client::{Answer, Client, Upload},
    generated::generated,
    process::{Folder, eventually},
    proxied::Proxied,
    proxy::{
        Link, LostReply,
        store::{Call, Rule, Trouble},
    },
    sign_in::SignIn,
    site::{Footing, Site},
    slow_reader::SlowReader,
};
use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::Value;

use super::foreign_clip;

const MIB: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(60);
const ORG: &str = "acme";

fn alice(site: &Site) -> Client {
    site.client().signed_in(SignIn::member("alice", ORG).jwt())
}

async fn the_job(site: &Site, file: &str) -> Result<JobRecord> {
    let file: FileId = file.parse()?;
    site.database().await?.jobs_of(&OrgId::new(ORG), file).await?.into_iter().next().context("no job")
}

fn each_once(info: &Value) {
    let names: Vec<&str> =
        info["renditions"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"144p"), "{info}");
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_outlasts_a_database_that_is_away_for_longer_than_the_lease() -> Result<()> {
    let lease = Duration::from_secs(6);
    let mut at = Proxied::start(&[("REELGATE__JOBS__LEASE_MS", "6000")]).await?;
    let folder = Folder::new("finalise")?;
    let alice = alice(&at.site);
    let file = alice.upload_one(Upload::file("film.mkv", "video/x-matroska", foreign_clip(&folder)?)).await?;
    // The database goes while the result is on its way into the store: it is encoded, and not published.
    at.store.add(Rule::always(Call::Put, Trouble::Delay(Duration::from_secs(1))).at("144p.mp4"));
    at.site.start_worker()?;
    eventually("the result is being stored", PATIENCE, async || {
        at.store.seen().iter().any(|seen| seen.call == Call::Put && seen.path.contains("144p.mp4"))
    })
    .await
    .with_context(|| at.site.output())?;
    at.database.set(Link::Refusing);
    // For longer than the lease: nothing else can be waited for, for this is about time that passes.
    tokio::time::sleep(lease + Duration::from_secs(2)).await;
    at.database.set(Link::Open);
    eventually("the gateway has found its database again", PATIENCE, async || alice.info(&file).await.is_ok()).await?;
    let info = alice.wait_settled(&file, PATIENCE).await.with_context(|| at.site.output())?;
    assert_eq!(info["state"], "ready", "{info}");
    each_once(&info);
    let job = the_job(&at.site, &file).await?;
    assert_eq!((job.attempt, job.failures, job.losses), (1, 0, 0), "nothing was made again\n{}", at.site.output());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_whose_answers_are_lost_make_nothing_twice() -> Result<()> {
    let mut at = Proxied::start(&[]).await?;
    let folder = Folder::new("commits")?;
    let alice = alice(&at.site);
    at.database.lose_replies(Some(LostReply { needle: b"COMMIT".to_vec(), every: 2 }));
    let upload = Upload::file("film.mkv", "video/x-matroska", foreign_clip(&folder)?);
    let mut file = None;
    eventually("an upload is answered", PATIENCE, async || {
        file = alice.upload_one(upload.clone()).await.ok();
        file.is_some()
    })
    .await?;
    let file = file.unwrap();
    at.site.start_worker()?;
    let mut info = Value::Null;
    eventually("it is processed", PATIENCE * 2, async || {
        info = alice.info(&file).await.unwrap_or_default();
        info["state"] == "ready" && info["progress"] == 1.0
    })
    .await
    .with_context(|| format!("{info}\n{}", at.site.output()))?;
    assert!(at.database.lost() > 5, "{} answers were lost", at.database.lost());
    at.database.lose_replies(None);
    each_once(&info);
    // Everything is published before the job is over, and that, too, may have to be said twice.
    let done = async || the_job(&at.site, &file).await.is_ok_and(|job| job.state == JobState::Done);
    eventually("its job is done", PATIENCE, done).await.with_context(|| at.site.output())?;
    let job = the_job(&at.site, &file).await?;
    assert_eq!((job.state, job.failures), (JobState::Done, 0), "a lost answer is no failure of the file");
    let bytes = alice.get(&format!("/v1/files/{file}")).await?.expect(200)?.body;
    assert_eq!(bytes, std::fs::read(folder.path().join("foreign.mkv"))?);
    Ok(())
}

/// A gateway loses its line in the middle of a transaction, and its server never hears that it has gone.
#[tokio::test(flavor = "multi_thread")]
async fn who_vanishes_in_a_transaction_holds_nobody_up() -> Result<()> {
    let mut at = Proxied::start(&[]).await?;
    // What is written last, when all is locked that a transaction locks.
    at.database.hold_at(Some(b"INSERT INTO \"events\""));
    let upload = || Upload::text("note.txt", "a note");
    assert_eq!(
        alice(&at.site).post_files("/v1/files", vec![upload()]).await?.expect(503)?.code(),
        "database_unavailable"
    );
    assert!(at.database.held() > 0);
    let direct = at.site.services()?.database.clone();
    at.site.set_env("REELGATE__DATABASE__URL", direct);
    at.site.start_gateway().await?;
    let other = at.site.gateways[1].client().signed_in(SignIn::member("bob", ORG).jwt());
    let mut file = None;
    eventually("the counter of events is free", PATIENCE, async || {
        file = other.upload_one(upload()).await.ok();
        file.is_some()
    })
    .await
    .with_context(|| at.site.output())?;
    other.wait_ready(&file.unwrap()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_who_meet_a_locked_table_hear_503_and_cut_no_stream() -> Result<()> {
    let mut site = Site::builder(Footing::Production).workers(0).own_services().start().await?;
    let alice = alice(&site);
    let film = generated(0, 16 * MIB);
    let watched = alice.upload_one(Upload::bytes("film.bin", "application/octet-stream", film.clone())).await?;
    let token = alice.stream_token(&serde_json::json!({})).await?;
    let mut viewer = SlowReader::open(alice.base(), &format!("/v1/files/stream/{watched}?token={token}"), 0).await?;
    assert_eq!(viewer.take(MIB).await?, film[..MIB]);

    let database = site.services()?.database.rsplit_once('/').context("a database")?.1.to_owned();
    let psql = site.services()?.postgres.take().context("its own")?;
    let locked = std::thread::scope(|scope| {
        let holder = scope.spawn(|| psql.psql(&database, "begin; lock table files; select pg_sleep(8); commit"));
        let asked = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                eventually("the table is locked", PATIENCE, async || {
                    let locks = "select count(*) from pg_locks where mode = 'AccessExclusiveLock' and granted";
                    psql.psql(&database, locks).is_ok_and(|count| count.trim() != "0")
                })
                .await?;
                let asked = (0..50).map(|n| alice.post_files("/v1/files", vec![Upload::text(format!("{n}.txt"), "x")]));
                let answers = join_all(asked).await;
                anyhow::ensure!(viewer.take(film.len() - MIB).await? == film[MIB..], "the stream is not the file");
                Ok(answers)
            })
        });
        holder.join().unwrap().map(|_| asked)
    });
    stored_or_away(locked??)?;
    alice.upload_one(Upload::text("after.txt", "after")).await?;
    Ok(())
}

/// Some of them must have met the lock.
fn stored_or_away(answers: Vec<Result<Answer>>) -> Result<()> {
    let mut refused = 0;
    for answer in answers {
        let answer = answer?;
        match answer.status.as_u16() {
            200 => {}
            503 => {
                assert_eq!(answer.code(), "database_unavailable");
                assert!(answer.headers.contains_key("retry-after"));
                refused += 1;
            }
            other => panic!("{other}: {}", String::from_utf8_lossy(&answer.body)),
        }
    }
    assert!(refused > 0, "nobody met the lock");
    Ok(())
}

/// The same of SQLite, whose one writer is another process that does not come to an end.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_who_meet_a_writer_without_end_hear_503_and_cut_no_stream() -> Result<()> {
    let site = Site::start(Footing::Embedded).await?;
    let alice = alice(&site);
    let film = generated(0, 16 * MIB);
    let watched = alice.upload_one(Upload::bytes("film.bin", "application/octet-stream", film.clone())).await?;
    let token = alice.stream_token(&serde_json::json!({})).await?;
    let mut viewer = SlowReader::open(alice.base(), &format!("/v1/files/stream/{watched}?token={token}"), 0).await?;
    assert_eq!(viewer.take(MIB).await?, film[..MIB]);

    let db = site.database().await?;
    let writer = db.connection().begin().await?;
    writer.execute_unprepared("update files set location = location where id is null").await?;
    let asked = (0..50).map(|n| alice.post_files("/v1/files", vec![Upload::text(format!("{n}.txt"), "x")]));
    stored_or_away(join_all(asked).await)?;
    assert_eq!(viewer.take(film.len() - MIB).await?, film[MIB..], "the stream is the file");
    writer.rollback().await?;
    alice.upload_one(Upload::text("after.txt", "after")).await?;
    Ok(())
}
