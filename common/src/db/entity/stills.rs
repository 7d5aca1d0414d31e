//! Table `stills`.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use super::{parse, unsigned};
use crate::{
    db::DbError,
    still::{MadeStill, Still},
    timestamp::Timestamp,
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "stills")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub file_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub generation: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub org_id: String,
    pub second: i64,
    pub width: i64,
    pub format: String,
    pub asked_at: i64,
    pub made_at: Option<i64>,
    pub attempt: Option<i64>,
    pub size_bytes: Option<i64>,
    pub etag: Option<String>,
    pub refused: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Spelt as in the indexes, which parameters would keep from being used.
pub(in crate::db) const WANTED: &str = "made_at IS NULL AND refused IS NULL";
pub(in crate::db) const MADE: &str = "made_at IS NOT NULL";

impl Model {
    pub(in crate::db) fn still(&self) -> Result<Still, DbError> {
        Ok(Still { second: unsigned(self.second)?, width: unsigned(self.width)?, format: parse(&self.format)? })
    }

    /// `None` while it is only wanted.
    pub(in crate::db) fn made(&self) -> Result<Option<MadeStill>, DbError> {
        let (Some(made_at), Some(attempt), Some(size), Some(etag)) =
            (self.made_at, self.attempt, self.size_bytes, &self.etag)
        else {
            return Ok(None);
        };
        let (still, size_bytes) = (self.still()?, unsigned(size)?);
        Ok(Some(MadeStill { still, attempt, size_bytes, etag: etag.clone(), made_at: Timestamp(made_at) }))
    }
}
