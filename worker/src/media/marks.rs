//! Which frames must be key frames: the first one at or after each point of the segment grid. Pure.

use reelgate_common::grid::SegmentGrid;

use super::clock::Clock;

/// Walks the grid beside the frames, whose times ascend.
#[derive(Debug)]
pub(super) struct Marks {
    clock: Clock,
    grid: SegmentGrid,
    /// The next grid point that no frame has reached, by its number.
    next: usize,
}

impl Marks {
    pub(super) fn new(grid: SegmentGrid, clock: Clock) -> Self {
        Self { clock, grid, next: 0 }
    }

    /// Whether the frame at `time` begins a segment. The first frame always does.
    pub(super) fn take(&mut self, time: i64) -> bool {
        let mut reached = self.next == 0;
        self.next = self.next.max(1);
        while self.point(self.next).is_some_and(|point| point <= time) {
            self.next += 1;
            reached = true;
        }
        reached
    }

    fn point(&self, number: usize) -> Option<i64> {
        match &self.grid {
            SegmentGrid::Regular { period_ms } => {
                let millis = i64::try_from(number).ok()?.checked_mul(i64::from((*period_ms).max(1)))?;
                Some(self.clock.convert(millis, (1, 1_000)))
            }
            SegmentGrid::Points { timescale, pts } => {
                let timescale = i32::try_from(*timescale).ok()?;
                pts.get(number).map(|time| self.clock.convert(*time, (1, timescale)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(grid: SegmentGrid, times: &[i64]) -> Vec<i64> {
        let mut marks = Marks::new(grid, Clock::new(1000));
        times.iter().copied().filter(|time| marks.take(*time)).collect()
    }

    #[test]
    fn a_regular_grid_marks_the_first_frame_of_each_period() {
        let times: Vec<i64> = (0..250).map(|n| n * 40 + 3).collect();
        assert_eq!(keys(SegmentGrid::Regular { period_ms: 2000 }, &times), [3, 2003, 4003, 6003, 8003]);
    }

    #[test]
    fn the_points_of_the_source_are_met_exactly() {
        let grid = SegmentGrid::Points { timescale: 90_000, pts: vec![0, 225_000, 450_000] };
        assert_eq!(keys(grid, &[0, 40, 2_460, 2_500, 2_540, 5_000]), [0, 2_500, 5_000]);
    }

    #[test]
    fn a_long_pause_gives_one_key_frame_not_many() {
        assert_eq!(keys(SegmentGrid::Regular { period_ms: 2000 }, &[0, 11_000, 11_040, 12_000]), [0, 11_000, 12_000]);
    }
}
