//! What is watched: how often files are, and which earned renditions are shown. Counted in memory beside the requests, and told to the
//! database in bulk: no request waits for it, and no two viewers of a film for each other. A gateway that dies has forgotten what it
//! counted within the last second.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use reelgate_common::{
    db::{Db, DbError},
    earned::EarnedPolicy,
    ids::{FileId, OrgId},
    rendition::Rendition,
};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How often the database is told.
const EVERY: Duration = Duration::from_secs(1);
/// Files that one statement after the other is said of in one transaction.
const BATCH: usize = 200;
/// Files whose renditions are remembered to have been told of; over it all is told once more.
const MOST: usize = 50_000;

pub(crate) struct Demand {
    policy: EarnedPolicy,
    views: Mutex<HashMap<FileId, (OrgId, u64)>>,
    /// By file and generation.
    shown: Mutex<HashMap<(FileId, i64), Vec<Showing>>>,
}

/// A rendition that is shown.
struct Showing {
    name: Box<str>,
    /// When the database was last told; `None` when it is to be told.
    told: Option<Instant>,
}

impl Demand {
    pub(crate) fn new(policy: &EarnedPolicy) -> Self {
        Self { policy: policy.clone(), views: Mutex::default(), shown: Mutex::default() }
    }

    /// A lease was opened.
    pub(crate) fn viewed(&self, org: &OrgId, file: FileId) {
        if self.policy.enabled {
            lock(&self.views).entry(file).or_insert_with(|| (org.clone(), 0)).1 += 1;
        }
    }

    /// A rendition is shown. Of what was not earned nobody asks when that was.
    pub(crate) fn shown(&self, rendition: &Rendition) {
        if !rendition.earned {
            return;
        }
        let mut shown = lock(&self.shown);
        let of_file = shown.entry((rendition.file_id, rendition.generation)).or_default();
        match of_file.iter_mut().find(|showing| *showing.name == *rendition.name) {
            Some(showing) => {
                if showing.told.is_some_and(|told| told.elapsed() >= self.policy.touch()) {
                    showing.told = None;
                }
            }
            None => of_file.push(Showing { name: rendition.name.as_str().into(), told: None }),
        }
    }

    /// Tells the database until `stop`, and once more then.
    pub(crate) async fn keep(&self, db: &Db, stop: CancellationToken) {
        let mut turns = interval(EVERY);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(turns.tick()).await.is_some() {
            self.try_tell(db).await;
        }
        self.try_tell(db).await;
    }

    async fn try_tell(&self, db: &Db) {
        if let Err(error) = self.tell(db).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "what is watched is told with the next turn");
        }
    }

    async fn tell(&self, db: &Db) -> Result<(), DbError> {
        let counted: Vec<_> = lock(&self.views).drain().map(|(file, (org, count))| (org, file, count)).collect();
        let mut batches = counted.chunks(BATCH);
        while let Some(batch) = batches.next() {
            if let Err(error) = db.count_views(batch, self.policy.slot()).await {
                self.put_back(batch);
                batches.for_each(|batch| self.put_back(batch));
                return Err(error);
            }
        }
        let untold = self.untold();
        if !untold.is_empty() {
            db.touch_renditions(&untold).await?;
            self.told(&untold);
        }
        Ok(())
    }

    fn put_back(&self, counted: &[(OrgId, FileId, u64)]) {
        let mut views = lock(&self.views);
        for (org, file, count) in counted {
            views.entry(*file).or_insert_with(|| (org.clone(), 0)).1 += count;
        }
    }

    fn untold(&self) -> Vec<(FileId, i64, String)> {
        let shown = lock(&self.shown);
        let untold = shown.iter().flat_map(|((file, generation), of_file)| {
            let untold = of_file.iter().filter(|showing| showing.told.is_none());
            untold.map(|showing| (*file, *generation, showing.name.to_string()))
        });
        untold.collect()
    }

    fn told(&self, told: &[(FileId, i64, String)]) {
        let mut shown = lock(&self.shown);
        for (file, generation, name) in told {
            let of_file = shown.get_mut(&(*file, *generation)).into_iter().flatten();
            of_file.filter(|showing| *showing.name == **name).for_each(|showing| showing.told = Some(Instant::now()));
        }
        if shown.len() > MOST {
            shown.clear();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use reelgate_common::{rendition::RenditionKind, timestamp::Timestamp};

    use super::*;

    fn demand(change: impl FnOnce(&mut EarnedPolicy)) -> Demand {
        let mut policy = EarnedPolicy { enabled: true, ..EarnedPolicy::default() };
        change(&mut policy);
        Demand::new(&policy)
    }

    fn rendition(file_id: FileId, name: &str, earned: bool) -> Rendition {
        Rendition {
            file_id,
            generation: 1,
            attempt: 1,
            name: name.to_owned(),
            kind: RenditionKind::Video,
            content_type: String::new(),
            size_bytes: 1,
            width: None,
            height: None,
            bitrate: None,
            codecs: None,
            duration_ms: None,
            layout: Vec::new(),
            etag: String::new(),
            rank: 0,
            packaging: None,
            details: None,
            earned,
            used_at: None,
            created_at: Timestamp(0),
        }
    }

    #[test]
    fn what_is_shown_is_told_once_until_its_time_has_come_again() {
        let (demand, file) = (demand(|_| ()), FileId::new());
        demand.shown(&rendition(file, "360p", false));
        assert!(demand.untold().is_empty(), "it was made with the file");
        demand.shown(&rendition(file, "1080p", true));
        demand.shown(&rendition(file, "1080p", true));
        let untold = demand.untold();
        assert_eq!(untold, [(file, 1, "1080p".to_owned())]);
        demand.told(&untold);
        demand.shown(&rendition(file, "1080p", true));
        assert!(demand.untold().is_empty());
    }

    #[test]
    fn after_its_time_it_is_told_again() {
        let (demand, file) = (demand(|policy| policy.touch_ms = 0), FileId::new());
        demand.shown(&rendition(file, "1080p", true));
        demand.told(&demand.untold());
        demand.shown(&rendition(file, "1080p", true));
        assert_eq!(demand.untold().len(), 1);
    }

    #[test]
    fn views_add_up_and_what_could_not_be_told_is_not_lost() {
        let (on, org, file) = (demand(|_| ()), OrgId::new("acme"), FileId::new());
        on.viewed(&org, file);
        on.viewed(&org, file);
        on.put_back(&[(org.clone(), file, 3)]);
        assert_eq!(lock(&on.views)[&file], (org.clone(), 5));
        let off = demand(|policy| policy.enabled = false);
        off.viewed(&org, file);
        assert!(lock(&off.views).is_empty());
    }
}
