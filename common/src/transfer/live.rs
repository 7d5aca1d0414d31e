//! A deployment as it stands: its database and its store.

use std::{collections::HashSet, time::Duration};

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream, stream::BoxStream};

use super::{Origin, PAGE, TransferError, Wanted};
use crate::{
    backends::is_of_deployment,
    db::{Db, Row, Table},
    storage::SharedStorage,
};

pub struct Live {
    db: Db,
    storage: SharedStorage,
    deployment: String,
    migrations: Vec<String>,
    /// How long a lease whose viewer has gone may still be in the rows.
    silent: Duration,
    /// Nobody else can serve it: its data folder is locked.
    held: bool,
}

impl Live {
    /// Looks whether database and store belong together. `held` by a lock that servers respect; else the database is asked whether
    /// somebody serves it. What was watched within `silent` counts as watched.
    ///
    /// # Errors
    /// They do not, or one of them is away.
    pub async fn open(db: Db, storage: SharedStorage, silent: Duration, held: bool) -> Result<Self, TransferError> {
        let (deployment, migrations) = (db.deployment_id().await?, db.migrations().await?);
        is_of_deployment(&storage, &deployment).await?;
        Ok(Self { db, storage, deployment, migrations, silent, held })
    }

    #[must_use]
    pub fn deployment(&self) -> &str {
        &self.deployment
    }
}

#[async_trait]
impl Origin for Live {
    fn name(&self) -> String {
        format!("deployment {}", self.deployment)
    }

    fn migrations(&self) -> &[String] {
        &self.migrations
    }

    async fn is_still(&self) -> Result<(), TransferError> {
        served(&self.db, self.held, "the deployment that is to be moved").await
    }

    fn storage(&self) -> &SharedStorage {
        &self.storage
    }

    fn objects(&self) -> BoxStream<'_, Result<Wanted, TransferError>> {
        let pages = stream::try_unfold(None, async |after| {
            let page = self.db.objects_after(after, self.silent, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(None) };
            let next = Some(*last);
            // Renditions may share objects.
            let mut seen = HashSet::new();
            let all = page.into_iter().flat_map(|(_, wanted)| wanted);
            let once: Vec<_> =
                all.filter(|wanted| seen.insert(wanted.key.clone())).map(Ok::<_, TransferError>).collect();
            Ok::<_, TransferError>(Some((stream::iter(once), next)))
        });
        pages.try_flatten().boxed()
    }

    fn rows(&self, table: Table) -> BoxStream<'_, Result<Vec<Row>, TransferError>> {
        let pages = stream::try_unfold(None::<Row>, move |after| async move {
            let page = self.db.rows_after(table, after.as_ref(), PAGE).await?;
            let last = page.last().cloned();
            Ok(last.map(|last| (page, Some(last))))
        });
        pages.boxed()
    }
}

/// # Errors
/// `Served`, or the database is away.
pub(super) async fn served(db: &Db, held: bool, what: &'static str) -> Result<(), TransferError> {
    if held {
        return Ok(());
    }
    match db.served_until().await? {
        None => Ok(()),
        Some(until) => Err(TransferError::Served { what, until: until.to_string() }),
    }
}
