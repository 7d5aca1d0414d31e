//! Opening the database, its dialects, its clock, and the one way to write in a transaction.

use sea_orm::DatabaseConnection;

use super::{DbError, config::DatabaseConfig};

/// A pool of connections. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Db {
    pub(super) connection: DatabaseConnection,
}

impl Db {
    /// Opens the pool; does not migrate.
    ///
    /// # Errors
    /// The address cannot be read, or the database is away.
    pub async fn connect(_config: &DatabaseConfig) -> Result<Self, DbError> {
        todo!()
    }

    /// For `reelgate migrate` and the embedded start only: migrations need the bare connection.
    #[must_use]
    pub fn connection(&self) -> &DatabaseConnection {
        &self.connection
    }

    /// # Errors
    /// The database is away.
    pub async fn ping(&self) -> Result<(), DbError> {
        todo!()
    }
}
