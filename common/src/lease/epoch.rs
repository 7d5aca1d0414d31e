//! Revocation: what was permitted before an epoch is refused after it. Epochs are rows, so nothing that a cache loses
//! revives what was revoked. This is a gateway's copy of them, and the comparison.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::Duration,
};

use super::{LeaseId, PlaybackLease};
use crate::{
    ids::{FileId, OrgId, UserId},
    timestamp::Timestamp,
};

/// How far gateways' clocks may be apart: an epoch refuses also what was issued so much after it, and who issues later
/// dates it later. Well below what the keyring takes as "from the future".
pub const EPOCH_MARGIN: Duration = Duration::from_secs(20);

/// Whose permissions end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The whole organisation.
    Org,
    User(UserId),
    File(FileId),
    Lease(LeaseId),
}

/// Tokens issued by `not_before` at the latest, and leases opened by them, are void.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    pub org: OrgId,
    pub subject: Subject,
    pub not_before: Timestamp,
}

/// All epochs that may still matter.
#[derive(Debug, Default)]
pub struct Epochs {
    of: HashMap<OrgId, HashMap<Subject, Timestamp>>,
}

impl Epochs {
    /// Whether it said anything new.
    pub fn apply(&mut self, epoch: Epoch) -> bool {
        match self.of.entry(epoch.org).or_default().entry(epoch.subject) {
            Entry::Occupied(known) if *known.get() >= epoch.not_before => false,
            Entry::Occupied(mut known) => {
                known.insert(epoch.not_before);
                true
            }
            Entry::Vacant(new) => {
                new.insert(epoch.not_before);
                true
            }
        }
    }

    /// The last moment whose tokens are void, of this user for this file. Tokens for any file: leave it out.
    #[must_use]
    pub fn not_before(&self, org: &OrgId, user: &UserId, file: Option<FileId>) -> Option<Timestamp> {
        let of = self.of.get(org)?;
        let user = of.get(&Subject::User(user.clone()));
        let file = file.and_then(|file| of.get(&Subject::File(file)));
        [of.get(&Subject::Org), user, file].into_iter().flatten().copied().max()
    }

    /// The last moment before which a token of this user would be void for some file: who issues one later dates it later, so that it
    /// plays what went to the trash and came back at once.
    #[must_use]
    pub fn latest(&self, org: &OrgId, user: &UserId) -> Option<Timestamp> {
        let concerns = |subject: &Subject| match subject {
            Subject::Org | Subject::File(_) => true,
            Subject::User(other) => other == user,
            Subject::Lease(_) => false,
        };
        let of = self.of.get(org)?;
        of.iter().filter(|(subject, _)| concerns(subject)).map(|(_, at)| *at).max()
    }

    /// Whether a lease was revoked, by itself or with its token.
    #[must_use]
    pub fn revokes(&self, lease: &PlaybackLease) -> bool {
        let Some(of) = self.of.get(&lease.org) else { return false };
        of.contains_key(&Subject::Lease(lease.id))
            || self.not_before(&lease.org, &lease.user, Some(lease.file)).is_some_and(|at| lease.token_issued_at <= at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::admit::tests::{lease, seconds};

    fn epochs(lease: &PlaybackLease, subject: Subject, not_before: Timestamp) -> Epochs {
        let mut epochs = Epochs::default();
        assert!(epochs.apply(Epoch { org: lease.org.clone(), subject, not_before }));
        epochs
    }

    #[test]
    fn an_epoch_ends_what_was_issued_before_it() {
        let lease = lease(seconds(0));
        let (before, after) = (Timestamp(lease.token_issued_at.0 - 1), lease.token_issued_at);
        for subject in [Subject::Org, Subject::User(lease.user.clone()), Subject::File(lease.file)] {
            assert!(epochs(&lease, subject.clone(), after).revokes(&lease), "{subject:?}");
            assert!(!epochs(&lease, subject.clone(), before).revokes(&lease), "{subject:?}");
        }
    }

    #[test]
    fn an_epoch_of_others_ends_nothing() {
        let lease = lease(seconds(0));
        let late = Timestamp(i64::MAX);
        let other = PlaybackLease { org: OrgId::new("globex"), ..lease.clone() };
        for subject in
            [Subject::User(UserId::new("bob")), Subject::File(FileId::new()), Subject::Lease(LeaseId::random())]
        {
            assert!(!epochs(&lease, subject, late).revokes(&lease));
        }
        assert!(!epochs(&lease, Subject::Org, late).revokes(&other));
        assert!(epochs(&lease, Subject::Lease(lease.id), Timestamp(0)).revokes(&lease));
        assert!(!epochs(&lease, Subject::Lease(lease.id), Timestamp(0)).revokes(&other));
    }

    #[test]
    fn the_latest_epoch_counts_however_they_arrive() {
        let lease = lease(seconds(0));
        let mut epochs = epochs(&lease, Subject::Org, Timestamp(10));
        for (at, new) in [(5, false), (10, false), (20, true), (15, false)] {
            let epoch = Epoch { org: lease.org.clone(), subject: Subject::Org, not_before: Timestamp(at) };
            assert_eq!(epochs.apply(epoch), new, "{at}");
        }
        assert_eq!(epochs.not_before(&lease.org, &lease.user, None), Some(Timestamp(20)));
        assert_eq!(epochs.not_before(&OrgId::new("globex"), &lease.user, None), None);
    }
}
