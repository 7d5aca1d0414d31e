//! A constant frame rate where the policy wants one: the picture nearest to each tick is shown, none is bent in time, and every
//! tick is counted from zero, so nothing drifts. Pure, but for the pictures it holds.

use ffmpeg_next::frame;

use super::{clock::Clock, error::MediaError, ffi};

/// A clock in which every tick is a whole number, and the ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticks {
    clock: Clock,
    period: i64,
}

impl Ticks {
    /// Of so many frames per second; `None` for rates that are none.
    pub(super) fn of((num, den): (u32, u32)) -> Option<Self> {
        (num > 0 && den > 0 && num / den <= 240).then(|| Self { clock: Clock::new(num), period: i64::from(den) })
    }

    pub(super) fn clock(self) -> Clock {
        self.clock
    }

    /// The number of the tick that is nearest to `time`.
    fn nearest(self, time: i64) -> i64 {
        (2 * time + self.period).div_euclid(2 * self.period)
    }
}

/// Pictures at their own times in, pictures at every tick out.
pub(super) struct Cadence {
    ticks: Ticks,
    /// What is shown at the ticks from `next` to `until`.
    held: Option<frame::Video>,
    next: i64,
    until: i64,
    /// What is shown from `until` on.
    upcoming: Option<frame::Video>,
}

impl Cadence {
    pub(super) fn new(ticks: Ticks) -> Self {
        Self { ticks, held: None, next: i64::MIN, until: i64::MIN, upcoming: None }
    }

    /// Takes a picture, once `receive` has given all that was due.
    pub(super) fn send(&mut self, picture: frame::Video) {
        self.until = self.ticks.nearest(picture.pts().unwrap_or(0));
        self.upcoming = Some(picture);
    }

    pub(super) fn receive(&mut self) -> Result<Option<frame::Video>, MediaError> {
        if let Some(held) = self.held.as_ref().filter(|_| self.next < self.until) {
            let mut picture = ffi::share(held).map_err(MediaError::libav("share a picture"))?;
            picture.set_pts(Some(self.next * self.ticks.period));
            self.next += 1;
            return Ok(Some(picture));
        }
        if let Some(upcoming) = self.upcoming.take() {
            self.next = self.next.max(self.until);
            self.held = Some(upcoming);
        }
        Ok(None)
    }

    /// No more pictures come; the last one is shown until `end`.
    pub(super) fn finish(&mut self, end: i64) {
        let last = self.held.as_ref().and_then(|held| held.pts()).map(|time| self.ticks.nearest(time) + 1);
        self.until = last.map_or(self.until, |last| last.max(self.ticks.nearest(end)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times that come out of times that go in, in ticks of a 25th.
    fn at_25(times: &[i64], end: i64) -> Vec<i64> {
        let mut cadence = Cadence::new(Ticks::of((25_000, 1_000)).unwrap());
        let mut out = Vec::new();
        for time in times {
            let mut picture = frame::Video::new(ffmpeg_next::format::Pixel::YUV420P, 16, 16);
            picture.set_pts(Some(*time));
            cadence.send(picture);
            out.extend(std::iter::from_fn(|| cadence.receive().unwrap()));
        }
        cadence.finish(end);
        out.extend(std::iter::from_fn(|| cadence.receive().unwrap()));
        out.iter().map(|picture| picture.pts().unwrap() / 1_000).collect()
    }

    #[test]
    fn jitter_becomes_a_steady_beat() {
        assert_eq!(at_25(&[0, 1_100, 1_950, 3_000], 4_000), [0, 1, 2, 3]);
    }

    #[test]
    fn a_pause_is_filled_and_a_burst_thinned() {
        assert_eq!(at_25(&[0, 4_000, 4_200, 4_300, 5_000], 6_000), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn it_begins_where_the_first_picture_does_and_ends_with_the_last() {
        assert_eq!(at_25(&[2_000], 5_000), [2, 3, 4]);
        assert_eq!(at_25(&[2_000], 0), [2]);
        assert_eq!(at_25(&[], 5_000), [0; 0]);
    }

    #[test]
    fn an_hour_of_29_97_ends_at_its_own_tick() {
        let ticks = Ticks::of((30_000, 1_001)).unwrap();
        assert_eq!(ticks.nearest(107_892 * 1_001 + 400), 107_892);
        assert!(Ticks::of((0, 1)).is_none() && Ticks::of((90_000, 1)).is_none() && Ticks::of((1, 0)).is_none());
    }
}
