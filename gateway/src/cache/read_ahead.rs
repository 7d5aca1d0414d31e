//! How much to fetch at once for one reader of one object. Pure: positions and times in, lengths out.
//!
//! The window doubles when the reader has used it up quickly, and halves towards a block when it took long. It also
//! halves, down to a piece, when something was given up before it was read: then memory is short, and fetching much
//! would be fetching twice. Nothing is fetched ahead of a reader that takes nothing, for only taking leads here.

use std::{ops::Range, time::Duration};

use super::pool::PIECE;

/// A window used up faster than this is too small, one that lasts longer than that too large.
const QUICK: Duration = Duration::from_millis(500);
const SLOW: Duration = Duration::from_secs(4);

/// What bounds the windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) block: u64,
    pub(super) longest: u64,
    /// Share of the memory that one reader may count on.
    pub(super) share: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ReadAhead {
    window: u64,
    /// What this reader had fetched last, and when it asked.
    fetched: Range<u64>,
    asked: Duration,
}

impl ReadAhead {
    /// Whether this reader itself had the byte fetched.
    pub(super) fn is_own(&self, at: u64) -> bool {
        self.fetched.contains(&at)
    }

    /// The byte at `at` is not there: how many bytes from it on to fetch, of the `needed` ones. Times count from anywhere.
    pub(super) fn miss(&mut self, at: u64, needed: u64, now: Duration, bounds: Bounds) -> u64 {
        self.window = match () {
            () if self.window == 0 => first(needed, bounds),
            () if self.is_own(at) => (self.window / 2).max(PIECE as u64),
            () => self.adapted(now, bounds),
        };
        self.asked = now;
        self.window.min(needed)
    }

    /// Whether memory is too short for a block at once.
    pub(super) fn is_short(&self, bounds: Bounds) -> bool {
        self.window < bounds.block
    }

    /// What was asked for, in the end.
    pub(super) fn fetching(&mut self, run: Range<u64>) {
        let continues = self.fetched.contains(&run.start) || self.fetched.end == run.start;
        let start = if continues { self.fetched.start } else { run.start };
        self.fetched = start..run.end;
    }

    /// Somebody else fetches as far as `end`, or did so for this reader before.
    pub(super) fn joining(&mut self, at: u64, end: u64) {
        if self.fetched.contains(&at) || self.fetched.end == at {
            self.fetched.end = self.fetched.end.max(end);
        } else {
            self.fetching(at..end);
        }
    }

    /// Where to fetch on now that the reader is at `at`, if it is time: half a window before it would have to wait.
    pub(super) fn next(&self, at: u64, end: u64) -> Option<u64> {
        let near = self.is_own(at) && self.fetched.end - at <= self.window / 2;
        (near && self.fetched.end < end).then_some(self.fetched.end)
    }

    fn adapted(&self, now: Duration, bounds: Bounds) -> u64 {
        match now.saturating_sub(self.asked) {
            took if took < QUICK => (self.window * 2).min(bounds.longest),
            took if took > SLOW && self.window > bounds.block => (self.window / 2).max(bounds.block),
            _ => self.window,
        }
    }
}

/// A short request is fetched whole; a long one begins with a block, or with less when many share the memory.
fn first(needed: u64, bounds: Bounds) -> u64 {
    if needed <= bounds.block { bounds.block } else { bounds.block.min(bounds.share).max(PIECE as u64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const BOUNDS: Bounds = Bounds { block: MIB, longest: 4 * MIB, share: 16 * MIB };
    const FAR: u64 = 1 << 40;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Windows of a reader that needs `ms` for each.
    fn windows(ms: u64, count: u64) -> Vec<u64> {
        let mut ahead = ReadAhead::default();
        let mut position = 0;
        (0..count)
            .map(|n| {
                let length = ahead.miss(position, FAR, at(n * ms), BOUNDS);
                ahead.fetching(position..position + length);
                position += length;
                length
            })
            .collect()
    }

    #[test]
    fn a_fast_reader_gets_longer_runs_up_to_the_bound() {
        assert_eq!(windows(100, 5), [MIB, 2 * MIB, 4 * MIB, 4 * MIB, 4 * MIB]);
    }

    #[test]
    fn a_slow_reader_keeps_to_blocks() {
        assert_eq!(windows(8_000, 3), [MIB, MIB, MIB]);
    }

    #[test]
    fn a_short_request_is_fetched_whole_and_no_further() {
        let mut ahead = ReadAhead::default();
        assert_eq!(ahead.miss(5, 1_000, at(0), BOUNDS), 1_000);
        ahead.fetching(5..1_005);
        assert_eq!(ahead.next(1_004, 1_005), None);
    }

    #[test]
    fn what_was_given_up_unread_halves_the_window() {
        let mut ahead = ReadAhead::default();
        let mut window = ahead.miss(0, FAR, at(0), BOUNDS);
        ahead.fetching(0..window);
        for _ in 0..10 {
            window = ahead.miss(100, FAR, at(10_000), BOUNDS);
        }
        assert_eq!(window, PIECE as u64);
    }

    #[test]
    fn many_readers_begin_with_less() {
        let mut ahead = ReadAhead::default();
        assert_eq!(ahead.miss(0, FAR, at(0), Bounds { share: 70_000, ..BOUNDS }), 70_000);
        assert_eq!(ReadAhead::default().miss(0, FAR, at(0), Bounds { share: 10, ..BOUNDS }), PIECE as u64);
    }

    #[test]
    fn the_next_run_begins_before_the_reader_has_to_wait() {
        let mut ahead = ReadAhead::default();
        ahead.miss(0, FAR, at(0), BOUNDS);
        ahead.fetching(0..MIB);
        assert_eq!(ahead.next(MIB / 2 - 1, FAR), None);
        assert_eq!(ahead.next(MIB / 2, FAR), Some(MIB));
        assert_eq!(ahead.next(MIB / 2, MIB), None);
    }
}
