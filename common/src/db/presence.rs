//! Which workers live: each says so every now and then. A hint for those who plan; leases and fences know nothing of it.

use std::{collections::BTreeMap, time::Duration};

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, Set, sea_query::OnConflict};

use super::{Db, DbError, entity::workers};
use crate::{
    ids::ProcessId,
    lane::{Lane, Lanes},
    timestamp::Timestamp,
};

/// How often a worker is to say that it lives.
pub const PRESENCE_EVERY: Duration = Duration::from_secs(10);
/// Without a word for this long it is not counted.
const ALIVE: Duration = Duration::from_secs(30);
/// And after this it is forgotten.
const KNOWN: Duration = Duration::from_secs(3600);

/// Jobs that living workers can run at once, lane by lane. A worker that serves several counts in each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slots(BTreeMap<Lane, u64>);

impl Slots {
    #[must_use]
    pub fn of(&self, lane: Lane) -> u64 {
        self.0.get(&lane).copied().unwrap_or_default()
    }

    /// And those of one more worker.
    #[must_use]
    pub fn and(mut self, lanes: Lanes, slots: u64) -> Self {
        lanes.iter().for_each(|lane| *self.0.entry(lane).or_default() += slots);
        self
    }
}

impl Db {
    /// A worker lives, and can run so many jobs of these lanes at once.
    ///
    /// # Errors
    /// The database is away.
    pub async fn attend(&self, worker: &ProcessId, slots: u32, lanes: Lanes) -> Result<(), DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let row = workers::ActiveModel {
                id: Set(worker.as_str().to_owned()),
                slots: Set(slots.into()),
                seen_at: Set(tx.now.0),
                lanes: Set(lanes.to_string()),
            };
            let again = OnConflict::column(workers::Column::Id)
                .update_columns([workers::Column::Slots, workers::Column::SeenAt, workers::Column::Lanes])
                .to_owned();
            workers::Entity::insert(row).on_conflict(again).exec_without_returning(&*tx).await?;
            let known = tx.now.minus(KNOWN);
            workers::Entity::delete_many().filter(workers::Column::SeenAt.lt(known.0)).exec(&*tx).await?;
            tx.commit().await
        })
        .await
    }

    /// It claims nothing more.
    ///
    /// # Errors
    /// The database is away.
    pub async fn leave(&self, worker: &ProcessId) -> Result<(), DbError> {
        let gone = workers::Entity::delete_by_id(worker.as_str().to_owned());
        self.in_time(async { Ok(gone.exec(&self.connection).await.map(drop)?) }).await
    }

    /// Jobs that the workers can run at once who were heard of lately.
    ///
    /// # Errors
    /// The database is away.
    pub async fn worker_slots(&self) -> Result<Slots, DbError> {
        self.in_time(async { slots_alive(&self.connection, self.now().await?).await }).await
    }
}

pub(super) async fn slots_alive(connection: &impl ConnectionTrait, now: Timestamp) -> Result<Slots, DbError> {
    let workers: Vec<(i64, String)> = workers::Entity::find()
        .select_only()
        .columns([workers::Column::Slots, workers::Column::Lanes])
        .filter(workers::Column::SeenAt.gt(now.minus(ALIVE).0))
        .into_tuple()
        .all(connection)
        .await?;
    Ok(workers.into_iter().fold(Slots::default(), |all, (slots, lanes)| {
        all.and(Lanes::known(&lanes), u64::try_from(slots).unwrap_or_default())
    }))
}
