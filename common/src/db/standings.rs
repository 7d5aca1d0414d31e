//! How files stand that are on their way: which place their job has among those that wait, and how far it is once it runs. A few rows of
//! one index, for those who look on.

use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    prelude::Uuid,
    sea_query::{Expr, Order},
};

use super::{Db, DbError, Standing, entity::jobs};
use crate::{
    ids::{FileId, OrgId},
    job::{JobKind, JobState},
};

/// Spelt as in the index `jobs_aged`, and as the dispatcher takes them.
const AGED: &str = "(next_attempt_at - priority * 60000)";
const QUEUED: &str = "state = 'queued'";

impl Db {
    /// Of one organisation's files; at most the first `limit` that wait, and as many that run. The place counts all jobs of the
    /// organisation that come before, from 1 on.
    ///
    /// # Errors
    /// The database is away.
    pub async fn standings(&self, org: &OrgId, limit: u64) -> Result<Vec<Standing>, DbError> {
        let waiting = of(org)
            .columns([jobs::Column::FileId, jobs::Column::Kind])
            .filter(Expr::cust(QUEUED))
            .order_by(Expr::cust(AGED), Order::Asc)
            .order_by_asc(jobs::Column::Id)
            .limit(limit)
            .into_tuple::<(Uuid, String)>();
        let running = of(org)
            .columns([jobs::Column::FileId, jobs::Column::Progress])
            .filter(jobs::Column::State.is_in([JobState::Running, JobState::Split].map(JobState::as_str)))
            .filter(jobs::Column::Kind.eq(JobKind::Process.as_str()))
            .limit(limit)
            .into_tuple::<(Uuid, f64)>();
        self.in_time(async {
            let waiting = (1..).zip(waiting.all(&self.connection).await?);
            let process = |(_, (_, kind)): &(u64, (Uuid, String))| kind == JobKind::Process.as_str();
            let waiting =
                waiting.filter(process).map(|(position, (file, _))| Standing::Waiting { file: FileId(file), position });
            let running = running.all(&self.connection).await?.into_iter();
            let running = running.map(|(file, progress)| Standing::Running { file: FileId(file), progress });
            Ok(waiting.chain(running).collect())
        })
        .await
    }
}

fn of(org: &OrgId) -> sea_orm::Select<jobs::Entity> {
    jobs::Entity::find().select_only().filter(jobs::Column::OrgId.eq(org.as_str()))
}
