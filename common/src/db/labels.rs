//! What people say about a file: its name, tags, metadata and end. Tags stand in the file's row, where they are read, and in
//! `file_tags`, where they are searched; both are written here, in one transaction.

use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect, Set};

use super::{
    ChangedFile, Db, DbError, FileChange,
    entity::{file_tags, files, write_json},
    files::living,
    read, told,
    transaction::WriteTx,
};
use crate::{
    ids::{FileId, OrgId},
    labels::{Metadata, merged},
    listing::name_key,
    timestamp::Timestamp,
};

impl Db {
    /// Changes what people say about a file.
    ///
    /// # Errors
    /// The database is away.
    pub async fn change_file(&self, org: &OrgId, file: FileId, change: &FileChange) -> Result<ChangedFile, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let row = living(&*tx, org).filter(files::Column::Id.eq(file.0)).lock_exclusive().one(&*tx).await?;
            let Some(row) = row else { return Ok(ChangedFile::NoSuchFile) };
            if change.unchanged_since.is_some_and(|since| since.0 != row.updated_at) {
                return Ok(ChangedFile::Moved);
            }
            if change.members().is_empty() {
                let found = read::complete_one(&*tx, Some(row)).await?;
                return Ok(found.map_or(ChangedFile::NoSuchFile, |found| ChangedFile::Done(Box::new(found))));
            }
            let metadata = match merged(row.labels()?.metadata, &change.metadata) {
                Ok(metadata) => metadata,
                Err(why) => return Ok(ChangedFile::TooMuch(why)),
            };
            let row = changed(row, change, &metadata, tx.now)?.update(&*tx).await?;
            if let Some(tags) = &change.tags {
                file_tags::Entity::delete_many().filter(file_tags::Column::FileId.eq(file.0)).exec(&*tx).await?;
                insert_tags(&tx, org, file, tags).await?;
            }
            told::updated(&tx, &row, &change.members());
            let found = read::complete_one(&*tx, Some(row)).await?;
            tx.commit().await?;
            Ok(found.map_or(ChangedFile::NoSuchFile, |found| ChangedFile::Done(Box::new(found))))
        })
        .await
    }
}

fn changed(
    row: files::Model,
    change: &FileChange,
    metadata: &Metadata,
    now: Timestamp,
) -> Result<files::ActiveModel, DbError> {
    // Whoever says when he saw it last must not meet two changes of one millisecond.
    let updated_at = now.0.max(row.updated_at + 1);
    let mut row = row.into_active_model();
    row.updated_at = Set(updated_at);
    row.metadata = Set(stored_metadata(metadata)?);
    if let Some(filename) = &change.filename {
        row.filename = Set(filename.clone());
        row.name_key = Set(name_key(filename));
    }
    if let Some(tags) = &change.tags {
        row.tags = Set(stored_tags(tags)?);
    }
    if let Some(expires_at) = change.expires_at {
        row.expires_at = Set(expires_at.map(|at| at.0));
    }
    Ok(row)
}

pub(super) fn stored_tags(tags: &[String]) -> Result<Option<String>, DbError> {
    if tags.is_empty() { Ok(None) } else { write_json(&tags).map(Some) }
}

pub(super) fn stored_metadata(metadata: &Metadata) -> Result<Option<String>, DbError> {
    if metadata.is_empty() { Ok(None) } else { write_json(metadata).map(Some) }
}

/// Of a file that has none.
pub(super) async fn insert_tags(tx: &WriteTx, org: &OrgId, file: FileId, tags: &[String]) -> Result<(), DbError> {
    if tags.is_empty() {
        return Ok(());
    }
    let row = |tag: &String| file_tags::ActiveModel {
        file_id: Set(file.0),
        tag: Set(tag.clone()),
        org_id: Set(org.as_str().to_owned()),
    };
    file_tags::Entity::insert_many(tags.iter().map(row)).exec_without_returning(&**tx).await?;
    Ok(())
}
