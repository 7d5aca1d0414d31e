//! Endpoints as an organisation's admins make, see and change them.

use std::time::Duration;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, Set, Statement, sea_query::Expr,
};

use super::{
    Db, DbError,
    entity::{signed, webhooks, write_json},
    quotas,
    transaction::WriteTx,
};
use crate::{
    ids::{OrgId, WebhookId},
    webhook::{DisabledReason, EventFilter, NewWebhook, Webhook, WebhookChange},
};

const LAST_SEQ: &str = "SELECT last_seq FROM event_counters WHERE org_id = $1";

const OTHERWISE: &str = "
SELECT * FROM webhooks WHERE substr(secret, 1, CAST($1 AS INTEGER)) <> $2
    OR (old_secret_until > $3 AND substr(old_secret, 1, CAST($1 AS INTEGER)) <> $2)
LIMIT $4";

impl Db {
    /// Makes one that is told of what happens from now on; `None` when the organisation has `most` already.
    ///
    /// # Errors
    /// The database is away.
    pub async fn create_webhook(&self, new: &NewWebhook, most: u64) -> Result<Option<Webhook>, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            quotas::lock(&tx, &new.org_id).await?;
            if of(&new.org_id).count(&*tx).await? >= most {
                return Ok(None);
            }
            let row = webhooks::ActiveModel {
                id: Set(new.id.0),
                org_id: Set(new.org_id.as_str().to_owned()),
                url: Set(new.url.clone()),
                description: Set(new.description.clone()),
                events: Set(write_json(&new.events.words())?),
                enabled: Set(true),
                failures: Set(0),
                secret: Set(new.secret.clone()),
                last_seq: Set(last_seq(&tx, &new.org_id).await?),
                served_at: Set(0),
                created_at: Set(tx.now.0),
                updated_at: Set(tx.now.0),
                ..Default::default()
            };
            webhooks::Entity::insert(row).exec_without_returning(&*tx).await?;
            let made = of(&new.org_id).filter(webhooks::Column::Id.eq(new.id.0)).one(&*tx).await?;
            let now = tx.now;
            tx.commit().await?;
            made.map(|row| row.into_webhook(now)).transpose()
        })
        .await
    }

    /// All of an organisation's, the oldest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn list_webhooks(&self, org: &OrgId) -> Result<Vec<Webhook>, DbError> {
        self.in_time(async {
            let now = self.now().await?;
            let rows = of(org).order_by_asc(webhooks::Column::Id).all(&self.connection).await?;
            rows.into_iter().map(|row| row.into_webhook(now)).collect()
        })
        .await
    }

    /// # Errors
    /// The database is away.
    pub async fn find_webhook(&self, org: &OrgId, webhook: WebhookId) -> Result<Option<Webhook>, DbError> {
        self.in_time(async {
            let now = self.now().await?;
            let row = of(org).filter(webhooks::Column::Id.eq(webhook.0)).one(&self.connection).await?;
            row.map(|row| row.into_webhook(now)).transpose()
        })
        .await
    }

    /// Changes what is given. One that is enabled again is told of what happens from then on, and has failed never.
    ///
    /// # Errors
    /// The database is away.
    pub async fn change_webhook(
        &self,
        org: &OrgId,
        webhook: WebhookId,
        change: &WebhookChange,
    ) -> Result<Option<Webhook>, DbError> {
        let change = change.clone();
        self.write_webhook(org, webhook, async |tx, before, row| {
            set(&mut row.url, change.url);
            set(&mut row.description, change.description);
            set(&mut row.events, change.events.as_ref().map(words).transpose()?);
            match change.enabled {
                Some(true) if !before.enabled => enable(tx, before, row).await?,
                Some(false) if before.enabled => disable(tx, row, DisabledReason::ByAdmin),
                _ => {}
            }
            Ok(())
        })
        .await
    }

    /// A new secret signs from now on; the one before signs beside it for `grace`. One that signed beside that does no more.
    ///
    /// # Errors
    /// The database is away.
    pub async fn rotate_webhook(
        &self,
        org: &OrgId,
        webhook: WebhookId,
        secret: &str,
        grace: Duration,
    ) -> Result<Option<Webhook>, DbError> {
        self.write_webhook(org, webhook, async |tx, before, row| {
            row.secret = Set(secret.to_owned());
            row.old_secret = Set(Some(before.secret.clone()));
            row.old_secret_until = Set(Some(tx.now.plus(grace).0));
            Ok(())
        })
        .await
    }

    /// Removes it and its log; what waits is sent no more. False when there is none.
    ///
    /// # Errors
    /// The database is away.
    pub async fn delete_webhook(&self, org: &OrgId, webhook: WebhookId) -> Result<bool, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let gone = webhooks::Entity::delete_many()
                .filter(webhooks::Column::Id.eq(webhook.0))
                .filter(webhooks::Column::OrgId.eq(org.as_str()))
                .exec(&*tx)
                .await?;
            tx.commit().await?;
            Ok(gone.rows_affected == 1)
        })
        .await
    }

    /// Some whose secrets do not begin as those sealed with the first key do.
    ///
    /// # Errors
    /// The database is away.
    pub async fn webhooks_sealed_otherwise(&self, prefix: &str, limit: u64) -> Result<Vec<Webhook>, DbError> {
        self.in_time(async {
            let now = self.now().await?;
            let values = [signed(prefix.len() as u64).into(), prefix.into(), now.0.into(), signed(limit).into()];
            let query = Statement::from_sql_and_values(self.connection.get_database_backend(), OTHERWISE, values);
            let rows = webhooks::Entity::find().from_raw_sql(query).all(&self.connection).await?;
            rows.into_iter().map(|row| row.into_webhook(now)).collect()
        })
        .await
    }

    /// Puts the same secrets in place of the sealed texts that were read, unless they were rotated meanwhile.
    ///
    /// # Errors
    /// The database is away.
    pub async fn reseal_webhook(
        &self,
        org: &OrgId,
        webhook: WebhookId,
        read: &str,
        (secret, old): (String, Option<String>),
    ) -> Result<(), DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            webhooks::Entity::update_many()
                .col_expr(webhooks::Column::Secret, Expr::value(secret))
                .col_expr(webhooks::Column::OldSecret, Expr::value(old))
                .filter(webhooks::Column::Id.eq(webhook.0))
                .filter(webhooks::Column::OrgId.eq(org.as_str()))
                .filter(webhooks::Column::Secret.eq(read))
                .exec(&*tx)
                .await?;
            tx.commit().await
        })
        .await
    }

    async fn write_webhook(
        &self,
        org: &OrgId,
        webhook: WebhookId,
        change: impl AsyncFnOnce(&WriteTx, &webhooks::Model, &mut webhooks::ActiveModel) -> Result<(), DbError>,
    ) -> Result<Option<Webhook>, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let row = of(org).filter(webhooks::Column::Id.eq(webhook.0)).lock_exclusive().one(&*tx).await?;
            let Some(before) = row else { return Ok(None) };
            let mut row = before.clone().into_active_model();
            change(&tx, &before, &mut row).await?;
            row.updated_at = Set(tx.now.0);
            let (row, now) = (row.update(&*tx).await?, tx.now);
            tx.commit().await?;
            row.into_webhook(now).map(Some)
        })
        .await
    }
}

fn of(org: &OrgId) -> sea_orm::Select<webhooks::Entity> {
    webhooks::Entity::find().filter(webhooks::Column::OrgId.eq(org.as_str()))
}

fn words(filter: &EventFilter) -> Result<String, DbError> {
    write_json(&filter.words())
}

fn set(field: &mut sea_orm::ActiveValue<String>, value: Option<String>) {
    if let Some(value) = value {
        *field = Set(value);
    }
}

async fn enable(tx: &WriteTx, before: &webhooks::Model, row: &mut webhooks::ActiveModel) -> Result<(), DbError> {
    row.enabled = Set(true);
    (row.disabled_reason, row.disabled_at) = (Set(None), Set(None));
    (row.failing_since, row.failures) = (Set(None), Set(0));
    row.last_seq = Set(last_seq(tx, &OrgId::new(&*before.org_id)).await?);
    Ok(())
}

pub(super) fn disable(tx: &WriteTx, row: &mut webhooks::ActiveModel, why: DisabledReason) {
    row.enabled = Set(false);
    (row.disabled_reason, row.disabled_at) = (Set(Some(why.as_str().to_owned())), Set(Some(tx.now.0)));
}

/// The number of the organisation's newest event.
pub(super) async fn last_seq(tx: &WriteTx, org: &OrgId) -> Result<i64, DbError> {
    let query = Statement::from_sql_and_values(tx.get_database_backend(), LAST_SEQ, [org.as_str().into()]);
    Ok(tx.query_one_raw(query).await?.map(|row| row.try_get("", "last_seq")).transpose()?.unwrap_or(0))
}
