//! Table `webhooks`.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use super::{parse, read_json};
use crate::{
    db::DbError,
    ids::{OrgId, WebhookId},
    timestamp::Timestamp,
    webhook::{EventFilter, SealedSecrets, Webhook},
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "webhooks")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub org_id: String,
    pub url: String,
    pub description: String,
    pub events: String,
    pub enabled: bool,
    pub disabled_reason: Option<String>,
    pub disabled_at: Option<i64>,
    pub failing_since: Option<i64>,
    pub failures: i64,
    pub secret: String,
    pub old_secret: Option<String>,
    pub old_secret_until: Option<i64>,
    pub last_seq: i64,
    pub served_at: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub(in crate::db) fn filter(&self) -> Result<EventFilter, DbError> {
        Ok(EventFilter::of_words(read_json::<Vec<String>>(&self.events)?))
    }

    /// Those that sign at `now`.
    pub(in crate::db) fn secrets(&self, now: Timestamp) -> SealedSecrets {
        let old = self.old_secret.clone().zip(self.old_secret_until.map(Timestamp));
        SealedSecrets { current: self.secret.clone(), old: old.filter(|(_, until)| *until > now) }
    }

    pub(in crate::db) fn into_webhook(self, now: Timestamp) -> Result<Webhook, DbError> {
        let reason = self.disabled_reason.as_deref().map(parse).transpose()?;
        Ok(Webhook {
            id: WebhookId(self.id),
            events: self.filter()?,
            secrets: self.secrets(now),
            org_id: OrgId::new(self.org_id),
            url: self.url,
            description: self.description,
            enabled: self.enabled,
            disabled: reason.zip(self.disabled_at.map(Timestamp)),
            failing_since: self.failing_since.map(Timestamp),
            failures: self.failures,
            created_at: Timestamp(self.created_at),
            updated_at: Timestamp(self.updated_at),
        })
    }
}
