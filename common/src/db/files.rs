//! Files: from the row before the first byte to the end of the upload, and how they are found.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QuerySelect, Select, Set,
    sea_query::{Expr, OnConflict},
};

use super::{
    Created, Db, DbError, FileWithRenditions, NewFile, NewJob, StagedFile,
    entity::{files, jobs, signed, uploads},
    labels, quotas, read, resumables, told,
    transaction::{WriteTx, now_ms},
};
use crate::{
    file::{FileKind, FileState},
    ids::{FileId, OrgId},
    listing::name_key,
    quota::{Quota, Usage},
    states::{
        file::{self, FileEvent},
        upload::{self, UploadEvent, UploadState},
    },
    timestamp::Timestamp,
};

/// Well below what either database takes as parameters of one statement.
pub(super) const CHUNK: usize = 1_000;

impl Db {
    /// Inserts the file (`uploading`) and its upload row in one transaction, unless there is one with its `repeat_key`.
    ///
    /// # Errors
    /// The database is away.
    pub async fn create_file(&self, new: &NewFile) -> Result<Created, DbError> {
        self.create_file_within(new, Quota::default()).await
    }

    /// The same within what its organisation may have.
    ///
    /// # Errors
    /// The database is away.
    pub async fn create_file_within(&self, new: &NewFile, quota: Quota) -> Result<Created, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let admitted = quotas::admit(&tx, &new.org_id, quota, Usage { bytes: 0, files: 1, uploads: 1 }).await?;
            if let Some(known) = insert_file(&tx, new).await? {
                return Ok(Created::Repeats(known));
            }
            if let Err(excess) = admitted {
                return Ok(Created::OverQuota(excess));
            }
            let upload = uploads::ActiveModel {
                file_id: Set(new.id.0),
                org_id: Set(new.org_id.as_str().to_owned()),
                staging_key: Set(new.staging_key.to_string()),
                multipart: Set(None),
                touched_at: Set(tx.now.0),
            };
            uploads::Entity::insert(upload).exec_without_returning(&*tx).await?;
            tx.commit().await?;
            Ok(Created::New)
        })
        .await
    }

    /// Ends an upload: file `staged` (or `ready`), upload row gone, job inserted, one transaction, durable.
    /// `None` when the upload was closed meanwhile (deleted, swept): the caller must drop the object.
    ///
    /// # Errors
    /// The database is away; when it is not known whether the commit happened, look with `find_file`.
    pub async fn stage_file(
        &self,
        org: &OrgId,
        file: FileId,
        staged: &StagedFile,
        job: Option<&NewJob>,
    ) -> Result<Option<FileWithRenditions>, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let Some(row) = lock_upload(&tx, org, file, UploadEvent::Stage).await? else { return Ok(None) };
            let event = FileEvent::Stage { processed: staged.state == FileState::Staged };
            let Ok(next) = file::transition(row.view()?, event) else { return Ok(None) };
            let row = staged_row(row, staged, next.state, tx.now).update(&*tx).await?;
            uploads::Entity::delete_by_id(file.0).exec(&*tx).await?;
            resumables::finish(&tx, file).await?;
            if let Some(job) = job {
                jobs::Entity::insert(jobs::row(job, &row, &tx.lanes, tx.now)).exec_without_returning(&*tx).await?;
            }
            told::staged(&tx, &row, false);
            if row.is(FileState::Ready) {
                told::ready(&tx, &row, None);
                told::completed(&tx, &row, None);
            }
            let found = read::complete_one(&*tx, Some(row)).await?;
            tx.commit().await?;
            Ok(found)
        })
        .await
    }

    /// Closes an upload that will not be finished: both rows gone. Only while the file is `uploading`; of a deleted one
    /// only the upload row goes, for its tombstone must stand until it is purged.
    ///
    /// # Errors
    /// The database is away.
    pub async fn abandon_upload(&self, org: &OrgId, file: FileId) -> Result<(), DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            if let Some(row) = lock_upload(&tx, org, file, UploadEvent::Abandon).await? {
                files::Entity::delete_by_id(file.0).exec(&*tx).await?;
                told::deleted(&tx, &row);
            } else {
                uploads::Entity::delete_by_id(file.0)
                    .filter(uploads::Column::OrgId.eq(org.as_str()))
                    .exec(&*tx)
                    .await?;
            }
            tx.commit().await
        })
        .await
    }

    /// A file of this organisation, not deleted, with the renditions of its current generation.
    ///
    /// # Errors
    /// The database is away.
    pub async fn find_file(&self, org: &OrgId, file: FileId) -> Result<Option<FileWithRenditions>, DbError> {
        self.find_one(living(&self.connection, org).filter(files::Column::Id.eq(file.0))).await
    }

    /// The same with the renditions of an older generation, as long as they are there.
    ///
    /// # Errors
    /// The database is away.
    pub async fn find_generation(
        &self,
        org: &OrgId,
        file: FileId,
        generation: i64,
    ) -> Result<Option<FileWithRenditions>, DbError> {
        let Some(mut found) = self.find_file(org, file).await? else { return Ok(None) };
        if found.file.generation != generation {
            let published = self.in_time(read::shown(&self.connection, file.0, generation)).await?;
            found.file.generation = generation;
            found.renditions = published;
        }
        Ok(Some(found))
    }

    /// The same by its exact location.
    ///
    /// # Errors
    /// The database is away.
    pub async fn find_location(&self, org: &OrgId, location: &str) -> Result<Option<FileWithRenditions>, DbError> {
        // Postgres refuses a NUL in any text; no location has one.
        if location.contains('\0') {
            return Ok(None);
        }
        self.find_one(living(&self.connection, org).filter(files::Column::Location.eq(location))).await
    }

    /// Whether its row is there and not deleted: also of a file in the trash or whose time is over, which nobody else is shown.
    ///
    /// # Errors
    /// The database is away.
    pub async fn file_stands(&self, org: &OrgId, file: FileId) -> Result<bool, DbError> {
        let query = standing(org).filter(files::Column::Id.eq(file.0));
        Ok(self.in_time(async { Ok(query.count(&self.connection).await?) }).await? > 0)
    }

    async fn find_one(&self, query: Select<files::Entity>) -> Result<Option<FileWithRenditions>, DbError> {
        self.in_time(async {
            let row = query.one(&self.connection).await?;
            read::complete_one(&self.connection, row).await
        })
        .await
    }

    /// Whether any row names this file (the reconciler's question about an object), deleted ones and pieces of files included.
    ///
    /// # Errors
    /// The database is away.
    pub async fn known_files(&self, files: &[FileId]) -> Result<Vec<FileId>, DbError> {
        let mut known = self.those_of(files, files::Entity::find()).await?;
        for chunk in files.chunks(CHUNK) {
            known.extend(self.in_time(resumables::known(self, chunk)).await?);
        }
        Ok(known)
    }

    /// Which of these files are not deleted (a cache's question about what it holds, whoever it belongs to).
    ///
    /// # Errors
    /// The database is away.
    pub async fn living_files(&self, files: &[FileId]) -> Result<Vec<FileId>, DbError> {
        let living = files::Entity::find().filter(files::Column::DeletedAt.is_null());
        let living = living.filter(files::Column::TrashedAt.is_null());
        self.those_of(files, unexpired(&self.connection, living)).await
    }

    async fn those_of(&self, files: &[FileId], among: Select<files::Entity>) -> Result<Vec<FileId>, DbError> {
        let mut found = Vec::with_capacity(files.len());
        for chunk in files.chunks(CHUNK) {
            let query = among
                .clone()
                .select_only()
                .column(files::Column::Id)
                .filter(files::Column::Id.is_in(chunk.iter().map(|file| file.0)))
                .into_tuple();
            found.extend(self.in_time(async { Ok(query.all(&self.connection).await?) }).await?.into_iter().map(FileId));
        }
        Ok(found)
    }
}

/// The files of an organisation that it has not deleted; also those in the trash, and those whose time is over.
pub(super) fn standing(org: &OrgId) -> Select<files::Entity> {
    files::Entity::find().filter(files::Column::OrgId.eq(org.as_str())).filter(files::Column::DeletedAt.is_null())
}

/// The files that an organisation has: what is in the trash or has expired is as good as deleted.
pub(super) fn living(at: &impl ConnectionTrait, org: &OrgId) -> Select<files::Entity> {
    unexpired(at, standing(org).filter(files::Column::TrashedAt.is_null()))
}

/// By the database's clock at this very moment, whether or not the maintenance has come by.
pub(super) fn unexpired(at: &impl ConnectionTrait, among: Select<files::Entity>) -> Select<files::Entity> {
    let now = Expr::cust(now_ms(at.get_database_backend()));
    let expires = Expr::col((files::Entity, files::Column::ExpiresAt));
    among.filter(Condition::any().add(files::Column::ExpiresAt.is_null()).add(expires.gt(now)))
}

/// The file's row, if its upload may still go this way.
async fn lock_upload(
    tx: &WriteTx,
    org: &OrgId,
    file: FileId,
    event: UploadEvent,
) -> Result<Option<files::Model>, DbError> {
    let row = standing(org).filter(files::Column::Id.eq(file.0)).lock_exclusive().one(&**tx).await?;
    Ok(row.filter(|row| upload::transition(upload_of(row), event).is_ok()))
}

/// Of a file that is not deleted.
fn upload_of(file: &files::Model) -> UploadState {
    if file.is(FileState::Uploading) { UploadState::Open } else { UploadState::Staged }
}

/// The one that has its `repeat_key` already, if there is one: then nothing is inserted. Deleted ones count until they are purged.
async fn insert_file(tx: &WriteTx, new: &NewFile) -> Result<Option<FileId>, DbError> {
    let insert = files::Entity::insert(new_row(new, tx.now)?);
    let Some(key) = &new.repeat_key else {
        insert.exec_without_returning(&**tx).await?;
        labels::insert_tags(tx, &new.org_id, new.id, &new.labels.tags).await?;
        return Ok(None);
    };
    // Two at once: the second waits for the first here, and finds its row below.
    let insert = insert.on_conflict(OnConflict::new().do_nothing().to_owned());
    insert.exec_without_returning(&**tx).await?;
    let known = files::Entity::find()
        .filter(files::Column::OrgId.eq(new.org_id.as_str()))
        .filter(files::Column::OwnerId.eq(new.owner_id.as_str()))
        .filter(files::Column::RepeatKey.eq(key.as_str()))
        .one(&**tx)
        .await?
        .ok_or_else(|| DbError::Garbled("a row that was inserted is not there".to_owned()))?;
    if known.id != new.id.0 {
        return Ok(Some(FileId(known.id)));
    }
    labels::insert_tags(tx, &new.org_id, new.id, &new.labels.tags).await?;
    Ok(None)
}

pub(super) fn new_row(new: &NewFile, now: Timestamp) -> Result<files::ActiveModel, DbError> {
    Ok(files::ActiveModel {
        id: Set(new.id.0),
        org_id: Set(new.org_id.as_str().to_owned()),
        owner_id: Set(new.owner_id.as_str().to_owned()),
        location: Set(new.location.clone()),
        filename: Set(new.filename.clone()),
        content_type: Set("application/octet-stream".to_owned()),
        size_bytes: Set(0),
        sha256: Set(String::new()),
        kind: Set(FileKind::Other.as_str().to_owned()),
        state: Set(FileState::Uploading.as_str().to_owned()),
        generation: Set(1),
        source_key: Set(new.staging_key.to_string()),
        repeat_key: Set(new.repeat_key.clone()),
        name_key: Set(name_key(&new.filename)),
        tags: Set(labels::stored_tags(&new.labels.tags)?),
        metadata: Set(labels::stored_metadata(&new.labels.metadata)?),
        expires_at: Set(new.labels.expires_at.map(|at| at.0)),
        created_at: Set(now.0),
        updated_at: Set(now.0),
        ..Default::default()
    })
}

fn staged_row(row: files::Model, staged: &StagedFile, next: FileState, now: Timestamp) -> files::ActiveModel {
    let mut row = row.into_active_model();
    row.size_bytes = Set(signed(staged.size_bytes));
    row.staged_version = Set(staged.version.as_ref().map(|version| version.0.clone()));
    row.sha256 = Set(staged.sha256.clone());
    row.content_type = Set(staged.content_type.clone());
    row.kind = Set(staged.kind.as_str().to_owned());
    row.state = Set(next.as_str().to_owned());
    row.updated_at = Set(now.0);
    if next == FileState::Ready {
        row.ready_at = Set(Some(now.0));
    }
    row
}
