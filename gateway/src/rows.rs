//! Rows of settled files, kept for at most two seconds (design section 4), longer only while the database is away: a
//! player asks for many ranges per second.
//! A deletion through this gateway is seen at once, one through another gateway when the entry has aged.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use reelgate_common::{
    db::{Db, DbError, FileWithRenditions},
    file::FileState,
    ids::{FileId, OrgId},
    timestamp::Timestamp,
};

use self::questions::{Answer, Questions, Turn, answer};

mod questions;

const MAX_AGE: Duration = Duration::from_secs(2);
const MAX_ROWS: usize = 4_096;

type Held = HashMap<(OrgId, FileId), (Instant, Arc<FileWithRenditions>)>;

/// Up to when what was made of a row may be used, unless something is forgotten meanwhile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fresh {
    until: Instant,
    forgotten: u64,
}

#[derive(Default)]
pub struct Rows {
    held: Mutex<Held>,
    /// How often something was forgotten.
    forgotten: AtomicU64,
    questions: Questions,
    /// Until then the database is not asked for what is held: it gave no answer a moment ago.
    away_until: Mutex<Option<Instant>>,
}

impl Rows {
    /// A file of this organisation, not deleted; at most two seconds old while the database answers.
    ///
    /// # Errors
    /// The database is away.
    pub async fn find(&self, db: &Db, org: &OrgId, file: FileId) -> Result<Option<Arc<FileWithRenditions>>, DbError> {
        if let Some(row) = self.get(org, file, Instant::now()) {
            return Ok(Some(row));
        }
        if self.is_away()
            && let Some(row) = self.any(org, file)
        {
            return Ok(Some(row));
        }
        self.newest(db, org, file).await
    }

    /// As `find`; a row that is held and does not do, for it may lack what has come since, is asked for again.
    ///
    /// # Errors
    /// The database is away.
    pub async fn find_that(
        &self,
        db: &Db,
        org: &OrgId,
        file: FileId,
        does: impl Fn(&FileWithRenditions) -> bool,
    ) -> Result<Option<Arc<FileWithRenditions>>, DbError> {
        match self.find(db, org, file).await? {
            Some(row) if !does(&row) => self.newest(db, org, file).await,
            found => Ok(found),
        }
    }

    /// Not from memory while the database answers. Those who ask at the same time share a question.
    async fn newest(&self, db: &Db, org: &OrgId, file: FileId) -> Result<Option<Arc<FileWithRenditions>>, DbError> {
        loop {
            match self.questions.turn(org, file) {
                Turn::Ask(asker) => {
                    let outcome = Box::pin(self.ask(db, org, file)).await;
                    asker.tell(outcome.as_ref().map_or(Answer::Failed, |row| Answer::Row(row.clone())));
                    return outcome;
                }
                Turn::Wait(waiting) => match answer(waiting).await {
                    Some(Answer::Row(row)) => return Ok(row),
                    Some(Answer::Failed) => return Box::pin(self.ask(db, org, file)).await,
                    None => {}
                },
            }
        }
    }

    /// As `find`, by location. A location names its file, so a row that is held answers without a question; only the row
    /// says whether it is the file's.
    ///
    /// # Errors
    /// The database is away.
    pub async fn find_location(
        &self,
        db: &Db,
        org: &OrgId,
        location: &str,
    ) -> Result<Option<Arc<FileWithRenditions>>, DbError> {
        if let Some(file) = named_file(location)
            && let Some(row) = self.find(db, org, file).await?
            && row.file.location == location
        {
            return Ok(Some(row));
        }
        Ok(db.find_location(org, location).await?.map(Arc::new))
    }

    async fn ask(&self, db: &Db, org: &OrgId, file: FileId) -> Result<Option<Arc<FileWithRenditions>>, DbError> {
        // The age counts from before the question: the answer may be as old as that.
        let asked = Instant::now();
        let row = match db.find_file(org, file).await {
            Ok(Some(row)) => Arc::new(row),
            Ok(None) => {
                self.lock().remove(&(org.clone(), file));
                return Ok(None);
            }
            // What plays goes on while the database is away.
            Err(error @ DbError::Away(_)) => {
                self.set_away();
                return self.any(org, file).map(Some).ok_or(error);
            }
            Err(error) => return Err(error),
        };
        if row.file.state == FileState::Ready {
            self.put(row.clone(), asked);
        }
        Ok(Some(row))
    }

    /// One generation of it, which may be an older one that somebody still watches; not from memory.
    ///
    /// # Errors
    /// The database is away.
    pub async fn generation(
        &self,
        db: &Db,
        org: &OrgId,
        file: FileId,
        generation: i64,
    ) -> Result<Option<Arc<FileWithRenditions>>, DbError> {
        if let Some(row) = self.get(org, file, Instant::now()).filter(|row| row.file.generation == generation) {
            return Ok(Some(row));
        }
        Ok(Box::pin(db.find_generation(org, file, generation)).await?.map(Arc::new))
    }

    /// Makes a deletion, or a source that has moved, seen at once.
    pub fn forget(&self, org: &OrgId, file: FileId) {
        self.questions.forget(org, file);
        self.lock().remove(&(org.clone(), file));
        self.forgotten.fetch_add(1, Ordering::Release);
    }

    /// How long a row that was found may be used; `None` when it is none of those that are held.
    pub(crate) fn freshness(&self, row: &Arc<FileWithRenditions>) -> Option<Fresh> {
        // Read first: what is forgotten from here on is not held below, or makes this stale.
        let forgotten = self.forgotten.load(Ordering::Acquire);
        let held = self.lock();
        let (since, there) = held.get(&(row.file.org_id.clone(), row.file.id))?;
        let left = row.file.labels.expires_at.map_or(MAX_AGE, |end| end.since(Timestamp::now()));
        let until = (*since + MAX_AGE).min(Instant::now() + left.min(MAX_AGE));
        Arc::ptr_eq(there, row).then_some(Fresh { until, forgotten })
    }

    pub(crate) fn is_fresh(&self, fresh: Fresh, now: Instant) -> bool {
        now < fresh.until && self.forgotten.load(Ordering::Acquire) == fresh.forgotten
    }

    fn get(&self, org: &OrgId, file: FileId, now: Instant) -> Option<Arc<FileWithRenditions>> {
        let held = self.lock();
        let (since, row) = held.get(&(org.clone(), file))?;
        (now.duration_since(*since) < MAX_AGE && !has_ended(row)).then(|| row.clone())
    }

    /// However old.
    fn any(&self, org: &OrgId, file: FileId) -> Option<Arc<FileWithRenditions>> {
        self.lock().get(&(org.clone(), file)).map(|(_, row)| row.clone()).filter(|row| !has_ended(row))
    }

    fn is_away(&self) -> bool {
        let until = *self.away_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    fn set_away(&self) {
        let until = Instant::now() + MAX_AGE;
        *self.away_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    fn put(&self, row: Arc<FileWithRenditions>, asked: Instant) {
        let mut held = self.lock();
        if held.len() >= MAX_ROWS {
            held.retain(|_, (since, _)| since.elapsed() < MAX_AGE);
        }
        if held.len() < MAX_ROWS {
            held.insert((row.file.org_id.clone(), row.file.id), (asked, row));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// By this gateway's clock; whoever finds it so asks the database, whose clock decides.
fn has_ended(row: &FileWithRenditions) -> bool {
    row.file.labels.expires_at.is_some_and(|end| end <= Timestamp::now())
}

/// Of `{yyyy}/{mm}/{file}/{safe-name}`.
fn named_file(location: &str) -> Option<FileId> {
    location.split('/').nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use reelgate_common::{
        file::{FileKind, FileRecord},
        ids::UserId,
        key::Key,
        labels::Labels,
    };

    use super::*;

    fn row() -> Arc<FileWithRenditions> {
        let (id, org_id) = (FileId::new(), OrgId::new("acme"));
        let file = FileRecord {
            id,
            org_id: org_id.clone(),
            owner_id: UserId::new("alice"),
            location: "l".to_owned(),
            filename: "film.mp4".to_owned(),
            name_key: String::new(),
            content_type: "video/mp4".to_owned(),
            size_bytes: 10,
            sha256: "ab".to_owned(),
            kind: FileKind::Video,
            state: FileState::Ready,
            progress: 1.0,
            failure: None,
            generation: 1,
            media: None,
            grid: None,
            source_key: Key::Source { org: org_id, file: id },
            staged_version: None,
            created_at: Timestamp(1),
            updated_at: Timestamp(1),
            ready_at: None,
            labels: Labels::default(),
            trashed_at: None,
            deleted_at: None,
        };
        Arc::new(FileWithRenditions { file, renditions: Vec::new() })
    }

    #[test]
    fn what_was_made_of_a_row_is_fresh_as_long_as_the_row_and_until_anything_is_forgotten() {
        let (rows, held, other, asked) = (Rows::default(), row(), row(), Instant::now());
        rows.put(held.clone(), asked);
        let fresh = rows.freshness(&held).unwrap();
        assert!(rows.is_fresh(fresh, asked) && rows.is_fresh(fresh, asked + MAX_AGE - Duration::from_millis(1)));
        assert!(!rows.is_fresh(fresh, asked + MAX_AGE), "a row counts from when it was asked for");
        rows.forget(&other.file.org_id, other.file.id);
        assert!(!rows.is_fresh(fresh, asked));
        assert!(rows.is_fresh(rows.freshness(&held).unwrap(), asked));
    }

    #[test]
    fn a_row_that_is_not_held_or_not_any_more_is_never_fresh() {
        let (rows, held) = (Rows::default(), row());
        assert!(rows.freshness(&held).is_none());
        rows.put(held.clone(), Instant::now());
        let newer = Arc::new(FileWithRenditions { file: held.file.clone(), renditions: Vec::new() });
        assert!(rows.freshness(&newer).is_none(), "another answer about the same file");
        rows.forget(&held.file.org_id, held.file.id);
        assert!(rows.freshness(&held).is_none());
    }
}
