//! Whether a client may go on under a lease after the token has expired. Pure.

use std::time::Duration;

use super::{Client, LeasesConfig, PlaybackLease};
use crate::timestamp::Timestamp;

/// The window in which moves are counted.
pub(crate) const MOVES_WITHIN: Duration = Duration::from_secs(3_600);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admit {
    /// It is the client that the lease is bound to.
    Pass,
    /// It is that client in another network: bind the lease to it, then let it pass.
    Rebind,
    Refuse(Refusal),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody used it for too long.
    Idle,
    /// It has lived as long as any lease may.
    HardCap,
    /// Another User-Agent, or no lease at all.
    OtherClient,
    /// Another network, and moves are forbidden.
    Strict,
    /// Another network, while the old one still plays.
    StillPlaying,
    /// Another network, too often.
    TooManyMoves,
}

impl Refusal {
    /// Whether it is the lease that is over, for everybody.
    #[must_use]
    pub fn is_end(self) -> bool {
        matches!(self, Self::Idle | Self::HardCap)
    }
}

/// The decision for one lease. Ends come first, so that nobody learns whether he could have moved.
#[must_use]
pub fn admit(lease: &PlaybackLease, client: &Client, now: Timestamp, policy: &LeasesConfig) -> Admit {
    if let Some(end) = end(lease, now, policy) {
        return Admit::Refuse(end);
    }
    if lease.client == *client {
        return Admit::Pass;
    }
    match obstacle(lease, client, now, policy) {
        Some(refusal) => Admit::Refuse(refusal),
        None => Admit::Rebind,
    }
}

/// Why a lease has ended, if it has.
fn end(lease: &PlaybackLease, now: Timestamp, policy: &LeasesConfig) -> Option<Refusal> {
    if now >= lease.ends_at {
        return Some(Refusal::HardCap);
    }
    (now.since(lease.seen_at) >= policy.idle()).then_some(Refusal::Idle)
}

/// What keeps a lease from being bound to another network.
fn obstacle(lease: &PlaybackLease, client: &Client, now: Timestamp, policy: &LeasesConfig) -> Option<Refusal> {
    if lease.client.user_agent != client.user_agent {
        return Some(Refusal::OtherClient);
    }
    if policy.strict {
        return Some(Refusal::Strict);
    }
    if now.since(lease.seen_at) < policy.rebind_silence() {
        return Some(Refusal::StillPlaying);
    }
    let recent = recent_moves(lease, now).count();
    (recent >= policy.rebinds_per_hour as usize).then_some(Refusal::TooManyMoves)
}

/// The moves that still count.
pub(crate) fn recent_moves(lease: &PlaybackLease, now: Timestamp) -> impl Iterator<Item = Timestamp> {
    lease.moves.iter().copied().filter(move |moved| now.since(*moved) < MOVES_WITHIN)
}

impl PlaybackLease {
    /// Binds it to another client, as `admit` has allowed.
    pub fn rebind(&mut self, client: Client, now: Timestamp) {
        self.moves = recent_moves(self, now).collect();
        self.moves.push(now);
        self.client = client;
        self.seen_at = now;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        ids::{FileId, OrgId, UserId},
        lease::LeaseId,
    };

    pub(in crate::lease) const NOW: Timestamp = Timestamp(1_800_000_000_000);

    pub(in crate::lease) fn client(user_agent: &str, address: &str) -> Client {
        Client::new(user_agent.as_bytes(), address.parse().unwrap())
    }

    pub(in crate::lease) fn home() -> Client {
        client("player", "192.0.2.1")
    }

    pub(in crate::lease) fn away() -> Client {
        client("player", "198.51.100.1")
    }

    pub(in crate::lease) fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// Opened an hour ago, last seen `silent` ago.
    pub(in crate::lease) fn lease(silent: Duration) -> PlaybackLease {
        let opened_at = NOW.minus(seconds(3_600));
        PlaybackLease {
            id: LeaseId::random(),
            org: OrgId::new("acme"),
            user: UserId::new("alice"),
            file: FileId::new(),
            token_id: "t".to_owned(),
            scope: Vec::new(),
            token_issued_at: opened_at,
            token_expires_at: opened_at.plus(seconds(300)),
            client: home(),
            opened_at,
            seen_at: NOW.minus(silent),
            ends_at: opened_at.plus(seconds(6 * 3_600)),
            moves: Vec::new(),
            pins: Vec::new(),
        }
    }

    fn decided(lease: &PlaybackLease, client: &Client) -> Admit {
        admit(lease, client, NOW, &LeasesConfig::default())
    }

    #[test]
    fn the_client_itself_passes_until_it_was_idle_for_half_an_hour() {
        assert_eq!(decided(&lease(seconds(0)), &home()), Admit::Pass);
        assert_eq!(decided(&lease(seconds(1_799)), &home()), Admit::Pass);
        assert_eq!(decided(&lease(seconds(1_800)), &home()), Admit::Refuse(Refusal::Idle));
    }

    #[test]
    fn a_neighbour_in_the_same_network_is_the_same_client() {
        assert_eq!(decided(&lease(seconds(0)), &client("player", "192.0.2.200")), Admit::Pass);
    }

    #[test]
    fn nobody_passes_beyond_the_hard_cap() {
        let lease = PlaybackLease { ends_at: NOW, ..lease(seconds(0)) };
        assert_eq!(decided(&lease, &home()), Admit::Refuse(Refusal::HardCap));
        let lease = PlaybackLease { ends_at: Timestamp(NOW.0 + 1), ..lease };
        assert_eq!(decided(&lease, &home()), Admit::Pass);
    }

    #[test]
    fn another_user_agent_never_passes() {
        for silent in [0, 60] {
            for address in ["192.0.2.1", "198.51.100.1"] {
                let other = client("Player", address);
                assert_eq!(decided(&lease(seconds(silent)), &other), Admit::Refuse(Refusal::OtherClient));
            }
        }
    }

    #[test]
    fn another_network_waits_until_the_old_one_is_silent() {
        assert_eq!(decided(&lease(Duration::from_millis(9_999)), &away()), Admit::Refuse(Refusal::StillPlaying));
        assert_eq!(decided(&lease(seconds(10)), &away()), Admit::Rebind);
    }

    #[test]
    fn the_fourth_move_within_an_hour_is_one_too_many() {
        let mut lease = lease(seconds(10));
        lease.moves = [3_599, 30, 20].map(|ago| NOW.minus(seconds(ago))).to_vec();
        assert_eq!(decided(&lease, &away()), Admit::Refuse(Refusal::TooManyMoves));
        lease.moves[0] = NOW.minus(seconds(3_600));
        assert_eq!(decided(&lease, &away()), Admit::Rebind);
        lease.rebind(away(), NOW);
        assert_eq!((lease.moves.len(), lease.client, lease.seen_at), (3, away(), NOW));
    }

    #[test]
    fn strict_mode_forbids_moves_but_not_staying() {
        let strict = LeasesConfig { strict: true, ..LeasesConfig::default() };
        assert_eq!(admit(&lease(seconds(60)), &away(), NOW, &strict), Admit::Refuse(Refusal::Strict));
        assert_eq!(admit(&lease(seconds(60)), &home(), NOW, &strict), Admit::Pass);
    }

    #[test]
    fn a_client_seen_by_a_clock_that_is_ahead_is_not_silent() {
        let lease = PlaybackLease { seen_at: NOW.plus(seconds(30)), ..lease(seconds(0)) };
        assert_eq!(decided(&lease, &away()), Admit::Refuse(Refusal::StillPlaying));
    }

    proptest! {
        /// However often a thief asks, he is bound at most three times within any hour.
        #[test]
        fn at_most_three_moves_an_hour(steps in prop::collection::vec((1_000u64..120_000, any::<bool>()), 1..400)) {
            let policy = LeasesConfig { idle_ms: u64::MAX, ..LeasesConfig::default() };
            let mut lease = PlaybackLease { ends_at: Timestamp(i64::MAX), ..lease(seconds(0)) };
            let (mut now, mut moved) = (NOW, Vec::new());
            for (wait, elsewhere) in steps {
                now = now.plus(Duration::from_millis(wait));
                let who = if elsewhere { away() } else { home() };
                match admit(&lease, &who, now, &policy) {
                    Admit::Pass => lease.seen_at = now,
                    Admit::Rebind => { lease.rebind(who, now); moved.push(now); }
                    Admit::Refuse(_) => {}
                }
            }
            for window in moved.windows(4) {
                prop_assert!(window[3].since(window[0]) >= MOVES_WITHIN);
            }
        }

        #[test]
        fn whoever_is_bound_by_a_move_passes_next(silent in 10_000u64..1_799_999) {
            let mut lease = lease(Duration::from_millis(silent));
            prop_assert_eq!(decided(&lease, &away()), Admit::Rebind);
            lease.rebind(away(), NOW);
            prop_assert_eq!(decided(&lease, &away()), Admit::Pass);
            prop_assert_eq!(decided(&lease, &home()), Admit::Refuse(Refusal::StillPlaying));
        }
    }
}
