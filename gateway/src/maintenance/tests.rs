//! The duties on SQLite and a directory: what a crash left is found, what lives is left alone.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use reelgate_common::{
    db::{FileWithRenditions, NewFile, NewJob, StagedFile},
    earned::EarnedPolicy,
    file::{FileKind, FileState},
    ids::{FileId, JobId, OrgId, ProcessId, UserId},
    job::{JobKind, JobPolicy, JobState},
    key::Key,
    lease::LeasesConfig,
    storage::Storage,
};
use tokio_util::sync::CancellationToken;

use super::{
    Ground, config::MaintenanceConfig, dispatch, duty::Duty, gauges, leader::Leader, promote, purge, reap, reconcile,
    sweep,
};
use crate::upload::fixture::Fixture;

struct Bench {
    fixture: Fixture,
    ground: Ground,
}

impl Bench {
    /// Everything is old enough, and no brake holds.
    async fn new() -> Self {
        let fixture = Fixture::new().await;
        let config = MaintenanceConfig {
            upload_silence_ms: 0,
            orphan_grace_ms: 0,
            stop_percent: 100,
            ..MaintenanceConfig::default()
        };
        let ground = Ground {
            backends: fixture.backends.clone(),
            config,
            policy: JobPolicy::default(),
            leases: LeasesConfig::default(),
            earned: EarnedPolicy::default(),
            keep_events: Duration::from_secs(86_400),
        };
        Self { fixture, ground }
    }

    async fn uploading(&self) -> (FileId, Key) {
        let (id, org_id) = (FileId::new(), org());
        let key = Key::Staging { org: org(), file: id };
        let new = NewFile {
            id,
            org_id,
            owner_id: UserId::new("alice"),
            location: format!("2026/11/{id}/a"),
            filename: "a".to_owned(),
            staging_key: key.clone(),
            repeat_key: None,
            labels: reelgate_common::labels::Labels::default(),
        };
        self.ground.backends.db.create_file(&new).await.unwrap();
        (id, key)
    }

    /// An accepted file of seven bytes; with a job when it is to be processed.
    async fn accepted(&self, state: FileState) -> FileId {
        let (file, key) = self.uploading().await;
        self.ground.backends.storage.put(&key, Bytes::from_static(b"content")).await.unwrap();
        let staged = StagedFile {
            size_bytes: 7,
            sha256: "00".repeat(32),
            content_type: "image/png".to_owned(),
            kind: FileKind::Image,
            state,
            version: None,
        };
        let job = NewJob { id: JobId::new(), kind: JobKind::Process, priority: 50 };
        let job = (state == FileState::Staged).then_some(&job);
        self.ground.backends.db.stage_file(&org(), file, &staged, job).await.unwrap().unwrap();
        file
    }

    async fn find(&self, file: FileId) -> Option<FileWithRenditions> {
        self.ground.backends.db.find_file(&org(), file).await.unwrap()
    }

    /// Waits for a later millisecond, so that what was written is in the past.
    async fn next_tick(&self) {
        let begun = reelgate_common::timestamp::Timestamp::now();
        while reelgate_common::timestamp::Timestamp::now() <= begun {
            tokio::task::yield_now().await;
        }
    }
}

fn org() -> OrgId {
    OrgId::new("acme")
}

#[tokio::test]
async fn a_queue_that_lost_everything_is_refilled() {
    let bench = Bench::new().await;
    for _ in 0..3 {
        bench.accepted(FileState::Staged).await;
    }
    assert_eq!(dispatch::run(bench.ground.clone()).await.unwrap(), 3);
    assert_eq!(dispatch::run(bench.ground.clone()).await.unwrap(), 0);
    bench.fixture.queue.wipe();
    assert_eq!(dispatch::run(bench.ground.clone()).await.unwrap(), 3);
    assert_eq!(bench.fixture.queue.len(), 3);
}

#[tokio::test]
async fn one_organisation_cannot_fill_the_queue_alone() {
    let bench = Bench::new().await;
    for _ in 0..5 {
        bench.accepted(FileState::Staged).await;
    }
    bench.fixture.queue.set_room(2);
    dispatch::run(bench.ground.clone()).await.unwrap();
    assert_eq!(bench.fixture.queue.len(), 2);
}

#[tokio::test]
async fn a_silent_worker_is_a_loss_even_while_the_queue_is_away() {
    let bench = Bench::new().await;
    let file = bench.accepted(FileState::Staged).await;
    let db = &bench.ground.backends.db;
    let job = db.jobs_of(&org(), file).await.unwrap().remove(0);
    db.begin_attempt(job.id, &ProcessId::new("worker"), &JobPolicy::default()).await.unwrap().unwrap();
    reap::run(bench.ground.clone()).await.unwrap();
    assert_eq!(db.jobs_of(&org(), file).await.unwrap()[0].state, JobState::Running);
    bench.fixture.queue.set_away(true);
    bench.next_tick().await;
    let policy = JobPolicy { lease_ms: 0, ..JobPolicy::default() };
    assert!(reap::run(Ground { policy, ..bench.ground.clone() }).await.is_err());
    let job = db.jobs_of(&org(), file).await.unwrap().remove(0);
    assert_eq!((job.state, job.losses, job.failures), (JobState::Queued, 1, 0));
}

#[tokio::test]
async fn an_upload_that_nobody_touches_is_closed_and_leaves_nothing() {
    let bench = Bench::new().await;
    let (file, key) = bench.uploading().await;
    let (db, storage) = (&bench.ground.backends.db, &bench.ground.backends.storage);
    let upload = storage.create_multipart(&key, 5).await.unwrap();
    db.set_multipart(file, &upload).await.unwrap();
    storage.put_part(&key, &upload, 0, vec![Bytes::from_static(b"part!")]).await.unwrap();
    let patient = MaintenanceConfig { upload_silence_ms: 60_000, ..bench.ground.config.clone() };
    assert_eq!(sweep::run(Ground { config: patient, ..bench.ground.clone() }).await.unwrap(), 0);
    assert_eq!(bench.fixture.objects(), 1);
    bench.next_tick().await;
    assert_eq!(sweep::run(bench.ground.clone()).await.unwrap(), 1);
    assert!(bench.find(file).await.is_none());
    assert_eq!(bench.fixture.objects(), 0);
}

#[tokio::test]
async fn the_sweeper_never_takes_the_object_of_an_answered_upload() {
    let bench = Bench::new().await;
    let file = bench.accepted(FileState::Staged).await;
    bench.next_tick().await;
    assert_eq!(sweep::run(bench.ground.clone()).await.unwrap(), 0);
    assert_eq!(bench.find(file).await.unwrap().file.state, FileState::Staged);
    assert_eq!(bench.fixture.objects(), 1);
}

#[tokio::test]
async fn an_upload_that_is_answered_while_the_sweeper_looks_keeps_its_object() {
    let bench = Bench::new().await;
    let (db, storage) = (&bench.ground.backends.db, &bench.ground.backends.storage);
    let (file, key) = bench.uploading().await;
    bench.next_tick().await;
    let silent = db.silent_uploads(Duration::ZERO, 10).await.unwrap().remove(0);
    let stored = storage.put(&key, Bytes::from_static(b"content")).await.unwrap();
    let staged = StagedFile {
        size_bytes: 7,
        sha256: "00".repeat(32),
        content_type: "image/png".to_owned(),
        kind: FileKind::Image,
        state: FileState::Ready,
        version: Some(stored.version),
    };
    db.stage_file(&org(), file, &staged, None).await.unwrap().unwrap();
    assert!(!sweep::close(&bench.ground, &silent).await.unwrap());
    assert_eq!(storage.head(&key).await.unwrap().size, 7);
    assert!(bench.find(file).await.is_some());
}

#[tokio::test]
async fn a_multipart_that_no_row_knows_is_aborted() {
    let bench = Bench::new().await;
    let key = Key::Staging { org: org(), file: FileId::new() };
    bench.ground.backends.storage.create_multipart(&key, 5).await.unwrap();
    bench.next_tick().await;
    assert_eq!(sweep::run(bench.ground.clone()).await.unwrap(), 1);
    assert_eq!(bench.fixture.objects(), 0);
}

#[tokio::test]
async fn a_young_multipart_is_left_to_the_gateway_that_is_about_to_write_its_row() {
    let bench = Bench::new().await;
    let (storage, key) = (&bench.ground.backends.storage, Key::Staging { org: org(), file: FileId::new() });
    storage.create_multipart(&key, 5).await.unwrap();
    let config = MaintenanceConfig { upload_silence_ms: 3_600_000, ..bench.ground.config.clone() };
    assert_eq!(sweep::run(Ground { config, ..bench.ground.clone() }).await.unwrap(), 0);
    assert_eq!(storage.list_multipart("staging/").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_source_is_promoted_once_and_stays_whole() {
    let bench = Bench::new().await;
    let file = bench.accepted(FileState::Ready).await;
    assert_eq!(promote::run(bench.ground.clone()).await.unwrap(), 1);
    assert_eq!(promote::run(bench.ground.clone()).await.unwrap(), 0);
    let source = bench.find(file).await.unwrap().file.source_key;
    assert_eq!(source, Key::Source { org: org(), file });
    assert_eq!(bench.fixture.storage.head(&source).await.unwrap().size, 7);
    assert_eq!(bench.fixture.objects(), 1);
}

#[tokio::test]
async fn what_a_duty_is_at_when_the_gateway_stops_is_ended() {
    let bench = Bench::new().await;
    let (stop, ended) = (CancellationToken::new(), AtomicBool::new(false));
    let leader = Leader::new(bench.ground.backends.db.clone(), ProcessId::new("gateway"), Duration::from_secs(10));
    let duty = Duty::new("promote", Duration::ZERO, leader, stop.clone()).everywhere();
    let action = |()| async {
        stop.cancel();
        tokio::task::yield_now().await;
        ended.store(true, Relaxed);
        Ok(0)
    };
    duty.repeat((), action).await;
    assert!(ended.load(Relaxed), "left half-way");
}

#[tokio::test]
async fn a_promotion_that_died_before_its_delete_is_finished() {
    let bench = Bench::new().await;
    let file = bench.accepted(FileState::Ready).await;
    promote::run(bench.ground.clone()).await.unwrap();
    let staging = Key::Staging { org: org(), file };
    bench.fixture.storage.put(&staging, Bytes::from_static(b"content")).await.unwrap();
    bench.next_tick().await;
    assert_eq!(reconcile(bench.ground.reconciler()).await.unwrap(), 1);
    assert_eq!(bench.fixture.objects(), 1);
    assert!(bench.fixture.storage.head(&staging).await.is_err());
}

#[tokio::test]
async fn a_deleted_file_is_purged_with_all_its_objects() {
    let bench = Bench::new().await;
    let file = bench.accepted(FileState::Ready).await;
    let output = Key::Output { org: org(), file, generation: 1, attempt: 1, name: "720p.mp4".to_owned() };
    let storage = &bench.fixture.storage;
    storage.put(&output, Bytes::from_static(b"x")).await.unwrap();
    storage.create_multipart(&output, 5).await.unwrap();
    let other = bench.accepted(FileState::Ready).await;
    assert!(bench.ground.backends.db.delete_file(&org(), file).await.unwrap());
    assert_eq!(purge::run(bench.ground.clone()).await.unwrap(), 1);
    assert!(bench.ground.backends.db.tombstones(10).await.unwrap().is_empty());
    assert_eq!(bench.fixture.objects(), 1);
    assert!(bench.find(other).await.is_some());
}

#[tokio::test]
async fn a_deleted_file_keeps_its_row_until_its_worker_has_stopped() {
    let bench = Bench::new().await;
    let (db, storage) = (&bench.ground.backends.db, &bench.fixture.storage);
    let file = bench.accepted(FileState::Staged).await;
    let job = db.jobs_of(&org(), file).await.unwrap().remove(0);
    let worker = ProcessId::new("worker");
    let fence = db.begin_attempt(job.id, &worker, &JobPolicy::default()).await.unwrap().unwrap().fence;
    assert!(db.delete_file(&org(), file).await.unwrap());
    assert_eq!(purge::run(bench.ground.clone()).await.unwrap(), 0);
    // What it was storing at that moment.
    let late = Key::Output { org: org(), file, generation: 1, attempt: 1, name: "720p.mp4".to_owned() };
    storage.put(&late, Bytes::from_static(b"x")).await.unwrap();
    db.interrupt_attempt(&fence).await.unwrap();
    assert_eq!(purge::run(bench.ground.clone()).await.unwrap(), 1);
    assert_eq!(bench.fixture.objects(), 0);
}

#[tokio::test]
async fn an_orphan_goes_after_its_grace_and_nothing_else_does() {
    let bench = Bench::new().await;
    let kept = bench.accepted(FileState::Ready).await;
    let orphan = Key::Source { org: org(), file: FileId::new() };
    bench.fixture.storage.put(&orphan, Bytes::from_static(b"x")).await.unwrap();
    bench.next_tick().await;
    let patient = MaintenanceConfig { orphan_grace_ms: 60_000, ..bench.ground.config.clone() };
    assert_eq!(reconcile(Ground { config: patient, ..bench.ground.clone() }.reconciler()).await.unwrap(), 0);
    let cautious = MaintenanceConfig { dry_run: true, ..bench.ground.config.clone() };
    assert_eq!(reconcile(Ground { config: cautious, ..bench.ground.clone() }.reconciler()).await.unwrap(), 0);
    assert_eq!(reconcile(bench.ground.reconciler()).await.unwrap(), 1);
    assert_eq!(bench.fixture.objects(), 1);
    assert!(bench.find(kept).await.is_some());
}

#[tokio::test]
async fn a_store_of_another_deployment_loses_nothing() {
    let bench = Bench::new().await;
    let orphan = Key::Source { org: org(), file: FileId::new() };
    let storage = &bench.fixture.storage;
    storage.put(&orphan, Bytes::from_static(b"x")).await.unwrap();
    storage.put(&Key::Deployment, Bytes::from_static(b"somebody else")).await.unwrap();
    bench.next_tick().await;
    assert!(reconcile(bench.ground.reconciler()).await.is_err());
    storage.delete(&Key::Deployment).await.unwrap();
    assert!(reconcile(bench.ground.reconciler()).await.is_err());
    assert!(storage.head(&orphan).await.is_ok());
}

#[tokio::test]
async fn of_two_gateways_one_leads_and_the_other_takes_over() {
    let bench = Bench::new().await;
    let db = &bench.ground.backends.db;
    let term = Duration::from_secs(60);
    let (first, second) = ("first", "second");
    let [first, second] = [first, second].map(|name| Leader::new(db.clone(), ProcessId::new(name), term));
    first.run_for_office().await;
    second.run_for_office().await;
    assert!(first.holds() && !second.holds());
    let stop = CancellationToken::new();
    stop.cancel();
    first.clone().campaign(stop).await;
    second.run_for_office().await;
    assert!(!first.holds() && second.holds());
}

/// Its term is a minute, of which half has passed when the database goes.
async fn leader_without_a_database() -> Leader {
    let bench = Bench::new().await;
    let db = bench.ground.backends.db.clone();
    let leader = Leader::new(db.clone(), ProcessId::new("a"), Duration::from_secs(60));
    leader.run_for_office().await;
    assert!(leader.holds());
    db.close().await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(30)).await;
    leader
}

#[tokio::test]
async fn a_leader_that_cannot_ask_any_more_is_none_when_its_term_is_over() {
    let leader = leader_without_a_database().await;
    leader.run_for_office().await;
    assert!(leader.holds());
    tokio::time::advance(Duration::from_secs(31)).await;
    assert!(!leader.holds());
}

#[tokio::test]
async fn an_outage_of_the_database_is_no_listening() {
    let leader = leader_without_a_database().await;
    assert!(leader.has_listened_for(Duration::from_secs(29)));
    leader.run_for_office().await;
    assert!(leader.holds() && !leader.has_listened_for(Duration::from_secs(29)));
}

#[tokio::test]
async fn the_gauges_need_all_three_backends() {
    let bench = Bench::new().await;
    let db = bench.ground.backends.db.clone();
    let leader = Leader::new(db, ProcessId::new("a"), Duration::from_secs(60));
    gauges::run(bench.ground.clone(), leader.clone()).await.unwrap();
    bench.fixture.queue.set_away(true);
    assert!(gauges::run(bench.ground.clone(), leader).await.is_err());
}
