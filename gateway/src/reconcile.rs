//! Compares database and store, and mends what differs: files that nothing moves (`stuck`), rows whose objects are gone
//! (`missing`), objects that no row accounts for (`orphans`), parts of uploads that ended (`parts`), and what a store keeps of
//! objects that were deleted (`versions`).
//!
//! Always on in the gateway that leads, and to be run by hand (`reelgate reconcile`). A restored backup or a wrong address makes
//! good things look bad, so there are brakes: the store's deployment id must equal the database's; what is young is left alone;
//! and when more differs than is likely, nothing is deleted and somebody must look.

mod deployment;
mod missing;
mod orphans;
mod parts;
mod report;
mod row;
mod stuck;
mod versions;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reelgate_common::{
    db::{Db, DbError},
    ids::FileId,
    lease::LeasesConfig,
    storage::{SharedStorage, StorageError},
    timestamp::Timestamp,
};

pub use self::report::{Discrepancy, Finding, Remedy, Report, Stopped};
use crate::maintenance::config::MaintenanceConfig;

/// Database or store failed in the middle of a turn: what was mended is mended, the next turn goes on.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error("the database failed")]
    Db(#[from] DbError),
    #[error("the store failed")]
    Storage(#[from] StorageError),
}

/// How many files' objects a turn looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Those of the next `maintenance.check_files`.
    Next,
    /// Those of all.
    All,
}

/// Compares and mends, a turn at a time.
#[derive(Clone)]
pub struct Reconciler {
    db: Db,
    storage: SharedStorage,
    config: MaintenanceConfig,
    leases: LeasesConfig,
    /// The file whose objects were looked for last; each turn looks for those of the next few.
    checked: Arc<Mutex<Option<FileId>>>,
}

impl Reconciler {
    #[must_use]
    pub fn new(db: Db, storage: SharedStorage, config: MaintenanceConfig, leases: LeasesConfig) -> Self {
        Self { db, storage, config, leases, checked: Arc::default() }
    }

    /// One turn. With `maintenance.dry_run` it only looks.
    ///
    /// # Errors
    /// Database or store are away.
    pub async fn turn(&self, scope: Scope) -> Result<Report, ReconcileError> {
        let mut report = Report::new(self.config.dry_run);
        if let Err(stopped) = self.same_deployment().await? {
            report.stop(stopped);
            return Ok(report);
        }
        self.mend_stuck(&mut report).await?;
        self.find_missing(&mut report).await?;
        while scope == Scope::All && self.after().is_some() {
            self.find_missing(&mut report).await?;
        }
        self.sweep_orphans(&mut report).await?;
        if report.stopped().is_none() {
            self.abort_parts(&mut report).await?;
            self.sweep_versions(&mut report).await?;
        }
        Ok(report)
    }

    /// What has been as it is since before this may be judged. By the clock that says it is earlier: one that was set wrong must
    /// not make young things old.
    async fn settled(&self) -> Result<Timestamp, DbError> {
        Ok(self.db.clock().await?.min(Timestamp::now()).minus(self.config.orphan_grace()))
    }

    /// Longer than a lease whose viewer has gone may still be in the rows.
    fn pin_memory(&self) -> Duration {
        self.leases.idle() + self.leases.touch() * 2
    }

    fn after(&self) -> Option<FileId> {
        *self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_after(&self, file: Option<FileId>) {
        *self.checked.lock().unwrap_or_else(PoisonError::into_inner) = file;
    }
}
