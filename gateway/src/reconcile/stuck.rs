//! Files on their way that nothing moves.

use reelgate_common::{
    db::{Mended, StuckFile},
    file::FileState,
    key::Key,
};

use super::{Discrepancy, ReconcileError, Reconciler, Remedy, Report};

const LIMIT: u64 = 200;

impl Reconciler {
    pub(super) async fn mend_stuck(&self, report: &mut Report) -> Result<(), ReconcileError> {
        for stuck in self.db.stuck_files(self.config.stuck_after(), LIMIT).await? {
            let remedy = if report.is_dry() { Some(guess(&stuck)) } else { self.mend(&stuck).await? };
            if let Some(remedy) = remedy {
                report.note(Discrepancy::StuckFile, &stuck.file_id, 0, remedy);
            }
        }
        Ok(())
    }

    /// `None` when it moves again.
    async fn mend(&self, stuck: &StuckFile) -> Result<Option<Remedy>, ReconcileError> {
        let (org, file) = (&stuck.org_id, stuck.file_id);
        Ok(match self.db.mend_stuck(org, file, self.config.stuck_after()).await? {
            Mended::Closed => {
                self.storage.delete(&Key::Staging { org: org.clone(), file }).await?;
                Some(Remedy::Deleted)
            }
            Mended::Settled => Some(Remedy::Settled),
            Mended::Queued => Some(Remedy::Queued),
            Mended::Moved => None,
        })
    }
}

/// Before its rows are locked only the state is known.
fn guess(stuck: &StuckFile) -> Remedy {
    if stuck.state == FileState::Uploading { Remedy::Deleted } else { Remedy::Queued }
}
