//! Table `attempts`.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use super::{parse, unsigned};
use crate::{
    db::{AttemptRecord, DbError},
    timestamp::Timestamp,
};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "attempts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub job_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub attempt: i64,
    pub worker: String,
    pub started_at: i64,
    /// How far the job was when it began.
    pub progress: f64,
    /// Null while it runs.
    pub ended_at: Option<i64>,
    pub outcome: Option<String>,
    pub code: Option<String>,
    pub message: Option<String>,
    pub last_words: Option<String>,
    pub peak_memory_bytes: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub(in crate::db) fn into_record(self) -> Result<AttemptRecord, DbError> {
        Ok(AttemptRecord {
            attempt: self.attempt,
            worker: self.worker,
            started_at: Timestamp(self.started_at),
            progress: self.progress,
            ended_at: self.ended_at.map(Timestamp),
            outcome: self.outcome.as_deref().map(parse).transpose()?,
            code: self.code,
            message: self.message,
            last_words: self.last_words,
            peak_memory_bytes: self.peak_memory_bytes.map(unsigned).transpose()?,
        })
    }
}
