//! Taking permissions back: written first, then known here at once; other gateways hear of it within two seconds.

use reelgate_common::{
    db::LeaseFilter,
    ids::{FileId, OrgId},
    lease::{Epoch, PlaybackLease, Subject},
};

use super::Leases;
use crate::error::ApiError;

impl Leases {
    /// Ends what was permitted to the subject. False when there is no such lease in this organisation.
    ///
    /// # Errors
    /// The database is away: nothing was revoked.
    pub(crate) async fn revoke(&self, org: &OrgId, subject: &Subject) -> Result<bool, ApiError> {
        let epoch = match subject {
            Subject::Lease(id) => self.db.revoke_lease(org, *id).await?,
            Subject::Org | Subject::User(_) | Subject::File(_) => Some(self.db.bump_epoch(org, subject).await?),
        };
        let found = epoch.is_some();
        epoch.into_iter().for_each(|epoch| self.hear(epoch));
        Ok(found)
    }

    /// What plays within an organisation, as far as the database knows.
    ///
    /// # Errors
    /// The database is away.
    pub(crate) async fn living(&self, org: &OrgId, filter: &LeaseFilter) -> Result<Vec<PlaybackLease>, ApiError> {
        let found = self.db.list_leases(org, filter, self.policy.idle() + self.row_lag()).await?;
        Ok(found.into_iter().filter(|lease| !self.epochs().revokes(lease)).collect())
    }

    /// Ends here at once what the deletion of a file has ended in the database.
    pub(crate) fn end_file(&self, org: &OrgId, file: FileId) {
        self.hear(Epoch { org: org.clone(), subject: Subject::File(file), not_before: self.now() });
    }

    fn hear(&self, epoch: Epoch) {
        self.epochs_mut().apply(epoch);
        self.check_all();
    }

    /// Every held lease against every epoch.
    pub(super) fn check_all(&self) {
        self.shelf.all().iter().for_each(|held| self.check(held));
    }
}
