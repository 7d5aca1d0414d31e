//! What `reelgate check` asks of a database: whether each table may be read and written, tried by statements that meet no row, and what
//! this role may besides. Everything is rolled back.

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::{Db, DbError, Table};

/// Written, but never moved (`LEFT_OUT`).
const OTHERS: [&str; 3] = ["offices", "quota_locks", "resumable_parts"];

/// What a database is, and what may be done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// As it names itself.
    pub version: String,
    /// The first thing that was refused, e.g. `INSERT INTO files`, and why.
    pub refused: Option<(String, String)>,
    /// Whether tables may be made: only `reelgate migrate` needs it.
    pub may_migrate: bool,
}

impl Db {
    /// Tries what gateways and workers do.
    ///
    /// # Errors
    /// The database is away.
    pub async fn examine(&self) -> Result<Examined, DbError> {
        let version = self.in_time(self.version()).await?;
        let refused = self.first_refused().await?;
        let table = ("CREATE TABLE", "CREATE TABLE reelgate_check (number INTEGER)".to_owned());
        let may_migrate = self.refused_of(&[table]).await?.is_none();
        Ok(Examined { version, refused, may_migrate })
    }

    async fn version(&self) -> Result<String, DbError> {
        let backend = self.connection.get_database_backend();
        let (name, sql) = match backend {
            DbBackend::Sqlite => ("SQLite", "SELECT sqlite_version() AS version"),
            _ => ("Postgres", "SELECT current_setting('server_version') AS version"),
        };
        let row = self.connection.query_one_raw(Statement::from_string(backend, sql)).await?;
        let row = row.ok_or_else(|| DbError::Garbled("a version gave no row".to_owned()))?;
        Ok(format!("{name} {}", row.try_get::<String>("", "version")?))
    }

    async fn first_refused(&self) -> Result<Option<(String, String)>, DbError> {
        for table in Table::ALL.iter().map(|table| table.as_str()).chain(OTHERS) {
            let none = "WHERE 1 = 0";
            let statements = [
                ("SELECT FROM", format!("SELECT * FROM {table} {none}")),
                ("INSERT INTO", format!("INSERT INTO {table} SELECT * FROM {table} {none}")),
                ("DELETE FROM", format!("DELETE FROM {table} {none}")),
            ];
            if let Some((what, why)) = self.refused_of(&statements).await? {
                return Ok(Some((format!("{what} {table}"), why)));
            }
        }
        Ok(None)
    }

    /// The first statement that the database refuses, and why; nothing of them stays.
    async fn refused_of(
        &self,
        statements: &[(&'static str, String)],
    ) -> Result<Option<(&'static str, String)>, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            for (what, sql) in statements {
                let done = tx.execute_raw(Statement::from_string(tx.get_database_backend(), sql)).await;
                match done.map_err(DbError::from) {
                    Ok(_) => {}
                    Err(DbError::Refused { source, .. }) => return Ok(Some((*what, source.to_string()))),
                    Err(error) => return Err(error),
                }
            }
            Ok(None)
        })
        .await
    }
}
