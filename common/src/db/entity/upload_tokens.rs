//! Table `upload_tokens`.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use super::unsigned;
use crate::{
    db::DbError,
    ids::{OrgId, UserId},
    resumable::UploadToken,
    timestamp::Timestamp,
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "upload_tokens")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub token: String,
    pub org_id: String,
    pub owner_id: String,
    pub max_bytes: i64,
    pub content_type: Option<String>,
    pub metadata: String,
    pub uploads_left: i64,
    pub expires_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub(in crate::db) fn into_token(self) -> Result<UploadToken, DbError> {
        Ok(UploadToken {
            org_id: OrgId::new(self.org_id),
            owner_id: UserId::new(self.owner_id),
            max_bytes: unsigned(self.max_bytes)?,
            content_type: self.content_type,
            metadata: self.metadata,
            uploads_left: unsigned(self.uploads_left)?,
            expires_at: Timestamp(self.expires_at),
        })
    }
}
