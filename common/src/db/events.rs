//! The log of events. An event is written in the transaction that it reports, as its last step: the organisation's counter is locked
//! from there to the commit, so numbers have no gaps, are in the order of commits, and nobody who holds a counter waits for any row.

use std::{collections::BTreeMap, time::Duration};

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set, Statement};
use serde_json::Value;

use super::{
    Db, DbError,
    entity::{event_counters, events, signed, write_json},
    files::CHUNK,
    transaction::WriteTx,
};
use crate::{
    event::{EventKind, EventRecord, EventSpan},
    ids::{FileId, OrgId},
    timestamp::Timestamp,
    traces::carried,
};

/// Gives the new last number; locks the counter to the end of the transaction.
const COUNT: &str = "
INSERT INTO event_counters (org_id, last_seq) VALUES ($1, $2)
ON CONFLICT (org_id) DO UPDATE SET last_seq = event_counters.last_seq + excluded.last_seq
RETURNING last_seq";

const SPAN: &str = "
SELECT
    COALESCE((SELECT last_seq FROM event_counters WHERE org_id = $1), 0) AS last,
    (SELECT min(seq) FROM events WHERE org_id = $1) AS first";

/// Up to the first that is to be kept: times are of the beginnings of transactions, so they are not quite in the order of the numbers.
/// Who follows the log with a place in the database adds here that what it has not read yet stays.
const PRUNE: &str = "
DELETE FROM events WHERE org_id = $1
    AND seq < COALESCE(
        (SELECT min(seq) FROM events WHERE org_id = $1 AND created_at >= $2),
        (SELECT last_seq + 1 FROM event_counters WHERE org_id = $1))
    AND seq <= COALESCE((SELECT min(last_seq) FROM webhooks WHERE org_id = $1 AND enabled), seq)
    AND seq < (SELECT min(seq) FROM events WHERE org_id = $1) + $3";

/// What a transaction is going to say.
#[derive(Debug)]
pub(super) struct Told {
    org: OrgId,
    file: FileId,
    kind: EventKind,
    data: Value,
    trace: Option<String>,
}

/// Says that this has happened, if and when the transaction is committed. `data` is an object (docs/events.md).
pub(super) fn record(tx: &WriteTx, org: &OrgId, file: FileId, kind: EventKind, data: Value) {
    tx.tell(Told { org: org.clone(), file, kind, data, trace: carried() });
}

/// The last statements of a transaction. Gives who has something to hear, once it is committed.
pub(super) async fn write(tx: &WriteTx, told: Vec<Told>) -> Result<Vec<OrgId>, DbError> {
    // Counters are locked in one order, should a transaction ever be about several organisations.
    let mut by_org: BTreeMap<OrgId, Vec<Told>> = BTreeMap::new();
    for event in told {
        by_org.entry(event.org.clone()).or_default().push(event);
    }
    for (org, told) in &by_org {
        let count = i64::try_from(told.len()).unwrap_or(i64::MAX);
        let first = count_on(tx, org, count).await? - count + 1;
        let rows = (first..).zip(told).map(|(seq, event)| row(tx, seq, event)).collect::<Result<Vec<_>, _>>()?;
        events::Entity::insert_many(rows).exec_without_returning(&**tx).await?;
    }
    Ok(by_org.into_keys().collect())
}

async fn count_on(tx: &WriteTx, org: &OrgId, count: i64) -> Result<i64, DbError> {
    let values = [org.as_str().into(), count.into()];
    let row = tx.query_one_raw(Statement::from_sql_and_values(tx.get_database_backend(), COUNT, values)).await?;
    let row = row.ok_or_else(|| DbError::Garbled("a counter gave no row".to_owned()))?;
    Ok(row.try_get("", "last_seq")?)
}

fn row(tx: &WriteTx, seq: i64, event: &Told) -> Result<events::ActiveModel, DbError> {
    Ok(events::ActiveModel {
        org_id: Set(event.org.as_str().to_owned()),
        seq: Set(seq),
        file_id: Set(event.file.0),
        kind: Set(event.kind.as_str().to_owned()),
        data: Set(write_json(&event.data)?),
        created_at: Set(tx.now.0),
        trace: Set(event.trace.clone()),
    })
}

impl Db {
    /// What comes after number `after`, in order, at most `limit`; of one file, or of all the organisation's.
    ///
    /// # Errors
    /// The database is away.
    pub async fn events_after(
        &self,
        org: &OrgId,
        after: i64,
        file: Option<FileId>,
        limit: u64,
    ) -> Result<Vec<EventRecord>, DbError> {
        let mut query = events::Entity::find()
            .filter(events::Column::OrgId.eq(org.as_str()))
            .filter(events::Column::Seq.gt(after))
            .order_by_asc(events::Column::Seq)
            .limit(limit);
        if let Some(file) = file {
            query = query.filter(events::Column::FileId.eq(file.0));
        }
        let rows = self.in_time(async { Ok(query.all(&self.connection).await?) }).await?;
        rows.into_iter().map(events::Model::into_event).collect()
    }

    /// Which numbers the organisation's log has.
    ///
    /// # Errors
    /// The database is away.
    pub async fn event_span(&self, org: &OrgId) -> Result<EventSpan, DbError> {
        self.in_time(async {
            let backend = self.connection.get_database_backend();
            let query = Statement::from_sql_and_values(backend, SPAN, [org.as_str().into()]);
            let row = self.connection.query_one_raw(query).await?;
            let row = row.ok_or_else(|| DbError::Garbled("a span gave no row".to_owned()))?;
            let last: i64 = row.try_get("", "last")?;
            Ok(EventSpan { first: row.try_get::<Option<i64>>("", "first")?.unwrap_or(last + 1), last })
        })
        .await
    }

    /// The newest number of each of these organisations that has one.
    ///
    /// # Errors
    /// The database is away.
    pub async fn event_heads(&self, orgs: &[OrgId]) -> Result<Vec<(OrgId, i64)>, DbError> {
        let mut heads = Vec::with_capacity(orgs.len());
        for chunk in orgs.chunks(CHUNK) {
            let query = event_counters::Entity::find()
                .filter(event_counters::Column::OrgId.is_in(chunk.iter().map(OrgId::as_str)));
            heads.extend(self.in_time(async { Ok(query.all(&self.connection).await?) }).await?);
        }
        Ok(heads.into_iter().map(|row| (OrgId::new(row.org_id), row.last_seq)).collect())
    }

    /// Drops what is older than `keep`: at most `limit` events of each of at most as many organisations. What is left of a log has no
    /// gaps.
    ///
    /// # Errors
    /// The database is away.
    pub async fn prune_events(&self, keep: Duration, limit: u64) -> Result<u64, DbError> {
        let (before, aged) = self.in_time(self.aged_events(keep, limit)).await?;
        let mut pruned = 0;
        for org in aged {
            pruned += self.in_time(self.prune_events_of(&org, before, limit)).await?;
        }
        Ok(pruned)
    }

    async fn aged_events(&self, keep: Duration, limit: u64) -> Result<(Timestamp, Vec<OrgId>), DbError> {
        let before = self.now().await?.minus(keep);
        let aged: Vec<String> = events::Entity::find()
            .select_only()
            .column(events::Column::OrgId)
            .distinct()
            .filter(events::Column::CreatedAt.lt(before.0))
            .limit(limit)
            .into_tuple()
            .all(&self.connection)
            .await?;
        Ok((before, aged.into_iter().map(OrgId::new).collect()))
    }

    async fn prune_events_of(&self, org: &OrgId, before: Timestamp, limit: u64) -> Result<u64, DbError> {
        let tx = self.write().await?;
        let values = [org.as_str().into(), before.0.into(), signed(limit).into()];
        let prune = Statement::from_sql_and_values(tx.get_database_backend(), PRUNE, values);
        let pruned = tx.execute_raw(prune).await?.rows_affected();
        tx.commit().await?;
        Ok(pruned)
    }
}
