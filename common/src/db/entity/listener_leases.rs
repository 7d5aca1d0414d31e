//! Table `listener_leases`. What is only read as a whole is JSON.

use sea_orm::{Set, entity::prelude::*};
use serde::{Deserialize, Serialize};

use super::{read_json, write_json};
use crate::{db::DbError, lease::PlaybackLease, timestamp::Timestamp};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "listener_leases")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub token_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_agent: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub prefix: String,
    pub org_id: String,
    pub seen_at: i64,
    pub ends_at: i64,
    pub lease: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub(in crate::db) fn into_lease(self) -> Result<PlaybackLease, DbError> {
        Ok(PlaybackLease { seen_at: Timestamp(self.seen_at), ..read_json(&self.lease)? })
    }
}

pub(in crate::db) fn row(lease: &PlaybackLease) -> Result<ActiveModel, DbError> {
    Ok(ActiveModel {
        token_id: Set(lease.token_id.clone()),
        user_agent: Set(lease.client.user_agent.to_string()),
        prefix: Set(lease.client.prefix.to_string()),
        org_id: Set(lease.org.as_str().to_owned()),
        seen_at: Set(lease.seen_at.0),
        ends_at: Set(lease.ends_at.0),
        lease: Set(write_json(lease)?),
    })
}
