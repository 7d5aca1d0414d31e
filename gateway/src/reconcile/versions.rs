//! Buckets that keep versions only hide what is deleted. Nothing of this product is ever wanted back by version, so what has
//! been hidden for the grace period goes.

use super::{Discrepancy, ReconcileError, Reconciler, Remedy, Report};

/// In one turn; the next one goes on.
const LIMIT: usize = 10_000;

impl Reconciler {
    pub(super) async fn sweep_versions(&self, report: &mut Report) -> Result<(), ReconcileError> {
        let oldest = self.settled().await?;
        for prefix in ["staging/", "media/"] {
            for old in self.storage.list_old_versions(prefix, LIMIT).await? {
                if old.replaced >= oldest {
                    continue;
                }
                if !report.is_dry() {
                    self.storage.delete_version(&old.key, &old.id).await?;
                }
                report.note(Discrepancy::OldVersion, &old.key, old.size, Remedy::Deleted);
            }
        }
        Ok(())
    }
}
