//! Opens the three backends by their configured addresses, and makes sure that database and store belong together. The
//! only place that knows which kinds there are.

use std::path::Path;

use bytes::Bytes;
use futures_util::TryStreamExt;

use crate::{
    config::{ConfigError, RawConfig},
    db::{Db, DbError, config::DatabaseConfig},
    key::Key,
    lane::LanePolicy,
    queue::{self, QueueError, SharedQueue, config::QueueConfig},
    storage::{
        SharedStorage, StorageError, config::StorageConfig, file::DirectoryStorage, measured::Measured, s3::S3Storage,
    },
};

/// Longer than any deployment id; what is longer is not one of ours.
const MAX_DEPLOYMENT_ID: u64 = 256;
/// How the mark of a store begins that an import has not finished; what follows says of what.
pub(crate) const IMPORTING: &str = "import of ";

/// Database, storage and queue of one process.
#[derive(Clone)]
pub struct Backends {
    pub db: Db,
    pub storage: SharedStorage,
    pub queue: SharedQueue,
}

/// Why the backends cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BackendsError {
    #[error("storage.url {0:?} is neither file:DIR nor s3://BUCKET/PREFIX")]
    UnknownStorage(String),
    #[error("{key} is {kind}, which only `reelgate all` can use; set it to {wanted}")]
    Embedded { key: &'static str, kind: &'static str, wanted: &'static str },
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Database(#[from] DbError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(
        "the store belongs to deployment {found:?}, but the database is of deployment {expected:?}: \
         point storage.url and database.url at the same deployment, or use an empty prefix"
    )]
    OtherDeployment { expected: String, found: String },
    #[error(
        "the {0} into this store is not finished: run `reelgate import` as before, it goes on where it was cut short"
    )]
    Importing(String),
    #[error(
        "the store holds objects (such as {0}) but does not say to which deployment they belong: \
         use an empty prefix, or put the database's deployment id into the object `deployment`"
    )]
    UnmarkedStore(String),
}

impl Backends {
    /// Opens all three. Which kinds a footing permits is the caller's to decide; nothing is migrated.
    ///
    /// # Errors
    /// An address cannot be read, or what it names is away.
    pub async fn open(
        database: &DatabaseConfig,
        queue: &QueueConfig,
        storage: &StorageConfig,
    ) -> Result<Self, BackendsError> {
        Ok(Self {
            db: Db::connect(database).await?,
            storage: measured(open_storage(storage)?),
            queue: queue::open(queue).await?,
        })
    }

    /// The same; the jobs that are made through them go into lanes by this policy.
    #[must_use]
    pub fn with_lanes(self, lanes: LanePolicy) -> Self {
        Self { db: self.db.with_lanes(lanes), ..self }
    }

    /// Opens what a gateway and a worker of a production deployment share, and checks that it belongs together. The kinds
    /// that only one process can use are refused: two processes would each have a queue or a file lock of their own.
    ///
    /// # Errors
    /// A section cannot be used, an address is of an embedded kind, or a service is away or not ours.
    pub async fn open_shared(raw: &RawConfig) -> Result<Self, BackendsError> {
        let (database, queue): (DatabaseConfig, QueueConfig) = (raw.section("database")?, raw.section("queue")?);
        if database.url.expose().starts_with("sqlite:") {
            return Err(BackendsError::Embedded { key: "database.url", kind: "sqlite:", wanted: "postgres://..." });
        }
        if queue.url.expose().starts_with("memory:") {
            return Err(BackendsError::Embedded { key: "queue.url", kind: "memory:", wanted: "redis://..." });
        }
        let backends = Self::open(&database, &queue, &raw.section("storage")?).await?.with_lanes(raw.section("lanes")?);
        backends.check_deployment().await?;
        Ok(backends)
    }

    /// Compares the identity that lies in the store with the database's; an empty store gets it. To be asked at every
    /// start, after migrating, before anything is written or deleted.
    ///
    /// # Errors
    /// They differ, the store is of nobody knows whom, or one of them is away.
    pub async fn check_deployment(&self) -> Result<(), BackendsError> {
        let expected = self.db.deployment_id().await?;
        check_deployment(&self.storage, &expected).await
    }
}

fn measured(storage: SharedStorage) -> SharedStorage {
    std::sync::Arc::new(Measured(storage))
}

/// Opens a store by the scheme of its address.
///
/// # Errors
/// The address cannot be read, or the directory cannot be made.
pub fn open_storage(config: &StorageConfig) -> Result<SharedStorage, BackendsError> {
    open_storage_with(config, environment())
}

/// The same with another environment than the process's, for a second store with credentials of its own.
///
/// # Errors
/// As there.
pub fn open_storage_with(
    config: &StorageConfig,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<SharedStorage, BackendsError> {
    match config.url.split_once(':') {
        Some(("file", folder)) if !folder.is_empty() => {
            let folder = folder.strip_prefix("//").unwrap_or(folder);
            Ok(std::sync::Arc::new(DirectoryStorage::open(Path::new(folder))?))
        }
        // The usual places of credentials: `AWS_*`, or the role of the machine or pod.
        Some(("s3", _)) => Ok(std::sync::Arc::new(S3Storage::open(config, environment)?)),
        _ => Err(BackendsError::UnknownStorage(config.url.clone())),
    }
}

/// What is not text is nobody's setting.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// The same as `Backends::check_deployment`, for an identity that is known already.
///
/// # Errors
/// As there.
pub async fn check_deployment(storage: &SharedStorage, expected: &str) -> Result<(), BackendsError> {
    if deployment_of(storage).await?.is_none() {
        if let Some(object) = storage.list("").try_next().await? {
            return Err(BackendsError::UnmarkedStore(object.key.to_string()));
        }
        storage.put(&Key::Deployment, Bytes::from(expected.to_owned())).await?;
    }
    // Read back also what was just written: of two deployments that start at once on one prefix, one must notice.
    is_of_deployment(storage, expected).await
}

/// Whether a store bears this identity. Unlike `check_deployment` it never gives one.
///
/// # Errors
/// It bears another, or none, or an import into it is not finished.
pub(crate) async fn is_of_deployment(storage: &SharedStorage, expected: &str) -> Result<(), BackendsError> {
    let found = deployment_of(storage).await?.unwrap_or_default();
    if found == expected {
        return Ok(());
    }
    if found.starts_with(IMPORTING) {
        return Err(BackendsError::Importing(found));
    }
    Err(BackendsError::OtherDeployment { expected: expected.to_owned(), found })
}

/// What a store says whose it is.
pub(crate) async fn deployment_of(storage: &SharedStorage) -> Result<Option<String>, StorageError> {
    let meta = match storage.head(&Key::Deployment).await {
        Err(StorageError::NotFound { .. }) => return Ok(None),
        found => found?,
    };
    if meta.size == 0 {
        return Ok(Some(String::new()));
    }
    let body = storage.get(&Key::Deployment, 0..meta.size.min(MAX_DEPLOYMENT_ID), Some(&meta.version)).await?;
    let bytes = body.try_fold(Vec::new(), async |mut all, chunk| {
        all.extend_from_slice(&chunk);
        Ok(all)
    });
    // An editor may have ended the line.
    Ok(Some(String::from_utf8_lossy(&bytes.await?).trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{FileId, OrgId};

    fn directory(folder: &Path) -> SharedStorage {
        let url = format!("file:{}", folder.display());
        open_storage(&StorageConfig { url, ..StorageConfig::default() }).unwrap()
    }

    #[tokio::test]
    async fn an_empty_store_is_marked_once_and_refuses_other_deployments() {
        let folder = tempfile::tempdir().unwrap();
        let storage = directory(folder.path());
        check_deployment(&storage, "one").await.unwrap();
        check_deployment(&storage, "one").await.unwrap();
        let other = check_deployment(&storage, "two").await;
        assert!(matches!(other, Err(BackendsError::OtherDeployment { found, .. }) if found == "one"));
    }

    #[tokio::test]
    async fn a_store_with_objects_and_no_mark_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let storage = directory(folder.path());
        let key = Key::Staging { org: OrgId::new("acme"), file: FileId::new() };
        storage.put(&key, Bytes::from_static(b"x")).await.unwrap();
        let unmarked = check_deployment(&storage, "one").await;
        assert!(matches!(unmarked, Err(BackendsError::UnmarkedStore(name)) if name == key.to_string()));
    }

    #[tokio::test]
    async fn a_store_that_an_import_has_not_finished_is_served_by_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let storage = directory(folder.path());
        storage.put(&Key::Deployment, Bytes::from(format!("{IMPORTING}deployment one"))).await.unwrap();
        let unfinished = check_deployment(&storage, "one").await;
        assert!(matches!(unfinished, Err(BackendsError::Importing(what)) if what == "import of deployment one"));
    }

    #[test]
    fn an_address_of_no_known_kind_is_refused() {
        for url in ["", "objects", "file:", "ftp://x/y"] {
            let config = StorageConfig { url: url.to_owned(), ..StorageConfig::default() };
            assert!(matches!(open_storage(&config), Err(BackendsError::UnknownStorage(_))), "{url}");
        }
    }
}
