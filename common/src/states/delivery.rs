//! What may become of a delivery. One who sends at a time: each who claims it has a number one above the last, and only who has the
//! current one may say what came of it. A claim has an end, so that what a dead gateway had is taken over.

use crate::{timestamp::Timestamp, webhook::DeliveryState};

/// The part of its row that moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryView {
    pub state: DeliveryState,
    /// Of the claim now, or of the last one.
    pub attempt: i64,
    /// While it waits: not before this. While it is sent: until when the claim holds.
    pub due_at: Timestamp,
    pub give_up_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryEvent {
    Claim {
        now: Timestamp,
        until: Timestamp,
    },
    Succeed {
        attempt: i64,
    },
    /// Once more at this time, unless that is too late.
    Fail {
        attempt: i64,
        again_at: Timestamp,
    },
    /// The one who sends is stopped; nobody knows what came of it.
    Release {
        attempt: i64,
        now: Timestamp,
    },
    /// A person wants it sent once more.
    Resend {
        now: Timestamp,
        give_up_at: Timestamp,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It waits for its time, or somebody has it.
    NotDue,
    /// Another claim has been made since.
    Stale,
    Over,
    /// It is on its way already.
    UnderWay,
}

/// # Errors
/// Nothing may be written.
pub fn transition(view: DeliveryView, event: DeliveryEvent) -> Result<DeliveryView, Refused> {
    let held = |attempt| {
        if view.state == DeliveryState::Sending && attempt == view.attempt { Ok(()) } else { Err(Refused::Stale) }
    };
    let to = |state| DeliveryView { state, ..view };
    match event {
        DeliveryEvent::Claim { .. } if view.state.is_over() => Err(Refused::Over),
        DeliveryEvent::Claim { now, .. } if view.due_at > now => Err(Refused::NotDue),
        DeliveryEvent::Claim { until, .. } => {
            Ok(DeliveryView { attempt: view.attempt + 1, due_at: until, ..to(DeliveryState::Sending) })
        }
        DeliveryEvent::Succeed { attempt } => held(attempt).map(|()| to(DeliveryState::Delivered)),
        DeliveryEvent::Fail { attempt, again_at } => {
            held(attempt)?;
            let late = again_at > view.give_up_at;
            let state = if late { DeliveryState::GivenUp } else { DeliveryState::Waiting };
            Ok(DeliveryView { due_at: again_at, ..to(state) })
        }
        DeliveryEvent::Release { attempt, now } => {
            held(attempt)?;
            Ok(DeliveryView { due_at: now, ..to(DeliveryState::Waiting) })
        }
        DeliveryEvent::Resend { .. } if !view.state.is_over() => Err(Refused::UnderWay),
        DeliveryEvent::Resend { now, give_up_at } => {
            Ok(DeliveryView { due_at: now, give_up_at, ..to(DeliveryState::Waiting) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: DeliveryView = DeliveryView {
        state: DeliveryState::Waiting,
        attempt: 0,
        due_at: Timestamp(100),
        give_up_at: Timestamp(1_000),
    };

    fn claim(view: DeliveryView, now: i64) -> Result<DeliveryView, Refused> {
        transition(view, DeliveryEvent::Claim { now: Timestamp(now), until: Timestamp(now + 50) })
    }

    fn fail(view: DeliveryView, attempt: i64, again_at: i64) -> Result<DeliveryView, Refused> {
        transition(view, DeliveryEvent::Fail { attempt, again_at: Timestamp(again_at) })
    }

    #[test]
    fn one_who_sends_at_a_time_and_a_dead_ones_claim_is_taken_over() {
        assert_eq!(claim(NEW, 99), Err(Refused::NotDue));
        let first = claim(NEW, 100).unwrap();
        assert_eq!(claim(first, 149), Err(Refused::NotDue));
        let second = claim(first, 150).unwrap();
        assert_eq!((first.attempt, second.attempt), (1, 2));
        for late in [
            DeliveryEvent::Succeed { attempt: 1 },
            DeliveryEvent::Fail { attempt: 1, again_at: Timestamp(200) },
            DeliveryEvent::Release { attempt: 1, now: Timestamp(200) },
        ] {
            assert_eq!(transition(second, late), Err(Refused::Stale));
        }
        assert!(transition(second, DeliveryEvent::Succeed { attempt: 2 }).is_ok());
    }

    #[test]
    fn a_failure_waits_until_it_would_be_too_late() {
        let sent = claim(NEW, 100).unwrap();
        let again = fail(sent, 1, 1_000).unwrap();
        assert_eq!((again.state, again.due_at), (DeliveryState::Waiting, Timestamp(1_000)));
        assert_eq!(fail(sent, 1, 1_001).unwrap().state, DeliveryState::GivenUp);
    }

    #[test]
    fn what_is_over_moves_only_when_somebody_wants_it_sent_again() {
        let sent = claim(NEW, 100).unwrap();
        let resend = DeliveryEvent::Resend { now: Timestamp(2_000), give_up_at: Timestamp(3_000) };
        assert_eq!(transition(sent, resend), Err(Refused::UnderWay));
        assert_eq!(transition(NEW, resend), Err(Refused::UnderWay));
        let ends = [transition(sent, DeliveryEvent::Succeed { attempt: 1 }), fail(sent, 1, 9_999)];
        for over in ends.map(Result::unwrap) {
            assert_eq!(claim(over, i64::MAX - 50), Err(Refused::Over));
            assert_eq!(fail(over, 1, 200), Err(Refused::Stale));
            let again = transition(over, resend).unwrap();
            assert_eq!(claim(again, 2_000).unwrap().attempt, 2, "attempts go on counting");
            assert_eq!(fail(claim(again, 2_000).unwrap(), 2, 2_900).unwrap().state, DeliveryState::Waiting);
        }
    }

    #[test]
    fn who_is_stopped_hands_back() {
        let sent = claim(NEW, 100).unwrap();
        let back = transition(sent, DeliveryEvent::Release { attempt: 1, now: Timestamp(110) }).unwrap();
        assert_eq!((back.state, back.attempt, back.due_at), (DeliveryState::Waiting, 1, Timestamp(110)));
    }
}
