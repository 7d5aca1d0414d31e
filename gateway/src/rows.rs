//! Rows of settled files, kept for at most two seconds (design section 4): a player asks for many ranges per second.
//! A deletion through this gateway is seen at once, one through another gateway when the entry has aged.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use reelgate_common::{
    db::{Db, DbError, FileWithRenditions},
    file::FileState,
    ids::{FileId, OrgId},
};

const MAX_AGE: Duration = Duration::from_secs(2);
const MAX_ROWS: usize = 4_096;

type Held = HashMap<(OrgId, FileId), (Instant, Arc<FileWithRenditions>)>;

#[derive(Default)]
pub struct Rows {
    held: Mutex<Held>,
}

impl Rows {
    /// A file of this organisation, not deleted; at most two seconds old.
    ///
    /// # Errors
    /// The database is away.
    pub async fn find(&self, db: &Db, org: &OrgId, file: FileId) -> Result<Option<Arc<FileWithRenditions>>, DbError> {
        if let Some(row) = self.get(org, file, Instant::now()) {
            return Ok(Some(row));
        }
        // The age counts from before the question: the answer may be as old as that.
        let asked = Instant::now();
        let Some(row) = db.find_file(org, file).await?.map(Arc::new) else { return Ok(None) };
        if row.file.state == FileState::Ready {
            self.put(row.clone(), asked);
        }
        Ok(Some(row))
    }

    /// Makes a deletion, or a source that has moved, seen at once.
    pub fn forget(&self, org: &OrgId, file: FileId) {
        self.lock().remove(&(org.clone(), file));
    }

    fn get(&self, org: &OrgId, file: FileId, now: Instant) -> Option<Arc<FileWithRenditions>> {
        let held = self.lock();
        let (since, row) = held.get(&(org.clone(), file))?;
        (now.duration_since(*since) < MAX_AGE).then(|| row.clone())
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
