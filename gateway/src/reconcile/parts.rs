//! Multipart uploads of outputs and copies whose process is long gone; those of staging are the sweeper's.

use super::{Discrepancy, ReconcileError, Reconciler, Remedy, Report};

impl Reconciler {
    pub(super) async fn abort_parts(&self, report: &mut Report) -> Result<(), ReconcileError> {
        let oldest = self.settled().await?;
        for pending in self.storage.list_multipart("media/").await?.iter().filter(|it| it.started < oldest) {
            if !report.is_dry() {
                self.storage.abort_multipart(&pending.key, &pending.upload).await?;
            }
            report.note(Discrepancy::UnfinishedUpload, &pending.key, 0, Remedy::Aborted);
        }
        Ok(())
    }
}
