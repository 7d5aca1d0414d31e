//! Table `uploads`.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use super::parse;
use crate::{
    db::{DbError, PendingUpload},
    ids::{FileId, OrgId},
    storage::MultipartId,
    timestamp::Timestamp,
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "uploads")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub file_id: Uuid,
    pub org_id: String,
    pub staging_key: String,
    pub multipart: Option<String>,
    pub touched_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(belongs_to = "super::files::Entity", from = "Column::FileId", to = "super::files::Column::Id")]
    File,
}

impl Related<super::files::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::File.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub(in crate::db) fn into_pending(self) -> Result<PendingUpload, DbError> {
        Ok(PendingUpload {
            file_id: FileId(self.file_id),
            org_id: OrgId::new(self.org_id),
            key: parse(&self.staging_key)?,
            multipart: self.multipart.map(MultipartId),
            touched_at: Timestamp(self.touched_at),
        })
    }
}
