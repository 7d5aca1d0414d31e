//! Table `resumables`.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use super::{parse, read_json, unsigned};
use crate::{
    db::DbError,
    ids::{FileId, OrgId, UserId},
    resumable::{Resumable, Stored},
    states::resumable::ResumableView,
    storage::MultipartId,
    timestamp::Timestamp,
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "resumables")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub file_id: Uuid,
    pub address: String,
    pub org_id: String,
    pub owner_id: String,
    pub role: String,
    pub filename: String,
    pub claimed_type: Option<String>,
    pub metadata: String,
    pub sources: String,
    pub length: Option<i64>,
    pub max_bytes: i64,
    pub part_bytes: i64,
    pub stored_bytes: i64,
    pub parts: i64,
    pub tail: Option<i64>,
    pub multipart: Option<String>,
    pub digest: String,
    pub fence: i64,
    pub holder: Option<String>,
    pub wanted: bool,
    pub forced: bool,
    pub finished: bool,
    pub created_at: i64,
    pub expires_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// What the state machine looks at.
    pub(in crate::db) fn view(&self) -> ResumableView {
        let Self { fence, wanted, finished, .. } = *self;
        ResumableView { fence, held: self.holder.is_some(), wanted, finished }
    }

    pub(in crate::db) fn into_resumable(self) -> Result<Resumable, DbError> {
        Ok(Resumable {
            file_id: FileId(self.file_id),
            role: parse(&self.role)?,
            sources: read_json(&self.sources)?,
            length: self.length.map(unsigned).transpose()?,
            max_bytes: unsigned(self.max_bytes)?,
            part_bytes: unsigned(self.part_bytes)?,
            stored: Stored {
                bytes: unsigned(self.stored_bytes)?,
                parts: unsigned(self.parts)?,
                tail: self.tail,
                multipart: self.multipart.map(MultipartId),
                digest: self.digest,
            },
            fence: self.fence,
            held: self.holder.is_some(),
            forced: self.forced,
            finished: self.finished,
            expires_at: Timestamp(self.expires_at),
            org_id: OrgId::new(self.org_id),
            owner_id: UserId::new(self.owner_id),
            filename: self.filename,
            claimed_type: self.claimed_type,
            metadata: self.metadata,
        })
    }
}
