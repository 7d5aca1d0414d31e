//! Where a deployment goes to: a migrated database and a store, both empty, or with what the same move has brought before it was cut short.

use std::{
    collections::{HashMap, HashSet},
    sync::atomic::Ordering,
    time::Duration,
};

use bytes::Bytes;
use futures_util::TryStreamExt;
use serde_json::json;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{Origin, PAGE, Tally, TransferError, amend::amended, copy_objects, live::served};
use crate::{
    backends::{IMPORTING, deployment_of},
    crash,
    db::{Db, IMPORT_OFFICE, Row, Table},
    ids::{FileId, ProcessId},
    key::Key,
    storage::{SharedStorage, StorageError},
};

/// How long the office of whoever fills a target lasts. One that died holds up the next run for so long, and no longer.
const TERM: Duration = Duration::from_secs(6);

pub struct Target {
    db: Db,
    storage: SharedStorage,
    deployment: String,
    held: bool,
    silent: Duration,
}

impl Target {
    /// `held` and `silent` as for `Live`. Nothing is changed yet.
    ///
    /// # Errors
    /// The database was never migrated, or is away.
    pub async fn open(db: Db, storage: SharedStorage, silent: Duration, held: bool) -> Result<Self, TransferError> {
        let deployment = db.deployment_id().await?;
        Ok(Self { db, storage, deployment, held, silent })
    }

    /// Brings the objects alone, while the origin may still be served: the move itself then has less to do.
    ///
    /// # Errors
    /// The target is not empty, another import fills it, or something is away.
    pub async fn copy_ahead(&self, origin: &dyn Origin, at_once: usize, tally: &Tally) -> Result<(), TransferError> {
        self.alone(async {
            self.begin(origin).await?;
            copy_objects(origin, &self.storage, at_once, tally).await
        })
        .await
    }

    /// Brings everything. Whatever it is cut short by, the same call goes on.
    ///
    /// # Errors
    /// The target is not empty, another import fills it, somebody serves one of the two, or something is away.
    pub async fn import(&self, origin: &dyn Origin, at_once: usize, tally: &Tally) -> Result<(), TransferError> {
        self.alone(self.fill(origin, at_once, tally)).await
    }

    async fn fill(&self, origin: &dyn Origin, at_once: usize, tally: &Tally) -> Result<(), TransferError> {
        origin.is_still().await?;
        self.begin(origin).await?;
        copy_objects(origin, &self.storage, at_once, tally).await?;
        self.db.wipe().await?;
        for table in Table::ALL {
            self.write(origin, *table, tally).await?;
            crash::point("import-table");
        }
        self.sweep().await?;
        // Whoever began to serve it meanwhile has changed what was read.
        origin.is_still().await?;
        self.storage.put(&Key::Deployment, Bytes::from(self.deployment.clone())).await?;
        Ok(())
    }

    /// Does it while no other import fills the target: two of the same move would wipe each other's rows.
    async fn alone(&self, work: impl Future<Output = Result<(), TransferError>>) -> Result<(), TransferError> {
        let holder = ProcessId::new(format!("import-{}-{}", std::process::id(), Uuid::new_v4().simple()));
        let until = Instant::now() + TERM * 2;
        while !self.db.hold_office(IMPORT_OFFICE, &holder, TERM).await? {
            if Instant::now() > until {
                return Err(TransferError::Busy);
            }
            sleep(TERM / 6).await;
        }
        let done = tokio::select! {
            done = work => done,
            () = self.lose_office(&holder) => return Err(TransferError::Busy),
        };
        // Else it lapses.
        self.db.leave_office(IMPORT_OFFICE, &holder).await.ok();
        done
    }

    /// Keeps the office; returns when somebody else has it. While the database is away nobody can take it either.
    async fn lose_office(&self, holder: &ProcessId) {
        loop {
            sleep(TERM / 3).await;
            if matches!(self.db.hold_office(IMPORT_OFFICE, holder, TERM).await, Ok(false)) {
                return;
            }
        }
    }

    /// Marks the target, or finds the mark of this move.
    async fn begin(&self, origin: &dyn Origin) -> Result<(), TransferError> {
        served(&self.db, self.held, "the target").await?;
        same_schema(origin.migrations(), &self.db.migrations().await?)?;
        let mark = format!("{IMPORTING}{}", origin.name());
        match deployment_of(&self.storage).await? {
            Some(found) if found == mark => return self.abort_parts().await,
            Some(found) if found.starts_with(IMPORTING) => {
                let found = found.trim_start_matches(IMPORTING).to_owned();
                return Err(TransferError::OtherImport { expected: origin.name(), found });
            }
            Some(found) if found != self.deployment => {
                return Err(TransferError::TargetNotEmpty(format!("the store belongs to deployment {found:?}")));
            }
            _ => {}
        }
        if !self.db.is_blank().await? {
            return Err(TransferError::TargetNotEmpty("the database has files, events or other rows".to_owned()));
        }
        let mut objects = self.storage.list("");
        while let Some(object) = objects.try_next().await? {
            if object.key != Key::Deployment {
                return Err(TransferError::TargetNotEmpty(format!("the store has objects such as {}", object.key)));
            }
        }
        self.storage.put(&Key::Deployment, Bytes::from(mark)).await?;
        Ok(())
    }

    /// Of objects that were under way when it was cut short.
    async fn abort_parts(&self) -> Result<(), TransferError> {
        for pending in self.storage.list_multipart("").await? {
            self.storage.abort_multipart(&pending.key, &pending.upload).await?;
        }
        Ok(())
    }

    async fn write(&self, origin: &dyn Origin, table: Table, tally: &Tally) -> Result<(), TransferError> {
        let (mut pages, mut written) = (origin.rows(table), 0);
        while let Some(page) = pages.try_next().await? {
            let now = self.db.clock().await?;
            let mut rows: Vec<Row> = page.into_iter().filter_map(|row| amended(table, row, now)).collect();
            if table == Table::Files {
                for row in &mut rows {
                    self.pin_staged(row).await?;
                }
            }
            written += rows.len() as u64;
            tally.rows.fetch_add(rows.len() as u64, Ordering::Relaxed);
            self.db.write_rows(table, rows).await?;
        }
        let found = self.db.count_rows(table).await?;
        if found == written { Ok(()) } else { Err(TransferError::Count { table, expected: written, found }) }
    }

    /// A file remembers which version of its staging object was accepted: here that is the one that was copied by its digest. Once
    /// promoted nobody asks.
    async fn pin_staged(&self, row: &mut Row) -> Result<(), StorageError> {
        let key = row["source_key"].as_str().and_then(|key| key.parse().ok());
        let version = match key {
            Some(key @ Key::Staging { .. }) if !row["staged_version"].is_null() => {
                match self.storage.head(&key).await {
                    Ok(meta) => Some(meta.version.0),
                    Err(StorageError::NotFound { .. }) => None,
                    Err(error) => return Err(error),
                }
            }
            _ => None,
        };
        row.insert("staged_version".to_owned(), json!(version));
        Ok(())
    }

    /// Deletes what earlier runs have brought and no row needs any more: the origin was served in between.
    async fn sweep(&self) -> Result<(), TransferError> {
        let mut batches = self.storage.list("").try_chunks(usize::try_from(PAGE).unwrap_or(usize::MAX));
        while let Some(batch) = batches.try_next().await.map_err(|error| error.1)? {
            let files: HashSet<FileId> = batch.iter().filter_map(|object| object.key.file()).collect();
            let files: Vec<FileId> = files.into_iter().collect();
            let wanted = self.db.objects_of(&files, self.silent).await?;
            let wanted: HashMap<FileId, HashSet<Key>> =
                wanted.into_iter().map(|(file, all)| (file, all.into_iter().map(|it| it.key).collect())).collect();
            for object in batch {
                let Some(file) = object.key.file() else { continue };
                if !wanted.get(&file).is_some_and(|keys| keys.contains(&object.key)) {
                    self.storage.delete(&object.key).await?;
                }
            }
        }
        Ok(())
    }
}

fn same_schema(origin: &[String], target: &[String]) -> Result<(), TransferError> {
    if origin == target {
        return Ok(());
    }
    let last = |of: &[String]| of.last().map_or("none", String::as_str).to_owned();
    Err(TransferError::Schemas { origin: last(origin), target: last(target) })
}
