//! Drops earned renditions that nobody is shown any more: rows first, objects when their grace is over. What was left when the policy was
//! switched off is swept all the same.

use reelgate_common::metric::{EARNED_DROPPED, EARNED_DROPPED_BYTES};

use super::{DutyError, Ground};

/// Renditions, and objects, in one turn.
const LIMIT: u64 = 200;

pub(super) async fn run(ground: Ground) -> Result<u64, DutyError> {
    let dropped = if ground.earned.enabled && !ground.config.dry_run { drop_cold(&ground).await? } else { 0 };
    sweep(&ground).await?;
    Ok(dropped)
}

async fn drop_cold(ground: &Ground) -> Result<u64, DutyError> {
    let (db, policy) = (&ground.backends.db, &ground.earned);
    let (cold, silent) = (policy.cold_after(), ground.leases.idle());
    let mut dropped = 0;
    for rendition in db.cold_renditions(cold, silent, LIMIT).await? {
        let times = (cold, silent, policy.grace());
        if let Some(bytes) = db.drop_rendition(&rendition.org_id, &rendition, times).await? {
            EARNED_DROPPED.counter().increment(1);
            EARNED_DROPPED_BYTES.counter().increment(bytes);
            tracing::info!(
                file.id = %rendition.file_id, name = %rendition.name, size_bytes = bytes,
                "an earned rendition that nobody is shown was dropped"
            );
            dropped += 1;
        }
    }
    Ok(dropped)
}

async fn sweep(ground: &Ground) -> Result<(), DutyError> {
    let backends = &ground.backends;
    let mut failed = None;
    for object in backends.db.dropped_objects(LIMIT).await? {
        // One object that cannot be deleted must not keep the others.
        match backends.storage.delete(&object.key()).await {
            Ok(()) => backends.db.forget_dropped(&object).await?,
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(()), |error| Err(error.into()))
}
