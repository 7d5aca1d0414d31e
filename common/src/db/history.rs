//! What became of each attempt: written for people who ask why, read by nobody who decides.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, Set, sea_query::Expr};

use super::{
    AttemptEnd, AttemptRecord, Db, DbError,
    entity::{attempts, jobs, signed},
    transaction::WriteTx,
};
use crate::{
    ids::{JobId, ProcessId},
    job::{AttemptOutcome, Fence},
};

impl Db {
    /// Says how an attempt ended, once. Needs no fence: it is the history of that attempt alone.
    ///
    /// # Errors
    /// The database is away.
    pub async fn note_attempt(&self, fence: &Fence, end: &AttemptEnd) -> Result<(), DbError> {
        let (code, message) = end.failure.as_ref().map(|it| (it.code.clone(), it.message.clone())).unzip();
        let words = Some(end.last_words.clone()).filter(|words| !words.is_empty());
        self.in_time(async {
            let tx = self.write().await?;
            attempts::Entity::update_many()
                .col_expr(attempts::Column::EndedAt, Expr::value(tx.now.0))
                .col_expr(attempts::Column::Outcome, Expr::value(end.outcome.as_str()))
                .col_expr(attempts::Column::Code, Expr::value(code))
                .col_expr(attempts::Column::Message, Expr::value(message))
                .col_expr(attempts::Column::LastWords, Expr::value(words))
                .col_expr(attempts::Column::PeakMemoryBytes, Expr::value(end.peak_memory_bytes.map(signed)))
                .filter(attempts::Column::JobId.eq(fence.job_id.0))
                .filter(attempts::Column::Attempt.eq(fence.attempt))
                .filter(attempts::Column::EndedAt.is_null())
                .exec(&*tx)
                .await?;
            tx.commit().await
        })
        .await
    }

    /// A job's attempts, the first one first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn attempts_of(&self, job: JobId) -> Result<Vec<AttemptRecord>, DbError> {
        let query =
            attempts::Entity::find().filter(attempts::Column::JobId.eq(job.0)).order_by_asc(attempts::Column::Attempt);
        let rows = self.in_time(async { Ok(query.all(&self.connection).await?) }).await?;
        rows.into_iter().map(attempts::Model::into_record).collect()
    }
}

/// An attempt begins; whatever was still open has never come back.
pub(super) async fn begin(tx: &WriteTx, job: &jobs::Model, worker: &ProcessId) -> Result<(), DbError> {
    lost(tx, job).await?;
    let row = attempts::ActiveModel {
        job_id: Set(job.id),
        attempt: Set(job.attempt),
        worker: Set(worker.as_str().to_owned()),
        started_at: Set(tx.now.0),
        progress: Set(job.progress),
        ..Default::default()
    };
    attempts::Entity::insert(row).exec_without_returning(&**tx).await?;
    Ok(())
}

/// Nothing more is heard of the attempts that have not ended.
pub(super) async fn lost(tx: &WriteTx, job: &jobs::Model) -> Result<(), DbError> {
    attempts::Entity::update_many()
        .col_expr(attempts::Column::EndedAt, Expr::value(tx.now.0))
        .col_expr(attempts::Column::Outcome, Expr::value(AttemptOutcome::Lost.as_str()))
        .filter(attempts::Column::JobId.eq(job.id))
        .filter(attempts::Column::EndedAt.is_null())
        .exec(&**tx)
        .await?;
    Ok(())
}
