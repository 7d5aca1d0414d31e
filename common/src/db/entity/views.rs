//! Table `views`.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "views")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub file_id: Uuid,
    pub org_id: String,
    pub total: i64,
    pub counted_at: i64,
    /// Somebody has watched since it was looked whether that earns anything.
    pub fresh: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Spelt as in the index, which a parameter would keep from being used.
pub(in crate::db) const FRESH: &str = "fresh";
