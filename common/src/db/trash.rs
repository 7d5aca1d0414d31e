//! The ways out: to the trash and back, and away for good, by somebody's wish or because a file's time is over.

use std::time::Duration;

use sea_orm::{ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect, Set};

use super::{
    Db, DbError, DueJob, FileWithRenditions, Removal, Removed, RestoredFile,
    entity::{files, jobs},
    epochs,
    fence::Locked,
    files::{living, standing, unexpired},
    read, settle, told,
    tombstones::{bury, cancel_jobs},
    transaction::WriteTx,
};
use crate::{
    ids::{FileId, OrgId},
    job::{JobPolicy, JobState},
    lease::Subject,
    states::{
        file::{FileEvent, transition},
        job::JobEvent,
    },
};

impl Db {
    /// Deletes for everybody at once: tombstone, generation + 1, jobs cancelled, leases ended. False when there was no such file.
    ///
    /// # Errors
    /// The database is away.
    pub async fn delete_file(&self, org: &OrgId, file: FileId) -> Result<bool, DbError> {
        Ok(self.remove_file(org, file, Removal::Deletion).await? != Removed::NoSuchFile)
    }

    /// Takes a file from everybody at once. To the trash: jobs are cancelled, leases ended, and all that it has is kept. Else as `delete_file`.
    ///
    /// # Errors
    /// The database is away.
    pub async fn remove_file(&self, org: &OrgId, file: FileId, how: Removal) -> Result<Removed, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let among = match how {
                Removal::ToTrash(_) => living(&*tx, org),
                Removal::Deletion => standing(org),
                Removal::Ending => standing(org).filter(ended(&tx)),
            };
            let row = among.filter(files::Column::Id.eq(file.0)).lock_exclusive().one(&*tx).await?;
            let Some(row) = row else { return Ok(Removed::NoSuchFile) };
            let removed = match how {
                Removal::ToTrash(keep) if transition(row.view()?, FileEvent::Discard).is_ok() => {
                    discard(&tx, row, keep).await?;
                    Removed::Trashed
                }
                // What is still uploaded has nothing that could be kept.
                Removal::ToTrash(_) | Removal::Deletion | Removal::Ending => {
                    bury(&tx, row).await?;
                    Removed::Deleted
                }
            };
            tx.commit().await?;
            Ok(removed)
        })
        .await
    }

    /// A file in the trash, whose time is not over.
    ///
    /// # Errors
    /// The database is away.
    pub async fn find_trashed(&self, org: &OrgId, file: FileId) -> Result<Option<FileWithRenditions>, DbError> {
        let trashed = standing(org).filter(files::Column::TrashedAt.is_not_null());
        let query = unexpired(&self.connection, trashed).filter(files::Column::Id.eq(file.0));
        self.in_time(async {
            let row = query.one(&self.connection).await?;
            read::complete_one(&self.connection, row).await
        })
        .await
    }

    /// Brings a file back as it was; what was being made of it goes on being made.
    ///
    /// # Errors
    /// The database is away.
    pub async fn restore_file(&self, org: &OrgId, file: FileId) -> Result<RestoredFile, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let trashed = standing(org).filter(files::Column::TrashedAt.is_not_null());
            let query = unexpired(&*tx, trashed).filter(files::Column::Id.eq(file.0)).lock_exclusive();
            let row = query.one(&*tx).await?;
            let Some(row) = row else { return Ok(RestoredFile::NoSuchFile) };
            if transition(row.view()?, FileEvent::Restore).is_err() {
                return Ok(RestoredFile::NoSuchFile);
            }
            let stopped = stopped_jobs(&tx, &row).await?;
            let row = taken_back(&tx, row).await?;
            let mut due = Vec::new();
            for job in stopped {
                due.extend(again(&tx, &row, job).await?);
            }
            let found = read::complete_one(&*tx, Some(row)).await?;
            tx.commit().await?;
            Ok(found.map_or(RestoredFile::NoSuchFile, |found| RestoredFile::Back(Box::new(found), due)))
        })
        .await
    }

    /// Files whose time is over: they have expired, or were in the trash for as long as they were to. Of all organisations.
    ///
    /// # Errors
    /// The database is away.
    pub async fn ended_files(&self, limit: u64) -> Result<Vec<(OrgId, FileId)>, DbError> {
        self.in_time(async {
            let now = self.now().await?;
            let mut found = Vec::new();
            // One after the other, for each has an index of its own.
            for column in [files::Column::ExpiresAt, files::Column::TrashEndsAt] {
                let query = files::Entity::find()
                    .select_only()
                    .columns([files::Column::OrgId, files::Column::Id])
                    .filter(files::Column::DeletedAt.is_null())
                    .filter(column.lte(now.0))
                    .limit(limit)
                    .into_tuple::<(String, sea_orm::prelude::Uuid)>();
                let rows = query.all(&self.connection).await?;
                found.extend(rows.into_iter().map(|(org, file)| (OrgId::new(org), FileId(file))));
            }
            Ok(found)
        })
        .await
    }
}

fn ended(tx: &WriteTx) -> Condition {
    Condition::any().add(files::Column::ExpiresAt.lte(tx.now.0)).add(files::Column::TrashEndsAt.lte(tx.now.0))
}

/// The jobs that this stops end at the same moment, which tells them from those that were stopped before.
async fn discard(tx: &WriteTx, row: files::Model, keep: Duration) -> Result<(), DbError> {
    let (org, file) = (OrgId::new(row.org_id.as_str()), FileId(row.id));
    let mut row = row.into_active_model();
    row.trashed_at = Set(Some(tx.now.0));
    row.trash_ends_at = Set(Some(tx.now.plus(keep).0));
    row.updated_at = Set(tx.now.0);
    let row = row.update(&**tx).await?;
    cancel_jobs(tx, file).await?;
    epochs::bump(tx, &org, &Subject::File(file)).await?;
    told::trashed(tx, &row);
    Ok(())
}

async fn taken_back(tx: &WriteTx, row: files::Model) -> Result<files::Model, DbError> {
    let mut row = row.into_active_model();
    row.trashed_at = Set(None);
    row.trash_ends_at = Set(None);
    row.updated_at = Set(tx.now.0);
    let row = row.update(&**tx).await?;
    told::restored(tx, &row);
    Ok(row)
}

/// Those that were on their way when the file went to the trash.
async fn stopped_jobs(tx: &WriteTx, row: &files::Model) -> Result<Vec<jobs::Model>, DbError> {
    let query = jobs::Entity::find()
        .filter(jobs::Column::FileId.eq(row.id))
        .filter(jobs::Column::Generation.eq(row.generation))
        .filter(jobs::Column::State.eq(JobState::Cancelled.as_str()))
        .filter(jobs::Column::FinishedAt.eq(row.trashed_at))
        .lock_exclusive();
    Ok(query.all(&**tx).await?)
}

async fn again(tx: &WriteTx, file: &files::Model, job: jobs::Model) -> Result<Option<DueJob>, DbError> {
    let locked = Locked { file: file.clone(), job };
    let Ok(next) = locked.ask(JobEvent::Retry, &JobPolicy::default())? else { return Ok(None) };
    let due = locked.job.due(tx.now);
    settle::requeue(tx, locked.job, &next).await?;
    Ok(Some(due))
}
