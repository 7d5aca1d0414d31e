//! Captions that people add: renditions of generation 0, which belong to every generation of their file. No attempt makes
//! them, so no fence guards them; the file's row does.

use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect};

use super::{
    AddedCaptions, Db, DbError,
    entity::{files, renditions},
    files::living,
    told,
    transaction::WriteTx,
};
use crate::{
    ids::JobId,
    ids::{FileId, OrgId},
    job::Fence,
    rendition::{Rendition, RenditionKind},
};

impl Db {
    /// Stores captions, in the place of those with the same name. At most `limit` of one file.
    ///
    /// # Errors
    /// The database is away.
    pub async fn put_captions(
        &self,
        org: &OrgId,
        file: FileId,
        captions: &Rendition,
        limit: u64,
    ) -> Result<AddedCaptions, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let Some(row) = lock(&tx, org, file).await? else { return Ok(AddedCaptions::NoSuchFile) };
            let replaced = take(&tx, file, &captions.name).await?;
            if replaced.is_none() && added(file).count(&*tx).await? >= limit {
                return Ok(AddedCaptions::TooMany);
            }
            let owner =
                Fence { job_id: JobId::new(), file_id: file, generation: renditions::ALL_GENERATIONS, attempt: 0 };
            renditions::Entity::insert(renditions::row(&owner, captions, tx.now)?).exec_without_returning(&*tx).await?;
            told::updated(&tx, &row, &["renditions"]);
            tx.commit().await?;
            Ok(AddedCaptions::Stored { replaced })
        })
        .await
    }

    /// Removes captions that were added; what they were, or `None` when there were none of this name.
    ///
    /// # Errors
    /// The database is away.
    pub async fn remove_captions(&self, org: &OrgId, file: FileId, name: &str) -> Result<Option<Rendition>, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let Some(row) = lock(&tx, org, file).await? else { return Ok(None) };
            let removed = take(&tx, file, name).await?;
            if removed.is_some() {
                told::updated(&tx, &row, &["renditions"]);
            }
            tx.commit().await?;
            Ok(removed)
        })
        .await
    }
}

async fn lock(tx: &WriteTx, org: &OrgId, file: FileId) -> Result<Option<files::Model>, DbError> {
    Ok(living(&**tx, org).filter(files::Column::Id.eq(file.0)).lock_exclusive().one(&**tx).await?)
}

fn added(file: FileId) -> sea_orm::Select<renditions::Entity> {
    renditions::Entity::find()
        .filter(renditions::Column::FileId.eq(file.0))
        .filter(renditions::Column::Generation.eq(renditions::ALL_GENERATIONS))
        .filter(renditions::Column::Kind.eq(RenditionKind::Captions.as_str()))
}

async fn take(tx: &WriteTx, file: FileId, name: &str) -> Result<Option<Rendition>, DbError> {
    let id = (file.0, renditions::ALL_GENERATIONS, name.to_owned());
    let Some(row) = renditions::Entity::find_by_id(id.clone()).one(&**tx).await? else { return Ok(None) };
    renditions::Entity::delete_by_id(id).exec(&**tx).await?;
    row.into_rendition().map(Some)
}
