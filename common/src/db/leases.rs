//! Playback leases: opened once however many gateways race, bound and pinned under a lock, touched in bulk. Rows are the
//! truth; gateways and Redis hold copies.

use std::{collections::HashSet, time::Duration};

use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, Select, Set, sea_query::Expr, sea_query::OnConflict,
};

use super::{
    Db, DbError, LeaseFilter, OpenedLease,
    entity::{leases, write_json},
    files::{CHUNK, living},
    transaction::WriteTx,
};
use crate::{
    ids::{FileId, OrgId},
    lease::{Client, LeaseId, Pin, PlaybackLease},
    timestamp::Timestamp,
};

impl Db {
    /// Opens a lease, or gives the one that this client has for this token and file already: of two that race, one opens.
    /// One that has ended, or was silent for `idle`, gives way. `most` counts all leases of the token.
    ///
    /// # Errors
    /// The database is away.
    pub async fn open_lease(&self, lease: &PlaybackLease, idle: Duration, most: u32) -> Result<OpenedLease, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            if living(&*tx, &lease.org).filter(file_is(lease.file)).count(&*tx).await? == 0 {
                return Ok(OpenedLease::NoSuchFile);
            }
            match same_key(lease).one(&*tx).await? {
                Some(held) if held.ends_at > tx.now.0 && held.seen_at > tx.now.minus(idle).0 => {
                    return Ok(OpenedLease::Held(Box::new(held.into_lease()?)));
                }
                Some(ended) => {
                    leases::Entity::delete_by_id(ended.id).exec(&*tx).await?;
                }
                None => {}
            }
            let of_token = leases::Entity::find().filter(leases::Column::TokenId.eq(lease.token_id.as_str()));
            if of_token.count(&*tx).await? >= u64::from(most) {
                return Ok(OpenedLease::TooMany);
            }
            let opened = insert(&tx, lease).await?;
            tx.commit().await?;
            Ok(opened)
        })
        .await
    }

    /// What a token of this organisation has opened for a file.
    ///
    /// # Errors
    /// The database is away.
    pub async fn leases_of_token(
        &self,
        org: &OrgId,
        token_id: &str,
        file: FileId,
    ) -> Result<Vec<PlaybackLease>, DbError> {
        let query = leases::Entity::find()
            .filter(leases::Column::TokenId.eq(token_id))
            .filter(leases::Column::FileId.eq(file.0))
            .filter(leases::Column::OrgId.eq(org.as_str()));
        self.leases(query).await
    }

    /// An organisation's leases that have not ended, by all that the database knows; the latest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn list_leases(
        &self,
        org: &OrgId,
        filter: &LeaseFilter,
        silent: Duration,
    ) -> Result<Vec<PlaybackLease>, DbError> {
        let now = self.in_time(self.now()).await?;
        let mut query = leases::Entity::find()
            .filter(leases::Column::OrgId.eq(org.as_str()))
            .filter(leases::Column::SeenAt.gt(now.minus(silent).0))
            .filter(leases::Column::EndsAt.gt(now.0))
            .order_by_desc(leases::Column::SeenAt)
            .limit(filter.limit);
        if let Some(file) = filter.file {
            query = query.filter(leases::Column::FileId.eq(file.0));
        }
        if let Some(user) = &filter.user {
            query = query.filter(leases::Column::UserId.eq(user.as_str()));
        }
        self.leases(query).await
    }

    /// A lease by its name, which nobody can guess: it stands for the token that opened it, and names its organisation.
    ///
    /// # Errors
    /// The database is away.
    pub async fn find_lease(&self, id: LeaseId) -> Result<Option<PlaybackLease>, DbError> {
        Ok(self.leases(leases::Entity::find_by_id(id.to_string())).await?.pop())
    }

    async fn leases(&self, query: Select<leases::Entity>) -> Result<Vec<PlaybackLease>, DbError> {
        let rows = self.in_time(async { Ok(query.all(&self.connection).await?) }).await?;
        rows.into_iter().map(leases::Model::into_lease).collect()
    }

    /// Binds a lease to its client in another network, if it is still bound to `from`. False when another gateway was
    /// first, or it is gone. An ended lease that the client had there gives way.
    ///
    /// # Errors
    /// The database is away.
    pub async fn move_lease(&self, moved: &PlaybackLease, from: &Client) -> Result<bool, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let Some(row) = lock(&tx, moved.id).await? else { return Ok(false) };
            if row.user_agent != from.user_agent.to_string() || row.prefix != from.prefix.to_string() {
                return Ok(false);
            }
            leases::Entity::delete_many().filter(key(moved)).exec(&*tx).await?;
            let mut row = row.into_active_model();
            row.prefix = Set(moved.client.prefix.to_string());
            row.moves = Set(leases::write_moves(&moved.moves)?);
            row.moved_at = Set(Some(tx.now.0));
            row.seen_at = Set(tx.now.0);
            row.update(&*tx).await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Adds a pin unless its parameter has one, and returns all; `None` when the lease is gone. Whoever is first decides
    /// what an address shows.
    ///
    /// # Errors
    /// The database is away.
    pub async fn pin_lease(&self, id: LeaseId, pin: &Pin) -> Result<Option<Vec<Pin>>, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let Some(row) = lock(&tx, id).await? else { return Ok(None) };
            let mut pins = row.clone().into_lease()?.pins;
            if !pins.iter().any(|known| known.parameter == pin.parameter) {
                pins.push(pin.clone());
                let mut row = row.into_active_model();
                row.pins = Set(write_json(&pins)?);
                row.update(&*tx).await?;
                tx.commit().await?;
            }
            Ok(Some(pins))
        })
        .await
    }

    /// Says when these were last in use; never earlier than is known already.
    ///
    /// # Errors
    /// The database is away.
    pub async fn touch_leases(&self, seen: &[(LeaseId, Timestamp)]) -> Result<(), DbError> {
        // In one order, so that two gateways with leases in common never wait for each other in a ring.
        let mut seen: Vec<_> = seen.iter().map(|(id, at)| (id.to_string(), at.0)).collect();
        seen.sort_unstable();
        for chunk in seen.chunks(CHUNK) {
            self.in_time(async {
                let tx = self.write().await?;
                for (id, at) in chunk {
                    leases::Entity::update_many()
                        .col_expr(leases::Column::SeenAt, Expr::value(*at))
                        .filter(leases::Column::Id.eq(id.as_str()))
                        .filter(leases::Column::SeenAt.lt(*at))
                        .exec(&*tx)
                        .await?;
                }
                tx.commit().await
            })
            .await?;
        }
        Ok(())
    }

    /// Removes leases that nobody was seen under for `silent`; one at its cap is silent, too.
    ///
    /// # Errors
    /// The database is away.
    pub async fn purge_leases(&self, silent: Duration) -> Result<u64, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let purged = leases::Entity::delete_many()
                .filter(leases::Column::SeenAt.lte(tx.now.minus(silent).0))
                .exec(&*tx)
                .await?
                .rows_affected;
            tx.commit().await?;
            Ok(purged)
        })
        .await
    }

    /// The generations of a file that somebody still watches, and was seen to within `silent`; their objects must stay.
    ///
    /// # Errors
    /// The database is away.
    pub async fn pinned_generations(
        &self,
        org: &OrgId,
        file: FileId,
        silent: Duration,
    ) -> Result<HashSet<i64>, DbError> {
        let now = self.in_time(self.now()).await?;
        let query = leases::Entity::find()
            .filter(leases::Column::FileId.eq(file.0))
            .filter(leases::Column::OrgId.eq(org.as_str()))
            .filter(leases::Column::SeenAt.gt(now.minus(silent).0))
            .filter(leases::Column::EndsAt.gt(now.0));
        let held = self.leases(query).await?;
        Ok(held.iter().flat_map(|lease| &lease.pins).map(|pin| pin.generation).collect())
    }
}

/// Another gateway may have opened it since it was looked for: then its lease is the answer.
async fn insert(tx: &WriteTx, lease: &PlaybackLease) -> Result<OpenedLease, DbError> {
    let columns = [leases::Column::TokenId, leases::Column::FileId, leases::Column::UserAgent, leases::Column::Prefix];
    let inserted = leases::Entity::insert(leases::row(lease)?)
        .on_conflict(OnConflict::columns(columns).do_nothing().to_owned())
        .exec_without_returning(&**tx)
        .await?;
    if inserted == 1 {
        return Ok(OpenedLease::New);
    }
    let held = same_key(lease).one(&**tx).await?;
    held.map_or(Ok(OpenedLease::NoSuchFile), |held| Ok(OpenedLease::Held(Box::new(held.into_lease()?))))
}

fn file_is(file: FileId) -> sea_orm::sea_query::SimpleExpr {
    super::entity::files::Column::Id.eq(file.0)
}

fn same_key(lease: &PlaybackLease) -> Select<leases::Entity> {
    leases::Entity::find().filter(key(lease))
}

/// What no two leases have in common.
fn key(lease: &PlaybackLease) -> Condition {
    Condition::all()
        .add(leases::Column::TokenId.eq(lease.token_id.as_str()))
        .add(leases::Column::FileId.eq(lease.file.0))
        .add(leases::Column::UserAgent.eq(lease.client.user_agent.to_string()))
        .add(leases::Column::Prefix.eq(lease.client.prefix.to_string()))
}

async fn lock(tx: &WriteTx, id: LeaseId) -> Result<Option<leases::Model>, DbError> {
    Ok(leases::Entity::find_by_id(id.to_string()).lock_exclusive().one(&**tx).await?)
}
