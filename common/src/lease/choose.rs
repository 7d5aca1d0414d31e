//! Which of the leases that one token has opened for one file a client goes on under. Pure.

use std::cmp::Reverse;

use super::{Admit, Client, LeaseId, LeasesConfig, PlaybackLease, Refusal, admit};
use crate::timestamp::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Goes on under this one.
    Use(LeaseId),
    /// Goes on under this one, once it is bound to the client.
    Rebind(LeaseId),
    /// The token lives and this client has no lease that does: a GET opens one.
    Open,
    Refuse(Refusal),
}

/// While the token lives any client may open a lease of its own. After that a client needs one, which it has opened or
/// which it takes over from itself in another network.
#[must_use]
pub fn choose<'a>(
    leases: impl Iterator<Item = &'a PlaybackLease> + Clone,
    client: &Client,
    token_lives: bool,
    now: Timestamp,
    policy: &LeasesConfig,
) -> Choice {
    // One that has ended may stand beside the one that took its place.
    let mut ended = None;
    for own in leases.clone().filter(|lease| lease.client == *client) {
        match admit(own, client, now, policy) {
            Admit::Pass | Admit::Rebind => return Choice::Use(own.id),
            Admit::Refuse(refusal) => ended = Some(refusal),
        }
    }
    match ended {
        _ if token_lives => Choice::Open,
        Some(refusal) => Choice::Refuse(refusal),
        None => take_over(leases, client, now, policy),
    }
}

/// The lease used last comes first: it is the one that the client has most likely moved with.
fn take_over<'a>(
    leases: impl Iterator<Item = &'a PlaybackLease>,
    client: &Client,
    now: Timestamp,
    policy: &LeasesConfig,
) -> Choice {
    let mut same: Vec<_> = leases.filter(|lease| lease.client.user_agent == client.user_agent).collect();
    same.sort_by_key(|lease| Reverse(lease.seen_at));
    let mut refusal = None;
    for lease in same {
        match admit(lease, client, now, policy) {
            Admit::Pass => return Choice::Use(lease.id),
            Admit::Rebind => return Choice::Rebind(lease.id),
            // A lease that lives but is not to be had says more than one that has ended.
            Admit::Refuse(why) if !why.is_end() => refusal = Some(why),
            Admit::Refuse(why) => refusal = refusal.or(Some(why)),
        }
    }
    Choice::Refuse(refusal.unwrap_or(Refusal::OtherClient))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::admit::tests::{NOW, away, client, home, lease, seconds};

    fn chosen(leases: &[PlaybackLease], client: &Client, token_lives: bool) -> Choice {
        choose(leases.iter(), client, token_lives, NOW, &LeasesConfig::default())
    }

    #[test]
    fn while_the_token_lives_any_client_opens_its_own() {
        assert_eq!(chosen(&[], &home(), true), Choice::Open);
        assert_eq!(chosen(&[lease(seconds(0))], &client("other", "192.0.2.1"), true), Choice::Open);
        // Also the same player in another network: nothing is taken from the first one.
        assert_eq!(chosen(&[lease(seconds(60))], &away(), true), Choice::Open);
    }

    #[test]
    fn a_lease_that_has_ended_is_opened_anew_only_while_the_token_lives() {
        let idle = lease(seconds(1_800));
        assert_eq!(chosen(std::slice::from_ref(&idle), &home(), true), Choice::Open);
        assert_eq!(chosen(std::slice::from_ref(&idle), &home(), false), Choice::Refuse(Refusal::Idle));
        let new = lease(seconds(1));
        assert_eq!(chosen(&[idle, new.clone()], &home(), false), Choice::Use(new.id), "once it is opened, it counts");
    }

    #[test]
    fn after_expiry_a_client_needs_a_lease_of_its_own() {
        let own = lease(seconds(5));
        assert_eq!(chosen(std::slice::from_ref(&own), &home(), false), Choice::Use(own.id));
        assert_eq!(chosen(&[], &home(), false), Choice::Refuse(Refusal::OtherClient));
        let other = client("other", "192.0.2.1");
        assert_eq!(chosen(&[own], &other, false), Choice::Refuse(Refusal::OtherClient));
    }

    #[test]
    fn a_client_that_has_moved_takes_over_the_lease_it_used_last() {
        let (old, late) = (lease(seconds(600)), lease(seconds(20)));
        assert_eq!(chosen(&[old.clone(), late.clone()], &away(), false), Choice::Rebind(late.id));
        // While that one still plays, an older one of the same player will do.
        let busy = lease(seconds(1));
        assert_eq!(chosen(&[busy.clone(), old.clone()], &away(), false), Choice::Rebind(old.id));
        let ended = lease(seconds(1_800));
        assert_eq!(chosen(&[ended, busy], &away(), false), Choice::Refuse(Refusal::StillPlaying));
    }
}
