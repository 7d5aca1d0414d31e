//! Table `deliveries`.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use super::{parse, unsigned};
use crate::{
    db::DbError,
    ids::{DeliveryId, FileId, OrgId, WebhookId},
    states::delivery::DeliveryView,
    timestamp::Timestamp,
    webhook::{Delivery, LastAttempt, Told},
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "deliveries")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub webhook_id: Uuid,
    pub org_id: String,
    pub seq: Option<i64>,
    pub file_id: Option<Uuid>,
    pub kind: String,
    pub body: String,
    pub state: String,
    pub attempts: i64,
    pub holder: Option<String>,
    pub due_at: i64,
    pub give_up_at: i64,
    pub attempted_at: Option<i64>,
    pub last_status: Option<i64>,
    pub last_error: Option<String>,
    pub duration_ms: Option<i64>,
    pub created_at: i64,
    pub finished_at: Option<i64>,
    pub trace: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// What the state machine looks at.
    pub(in crate::db) fn view(&self) -> Result<DeliveryView, DbError> {
        let (due_at, give_up_at) = (Timestamp(self.due_at), Timestamp(self.give_up_at));
        Ok(DeliveryView { state: parse(&self.state)?, attempt: self.attempts, due_at, give_up_at })
    }

    fn last(&self) -> Result<Option<LastAttempt>, DbError> {
        let (Some(at), Some(duration)) = (self.attempted_at, self.duration_ms) else { return Ok(None) };
        let told = Told {
            status: self.last_status.map(|status| u16::try_from(status).unwrap_or_default()),
            miss: self.last_error.as_deref().map(parse).transpose()?,
            duration_ms: unsigned(duration)?,
        };
        Ok(Some(LastAttempt { told, at: Timestamp(at) }))
    }

    pub(in crate::db) fn into_delivery(self) -> Result<Delivery, DbError> {
        Ok(Delivery {
            id: DeliveryId(self.id),
            webhook_id: WebhookId(self.webhook_id),
            state: parse(&self.state)?,
            last: self.last()?,
            org_id: OrgId::new(self.org_id),
            seq: self.seq,
            file_id: self.file_id.map(FileId),
            kind: self.kind,
            body: self.body,
            attempts: self.attempts,
            due_at: Timestamp(self.due_at),
            give_up_at: Timestamp(self.give_up_at),
            created_at: Timestamp(self.created_at),
            finished_at: self.finished_at.map(Timestamp),
            trace: self.trace,
        })
    }
}
