//! Rows whose objects are gone or too short. Each turn looks for those of some files more, by one listing each, so that a large
//! deployment is not listed twice an hour.
//!
//! A rendition is withdrawn and made anew as long as its source is there. A missing source cannot be mended and is only told: it may
//! come back with the rest of a restored backup.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use reelgate_common::{
    db::{FileWithRenditions, Withdrawn},
    key::Key,
    metric::FILES_MISSING_OBJECTS,
    rendition::{Rendition, Role},
    storage::StorageError,
};

use super::{Discrepancy, ReconcileError, Reconciler, Remedy, Report, Stopped};

/// So many may miss objects whatever their share is: half the files of a deployment of four are no sign of a wrong bucket.
const FLOOR: u64 = 10;

/// Something a file's rows name and the store has not.
#[derive(Debug, Clone)]
struct Missing {
    key: Key,
    /// `None`: the source itself.
    rendition: Option<Rendition>,
}

impl Reconciler {
    pub(super) async fn find_missing(&self, report: &mut Report) -> Result<(), ReconcileError> {
        let files = self.db.files_after(self.after(), self.settled().await?, self.config.check_files).await?;
        let mut found = Vec::new();
        for file in &files {
            let objects = self.objects_of(file).await?;
            let missing = missing(file, &objects);
            if !missing.is_empty() {
                found.push((file, missing));
            }
        }
        FILES_MISSING_OBJECTS.set(found.len() as u64);
        // Begins anew after the last.
        self.set_after(files.last().map(|last| last.file.id).filter(|_| files.len() as u64 == self.config.check_files));
        if let Err(stopped) = brake(found.len() as u64, files.len() as u64, self.config.stop_percent) {
            report.stop(stopped);
            return Ok(());
        }
        for (file, missing) in found {
            self.mend_missing(file, missing, report).await?;
        }
        Ok(())
    }

    /// Sizes by key. After the rows were read, so that what they name was there before.
    async fn objects_of(&self, file: &FileWithRenditions) -> Result<HashMap<Key, u64>, ReconcileError> {
        let record = &file.file;
        let mut objects = HashMap::new();
        let mut listed = self.storage.list(&Key::file_prefix(&record.org_id, record.id));
        while let Some(object) = listed.try_next().await? {
            objects.insert(object.key, object.size);
        }
        if let key @ Key::Staging { .. } = &record.source_key
            && let Some(size) = self.size_of(key).await?
        {
            objects.insert(key.clone(), size);
        }
        Ok(objects)
    }

    async fn size_of(&self, key: &Key) -> Result<Option<u64>, ReconcileError> {
        match self.storage.head(key).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(StorageError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn mend_missing(
        &self,
        file: &FileWithRenditions,
        missing: Vec<Missing>,
        report: &mut Report,
    ) -> Result<(), ReconcileError> {
        let has_source = missing.iter().all(|it| it.rendition.is_some());
        for Missing { key, rendition } in missing {
            let remedy = match rendition {
                Some(rendition) if has_source && is_made(&rendition) => {
                    self.withdraw(file, &rendition, &key, report).await?
                }
                _ => Some(Remedy::Reported),
            };
            if let Some(remedy) = remedy {
                report.note(Discrepancy::MissingObject, &key, 0, remedy);
            }
        }
        Ok(())
    }

    /// `None` when it is there by now.
    async fn withdraw(
        &self,
        file: &FileWithRenditions,
        gone: &Rendition,
        key: &Key,
        report: &Report,
    ) -> Result<Option<Remedy>, ReconcileError> {
        if report.is_dry() {
            return Ok(Some(Remedy::Queued));
        }
        // A listing is no proof: the object itself is asked for.
        if self.size_of(key).await?.is_some_and(|size| size >= needed(gone, key)) {
            return Ok(None);
        }
        let withdrawn = self.db.withdraw_rendition(&file.file.org_id, gone).await?;
        Ok((withdrawn == Withdrawn::Queued).then_some(Remedy::Queued))
    }
}

/// One entry for the source, and one for each rendition that lacks something.
fn missing(file: &FileWithRenditions, objects: &HashMap<Key, u64>) -> Vec<Missing> {
    let record = &file.file;
    let has = |key: &Key, bytes: u64| objects.get(key).is_some_and(|size| *size >= bytes);
    let source = (!has(&record.source_key, record.size_bytes))
        .then(|| Missing { key: record.source_key.clone(), rendition: None });
    let renditions = file.renditions.iter().filter_map(|rendition| {
        let key = rendition.keys(&record.org_id).find(|key| !has(key, needed(rendition, key)))?;
        Some(Missing { key, rendition: Some(rendition.clone()) })
    });
    source.into_iter().chain(renditions).collect()
}

/// How many bytes of this object the rendition wants.
fn needed(rendition: &Rendition, key: &Key) -> u64 {
    let of_key = |role: &Role| match (role, key) {
        (Role::Output(name), Key::Output { name: of, .. }) | (Role::Captions(name), Key::Captions { name: of, .. }) => {
            name == of
        }
        _ => false,
    };
    let ends = rendition.layout.iter().filter(|piece| of_key(&piece.object)).map(|piece| piece.offset + piece.length);
    // An index is not part of the layout; an empty one is none.
    ends.max().unwrap_or(1)
}

/// By a job, which can make it again; not added by a person.
fn is_made(rendition: &Rendition) -> bool {
    rendition.added().next().is_none()
}

fn brake(missing: u64, checked: u64, percent: u64) -> Result<(), Stopped> {
    if missing > FLOOR && missing * 100 > checked * percent {
        return Err(Stopped::TooManyMissing { missing, checked });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_in_which_much_is_missing_is_left_alone() {
        assert!(brake(10, 10, 1).is_ok());
        assert!(brake(11, 1_000, 1).is_err());
        assert!(brake(11, 1_100, 1).is_ok());
    }
}
