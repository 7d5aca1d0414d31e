//! A whole deployment goes to another database and another store: `reelgate import` and `reelgate export`. Where it comes from is an
//! `Origin`, a live deployment or an archive; where it goes to is a `Target` or an archive.
//!
//! Objects go first and rows last. A target that a move has not finished bears a mark in its store with which no server starts
//! (`backends::check_deployment`); the same move again finds the mark, leaves what is there whole, and writes the rows anew. Memory is
//! bounded by a page of rows and a part for each object under way.

mod amend;
mod archive;
mod copy;
mod live;
mod target;

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures_util::{TryStreamExt, stream::BoxStream};
use serde::{Deserialize, Serialize};

use self::copy::{Copied, copy_object};
pub use self::{
    archive::{Archive, ArchiveWriter},
    live::Live,
    target::Target,
};
use crate::{
    backends::BackendsError,
    crash,
    db::{DbError, Row, Table},
    key::Key,
    storage::{SharedStorage, StorageError},
};

/// Rows of one page; the largest of them hold plans and bodies of webhooks.
const PAGE: u64 = 200;

/// An object that a row needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub key: Key,
    /// Bytes, where the rows know it.
    pub size: Option<u64>,
    /// In hex, where it is known.
    pub sha256: Option<String>,
}

impl Wanted {
    #[must_use]
    pub const fn of(key: Key) -> Self {
        Self { key, size: None, sha256: None }
    }
}

/// Why a deployment cannot be moved, or not any further.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    #[error("target_not_empty: {0}; a deployment is only imported into an empty one")]
    TargetNotEmpty(String),
    #[error(
        "target_of_another_import: the target holds a part of {found}, and this is {expected}: finish that, or empty the target"
    )]
    OtherImport { expected: String, found: String },
    #[error("target_busy: another import fills the target: let it end, or end it, and run this one again")]
    Busy,
    #[error(
        "still_served: {what} is being served, at least until {until}: stop its gateways and workers, and wait for that time if they were killed"
    )]
    Served { what: &'static str, until: String },
    #[error(
        "schemas_differ: the origin has the migrations up to {origin}, the target those up to {target}: run `reelgate migrate` of this version on both"
    )]
    Schemas { origin: String, target: String },
    #[error("archive_unusable: {0}")]
    Archive(String),
    #[error("object_damaged: object {key} has another digest than its file's row says: look at the old store")]
    Damaged { key: String },
    #[error("count_differs: {table} has {found} rows in the target instead of {expected}; run the import again")]
    Count { table: Table, expected: u64, found: u64 },
    #[error(transparent)]
    Backends(#[from] BackendsError),
    #[error("the database failed")]
    Db(#[from] DbError),
    #[error("the store failed")]
    Storage(#[from] StorageError),
    #[error("cannot read or write {path}")]
    Disk {
        path: String,
        #[source]
        source: std::io::Error,
    },
}

/// Where a deployment comes from.
#[async_trait]
pub trait Origin: Send + Sync {
    /// What it is called in the mark of a target: the same for each run of the same move.
    fn name(&self) -> String;

    /// Names of its migrations.
    fn migrations(&self) -> &[String];

    /// Nobody changes it now.
    ///
    /// # Errors
    /// `Served`, or it is away.
    async fn is_still(&self) -> Result<(), TransferError>;

    /// Where its objects lie.
    fn storage(&self) -> &SharedStorage;

    /// Every object that a row needs; some may repeat.
    fn objects(&self) -> BoxStream<'_, Result<Wanted, TransferError>>;

    /// The rows of a table in pages.
    fn rows(&self, table: Table) -> BoxStream<'_, Result<Vec<Row>, TransferError>>;
}

/// How far it is. Read while it goes on.
#[derive(Debug, Default)]
pub struct Tally {
    pub copied: AtomicU64,
    pub copied_bytes: AtomicU64,
    /// They lay there already, whole.
    pub there: AtomicU64,
    pub rows: AtomicU64,
    /// Named by rows and not in the store they come from, or shorter there.
    missing: std::sync::Mutex<Vec<Key>>,
    pub missing_objects: AtomicU64,
}

/// How many missing objects are named; the rest is counted.
const NAMED: usize = 100;

/// What came of a move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub rows: u64,
    pub objects_copied: u64,
    pub bytes_copied: u64,
    pub objects_there: u64,
    pub objects_missing: u64,
    /// The first of them.
    pub missing: Vec<String>,
}

impl Tally {
    fn note(&self, wanted: &Wanted, copied: &Copied) {
        let add = |to: &AtomicU64, number| _ = to.fetch_add(number, Ordering::Relaxed);
        match copied {
            Copied::Now { size, .. } => {
                add(&self.copied, 1);
                add(&self.copied_bytes, *size);
                crash::point("import-object");
            }
            Copied::There { .. } => add(&self.there, 1),
            Copied::Missing => {
                add(&self.missing_objects, 1);
                let mut missing = self.missing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if missing.len() < NAMED {
                    missing.push(wanted.key.clone());
                }
            }
        }
    }

    #[must_use]
    pub fn summary(&self) -> Summary {
        let read = |from: &AtomicU64| from.load(Ordering::Relaxed);
        let missing = self.missing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Summary {
            rows: read(&self.rows),
            objects_copied: read(&self.copied),
            bytes_copied: read(&self.copied_bytes),
            objects_there: read(&self.there),
            objects_missing: read(&self.missing_objects),
            missing: missing.iter().map(Key::to_string).collect(),
        }
    }
}

/// Brings every object of the origin that is not there yet, `at_once` at a time.
///
/// # Errors
/// A store or the database stays away, or an object is not what its row says.
async fn copy_objects(
    origin: &dyn Origin,
    to: &SharedStorage,
    at_once: usize,
    tally: &Tally,
) -> Result<(), TransferError> {
    let copy = |wanted: Wanted| async move {
        let copied = copy_object(origin.storage(), to, &wanted).await?;
        tally.note(&wanted, &copied);
        Ok(())
    };
    origin.objects().try_for_each_concurrent(at_once.max(1), copy).await
}
