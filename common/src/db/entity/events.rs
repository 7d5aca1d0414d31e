//! Table `events`.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use super::{parse, read_json};
use crate::{
    db::DbError,
    event::EventRecord,
    ids::{FileId, OrgId},
    timestamp::Timestamp,
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub org_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    pub file_id: Uuid,
    pub kind: String,
    pub data: String,
    pub created_at: i64,
    pub trace: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub(in crate::db) fn into_event(self) -> Result<EventRecord, DbError> {
        Ok(EventRecord {
            org_id: OrgId::new(self.org_id),
            seq: self.seq,
            file_id: FileId(self.file_id),
            kind: parse(&self.kind)?,
            data: read_json(&self.data)?,
            created_at: Timestamp(self.created_at),
        })
    }
}
