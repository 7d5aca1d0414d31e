//! Times that know their unit. A bare `i64` of libav never leaves the stage that read it.

use ffmpeg_next::Rational;

/// A unit of time: 1/`timescale` of a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock {
    timescale: u32,
}

/// Timescales above this overflow players' 32-bit sums; such sources are brought to 90 kHz.
const FINEST: i32 = 1_000_000;

impl Clock {
    pub(super) const fn new(timescale: u32) -> Self {
        Self { timescale }
    }

    /// The coarsest clock that holds every multiple of `time_base` exactly.
    pub(super) fn representing((num, den): (i32, i32)) -> Self {
        match u32::try_from(den) {
            Ok(timescale @ 1..) if den <= FINEST && num > 0 => Self { timescale },
            _ => Self { timescale: 90_000 },
        }
    }

    pub(super) fn timescale(self) -> u32 {
        self.timescale
    }

    pub(super) fn time_base(self) -> Rational {
        Rational(1, i32::try_from(self.timescale).unwrap_or(i32::MAX))
    }

    /// `time` in units of `time_base`, in this clock, to the nearest.
    pub(super) fn convert(self, time: i64, (num, den): (i32, i32)) -> i64 {
        if den <= 0 {
            return 0;
        }
        let scaled = i128::from(time) * i128::from(num) * i128::from(self.timescale);
        let den = i128::from(den);
        saturate((2 * scaled + den).div_euclid(2 * den))
    }

    pub(super) fn of_micros(self, micros: i64) -> i64 {
        self.convert(micros, (1, 1_000_000))
    }

    pub(super) fn to_millis(self, time: i64) -> i64 {
        saturate(i128::from(time) * 1_000 / i128::from(self.timescale))
    }

    pub(super) fn seconds(self, seconds: u32) -> i64 {
        i64::from(self.timescale) * i64::from(seconds)
    }
}

fn saturate(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ntsc_time_bases_are_held_exactly() {
        let clock = Clock::representing((1001, 30_000));
        assert_eq!(clock.timescale(), 30_000);
        assert_eq!(clock.convert(3, (1001, 30_000)), 3003);
    }

    #[test]
    fn absurd_time_bases_become_90_khz() {
        assert_eq!(Clock::representing((1, 1_000_000_007)).timescale(), 90_000);
        assert_eq!(Clock::representing((0, 0)).timescale(), 90_000);
        assert_eq!(Clock::new(90_000).convert(i64::MAX, (i32::MAX, 1)), i64::MAX);
    }

    #[test]
    fn conversion_rounds_to_the_nearest() {
        assert_eq!(Clock::new(1000).convert(1, (1, 3)), 333);
        assert_eq!(Clock::new(1000).convert(-1, (1, 1500)), -1);
    }
}
