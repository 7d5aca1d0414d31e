//! Table `epochs`.

use sea_orm::{Set, entity::prelude::*};
use serde::{Deserialize, Serialize};

use super::parse;
use crate::{
    db::DbError,
    ids::{OrgId, UserId},
    lease::{Epoch, Subject},
    timestamp::Timestamp,
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "epochs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub org_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    pub not_before: i64,
    pub bumped_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub(in crate::db) fn into_epoch(self) -> Result<Epoch, DbError> {
        let subject = match self.kind.as_str() {
            "org" => Subject::Org,
            "user" => Subject::User(UserId::new(self.subject)),
            "file" => Subject::File(parse(&self.subject)?),
            "lease" => Subject::Lease(parse(&self.subject)?),
            other => return Err(DbError::Garbled(format!("{other:?} is no kind of epoch"))),
        };
        Ok(Epoch { org: OrgId::new(self.org_id), subject, not_before: Timestamp(self.not_before) })
    }
}

pub(in crate::db) fn row(epoch: &Epoch, now: Timestamp) -> ActiveModel {
    let (kind, subject) = match &epoch.subject {
        Subject::Org => ("org", String::new()),
        Subject::User(user) => ("user", user.as_str().to_owned()),
        Subject::File(file) => ("file", file.to_string()),
        Subject::Lease(lease) => ("lease", lease.to_string()),
    };
    ActiveModel {
        org_id: Set(epoch.org.as_str().to_owned()),
        kind: Set(kind.to_owned()),
        subject: Set(subject),
        not_before: Set(epoch.not_before.0),
        bumped_at: Set(now.0),
    }
}
