//! Where segments begin: the grid on a track's clock, and the rules by which a sample begins a segment.

/// A sound or an own grid is cut after so many seconds.
const OWN_SECONDS: i64 = 4;
/// A segment of sound without a grid is not longer.
const OWN_LONGEST_SECONDS: i64 = 6;
/// With a grid, sound is cut between its points when these are further apart: as far as clean entries may be.
const LONGEST_SECONDS: i64 = 10;
/// Own grid of a video.
const OWN_VIDEO_SECONDS: i64 = 2;

/// The grid, seen from a track. The first point is where the presentation begins, which every track does at zero.
#[derive(Debug, Clone)]
pub(super) struct Points<'a> {
    rest: &'a [i64],
    is_own: bool,
    grid_timescale: i64,
    timescale: i64,
}

impl<'a> Points<'a> {
    pub(super) fn new(grid: &'a [i64], grid_timescale: u32, timescale: u32) -> Self {
        let rest = grid.get(1..).unwrap_or_default();
        let [grid_timescale, timescale] = [grid_timescale.max(1), timescale].map(i64::from);
        Self { rest, is_own: grid.is_empty(), grid_timescale, timescale }
    }

    fn next(&self) -> Option<i64> {
        self.rest.first().map(|point| self.ticks(*point))
    }

    fn ticks(&self, point: i64) -> i64 {
        let scaled = i128::from(point) * i128::from(self.timescale);
        let from = i128::from(self.grid_timescale);
        i64::try_from((scaled + from / 2).div_euclid(from)).unwrap_or(i64::MAX)
    }

    /// Passes all points up to `time`; whether there were any.
    fn pass(&mut self, time: i64) -> bool {
        let before = self.rest.len();
        while self.next().is_some_and(|point| point <= time) {
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
        self.rest.len() < before
    }

    /// Whether a clean entry shown at `time` begins a segment, the one before having begun at `begun`: the first at or after
    /// each point. Clocks of other units than the grid's meet its points by rounding only.
    pub(super) fn video_begins(&mut self, begun: i64, time: i64) -> bool {
        if self.is_own {
            return time.saturating_sub(begun) >= OWN_VIDEO_SECONDS * self.timescale;
        }
        let rounding = self.timescale / self.grid_timescale / 2 + 1;
        self.pass(time.saturating_add(rounding))
    }

    /// Whether a frame of sound of this `duration` at `time` begins a segment: the one nearest to each point, and some
    /// between points that are far apart. All sound ends at `end`.
    pub(super) fn audio_begins(&mut self, begun: i64, time: i64, duration: u32, end: i64) -> bool {
        if self.pass(time.saturating_add(i64::from(duration / 2))) {
            return true;
        }
        let horizon = self.next().unwrap_or(end).min(end);
        let longest = if self.is_own { OWN_LONGEST_SECONDS } else { LONGEST_SECONDS };
        let is_far = horizon.saturating_sub(begun) > longest * self.timescale;
        is_far && time.saturating_sub(begun) >= OWN_SECONDS * self.timescale
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_between_clocks_loses_no_point() {
        // Frames of 30000/1001 told in milliseconds.
        let grid: Vec<i64> = (0..100).map(|n| (n * 59 * 1001_i64 + 15) / 30).collect();
        let mut points = Points::new(&grid, 1000, 30_000);
        let frames = (1..100 * 59).map(|n| n * 1001);
        let begun: Vec<i64> = frames.filter(|time| points.video_begins(0, *time)).collect();
        assert_eq!(begun, (1..100).map(|n| n * 59 * 1001).collect::<Vec<_>>());
    }

    #[test]
    fn sound_is_cut_at_the_frame_nearest_to_a_point() {
        let mut points = Points::new(&[0, 2, 4], 1, 48_000);
        let frames = (0..300).map(|n| n * 1024);
        let begun: Vec<i64> = frames.filter(|time| points.audio_begins(0, *time, 1024, 6 * 48_000)).collect();
        assert_eq!(begun, [94 * 1024, 187 * 1024]);
    }

    #[test]
    fn sound_without_near_points_is_cut_every_four_seconds() {
        let cuts = |grid: &[i64], end: i64| {
            let mut points = Points::new(grid, 1, 1000);
            let mut begun = 0;
            let mut all = Vec::new();
            for time in (0..end).step_by(20) {
                if points.audio_begins(begun, time, 20, end) {
                    begun = time;
                    all.push(time);
                }
            }
            all
        };
        assert_eq!(cuts(&[], 13_000), [4000, 8000]);
        assert_eq!(cuts(&[0, 2], 25_000), [2000, 6000, 10_000, 14_000, 18_000]);
        assert_eq!(cuts(&[0, 10], 19_000), [10_000]);
    }
}
