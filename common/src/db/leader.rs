//! Election of the one gateway that dispatches, reaps and reconciles; and the deployment's identity.

use std::time::Duration;

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Statement};

use super::{Db, DbError, entity::offices};
use crate::ids::ProcessId;

/// One statement, so that of two candidates exactly one changes the row.
const HOLD: &str = "
INSERT INTO offices (office, holder, expires_at) VALUES ($1, $2, $3)
ON CONFLICT (office) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
WHERE offices.holder = excluded.holder OR offices.expires_at <= $4 OR offices.expires_at > $5";

/// A term that ends later than so many of the candidate's was begun before the clock was set back.
const TERMS_AHEAD: u32 = 2;

impl Db {
    /// Takes or keeps the office for `term`, by the database's clock. True while `holder` has it.
    ///
    /// # Errors
    /// The database is away.
    pub async fn hold_office(&self, office: &str, holder: &ProcessId, term: Duration) -> Result<bool, DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            let (until, ahead) = (tx.now.plus(term), tx.now.plus(term * TERMS_AHEAD));
            let values = [office.into(), holder.as_str().into(), until.0.into(), tx.now.0.into(), ahead.0.into()];
            let hold = Statement::from_sql_and_values(tx.get_database_backend(), HOLD, values);
            let held = tx.execute_raw(hold).await?.rows_affected() == 1;
            tx.commit().await?;
            Ok(held)
        })
        .await
    }

    /// Gives the office up, so that another can take it at once.
    ///
    /// # Errors
    /// The database is away.
    pub async fn leave_office(&self, office: &str, holder: &ProcessId) -> Result<(), DbError> {
        self.in_time(async {
            let tx = self.write().await?;
            offices::Entity::delete_many()
                .filter(offices::Column::Office.eq(office))
                .filter(offices::Column::Holder.eq(holder.as_str()))
                .exec(&*tx)
                .await?;
            tx.commit().await
        })
        .await
    }

    /// The identity of this deployment, made by the first migration; the store must bear the same.
    ///
    /// # Errors
    /// The database is away, or was never migrated.
    pub async fn deployment_id(&self) -> Result<String, DbError> {
        self.in_time(async {
            let query = Statement::from_string(self.connection.get_database_backend(), "SELECT id FROM deployment");
            let row = self.connection.query_one_raw(query).await?;
            let row = row.ok_or_else(|| DbError::Garbled("the table deployment has no row".to_owned()))?;
            Ok(row.try_get("", "id")?)
        })
        .await
    }
}
