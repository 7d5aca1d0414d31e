//! Uploads that go on after their connection has broken. Who writes is decided by `states::resumable`, under the row's lock.

use std::time::Duration;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Set,
    prelude::Uuid,
    sea_query::{Expr, OnConflict},
};

use super::{
    BegunResumable, ClaimedResumable, Db, DbError, DeclaredLength,
    entity::{files, resumable_parts, resumables, signed, uploads, write_json},
    files::{CHUNK, new_row},
    labels, quotas,
    transaction::WriteTx,
    upload_tokens,
};
use crate::{
    ids::{FileId, OrgId, ProcessId},
    quota::{Excess, Usage},
    resumable::{Hold, NewResumable, Resumable, Role, Stored},
    states::resumable::{Denied, ResumableEvent, transition},
    storage::{MultipartId, PartTag},
};

impl Db {
    /// Makes the rows of an upload, and of its file if it becomes one. `token` is spent with it. Nothing is changed unless it is `New`.
    ///
    /// # Errors
    /// The database is away.
    pub async fn begin_resumable(&self, new: &NewResumable, token: Option<&str>) -> Result<BegunResumable, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            if find(&tx, &new.address).await?.is_some() {
                return Ok(BegunResumable::Exists);
            }
            if let Some(token) = token
                && !upload_tokens::spend(&tx, token).await?
            {
                return Ok(BegunResumable::TokenSpent);
            }
            // Counted as what they become from here on.
            if !use_sources(&tx, new).await? {
                return Ok(BegunResumable::SourcesGone);
            }
            let room = match room_for(&tx, new).await? {
                Ok(room) => room,
                Err(excess) => return Ok(BegunResumable::OverQuota(excess)),
            };
            if new.role.is_file() {
                insert_file(&tx, new).await?;
            }
            resumables::Entity::insert(row(new, room, &tx)?).exec_without_returning(&*tx).await?;
            tx.commit().await?;
            Ok(BegunResumable::New)
        })
        .await
    }

    /// By the digest of the secret in its address.
    ///
    /// # Errors
    /// The database is away.
    pub async fn find_resumable(&self, address: &str) -> Result<Option<Resumable>, DbError> {
        self.in_time(async {
            let row = resumables::Entity::find()
                .filter(resumables::Column::Address.eq(address))
                .one(&self.connection)
                .await?;
            row.map(resumables::Model::into_resumable).transpose()
        })
        .await
    }

    /// Takes it to write. While somebody else has it, that is told that it is wanted; with `force` it is taken from them.
    ///
    /// # Errors
    /// The database is away.
    pub async fn claim_resumable(
        &self,
        address: &str,
        holder: &ProcessId,
        force: bool,
    ) -> Result<ClaimedResumable, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let Some(row) = find(&tx, address).await? else { return Ok(ClaimedResumable::Gone) };
            let event = if force { ResumableEvent::Force } else { ResumableEvent::Claim };
            let (before, was_held) = (row.view(), row.holder.is_some());
            let mut change = row.clone().into_active_model();
            let next = match transition(before, event) {
                Ok(next) => next,
                Err(Denied::Held) => {
                    change.wanted = Set(true);
                    change.update(&*tx).await?;
                    tx.commit().await?;
                    return Ok(ClaimedResumable::Held(FileId(row.file_id)));
                }
                Err(Denied::Finished | Denied::TakenOver) => {
                    return Ok(ClaimedResumable::Finished(Box::new(row.into_resumable()?)));
                }
            };
            (change.fence, change.wanted) = (Set(next.fence), Set(false));
            change.holder = Set(Some(holder.as_str().to_owned()));
            change.forced = Set(row.forced || was_held);
            let row = change.update(&*tx).await?;
            let tags = tags(&tx, row.file_id).await?;
            tx.commit().await?;
            Ok(ClaimedResumable::Taken(Box::new(Hold { resumable: row.into_resumable()?, tags })))
        })
        .await
    }

    /// Says what is stored, with the tags of the parts from number `first` on; with `release` it is free afterwards. When there is more than
    /// before it lives for `lasts` from now on. False when somebody else has it: nothing is written then.
    ///
    /// # Errors
    /// The database is away.
    pub async fn advance_resumable(
        &self,
        file: FileId,
        fence: i64,
        stored: &Stored,
        (first, tags): (u32, &[PartTag]),
        lasts: Duration,
        release: bool,
    ) -> Result<bool, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let event = if release { ResumableEvent::Release(fence) } else { ResumableEvent::Advance(fence) };
            let row = resumables::Entity::find_by_id(file.0).lock_exclusive().one(&*tx).await?;
            let Some(row) = row else { return Ok(false) };
            let Ok(next) = transition(row.view(), event) else { return Ok(false) };
            let before = row.stored_bytes;
            let mut change = row.into_active_model();
            if signed(stored.bytes) > before {
                change.expires_at = Set(tx.now.plus(lasts).0);
            }
            change.stored_bytes = Set(signed(stored.bytes));
            change.parts = Set(i64::from(stored.parts));
            change.tail = Set(stored.tail);
            change.multipart = Set(stored.multipart.as_ref().map(|multipart| multipart.0.clone()));
            change.digest = Set(stored.digest.clone());
            if !next.held {
                (change.holder, change.wanted) = (Set(None), Set(false));
            }
            change.update(&*tx).await?;
            insert_tags(&tx, file, first, tags).await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Which of these, that this gateway has, somebody else wants.
    ///
    /// # Errors
    /// The database is away.
    pub async fn wanted_resumables(&self, held: &[FileId]) -> Result<Vec<FileId>, DbError> {
        let mut wanted = Vec::new();
        for chunk in held.chunks(CHUNK) {
            let query = resumables::Entity::find()
                .select_only()
                .column(resumables::Column::FileId)
                .filter(resumables::Column::FileId.is_in(chunk.iter().map(|file| file.0)))
                .filter(resumables::Column::Wanted.eq(true))
                .into_tuple::<Uuid>();
            wanted.extend(self.in_time(async { Ok(query.all(&self.connection).await?) }).await?);
        }
        Ok(wanted.into_iter().map(FileId).collect())
    }

    /// Says how long an upload is that was begun without saying so.
    ///
    /// # Errors
    /// The database is away.
    pub async fn declare_length(
        &self,
        hold: &Resumable,
        length: u64,
        quota: crate::quota::Quota,
    ) -> Result<DeclaredLength, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let already = if hold.role.is_file() { 0 } else { hold.stored.bytes };
            let more = Usage { bytes: length.saturating_sub(already), ..Usage::default() };
            if let Err(excess) = quotas::admit(&tx, &hold.org_id, quota, more).await? {
                return Ok(DeclaredLength::OverQuota(excess));
            }
            if hold.role.is_file() {
                quotas::set_size(&tx, &hold.org_id, hold.file_id, length).await?;
            }
            let declared = resumables::Entity::update_many()
                .col_expr(resumables::Column::Length, Expr::value(signed(length)))
                .filter(resumables::Column::FileId.eq(hold.file_id.0))
                .filter(resumables::Column::Fence.eq(hold.fence))
                .exec(&*tx)
                .await?;
            tx.commit().await?;
            Ok(if declared.rows_affected == 1 { DeclaredLength::Known } else { DeclaredLength::TakenOver })
        })
        .await
    }

    /// Ends a piece of a file: all of it is an object now.
    ///
    /// # Errors
    /// The database is away.
    pub async fn finish_partial(&self, file: FileId) -> Result<(), DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            finish(&tx, file).await?;
            tx.commit().await
        })
        .await
    }

    /// The pieces with these addresses, whether they are whole or not.
    ///
    /// # Errors
    /// The database is away.
    pub async fn find_partials(&self, addresses: &[String]) -> Result<Vec<Option<Resumable>>, DbError> {
        let mut found = Vec::with_capacity(addresses.len());
        for address in addresses {
            let partial = self.find_resumable(address).await?;
            found.push(partial.filter(|partial| matches!(partial.role, Role::Partial | Role::Used)));
        }
        Ok(found)
    }

    /// One by the name of its objects.
    ///
    /// # Errors
    /// The database is away.
    pub async fn resumable_of(&self, org: &OrgId, file: FileId) -> Result<Option<Resumable>, DbError> {
        self.in_time(async {
            let row = resumables::Entity::find_by_id(file.0)
                .filter(resumables::Column::OrgId.eq(org.as_str()))
                .one(&self.connection)
                .await?;
            row.map(resumables::Model::into_resumable).transpose()
        })
        .await
    }

    /// Forgets one, and its file if that is still uploaded. Its objects may be deleted afterwards, unless the file was accepted meanwhile.
    ///
    /// # Errors
    /// The database is away.
    pub async fn close_resumable(&self, org: &OrgId, file: FileId) -> Result<(), DbError> {
        self.abandon_upload(org, file).await?;
        self.in_time(async {
            let tx = self.write().await?;
            resumables::Entity::delete_by_id(file.0)
                .filter(resumables::Column::OrgId.eq(org.as_str()))
                .exec(&*tx)
                .await?;
            tx.commit().await
        })
        .await
    }

    /// Those whose time is over, by the database's clock.
    ///
    /// # Errors
    /// The database is away.
    pub async fn expired_resumables(&self, limit: u64) -> Result<Vec<Resumable>, DbError> {
        self.in_time(async {
            let now = self.now().await?;
            let rows = resumables::Entity::find()
                .filter(resumables::Column::ExpiresAt.lte(now.0))
                .order_by_asc(resumables::Column::ExpiresAt)
                .limit(limit)
                .all(&self.connection)
                .await?;
            rows.into_iter().map(resumables::Model::into_resumable).collect()
        })
        .await
    }

    /// Remembers the store's id of the multipart upload, before its first part.
    ///
    /// # Errors
    /// The database is away.
    pub async fn set_resumable_multipart(
        &self,
        file: FileId,
        fence: i64,
        multipart: &MultipartId,
    ) -> Result<bool, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let set = resumables::Entity::update_many()
                .col_expr(resumables::Column::Multipart, Expr::value(multipart.0.as_str()))
                .filter(resumables::Column::FileId.eq(file.0))
                .filter(resumables::Column::Fence.eq(fence))
                .exec(&*tx)
                .await?;
            tx.commit().await?;
            Ok(set.rows_affected == 1)
        })
        .await
    }
}

async fn find(tx: &WriteTx, address: &str) -> Result<Option<resumables::Model>, DbError> {
    let query = resumables::Entity::find().filter(resumables::Column::Address.eq(address)).lock_exclusive();
    Ok(query.one(&**tx).await?)
}

async fn tags(tx: &WriteTx, file: Uuid) -> Result<Vec<PartTag>, DbError> {
    let rows = resumable_parts::Entity::find()
        .filter(resumable_parts::Column::FileId.eq(file))
        .order_by_asc(resumable_parts::Column::Number)
        .all(&**tx)
        .await?;
    Ok(rows.into_iter().map(|row| PartTag(row.tag)).collect())
}

async fn insert_tags(tx: &WriteTx, file: FileId, first: u32, tags: &[PartTag]) -> Result<(), DbError> {
    if tags.is_empty() {
        return Ok(());
    }
    let rows = (i64::from(first)..).zip(tags).map(|(number, tag)| resumable_parts::ActiveModel {
        file_id: Set(file.0),
        number: Set(number),
        tag: Set(tag.0.clone()),
    });
    let key = [resumable_parts::Column::FileId, resumable_parts::Column::Number];
    let newer = OnConflict::columns(key).update_column(resumable_parts::Column::Tag).to_owned();
    resumable_parts::Entity::insert_many(rows).on_conflict(newer).exec_without_returning(&**tx).await?;
    Ok(())
}

/// The bytes that may be taken at most.
async fn room_for(tx: &WriteTx, new: &NewResumable) -> Result<Result<u64, Excess>, DbError> {
    if !new.quota.is_set() {
        return Ok(Ok(new.max_bytes));
    }
    let used = quotas::locked(tx, &new.org_id).await?;
    let more = Usage { bytes: new.length.unwrap_or(0), files: u64::from(new.role.is_file()), uploads: 1 };
    if let Err(excess) = new.quota.admit(used.plus(more)) {
        return Ok(Err(excess));
    }
    Ok(Ok(new.max_bytes.min(new.quota.room(used))))
}

/// Pieces are used once.
async fn use_sources(tx: &WriteTx, new: &NewResumable) -> Result<bool, DbError> {
    if new.sources.is_empty() {
        return Ok(true);
    }
    let used = resumables::Entity::update_many()
        .col_expr(resumables::Column::Role, Expr::value(Role::Used.as_str()))
        .filter(resumables::Column::FileId.is_in(new.sources.iter().map(|file| file.0)))
        .filter(resumables::Column::OrgId.eq(new.org_id.as_str()))
        .filter(resumables::Column::Role.eq(Role::Partial.as_str()))
        .filter(resumables::Column::Finished.eq(true))
        .exec(&**tx)
        .await?;
    Ok(used.rows_affected == new.sources.len() as u64)
}

async fn insert_file(tx: &WriteTx, new: &NewResumable) -> Result<(), DbError> {
    let file = super::NewFile {
        id: new.file_id,
        org_id: new.org_id.clone(),
        owner_id: new.owner_id.clone(),
        location: new.location.clone(),
        filename: new.filename.clone(),
        staging_key: crate::key::Key::Staging { org: new.org_id.clone(), file: new.file_id },
        repeat_key: None,
        labels: new.labels.clone(),
    };
    let mut row = new_row(&file, tx.now)?;
    row.size_bytes = Set(signed(new.length.unwrap_or(0)));
    files::Entity::insert(row).exec_without_returning(&**tx).await?;
    labels::insert_tags(tx, &new.org_id, new.file_id, &new.labels.tags).await?;
    let upload = uploads::ActiveModel {
        file_id: Set(new.file_id.0),
        org_id: Set(new.org_id.as_str().to_owned()),
        staging_key: Set(file.staging_key.to_string()),
        multipart: Set(None),
        touched_at: Set(tx.now.0),
    };
    uploads::Entity::insert(upload).exec_without_returning(&**tx).await?;
    Ok(())
}

fn row(new: &NewResumable, room: u64, tx: &WriteTx) -> Result<resumables::ActiveModel, DbError> {
    Ok(resumables::ActiveModel {
        file_id: Set(new.file_id.0),
        address: Set(new.address.clone()),
        org_id: Set(new.org_id.as_str().to_owned()),
        owner_id: Set(new.owner_id.as_str().to_owned()),
        role: Set(new.role.as_str().to_owned()),
        filename: Set(new.filename.clone()),
        claimed_type: Set(new.claimed_type.clone()),
        metadata: Set(new.metadata.clone()),
        sources: Set(write_json(&new.sources)?),
        length: Set(new.length.map(signed)),
        max_bytes: Set(signed(room)),
        part_bytes: Set(signed(new.part_bytes)),
        stored_bytes: Set(0),
        parts: Set(0),
        tail: Set(None),
        multipart: Set(None),
        digest: Set(String::new()),
        fence: Set(0),
        holder: Set(None),
        wanted: Set(false),
        forced: Set(false),
        finished: Set(false),
        created_at: Set(tx.now.0),
        expires_at: Set(tx.now.plus(new.lasts).0),
    })
}

/// The upload of this file, if it was one of these, is over: its row stays until it expires, for whoever has not heard of it.
pub(super) async fn finish(tx: &WriteTx, file: FileId) -> Result<(), DbError> {
    let Some(row) = resumables::Entity::find_by_id(file.0).lock_exclusive().one(&**tx).await? else { return Ok(()) };
    let Ok(next) = transition(row.view(), ResumableEvent::Finish) else { return Ok(()) };
    resumable_parts::Entity::delete_many().filter(resumable_parts::Column::FileId.eq(file.0)).exec(&**tx).await?;
    let mut change = row.into_active_model();
    (change.finished, change.holder, change.wanted) = (Set(next.finished), Set(None), Set(next.wanted));
    (change.tail, change.multipart, change.digest) = (Set(None), Set(None), Set(String::new()));
    change.update(&**tx).await?;
    Ok(())
}

/// The upload of a file that was deleted: whoever goes on with it finds nothing.
pub(super) async fn forget(tx: &WriteTx, file: FileId) -> Result<(), DbError> {
    resumables::Entity::delete_by_id(file.0).exec(&**tx).await?;
    Ok(())
}

/// Which of these name the objects of an upload.
pub(super) async fn known(db: &Db, chunk: &[FileId]) -> Result<Vec<FileId>, DbError> {
    let query = resumables::Entity::find()
        .select_only()
        .column(resumables::Column::FileId)
        .filter(resumables::Column::FileId.is_in(chunk.iter().map(|file| file.0)))
        .into_tuple::<Uuid>();
    Ok(query.all(&db.connection).await?.into_iter().map(FileId).collect())
}
