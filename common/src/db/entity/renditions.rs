//! Table `renditions`.

use sea_orm::{Set, entity::prelude::*};
use serde::{Deserialize, Serialize};

use super::{parse, read_json, signed, unsigned, write_json};
use crate::{db::DbError, ids::FileId, job::Fence, rendition::Rendition, timestamp::Timestamp};

/// The generation of what belongs to all of them.
pub(in crate::db) const ALL_GENERATIONS: i64 = 0;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "renditions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub file_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub generation: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub attempt: i64,
    pub kind: String,
    pub content_type: String,
    pub size_bytes: i64,
    pub width: Option<i64>,
    pub height: Option<i64>,
    pub bitrate: Option<i64>,
    pub codecs: Option<String>,
    pub duration_ms: Option<i64>,
    pub layout: String,
    pub etag: String,
    pub rank: i32,
    pub packaging: Option<String>,
    pub details: Option<String>,
    pub earned: bool,
    pub used_at: Option<i64>,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Spelt as in the index, which a parameter would keep from being used.
pub(in crate::db) const EARNED: &str = "earned";

impl Model {
    pub(in crate::db) fn into_rendition(self) -> Result<Rendition, DbError> {
        Ok(Rendition {
            file_id: FileId(self.file_id),
            generation: self.generation,
            attempt: self.attempt,
            name: self.name,
            kind: parse(&self.kind)?,
            content_type: self.content_type,
            size_bytes: unsigned(self.size_bytes)?,
            width: self.width.map(unsigned).transpose()?,
            height: self.height.map(unsigned).transpose()?,
            bitrate: self.bitrate.map(unsigned).transpose()?,
            codecs: self.codecs,
            duration_ms: self.duration_ms.map(unsigned).transpose()?,
            layout: read_json(&self.layout)?,
            etag: self.etag,
            rank: self.rank,
            packaging: self.packaging.as_deref().map(read_json).transpose()?,
            details: self.details.as_deref().map(read_json).transpose()?,
            earned: self.earned,
            used_at: self.used_at.map(Timestamp),
            created_at: Timestamp(self.created_at),
        })
    }
}

/// The row of a rendition made under `fence`; whose it is says the fence alone.
pub(in crate::db) fn row(fence: &Fence, made: &Rendition, now: Timestamp) -> Result<ActiveModel, DbError> {
    Ok(ActiveModel {
        file_id: Set(fence.file_id.0),
        generation: Set(fence.generation),
        name: Set(made.name.clone()),
        attempt: Set(fence.attempt),
        kind: Set(made.kind.as_str().to_owned()),
        content_type: Set(made.content_type.clone()),
        size_bytes: Set(signed(made.size_bytes)),
        width: Set(made.width.map(i64::from)),
        height: Set(made.height.map(i64::from)),
        bitrate: Set(made.bitrate.map(signed)),
        codecs: Set(made.codecs.clone()),
        duration_ms: Set(made.duration_ms.map(signed)),
        layout: Set(write_json(&made.layout)?),
        etag: Set(made.etag.clone()),
        rank: Set(made.rank),
        packaging: Set(made.packaging.as_ref().map(write_json).transpose()?),
        details: Set(made.details.as_ref().map(write_json).transpose()?),
        earned: Set(false),
        used_at: Set(None),
        created_at: Set(now.0),
    })
}
