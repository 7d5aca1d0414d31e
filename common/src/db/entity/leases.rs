//! Table `playback_leases`.

use sea_orm::{Set, entity::prelude::*};
use serde::{Deserialize, Serialize};

use super::{parse, read_json, write_json};
use crate::{
    db::DbError,
    ids::{FileId, OrgId, UserId},
    lease::{Client, PlaybackLease},
    timestamp::Timestamp,
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "playback_leases")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub org_id: String,
    pub user_id: String,
    pub file_id: Uuid,
    pub token_id: String,
    pub user_agent: String,
    pub prefix: String,
    pub scope: String,
    pub token_issued_at: i64,
    pub token_expires_at: i64,
    pub opened_at: i64,
    pub seen_at: i64,
    pub ends_at: i64,
    pub moved_at: Option<i64>,
    pub moves: String,
    pub pins: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub(in crate::db) fn into_lease(self) -> Result<PlaybackLease, DbError> {
        Ok(PlaybackLease {
            id: parse(&self.id)?,
            org: OrgId::new(self.org_id),
            user: UserId::new(self.user_id),
            file: FileId(self.file_id),
            token_id: self.token_id,
            scope: self.scope.split_whitespace().map(parse).collect::<Result<_, _>>()?,
            token_issued_at: Timestamp(self.token_issued_at),
            token_expires_at: Timestamp(self.token_expires_at),
            client: Client { user_agent: parse(&self.user_agent)?, prefix: parse(&self.prefix)? },
            opened_at: Timestamp(self.opened_at),
            seen_at: Timestamp(self.seen_at),
            ends_at: Timestamp(self.ends_at),
            moves: read_moves(&self.moves)?,
            pins: read_json(&self.pins)?,
        })
    }
}

pub(in crate::db) fn row(lease: &PlaybackLease) -> Result<ActiveModel, DbError> {
    let scope: Vec<&str> = lease.scope.iter().map(|scope| scope.as_str()).collect();
    Ok(ActiveModel {
        id: Set(lease.id.to_string()),
        org_id: Set(lease.org.as_str().to_owned()),
        user_id: Set(lease.user.as_str().to_owned()),
        file_id: Set(lease.file.0),
        token_id: Set(lease.token_id.clone()),
        user_agent: Set(lease.client.user_agent.to_string()),
        prefix: Set(lease.client.prefix.to_string()),
        scope: Set(scope.join(" ")),
        token_issued_at: Set(lease.token_issued_at.0),
        token_expires_at: Set(lease.token_expires_at.0),
        opened_at: Set(lease.opened_at.0),
        seen_at: Set(lease.seen_at.0),
        ends_at: Set(lease.ends_at.0),
        moved_at: Set(None),
        moves: Set(write_moves(&lease.moves)?),
        pins: Set(write_json(&lease.pins)?),
    })
}

/// Numbers, as all times of the database are.
pub(in crate::db) fn write_moves(moves: &[Timestamp]) -> Result<String, DbError> {
    write_json(&moves.iter().map(|moved| moved.0).collect::<Vec<i64>>())
}

fn read_moves(text: &str) -> Result<Vec<Timestamp>, DbError> {
    Ok(read_json::<Vec<i64>>(text)?.into_iter().map(Timestamp).collect())
}
