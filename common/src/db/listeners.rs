//! Leases of those who listen to events: as playback leases, but of no file. They are looked at when somebody begins to listen, so the
//! database alone keeps them.

use std::time::Duration;

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter,
    sea_query::{Expr, OnConflict},
};

use super::{Db, DbError, entity::listener_leases as leases};
use crate::{
    ids::OrgId,
    lease::{Client, PlaybackLease},
};

impl Db {
    /// What a token of this organisation has opened.
    ///
    /// # Errors
    /// The database is away.
    pub async fn listeners_of_token(&self, org: &OrgId, token_id: &str) -> Result<Vec<PlaybackLease>, DbError> {
        let query = leases::Entity::find()
            .filter(leases::Column::TokenId.eq(token_id))
            .filter(leases::Column::OrgId.eq(org.as_str()));
        let rows = self.in_time(async { Ok(query.all(&self.connection).await?) }).await?;
        rows.into_iter().map(leases::Model::into_lease).collect()
    }

    /// Writes one down, in the place of an earlier one of the same client; of two that open at once the later one counts. One that
    /// has moved leaves its old network, `from`, in the same transaction.
    ///
    /// # Errors
    /// The database is away.
    pub async fn put_listener(&self, lease: &PlaybackLease, from: Option<&Client>) -> Result<(), DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            if let Some(from) = from {
                leases::Entity::delete_many().filter(of(lease, from)).exec(&*tx).await?;
            }
            let key = [leases::Column::TokenId, leases::Column::UserAgent, leases::Column::Prefix];
            let later = [leases::Column::SeenAt, leases::Column::EndsAt, leases::Column::Lease];
            let anew = OnConflict::columns(key).update_columns(later).to_owned();
            leases::Entity::insert(leases::row(lease)?).on_conflict(anew).exec_without_returning(&*tx).await?;
            tx.commit().await
        })
        .await
    }

    /// Says that these still listen.
    ///
    /// # Errors
    /// The database is away.
    pub async fn touch_listeners(&self, present: &[PlaybackLease]) -> Result<(), DbError> {
        if present.is_empty() {
            return Ok(());
        }
        // In one order, so that two gateways with one in common never wait for each other in a ring.
        let mut present: Vec<_> = present.iter().collect();
        present.sort_by_cached_key(|lease| (lease.token_id.clone(), key_of(&lease.client)));
        self.in_time(async {
            let tx = self.write().await?;
            for lease in present {
                leases::Entity::update_many()
                    .col_expr(leases::Column::SeenAt, Expr::value(tx.now.0))
                    .filter(of(lease, &lease.client))
                    .exec(&*tx)
                    .await?;
            }
            tx.commit().await
        })
        .await
    }

    /// Forgets those that have been silent for `silent`.
    ///
    /// # Errors
    /// The database is away.
    pub async fn purge_listeners(&self, silent: Duration) -> Result<u64, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let gone = leases::Entity::delete_many()
                .filter(leases::Column::SeenAt.lt(tx.now.minus(silent).0))
                .exec(&*tx)
                .await?
                .rows_affected;
            tx.commit().await?;
            Ok(gone)
        })
        .await
    }
}

fn key_of(client: &Client) -> (String, String) {
    (client.user_agent.to_string(), client.prefix.to_string())
}

fn of(lease: &PlaybackLease, client: &Client) -> Condition {
    let (user_agent, prefix) = key_of(client);
    Condition::all()
        .add(leases::Column::TokenId.eq(lease.token_id.as_str()))
        .add(leases::Column::UserAgent.eq(user_agent))
        .add(leases::Column::Prefix.eq(prefix))
}
