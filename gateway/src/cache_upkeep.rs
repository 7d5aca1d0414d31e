//! Drops cached bytes of files that were deleted through another gateway. Nobody can ask for them any more, but they must
//! not lie about either: blocks are gone within a minute (design section 4). Every gateway has its own cache, so every
//! one does this.

use std::{collections::HashSet, sync::Arc, time::Duration};

use reelgate_common::db::DbError;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::app::App;

const EVERY: Duration = Duration::from_secs(20);

pub(crate) async fn run(app: Arc<App>, stop: CancellationToken) {
    while stop.run_until_cancelled(sleep(EVERY)).await.is_some() {
        if let Err(error) = forget_deleted(&app).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "the cache is not compared with the database");
        }
    }
}

async fn forget_deleted(app: &App) -> Result<(), DbError> {
    let cached = app.cache.files();
    let living: HashSet<_> = app.db.living_files(&cached).await?.into_iter().collect();
    for file in cached.into_iter().filter(|file| !living.contains(file)) {
        app.cache.forget(file);
    }
    Ok(())
}
