//! Streams whose clock jumps or begins anew in the middle (captures, pieces put together), brought onto one timeline: all
//! tracks move by the same step, so that sound stays beside its pictures. It sees times only, never what is in a packet.

use std::collections::HashMap;

/// Microseconds. Going back by more is a new timeline; less is how a multiplexer orders its packets.
const BACK: i64 = 1_000_000;
/// Going on by more is one, too: nobody broadcasts a pause.
const FORTH: i64 = 30_000_000;

/// The timeline of all tracks, in microseconds.
#[derive(Debug, Default)]
pub(super) struct Splices {
    tracks: HashMap<usize, Place>,
    /// What is added to times of the newest piece.
    newest: i64,
    /// Where the longest track ends so far.
    end: i64,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    step: i64,
    last: i64,
}

impl Splices {
    /// What has to be added to the times of a packet of `track` whose decode time is `stated`.
    pub(super) fn step(&mut self, track: usize, stated: i64, duration: i64) -> i64 {
        let step = match self.tracks.get(&track).copied() {
            None => self.newest,
            Some(place) if goes_on(place, stated, place.step) => place.step,
            // The others were here before.
            Some(place) if goes_on(place, stated, self.newest) => self.newest,
            Some(_) => {
                self.newest = self.end.saturating_sub(stated);
                self.newest
            }
        };
        let last = stated.saturating_add(step);
        self.tracks.insert(track, Place { step, last });
        self.end = self.end.max(last.saturating_add(duration.max(0)));
        step
    }
}

fn goes_on(place: Place, stated: i64, step: i64) -> bool {
    let further = stated.saturating_add(step).saturating_sub(place.last);
    (-BACK..=FORTH).contains(&further)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times that come out of (track, time) pairs in milliseconds; each packet lasts 40.
    fn placed(packets: &[(usize, i64)]) -> Vec<i64> {
        let mut splices = Splices::default();
        packets.iter().map(|(track, time)| time + splices.step(*track, time * 1_000, 40_000) / 1_000).collect()
    }

    #[test]
    fn what_goes_on_is_not_touched() {
        assert_eq!(
            placed(&[(0, 5_000), (1, 4_900), (0, 5_040), (1, 4_200), (0, 20_000)]),
            [5_000, 4_900, 5_040, 4_200, 20_000]
        );
    }

    #[test]
    fn all_tracks_go_on_by_the_same_step() {
        // The last sound of the first piece comes after the first picture of the second.
        let packets = [(0, 0), (1, 20), (0, 4_000), (1, 3_960), (0, 0), (1, 4_000), (1, 20), (0, 40)];
        assert_eq!(placed(&packets), [0, 20, 4_000, 3_960, 4_040, 4_000, 4_060, 4_080]);
    }

    #[test]
    fn a_jump_ahead_is_a_new_piece_and_so_is_the_way_back() {
        assert_eq!(placed(&[(0, 0), (0, 40), (0, 90_000_000), (0, 90_000_040), (0, 80)]), [0, 40, 80, 120, 160]);
    }
}
