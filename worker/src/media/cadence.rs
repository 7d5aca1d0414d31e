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
    /// The tick that is to be filled next.
    next: Option<i64>,
    held: Option<frame::Video>,
}

impl Cadence {
    pub(super) fn new(ticks: Ticks) -> Self {
        Self { ticks, next: None, held: None }
    }

    /// Takes a picture and gives those that are due before it.
    pub(super) fn send(&mut self, picture: frame::Video) -> Result<Vec<frame::Video>, MediaError> {
        let tick = self.ticks.nearest(picture.pts().unwrap_or(0));
        let due = self.fill(tick)?;
        self.held = Some(picture);
        Ok(due)
    }

    /// What is left, when the last picture is shown until `end`.
    pub(super) fn finish(&mut self, end: i64) -> Result<Vec<frame::Video>, MediaError> {
        let Some(time) = self.held.as_ref().and_then(|held| held.pts()) else { return Ok(Vec::new()) };
        let last = self.ticks.nearest(end).max(self.ticks.nearest(time) + 1);
        let due = self.fill(last)?;
        self.held = None;
        Ok(due)
    }

    /// The held picture for every open tick before `until`.
    fn fill(&mut self, until: i64) -> Result<Vec<frame::Video>, MediaError> {
        let first = *self.next.get_or_insert(until);
        let Some(held) = &self.held else { return Ok(Vec::new()) };
        self.next = Some(first.max(until));
        (first..until)
            .map(|tick| {
                let mut picture = ffi::share(held).map_err(MediaError::libav("share a picture"))?;
                picture.set_pts(Some(tick * self.ticks.period));
                Ok(picture)
            })
            .collect()
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
            out.extend(cadence.send(picture).unwrap());
        }
        out.extend(cadence.finish(end).unwrap());
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
