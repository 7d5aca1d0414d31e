//! Rows whose objects may be missing from the store: all files in turn, and the withdrawal of what cannot be served.

use sea_orm::{ColumnTrait, EntityTrait, ModelTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{
    Db, DbError, FileWithRenditions, Withdrawn,
    entity::{files, renditions},
    fence,
    fence::Locked,
    read, settle, told,
    transaction::WriteTx,
};
use crate::{
    file::FileState,
    ids::{FileId, OrgId},
    job::JobPolicy,
    rendition::Rendition,
    states::{
        file::{FileEvent, transition},
        job::JobEvent,
    },
    timestamp::Timestamp,
};

impl Db {
    /// Accepted files of all organisations by id, from the one after `after` on, that nobody has changed since `settled`.
    ///
    /// # Errors
    /// The database is away.
    pub async fn files_after(
        &self,
        after: Option<FileId>,
        settled: Timestamp,
        limit: u64,
    ) -> Result<Vec<FileWithRenditions>, DbError> {
        let mut query = files::Entity::find()
            .filter(files::Column::DeletedAt.is_null())
            .filter(files::Column::TrashedAt.is_null())
            .filter(files::Column::State.ne(FileState::Uploading.as_str()))
            .filter(files::Column::UpdatedAt.lt(settled.0))
            .order_by_asc(files::Column::Id)
            .limit(limit);
        if let Some(after) = after {
            query = query.filter(files::Column::Id.gt(after.0));
        }
        self.in_time(async {
            let rows = query.all(&self.connection).await?;
            read::complete(&self.connection, rows).await
        })
        .await
    }

    /// Takes back a rendition whose object is gone, and has the file processed once more, which makes what is not published.
    /// Only this very rendition; while a job of the file is under way nothing is changed.
    ///
    /// # Errors
    /// The database is away.
    pub async fn withdraw_rendition(&self, org: &OrgId, gone: &Rendition) -> Result<Withdrawn, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let file = files::Entity::find_by_id(gone.file_id.0)
                .filter(files::Column::OrgId.eq(org.as_str()))
                .filter(files::Column::DeletedAt.is_null())
                .filter(files::Column::TrashedAt.is_null())
                .filter(files::Column::Generation.eq(gone.generation))
                .filter(files::Column::State.eq(FileState::Ready.as_str()))
                .lock_exclusive();
            let Some(file) = file.one(&*tx).await? else { return Ok(Withdrawn::Moved) };
            let name = (gone.file_id.0, gone.generation, gone.name.clone());
            let row = renditions::Entity::find_by_id(name).one(&*tx).await?;
            let row = row.filter(|row| row.attempt == gone.attempt);
            let (Some(row), Some(job)) = (row, fence::own_job(&tx, &file).await?) else {
                return Ok(Withdrawn::Moved);
            };
            let locked = Locked { file, job };
            let Ok(next) = locked.ask(JobEvent::Wish, &JobPolicy::default())? else { return Ok(Withdrawn::Moved) };
            row.delete(&*tx).await?;
            settle::requeue(&tx, locked.job, &next).await?;
            withdrawn(&tx, locked.file).await?;
            tx.commit().await?;
            Ok(Withdrawn::Queued)
        })
        .await
    }
}

/// `ready` says that something can be played.
async fn withdrawn(tx: &WriteTx, file: files::Model) -> Result<(), DbError> {
    let left = read::published(&**tx, file.id, file.generation).await?;
    let playable = left.iter().any(Rendition::is_playable);
    match transition(file.view()?, FileEvent::Withdraw { playable }) {
        Ok(next) if !file.is(next.state) => settle::restage(tx, file, next.state).await,
        _ => {
            told::updated(tx, &file, &["renditions", "progress"]);
            Ok(())
        }
    }
}
