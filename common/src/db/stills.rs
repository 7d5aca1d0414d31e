//! Thumbnails: who asks for one makes a wish and wakes the file's one thumbnail job; the job's attempts fulfil wishes under
//! their fence. However many ask for the same, there is one row and one job.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    Set, sea_query::Expr,
};

use super::{
    AskedStill, Db, DbError, Fenced, FinishedStills, StillLimits,
    entity::{files, signed, stills},
    fence,
    files::living,
    settle,
    transaction::WriteTx,
    wake::wake,
};
use crate::{
    ids::{FileId, OrgId},
    job::{Fence, JobKind, JobPolicy, THUMBNAIL_PRIORITY},
    key::Key,
    states::job::{JobEvent, Refused},
    still::{MadeStill, Still},
    timestamp::Timestamp,
};

impl Db {
    /// What has become of a wish; `None` when nobody has asked, or nothing yet.
    ///
    /// # Errors
    /// The database is away.
    pub async fn find_still(
        &self,
        org: &OrgId,
        file: FileId,
        generation: i64,
        still: &Still,
    ) -> Result<Option<AskedStill>, DbError> {
        let query = stills::Entity::find_by_id((file.0, generation, still.name()))
            .filter(stills::Column::OrgId.eq(org.as_str()));
        let row = self.in_time(async { Ok(query.one(&self.connection).await?) }).await?;
        row.map_or(Ok(None), |row| settled(&row))
    }

    /// Asks for a still of a file's current generation: the wish is noted once, and the thumbnail job queued unless it is.
    ///
    /// # Errors
    /// The database is away.
    pub async fn ask_still(
        &self,
        org: &OrgId,
        file: FileId,
        still: &Still,
        limits: StillLimits,
    ) -> Result<AskedStill, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let row = living(&*tx, org).filter(files::Column::Id.eq(file.0)).lock_exclusive().one(&*tx).await?;
            let Some(row) = row else { return Ok(AskedStill::NoSuchFile) };
            let known = stills::Entity::find_by_id((file.0, row.generation, still.name())).one(&*tx).await?;
            if let Some(known) = &known
                && let Some(settled) = settled(known)?
            {
                return Ok(settled);
            }
            let mut evicted = Vec::new();
            if known.is_none() {
                if waiting(&tx, org).await? >= limits.waiting {
                    return Ok(AskedStill::TooMany);
                }
                evicted = evict(&tx, org, limits.stored).await?;
                stills::Entity::insert(wish(&row, still, tx.now)).exec_without_returning(&*tx).await?;
            }
            let job = wake(&tx, &row, JobKind::Thumbnail, THUMBNAIL_PRIORITY).await?;
            tx.commit().await?;
            Ok(AskedStill::Waiting { job, evicted })
        })
        .await
    }

    /// What the attempt's file is wanted to have, the longest waiting first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn wanted_stills(&self, fence: &Fence, limit: u64) -> Result<Vec<Still>, DbError> {
        let query = of(fence.file_id, fence.generation)
            .filter(Expr::cust(stills::WANTED))
            .order_by_asc(stills::Column::AskedAt)
            .limit(limit);
        let rows = self.in_time(async { Ok(query.all(&self.connection).await?) }).await?;
        rows.iter().map(stills::Model::still).collect()
    }

    /// A wish is fulfilled.
    ///
    /// # Errors
    /// The database is away. Repeating it is harmless.
    pub async fn publish_still(
        &self,
        fence: &Fence,
        still: &Still,
        size_bytes: u64,
        etag: &str,
    ) -> Result<Fenced, DbError> {
        self.settle_still(fence, still, |row, now| {
            row.made_at = Set(Some(now.0));
            row.attempt = Set(Some(fence.attempt));
            row.size_bytes = Set(Some(signed(size_bytes)));
            row.etag = Set(Some(etag.to_owned()));
        })
        .await
    }

    /// A wish cannot be fulfilled, ever.
    ///
    /// # Errors
    /// As `publish_still`.
    pub async fn refuse_still(&self, fence: &Fence, still: &Still, why: &str) -> Result<Fenced, DbError> {
        self.settle_still(fence, still, |row, _| row.refused = Set(Some(why.to_owned()))).await
    }

    async fn settle_still(
        &self,
        fence: &Fence,
        still: &Still,
        change: impl FnOnce(&mut stills::ActiveModel, Timestamp),
    ) -> Result<Fenced, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            if fence::lock_held(&tx, fence).await?.is_none() {
                return Ok(Fenced::Stale);
            }
            let name = (fence.file_id.0, fence.generation, still.name());
            let Some(row) = stills::Entity::find_by_id(name).one(&*tx).await? else { return Ok(Fenced::Stale) };
            if let Some(made) = row.made()? {
                return Ok(if made.attempt == fence.attempt { Fenced::Written } else { Fenced::Stale });
            }
            let mut row = row.into_active_model();
            change(&mut row, tx.now);
            row.update(&*tx).await?;
            tx.commit().await?;
            Ok(Fenced::Written)
        })
        .await
    }

    /// The thumbnail job is done, unless more has been asked for meanwhile.
    ///
    /// # Errors
    /// The database is away. Repeating it is harmless.
    pub async fn finish_stills(&self, fence: &Fence) -> Result<FinishedStills, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let Some(locked) = fence::lock(&tx, fence.job_id).await? else { return Ok(FinishedStills::Stale) };
            let next = match locked.ask_for(fence, JobEvent::Finish(fence.into()), &JobPolicy::default())? {
                Ok(next) => next,
                Err(refused) => {
                    settle::stopped(&tx, locked, fence).await?;
                    tx.commit().await?;
                    let again = refused == Refused::Repeated;
                    return Ok(if again { FinishedStills::Done } else { FinishedStills::Stale });
                }
            };
            let more = of(fence.file_id, fence.generation).filter(Expr::cust(stills::WANTED)).one(&*tx).await?;
            if more.is_some() {
                return Ok(FinishedStills::More);
            }
            settle::done(&tx, locked, &next).await?;
            tx.commit().await?;
            Ok(FinishedStills::Done)
        })
        .await
    }

    /// All stills of a file that lie in the store, whatever their generation.
    ///
    /// # Errors
    /// The database is away.
    pub async fn made_stills(&self, org: &OrgId, file: FileId) -> Result<Vec<(i64, MadeStill)>, DbError> {
        let query = stills::Entity::find()
            .filter(stills::Column::FileId.eq(file.0))
            .filter(stills::Column::OrgId.eq(org.as_str()))
            .filter(Expr::cust(stills::MADE));
        let rows = self.in_time(async { Ok(query.all(&self.connection).await?) }).await?;
        rows.iter().filter_map(|row| Some(row.made().transpose()?.map(|made| (row.generation, made)))).collect()
    }
}

fn of(file: FileId, generation: i64) -> sea_orm::Select<stills::Entity> {
    stills::Entity::find().filter(stills::Column::FileId.eq(file.0)).filter(stills::Column::Generation.eq(generation))
}

fn settled(row: &stills::Model) -> Result<Option<AskedStill>, DbError> {
    if let Some(why) = &row.refused {
        return Ok(Some(AskedStill::Refused(why.clone())));
    }
    Ok(row.made()?.map(AskedStill::Made))
}

fn wish(file: &files::Model, still: &Still, now: Timestamp) -> stills::ActiveModel {
    stills::ActiveModel {
        file_id: Set(file.id),
        generation: Set(file.generation),
        name: Set(still.name()),
        org_id: Set(file.org_id.clone()),
        second: Set(still.second.into()),
        width: Set(still.width.into()),
        format: Set(still.format.as_str().to_owned()),
        asked_at: Set(now.0),
        ..Default::default()
    }
}

async fn waiting(tx: &WriteTx, org: &OrgId) -> Result<u64, DbError> {
    let query =
        stills::Entity::find().filter(stills::Column::OrgId.eq(org.as_str())).filter(Expr::cust(stills::WANTED));
    Ok(query.count(&**tx).await?)
}

/// Makes room for one more: the oldest go, some more than needed, so that this is seldom. Gives their objects.
async fn evict(tx: &WriteTx, org: &OrgId, stored: u64) -> Result<Vec<Key>, DbError> {
    let made = stills::Entity::find().filter(stills::Column::OrgId.eq(org.as_str())).filter(Expr::cust(stills::MADE));
    let count = made.clone().count(&**tx).await?;
    if count < stored {
        return Ok(Vec::new());
    }
    let rows = made.order_by_asc(stills::Column::MadeAt).limit(count - stored + 1 + stored / 20).all(&**tx).await?;
    let mut keys = Vec::new();
    for row in rows {
        if let Some(made) = row.made()? {
            keys.push(made.key(org, FileId(row.file_id), row.generation));
        }
        stills::Entity::delete_by_id((row.file_id, row.generation, row.name)).exec(&**tx).await?;
    }
    Ok(keys)
}
