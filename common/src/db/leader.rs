//! Election of the one gateway that dispatches, reaps and reconciles; and the deployment's identity.

use std::time::Duration;

use super::{Db, DbError};
use crate::ids::ProcessId;

impl Db {
    /// Takes or keeps the office for `term`, by the database's clock. True while `holder` has it.
    ///
    /// # Errors
    /// The database is away.
    pub async fn hold_office(&self, _office: &str, _holder: &ProcessId, _term: Duration) -> Result<bool, DbError> {
        todo!()
    }

    /// Gives the office up, so that another can take it at once.
    ///
    /// # Errors
    /// The database is away.
    pub async fn leave_office(&self, _office: &str, _holder: &ProcessId) -> Result<(), DbError> {
        todo!()
    }

    /// The identity of this deployment, made by the first migration; the store must bear the same.
    ///
    /// # Errors
    /// The database is away.
    pub async fn deployment_id(&self) -> Result<String, DbError> {
        todo!()
    }
}
