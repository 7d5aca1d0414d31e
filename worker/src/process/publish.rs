//! Publishing one rendition under the fence.

use reelgate_common::{
    crash,
    db::{Fenced, JobBeat},
    key::Key,
    rendition::Rendition,
    step,
};
use tracing::Instrument;

use super::Work;
use crate::halt::Halt;

/// Publishes, unless an earlier attempt was first with this name; then this attempt's objects are litter again.
///
/// # Errors
/// The fence does not hold, or the database stays away.
pub(super) async fn publish(work: &Work, rendition: &Rendition, objects: &[Key]) -> Result<(), Halt> {
    let (db, fence) = (&work.backends.db, &work.attempt.fence);
    objects.iter().for_each(|key| work.litter.keep(key));
    crash::point("not-published");
    let publishing = work.patience.keep_trying("publishing", || db.publish(fence, rendition));
    match publishing.instrument(step!("publish")).await? {
        Fenced::Written => {
            crash::point("published");
            tracing::info!(
                file.id = %fence.file_id, job.id = %fence.job_id, name = %rendition.name,
                size_bytes = rendition.size_bytes, "published a rendition"
            );
            Ok(())
        }
        Fenced::Stale => {
            objects.iter().for_each(|key| work.litter.object(key));
            still_held(work).await
        }
    }
}

/// Tells a name that is taken from a fence that is lost.
async fn still_held(work: &Work) -> Result<(), Halt> {
    let (db, fence) = (&work.backends.db, &work.attempt.fence);
    let beat = work.patience.keep_trying("asking for the fence", || db.heartbeat_job(fence, work.progress.fraction()));
    match beat.await? {
        JobBeat::Held => Ok(()),
        JobBeat::Lost | JobBeat::Cancelled => Err(Halt::Stale),
    }
}
