//! The first brake: whether store and database belong together.

use futures_util::TryStreamExt;
use reelgate_common::{key::Key, storage::StorageError};

use super::{ReconcileError, Reconciler, Stopped};

/// Longer than any id.
const MOST: u64 = 1024;

impl Reconciler {
    pub(super) async fn same_deployment(&self) -> Result<Result<(), Stopped>, ReconcileError> {
        let expected = self.db.deployment_id().await?;
        let size = match self.storage.head(&Key::Deployment).await {
            Ok(meta) if meta.size > 0 => meta.size,
            Ok(_) | Err(StorageError::NotFound { .. }) => return Ok(Err(Stopped::NoDeployment)),
            Err(error) => return Err(error.into()),
        };
        let body = self.storage.get(&Key::Deployment, 0..size.min(MOST), None).await?;
        let chunks: Vec<bytes::Bytes> = body.try_collect().await?;
        let same = chunks.concat().trim_ascii() == expected.as_bytes();
        Ok(if same { Ok(()) } else { Err(Stopped::OtherDeployment) })
    }
}
