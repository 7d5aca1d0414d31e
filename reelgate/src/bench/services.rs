//! Store, database and queue, each for a few seconds, under names of the bench's own that are deleted afterwards.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::TryStreamExt;
use reelgate_common::{
    db::Db,
    ids::{FileId, JobId, OrgId, ProcessId},
    key::Key,
    lane::{Lane, Lanes},
    queue::{Entry, SharedQueue, config::QueueConfig},
    storage::SharedStorage,
    timestamp::Timestamp,
};
use tokio_util::sync::CancellationToken;

use super::report::{COMMIT, Figure, SMALL_PUT, median_ms, mib_per_second};

const ORG: &str = "reelgate-bench";
const LARGE_PART: usize = 16 << 20;
const LARGE_PARTS: u32 = 4;
const SMALL: usize = 16 << 10;
/// Objects at most, and how long they may take.
const SMALL_OBJECTS: u32 = 50;
const FEW_SECONDS: Duration = Duration::from_secs(3);
const COMMITTERS: u32 = 8;
const LEASE: Duration = Duration::from_secs(30);
const JOBS: usize = 2_000;

/// A store, and the file that does not exist under whose name the bench writes.
pub(super) struct Store<'a> {
    storage: &'a SharedStorage,
    file: FileId,
}

impl<'a> Store<'a> {
    pub(super) fn new(storage: &'a SharedStorage) -> Self {
        Self { storage, file: FileId::new() }
    }

    fn key(&self, number: u32) -> Key {
        let (org, name) = (OrgId::new(ORG), format!("bench-{number}.bin"));
        Key::Output { org, file: self.file, generation: 1, attempt: 1, name }
    }

    /// Bytes by parts, and small objects one after the other.
    pub(super) async fn measured(&self, enough: &CancellationToken) -> anyhow::Result<Vec<Figure>> {
        Ok([self.throughput(enough).await?, self.latencies(enough).await?].concat())
    }

    pub(super) async fn cleaned(&self) -> anyhow::Result<()> {
        let prefix = Key::file_prefix(&OrgId::new(ORG), self.file);
        for pending in self.storage.list_multipart(&prefix).await? {
            self.storage.abort_multipart(&pending.key, &pending.upload).await?;
        }
        let stored: Vec<_> = self.storage.list(&prefix).try_collect().await?;
        for object in stored {
            self.storage.delete(&object.key).await?;
        }
        Ok(())
    }

    async fn throughput(&self, enough: &CancellationToken) -> anyhow::Result<Vec<Figure>> {
        let (key, part) = (self.key(0), Bytes::from(noise(LARGE_PART)));
        let begun = Instant::now();
        let upload = self.storage.create_multipart(&key, LARGE_PART as u64).await?;
        let mut tags = Vec::new();
        for number in 0..LARGE_PARTS {
            anyhow::ensure!(!enough.is_cancelled(), "ended early");
            tags.push(self.storage.put_part(&key, &upload, number, vec![part.clone()]).await?);
        }
        let stored = self.storage.complete_multipart(&key, &upload, tags).await?;
        let write = mib_per_second(stored.size, begun.elapsed());
        let begun = Instant::now();
        let mut chunks = self.storage.get(&key, 0..stored.size, None).await?;
        while !enough.is_cancelled() && chunks.try_next().await?.is_some() {}
        let read = mib_per_second(stored.size, begun.elapsed());
        Ok(vec![
            Figure { name: "store_write", value: write, unit: "MiB/s", of: "store, writing one object in parts" },
            Figure { name: "store_read", value: read, unit: "MiB/s", of: "store, reading it" },
        ])
    }

    async fn latencies(&self, enough: &CancellationToken) -> anyhow::Result<Vec<Figure>> {
        let (body, begun) = (Bytes::from(noise(SMALL)), Instant::now());
        let (mut puts, mut gets) = (Vec::new(), Vec::new());
        for number in 1..=SMALL_OBJECTS {
            let (key, asked) = (self.key(number), Instant::now());
            self.storage.put(&key, body.clone()).await?;
            puts.push(asked.elapsed());
            let asked = Instant::now();
            self.storage.get(&key, 0..SMALL as u64, None).await?.try_collect::<Vec<_>>().await?;
            gets.push(asked.elapsed());
            if begun.elapsed() > FEW_SECONDS || enough.is_cancelled() {
                break;
            }
        }
        let (put, get) = (median_ms(puts), median_ms(gets));
        Ok(vec![
            Figure { name: SMALL_PUT, value: put, unit: "ms", of: "store, writing 16 KiB (median)" },
            Figure { name: "store_small_read_latency", value: get, unit: "ms", of: "store, reading 16 KiB (median)" },
        ])
    }
}

/// What no store makes smaller: xorshift.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..bytes.div_ceil(8)).flat_map(|_| next()).take(bytes).collect()
}

/// A database, and the offices in it that only the bench holds.
pub(super) struct Database<'a> {
    db: &'a Db,
    holder: ProcessId,
}

impl<'a> Database<'a> {
    pub(super) fn new(db: &'a Db) -> Self {
        Self { db, holder: ProcessId::new(format!("bench-{}", uuid::Uuid::new_v4().simple())) }
    }

    fn office(&self, number: u32) -> String {
        format!("{}-{number}", self.holder.as_str())
    }

    /// Commits of one small row each: an office that is taken again and again.
    pub(super) async fn measured(&self, enough: &CancellationToken) -> anyhow::Result<Vec<Figure>> {
        let (begun, mut alone) = (Instant::now(), Vec::new());
        while begun.elapsed() < FEW_SECONDS / 2 && !enough.is_cancelled() {
            let asked = Instant::now();
            self.commit(0).await?;
            alone.push(asked.elapsed());
        }
        let begun = Instant::now();
        let committers = (0..COMMITTERS).map(|number| async move {
            let mut commits = 0_u32;
            while begun.elapsed() < FEW_SECONDS / 2 && !enough.is_cancelled() {
                self.commit(number).await?;
                commits += 1;
            }
            anyhow::Ok(commits)
        });
        let commits: u32 = futures_util::future::try_join_all(committers).await?.iter().sum();
        let rate = f64::from(commits) / begun.elapsed().as_secs_f64();
        Ok(vec![
            Figure { name: COMMIT, value: median_ms(alone), unit: "ms", of: "database, one commit (median)" },
            Figure { name: "commits", value: rate, unit: "a second", of: "database, commits of eight at once" },
        ])
    }

    async fn commit(&self, number: u32) -> anyhow::Result<()> {
        self.db.hold_office(&self.office(number), &self.holder, LEASE).await?;
        Ok(())
    }

    pub(super) async fn cleaned(&self) -> anyhow::Result<()> {
        for number in 0..COMMITTERS {
            self.db.leave_office(&self.office(number), &self.holder).await?;
        }
        Ok(())
    }
}

/// The same queue under a prefix that nobody else has.
pub(super) fn own_queue(config: &QueueConfig) -> QueueConfig {
    let prefix = format!("{}-bench-{}", config.prefix, uuid::Uuid::new_v4().simple());
    QueueConfig { prefix, per_org: JOBS, ..config.clone() }
}

/// Jobs that are claimed and completed by eight at once. The queue is the bench's own, and is forgotten afterwards.
pub(super) async fn queue(queue: &SharedQueue, enough: &CancellationToken) -> anyhow::Result<Vec<Figure>> {
    let org = OrgId::new(ORG);
    let entry = || Entry {
        job_id: JobId::new(),
        org_id: org.clone(),
        lane: Lane::Small,
        priority: 50,
        run_at: Timestamp::now(),
        due: true,
    };
    let entries: Vec<Entry> = (0..JOBS).map(|_| entry()).collect();
    queue.enqueue(&entries).await?;
    let worker = ProcessId::new("bench");
    let begun = Instant::now();
    let claimers = (0..COMMITTERS).map(|_| async {
        let mut claimed = 0_u32;
        while begun.elapsed() < FEW_SECONDS && !enough.is_cancelled() {
            let Some(claim) = queue.claim(&worker, Lanes::ALL, LEASE).await? else { break };
            queue.complete(&claim).await?;
            claimed += 1;
        }
        anyhow::Ok(claimed)
    });
    let claimed: u32 = futures_util::future::try_join_all(claimers).await?.iter().sum();
    let value = f64::from(claimed) / begun.elapsed().as_secs_f64();
    Ok(vec![Figure { name: "claims", value, unit: "a second", of: "queue, jobs claimed and completed" }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_as_long_as_wanted_and_no_pattern() {
        let noise = noise(10_001);
        assert_eq!(noise.len(), 10_001);
        assert!((0..=255_u8).all(|byte| noise.contains(&byte)));
    }
}
