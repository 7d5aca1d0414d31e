//! Compares the store with the database and deletes what no row accounts for, after a grace period.
//!
//! Two kinds: objects of files that the database does not know, and leftovers of files that it knows (a staging object
//! after promotion, outputs of an attempt that is over and that no rendition names, or of an older generation that no lease
//! shows). Three brakes, because a restored
//! backup or a wrong address makes good objects look like orphans: the store's deployment id must equal the database's;
//! a sweep that would delete more than `stop_objects`, or of unknown files more than `stop_percent` of all objects,
//! deletes nothing; and leftovers are only those that the row has certainly gone beyond.

use std::collections::{HashMap, HashSet, hash_map::Entry};

use futures_util::TryStreamExt;
use reelgate_common::{
    db::FileWithRenditions,
    ids::{FileId, OrgId},
    job::{JobKind, JobRecord, JobState},
    key::Key,
    rendition::Rendition,
    still::{MadeStill, Still},
    storage::ObjectMeta,
    timestamp::Timestamp,
};

use super::{DutyError, Ground, gauges};

/// Objects whose files are looked up at once.
const BATCH: usize = 500;

pub(super) async fn run(ground: Ground) -> Result<u64, DutyError> {
    same_deployment(&ground).await?;
    let mut survey = Survey::default();
    for prefix in ["staging/", "media/"] {
        survey_prefix(&ground, prefix, &mut survey).await?;
    }
    gauges::set("reelgate_orphan_bytes", survey.bytes());
    survey.brake(ground.config.stop_objects, ground.config.stop_percent)?;
    if ground.config.dry_run {
        tracing::info!(
            objects = survey.orphans(),
            size_bytes = survey.bytes(),
            "orphans were found, and left (dry run)"
        );
        return Ok(0);
    }
    for object in survey.unknown.iter().chain(&survey.leftovers) {
        ground.backends.storage.delete(&object.key).await?;
        tracing::info!(key = %object.key, size_bytes = object.size, "an orphan was deleted");
    }
    gauges::set("reelgate_orphan_bytes", 0);
    Ok(survey.orphans() + abort_old_outputs(&ground).await?)
}

/// Multipart uploads of outputs and copies whose process is long gone; those of staging are the sweeper's.
async fn abort_old_outputs(ground: &Ground) -> Result<u64, DutyError> {
    let oldest = Timestamp::now().minus(ground.config.orphan_grace());
    let storage = &ground.backends.storage;
    let mut aborted = 0;
    for pending in storage.list_multipart("media/").await?.iter().filter(|pending| pending.started < oldest) {
        storage.abort_multipart(&pending.key, &pending.upload).await?;
        aborted += 1;
    }
    Ok(aborted)
}

/// What a sweep has seen.
#[derive(Debug, Default)]
struct Survey {
    objects: u64,
    unknown: Vec<ObjectMeta>,
    leftovers: Vec<ObjectMeta>,
}

impl Survey {
    fn orphans(&self) -> u64 {
        (self.unknown.len() + self.leftovers.len()) as u64
    }

    fn bytes(&self) -> u64 {
        self.unknown.iter().chain(&self.leftovers).map(|object| object.size).sum()
    }

    fn brake(&self, most: u64, percent: u64) -> Result<(), Stopped> {
        let unknown = self.unknown.len() as u64;
        if self.orphans() > most || unknown * 100 > self.objects * percent {
            return Err(Stopped::TooMany { orphans: self.orphans(), unknown, objects: self.objects });
        }
        Ok(())
    }
}

/// Why a sweep deleted nothing. An alert: somebody must look.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Stopped {
    #[error("the store bears no deployment id; nothing is deleted")]
    NoDeployment,
    #[error("the store belongs to another deployment than the database; nothing is deleted")]
    OtherDeployment,
    #[error(
        "{orphans} of {objects} objects seem to be orphans, {unknown} of them of unknown files; nothing is deleted \
         (see maintenance.stop_objects and stop_percent)"
    )]
    TooMany { orphans: u64, unknown: u64, objects: u64 },
}

async fn same_deployment(ground: &Ground) -> Result<(), DutyError> {
    let (db, storage) = (&ground.backends.db, &ground.backends.storage);
    let expected = db.deployment_id().await?;
    let key = Key::Deployment;
    let size = match storage.head(&key).await {
        Ok(meta) if meta.size > 0 => meta.size,
        Ok(_) | Err(reelgate_common::storage::StorageError::NotFound { .. }) => {
            return Err(Stopped::NoDeployment.into());
        }
        Err(error) => return Err(error.into()),
    };
    let chunks: Vec<bytes::Bytes> = storage.get(&key, 0..size.min(1024), None).await?.try_collect().await?;
    if chunks.concat().trim_ascii() == expected.as_bytes() { Ok(()) } else { Err(Stopped::OtherDeployment.into()) }
}

async fn survey_prefix(ground: &Ground, prefix: &str, survey: &mut Survey) -> Result<(), DutyError> {
    let oldest = Timestamp::now().minus(ground.config.orphan_grace());
    let mut batches = ground.backends.storage.list(prefix).try_chunks(BATCH);
    while let Some(batch) = batches.try_next().await.map_err(|error| error.1)? {
        survey.objects += batch.len() as u64;
        let old: Vec<ObjectMeta> = batch.into_iter().filter(|object| object.modified < oldest).collect();
        judge_batch(ground, old, survey).await?;
    }
    Ok(())
}

async fn judge_batch(ground: &Ground, objects: Vec<ObjectMeta>, survey: &mut Survey) -> Result<(), DutyError> {
    let files: HashSet<FileId> = objects.iter().filter_map(|object| object.key.file()).collect();
    let known: HashSet<FileId> =
        ground.backends.db.known_files(&files.into_iter().collect::<Vec<_>>()).await?.into_iter().collect();
    let mut rows: HashMap<FileId, Option<Row>> = HashMap::new();
    for object in objects {
        let (Some(file), Some(org)) = (object.key.file(), org_of(&object.key)) else { continue };
        if !known.contains(&file) {
            survey.unknown.push(object);
            continue;
        }
        let row = match rows.entry(file) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(row(ground, org, file).await?),
        };
        if row.as_ref().is_some_and(|row| row.has_outlived(&object.key)) {
            survey.leftovers.push(object);
        }
    }
    Ok(())
}

fn org_of(key: &Key) -> Option<&OrgId> {
    match key {
        Key::Staging { org, .. } | Key::Source { org, .. } | Key::Output { org, .. } | Key::Captions { org, .. } => {
            Some(org)
        }
        Key::Deployment => None,
    }
}

/// What the database says about a file's objects.
#[derive(Debug)]
struct Row {
    source_key: Key,
    generation: i64,
    /// Attempts up to this one are over.
    last_over: i64,
    /// The same of the thumbnail job, which counts its own.
    last_stills_over: i64,
    /// (attempt, name) of every object that a rendition is made of, its segment index included, and of every still.
    named: HashSet<(i64, String)>,
    /// Captions that people have added.
    captions: HashSet<String>,
    /// Generations that somebody still watches.
    pinned: HashSet<i64>,
}

/// `None` for a deleted file: its tombstone has a purge of its own.
async fn row(ground: &Ground, org: &OrgId, file: FileId) -> Result<Option<Row>, DutyError> {
    let db = &ground.backends.db;
    let Some(found) = db.find_file(org, file).await? else { return Ok(None) };
    let jobs = db.jobs_of(org, file).await?;
    let stills = db.made_stills(org, file).await?;
    let pinned = db.pinned_generations(org, file, ground.leases.idle() + ground.leases.touch() * 2).await?;
    Ok(Some(Row::new(&found, &jobs, &stills, pinned)))
}

impl Row {
    fn new(found: &FileWithRenditions, jobs: &[JobRecord], stills: &[(i64, MadeStill)], pinned: HashSet<i64>) -> Self {
        let generation = found.file.generation;
        let of_renditions = found
            .renditions
            .iter()
            .flat_map(|rendition| rendition.outputs().map(|name| (rendition.attempt, name.to_owned())));
        let of_stills =
            stills.iter().filter(|(of, _)| *of == generation).map(|(_, made)| (made.attempt, made.still.name()));
        Self {
            source_key: found.file.source_key.clone(),
            generation,
            last_over: last_over(jobs, generation, JobKind::Process),
            last_stills_over: last_over(jobs, generation, JobKind::Thumbnail),
            named: of_renditions.chain(of_stills).collect(),
            captions: found.renditions.iter().flat_map(Rendition::added).map(str::to_owned).collect(),
            pinned,
        }
    }

    /// Whether the row has certainly gone beyond this object. Never for what the row cannot know yet.
    fn has_outlived(&self, key: &Key) -> bool {
        match key {
            Key::Staging { .. } => matches!(self.source_key, Key::Source { .. }),
            Key::Output { generation, .. } if *generation != self.generation => {
                *generation < self.generation && !self.pinned.contains(generation)
            }
            Key::Output { attempt, name, .. } => {
                let over = if Still::is_name(name) { self.last_stills_over } else { self.last_over };
                *attempt <= over && !self.named.contains(&(*attempt, name.clone()))
            }
            Key::Captions { name, .. } => !self.captions.contains(name),
            Key::Source { .. } | Key::Deployment => false,
        }
    }
}

/// Attempts of a job up to this one are over.
fn last_over(jobs: &[JobRecord], generation: i64, kind: JobKind) -> i64 {
    let of = jobs.iter().filter(|job| job.generation == generation && job.kind == kind);
    let over = of.map(|job| if job.state == JobState::Running { job.attempt - 1 } else { job.attempt });
    over.min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use reelgate_common::storage::Version;

    use super::*;

    fn output(generation: i64, attempt: i64, name: &str) -> Key {
        let org = OrgId::new("acme");
        let file = "0190b6a0-0000-7000-8000-000000000001".parse().unwrap();
        Key::Output { org, file, generation, attempt, name: name.to_owned() }
    }

    fn row() -> Row {
        let (org, file) = (OrgId::new("acme"), FileId::new());
        let named = HashSet::from([(1, "720p.mp4".to_owned()), (2, "480p.mp4".to_owned())]);
        Row {
            source_key: Key::Source { org, file },
            generation: 3,
            last_over: 2,
            last_stills_over: 1,
            named,
            captions: HashSet::from(["en-1.vtt".to_owned()]),
            pinned: HashSet::from([1]),
        }
    }

    #[test]
    fn what_a_rendition_names_is_kept_and_what_an_ended_attempt_left_is_not() {
        let row = row();
        assert!(!row.has_outlived(&output(3, 1, "720p.mp4")));
        assert!(!row.has_outlived(&output(3, 2, "480p.mp4")));
        assert!(row.has_outlived(&output(3, 1, "480p.mp4")));
        assert!(row.has_outlived(&output(2, 1, "720p.mp4")));
        assert!(!row.has_outlived(&output(1, 1, "720p.mp4")), "somebody watches it");
    }

    #[test]
    fn stills_are_judged_by_the_attempts_of_their_own_job() {
        assert!(row().has_outlived(&output(3, 1, "still-0-160.jpg")));
        assert!(!row().has_outlived(&output(3, 2, "still-0-160.jpg")), "its attempt may still run");
    }

    #[test]
    fn captions_that_were_replaced_are_left_over() {
        let (org, file) = (OrgId::new("acme"), FileId::new());
        let key = |name: &str| Key::Captions { org: org.clone(), file, name: name.to_owned() };
        assert!(row().has_outlived(&key("en-0.vtt")));
        assert!(!row().has_outlived(&key("en-1.vtt")));
    }

    #[test]
    fn what_the_row_cannot_know_yet_is_kept() {
        let row = row();
        assert!(!row.has_outlived(&output(3, 3, "360p.mp4")));
        assert!(!row.has_outlived(&output(4, 1, "360p.mp4")), "a restored backup is behind its store");
    }

    #[test]
    fn a_staging_object_is_left_over_only_after_promotion() {
        let (org, file) = (OrgId::new("acme"), FileId::new());
        let staging = Key::Staging { org, file };
        assert!(row().has_outlived(&staging));
        assert!(!Row { source_key: staging.clone(), ..row() }.has_outlived(&staging));
    }

    #[test]
    fn a_sweep_that_would_delete_too_much_deletes_nothing() {
        let object = ObjectMeta {
            key: output(1, 1, "a.mp4"),
            size: 7,
            version: Version("1".to_owned()),
            modified: Timestamp(0),
        };
        let survey = |objects, unknown, leftovers| Survey {
            objects,
            unknown: vec![object.clone(); unknown],
            leftovers: vec![object.clone(); leftovers],
        };
        assert!(survey(10_000, 100, 900).brake(1_000, 1).is_ok());
        assert!(survey(10_000, 101, 0).brake(1_000, 1).is_err());
        assert!(survey(1_000_000, 501, 500).brake(1_000, 1).is_err());
        assert!(survey(5, 0, 4).brake(1_000, 1).is_ok());
        assert!(survey(0, 0, 0).brake(1_000, 1).is_ok());
        assert_eq!(survey(1, 1, 1).bytes(), 14);
    }
}
