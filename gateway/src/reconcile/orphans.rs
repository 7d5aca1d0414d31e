//! Objects that no row accounts for: those of files that the database does not know, and leftovers of files that it knows (a
//! staging object after promotion, outputs of an attempt that is over and that no rendition names, or of an older generation
//! that nobody watches). Leftovers are only what the row has certainly gone beyond.

use std::collections::{HashMap, HashSet, hash_map::Entry};

use futures_util::TryStreamExt;
use reelgate_common::{
    ids::{FileId, OrgId},
    key::Key,
    metric::ORPHAN_BYTES,
    storage::ObjectMeta,
};

use super::{Discrepancy, ReconcileError, Reconciler, Remedy, Report, Stopped, row::Row};

/// Objects whose files are looked up at once.
const BATCH: usize = 500;

impl Reconciler {
    pub(super) async fn sweep_orphans(&self, report: &mut Report) -> Result<(), ReconcileError> {
        let mut survey = Survey::keeping(self.config.stop_objects);
        for prefix in ["staging/", "media/"] {
            self.survey(prefix, &mut survey).await?;
        }
        ORPHAN_BYTES.set(survey.bytes);
        if let Err(stopped) = survey.brake(self.config.stop_objects, self.config.stop_percent) {
            report.stop(stopped);
            return Ok(());
        }
        for (what, object) in survey.found {
            if !report.is_dry() {
                self.storage.delete(&object.key).await?;
                survey.bytes -= object.size;
                ORPHAN_BYTES.set(survey.bytes);
            }
            report.note(what, &object.key, object.size, Remedy::Deleted);
        }
        Ok(())
    }

    async fn survey(&self, prefix: &str, survey: &mut Survey) -> Result<(), ReconcileError> {
        let oldest = self.settled().await?;
        let mut batches = self.storage.list(prefix).try_chunks(BATCH);
        while let Some(batch) = batches.try_next().await.map_err(|error| error.1)? {
            survey.objects += batch.len() as u64;
            let old: Vec<ObjectMeta> = batch.into_iter().filter(|object| object.modified < oldest).collect();
            self.judge(old, survey).await?;
        }
        Ok(())
    }

    async fn judge(&self, objects: Vec<ObjectMeta>, survey: &mut Survey) -> Result<(), ReconcileError> {
        let files: HashSet<FileId> = objects.iter().filter_map(|object| object.key.file()).collect();
        let files: Vec<FileId> = files.into_iter().collect();
        let known: HashSet<FileId> = self.db.known_files(&files).await?.into_iter().collect();
        let mut rows: HashMap<FileId, Option<Row>> = HashMap::new();
        for object in objects {
            let (Some(file), Some(org)) = (object.key.file(), org_of(&object.key)) else { continue };
            if !known.contains(&file) {
                survey.note(Discrepancy::UnknownObject, object);
                continue;
            }
            let row = match rows.entry(file) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(self.row(org, file).await?),
            };
            if row.as_ref().is_some_and(|row| row.has_outlived(&object.key)) {
                survey.note(Discrepancy::Leftover, object);
            }
        }
        Ok(())
    }

    /// `None` for a deleted file: its tombstone has a purge of its own.
    async fn row(&self, org: &OrgId, file: FileId) -> Result<Option<Row>, ReconcileError> {
        let db = &self.db;
        let Some(found) = db.find_file(org, file).await? else { return Ok(None) };
        let jobs = db.jobs_of(org, file).await?;
        let stills = db.made_stills(org, file).await?;
        let pinned = db.pinned_generations(org, file, self.pin_memory()).await?;
        let dropped = db.dropped_of(org, file).await?;
        Ok(Some(Row::new(&found, &jobs, &stills, &dropped, pinned)))
    }
}

/// What a sweep has seen.
#[derive(Debug)]
struct Survey {
    /// More than this are only counted: nothing will be deleted then.
    most: u64,
    objects: u64,
    orphans: u64,
    unknown: u64,
    /// Of the orphans.
    bytes: u64,
    found: Vec<(Discrepancy, ObjectMeta)>,
}

impl Survey {
    fn keeping(most: u64) -> Self {
        Self { most, objects: 0, orphans: 0, unknown: 0, bytes: 0, found: Vec::new() }
    }

    fn note(&mut self, what: Discrepancy, object: ObjectMeta) {
        self.orphans += 1;
        self.unknown += u64::from(what == Discrepancy::UnknownObject);
        self.bytes += object.size;
        if self.orphans <= self.most {
            self.found.push((what, object));
        }
    }

    fn brake(&self, most: u64, percent: u64) -> Result<(), Stopped> {
        let Self { orphans, unknown, objects, .. } = *self;
        if orphans > most || unknown * 100 > objects * percent {
            return Err(Stopped::TooMany { orphans, unknown, objects });
        }
        Ok(())
    }
}

fn org_of(key: &Key) -> Option<&OrgId> {
    match key {
        Key::Staging { org, .. }
        | Key::Tail { org, .. }
        | Key::Source { org, .. }
        | Key::Output { org, .. }
        | Key::Captions { org, .. } => Some(org),
        Key::Deployment => None,
    }
}

#[cfg(test)]
mod tests {
    use reelgate_common::{storage::Version, timestamp::Timestamp};

    use super::*;

    fn survey(objects: u64, unknown: u64, leftovers: u64) -> Survey {
        let object = ObjectMeta {
            key: Key::Staging { org: OrgId::new("acme"), file: FileId::new() },
            size: 7,
            version: Version("1".to_owned()),
            modified: Timestamp(0),
        };
        let mut survey = Survey { objects, ..Survey::keeping(1_000) };
        (0..unknown).for_each(|_| survey.note(Discrepancy::UnknownObject, object.clone()));
        (0..leftovers).for_each(|_| survey.note(Discrepancy::Leftover, object.clone()));
        survey
    }

    #[test]
    fn a_sweep_that_would_delete_too_much_deletes_nothing() {
        assert!(survey(10_000, 100, 900).brake(1_000, 1).is_ok());
        assert!(survey(10_000, 101, 0).brake(1_000, 1).is_err());
        assert!(survey(1_000_000, 501, 500).brake(1_000, 1).is_err());
        assert!(survey(5, 0, 4).brake(1_000, 1).is_ok());
        assert!(survey(0, 0, 0).brake(1_000, 1).is_ok());
        assert_eq!(survey(1, 1, 1).bytes, 14);
    }

    #[test]
    fn what_is_too_much_is_counted_and_not_kept() {
        let survey = survey(10_000, 0, 1_500);
        assert_eq!((survey.orphans, survey.bytes, survey.found.len()), (1_500, 10_500, 1_000));
    }
}
