//! Whole rows, table by table, for a deployment that moves to another database. Rows travel as JSON objects, which both databases and
//! an archive understand; what must change on the way is decided elsewhere (`crate::transfer`).

mod objects;

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, Iden, IntoActiveModel, Iterable, ModelTrait, PrimaryKeyToColumn,
    QueryFilter, QueryOrder, QuerySelect, Statement,
    sea_query::{Expr, ExprTrait},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    Db, DbError,
    entity::{
        attempts, deliveries, epochs, event_counters, events, file_tags, files, jobs, leases, listener_leases,
        renditions, resumables, stills, upload_tokens, uploads, view_slots, views, webhooks,
    },
};
use crate::{closed_set::closed_set, timestamp::Timestamp};

/// The office of whoever fills a database with another deployment's rows.
pub const IMPORT_OFFICE: &str = "import";

/// Rows deleted by one statement, so that none comes near the statements' timeout.
const WIPED_AT_ONCE: u64 = 2_000;

/// Whether a row of `jobs` is that of a part of a film.
#[must_use]
pub fn is_part(job: &Row) -> bool {
    job["kind"].as_str().is_some_and(jobs::is_chunk)
}

/// A row by the names of its columns.
pub type Row = serde_json::Map<String, Value>;

closed_set! {
    /// The tables that make a deployment what it is, in an order in which their rows may be written: what a row refers to goes before.
    pub enum Table {
        Files = "files",
        FileTags = "file_tags",
        Renditions = "renditions",
        Stills = "stills",
        Jobs = "jobs",
        Attempts = "attempts",
        Views = "views",
        ViewSlots = "view_slots",
        Uploads = "uploads",
        Resumables = "resumables",
        UploadTokens = "upload_tokens",
        PlaybackLeases = "playback_leases",
        ListenerLeases = "listener_leases",
        Epochs = "epochs",
        EventCounters = "event_counters",
        Events = "events",
        Webhooks = "webhooks",
        Deliveries = "deliveries",
    }
}

/// All other tables, each with the reason why its rows stay.
pub const LEFT_OUT: &[(&str, &str)] = &[
    ("deployment", "each database has an identity of its own, so that the old one never fits the new store"),
    ("offices", "held by processes of the old deployment"),
    ("quota_locks", "empty but for a lock, and made when somebody needs it"),
    ("resumable_parts", "tags of parts of unfinished uploads, which only the old store understands"),
    ("workers", "those of the old deployment"),
    ("dropped_objects", "what they name is not copied, for no rendition names it"),
    ("seaql_migrations", "written by `reelgate migrate`"),
];

/// Runs `$work` with `$entity` as the entity of `$table`.
macro_rules! with_entity {
    ($table:expr, $entity:ident => $work:expr) => {
        match $table {
            Table::Files => with_entity!(@ files, $entity => $work),
            Table::FileTags => with_entity!(@ file_tags, $entity => $work),
            Table::Renditions => with_entity!(@ renditions, $entity => $work),
            Table::Stills => with_entity!(@ stills, $entity => $work),
            Table::Jobs => with_entity!(@ jobs, $entity => $work),
            Table::Attempts => with_entity!(@ attempts, $entity => $work),
            Table::Views => with_entity!(@ views, $entity => $work),
            Table::ViewSlots => with_entity!(@ view_slots, $entity => $work),
            Table::Uploads => with_entity!(@ uploads, $entity => $work),
            Table::Resumables => with_entity!(@ resumables, $entity => $work),
            Table::UploadTokens => with_entity!(@ upload_tokens, $entity => $work),
            Table::PlaybackLeases => with_entity!(@ leases, $entity => $work),
            Table::ListenerLeases => with_entity!(@ listener_leases, $entity => $work),
            Table::Epochs => with_entity!(@ epochs, $entity => $work),
            Table::EventCounters => with_entity!(@ event_counters, $entity => $work),
            Table::Events => with_entity!(@ events, $entity => $work),
            Table::Webhooks => with_entity!(@ webhooks, $entity => $work),
            Table::Deliveries => with_entity!(@ deliveries, $entity => $work),
        }
    };
    (@ $module:ident, $entity:ident => $work:expr) => {{
        use $module::Entity as $entity;
        $work
    }};
}

impl Table {
    /// Names of the columns that travel.
    #[must_use]
    pub fn columns(self) -> Vec<String> {
        with_entity!(self, E => <E as EntityTrait>::Column::iter().map(|column| column.to_string()).collect())
    }

    fn key(self) -> String {
        let names: Vec<String> = with_entity!(self, E => key::<E>().map(|column| column.to_string()).collect());
        names.join(", ")
    }
}

impl Db {
    /// Rows in the order of their primary keys, from the one behind `after` on; `limit` at most.
    ///
    /// # Errors
    /// The database is away.
    pub async fn rows_after(&self, table: Table, after: Option<&Row>, limit: u64) -> Result<Vec<Row>, DbError> {
        self.in_time(async { with_entity!(table, E => page(E, &self.connection, after, limit).await) }).await
    }

    /// Writes rows as they are, all or none.
    ///
    /// # Errors
    /// The database is away; a row is there already, refers to nothing, or is none of this table.
    pub async fn write_rows(&self, table: Table, rows: Vec<Row>) -> Result<(), DbError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.in_time(async {
            let tx = self.write().await?;
            with_entity!(table, E => write(E, &*tx, rows).await)?;
            tx.commit().await
        })
        .await
    }

    /// How many rows a table has.
    ///
    /// # Errors
    /// The database is away.
    pub async fn count_rows(&self, table: Table) -> Result<u64, DbError> {
        let rows = self.number(&format!("SELECT count(*) AS number FROM {table}")).await?;
        Ok(u64::try_from(rows).unwrap_or_default())
    }

    /// Whether there is nothing in it that an import could meet.
    ///
    /// # Errors
    /// The database is away.
    pub async fn is_blank(&self) -> Result<bool, DbError> {
        for table in Table::ALL {
            if !self.rows_after(*table, None, 1).await?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Deletes the rows of all these tables, some at a time. For a target whose import was cut short, and for nothing else.
    ///
    /// # Errors
    /// The database is away; some rows may be gone then.
    pub async fn wipe(&self) -> Result<(), DbError> {
        for table in Table::ALL.iter().rev() {
            let key = table.key();
            let sql = format!("DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} LIMIT {WIPED_AT_ONCE})");
            while self.execute(&sql).await? > 0 {}
        }
        Ok(())
    }

    /// Names of the migrations it has gone through, in order: rows fit a database with the same ones.
    ///
    /// # Errors
    /// The database is away, or was never migrated.
    pub async fn migrations(&self) -> Result<Vec<String>, DbError> {
        self.in_time(async {
            let sql = "SELECT version FROM seaql_migrations ORDER BY version";
            let query = Statement::from_string(self.connection.get_database_backend(), sql);
            let rows = self.connection.query_all_raw(query).await?;
            rows.iter().map(|row| Ok(row.try_get("", "version")?)).collect()
        })
        .await
    }

    /// Until when somebody serves it, who fills it aside: a gateway that leads, or a worker that has been heard of within its lease. What lies further ahead
    /// than an hour was written before the clock was set back.
    ///
    /// # Errors
    /// The database is away.
    pub async fn served_until(&self) -> Result<Option<Timestamp>, DbError> {
        let now = self.clock().await?.0;
        let sql = format!(
            "SELECT CAST(COALESCE(MAX(until), 0) AS BIGINT) AS number FROM (
                SELECT expires_at AS until FROM offices WHERE office <> '{IMPORT_OFFICE}'
                UNION ALL SELECT heartbeat_at + lease_ms AS until FROM jobs WHERE {running}
            ) AS holders WHERE until > {now} AND until < {now} + 3600000",
            running = jobs::RUNNING
        );
        Ok(Some(self.number(&sql).await?).filter(|until| *until > 0).map(Timestamp))
    }

    async fn number(&self, sql: &str) -> Result<i64, DbError> {
        self.in_time(async {
            let query = Statement::from_string(self.connection.get_database_backend(), sql);
            let row = self.connection.query_one_raw(query).await?;
            Ok(row.ok_or_else(|| DbError::Garbled("a count gave no row".to_owned()))?.try_get("", "number")?)
        })
        .await
    }

    async fn execute(&self, sql: &str) -> Result<u64, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let done = tx.execute_raw(Statement::from_string(tx.get_database_backend(), sql)).await?;
            tx.commit().await?;
            Ok(done.rows_affected())
        })
        .await
    }
}

fn key<E: EntityTrait>() -> impl Iterator<Item = E::Column> {
    E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column)
}

/// `_` says which table.
async fn page<E>(_: E, connection: &impl ConnectionTrait, after: Option<&Row>, limit: u64) -> Result<Vec<Row>, DbError>
where
    E: EntityTrait<Model: Serialize + DeserializeOwned>,
{
    let mut query = E::find().limit(limit);
    if let Some(after) = after {
        let last: E::Model = read(after.clone())?;
        let columns = key::<E>().map(|column| column.into_expr());
        let values = key::<E>().map(|column| Expr::value(last.get(column)));
        query = query.filter(ExprTrait::gt(Expr::tuple(columns), Expr::tuple(values)));
    }
    for column in key::<E>() {
        query = query.order_by_asc(column);
    }
    query.all(connection).await?.iter().map(write_row).collect()
}

async fn write<E>(_: E, connection: &impl ConnectionTrait, rows: Vec<Row>) -> Result<(), DbError>
where
    E: EntityTrait<Model: DeserializeOwned + IntoActiveModel<E::ActiveModel>>,
{
    let whole =
        |row| read::<E::Model>(row).map(|model| sea_orm::ActiveModelTrait::reset_all(model.into_active_model()));
    let models = rows.into_iter().map(whole).collect::<Result<Vec<_>, _>>()?;
    E::insert_many(models).exec_without_returning(connection).await?;
    Ok(())
}

fn write_row(model: &impl Serialize) -> Result<Row, DbError> {
    match serde_json::to_value(model) {
        Ok(Value::Object(row)) => Ok(row),
        Ok(other) => Err(DbError::Garbled(format!("{other} is no row"))),
        Err(error) => Err(DbError::Garbled(error.to_string())),
    }
}

fn read<T: DeserializeOwned>(row: Row) -> Result<T, DbError> {
    serde_json::from_value(Value::Object(row)).map_err(|error| DbError::Garbled(error.to_string()))
}
