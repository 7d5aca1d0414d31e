//! Mends broken timestamps: every frame leaves with a time that is after the one before it, and no gap is longer than a
//! bound. Pure.

use super::{clock::Clock, error::MediaError, limits};

/// Going back by more than this is a new timeline (a splice), not jitter.
const SPLICE_SECONDS: u32 = 5;
/// No real source pauses longer between two frames.
const LONGEST_GAP_SECONDS: u32 = 3600;

/// The times of one stream, in one clock.
#[derive(Debug)]
pub(super) struct Mender {
    clock: Clock,
    /// Used where a frame says nothing of its own.
    nominal: i64,
    /// Added to every time since the last splice.
    shift: i64,
    last: Option<i64>,
}

impl Mender {
    pub(super) fn new(clock: Clock, nominal: i64) -> Self {
        Self { clock, nominal: nominal.max(1), shift: 0, last: None }
    }

    /// In the middle of a timeline that is known to be sound: the next frame is shown at `time` or later.
    pub(super) fn from(self, time: i64) -> Self {
        Self { last: Some(time.saturating_sub(1)), ..self }
    }

    pub(super) fn nominal(&self) -> i64 {
        self.nominal
    }

    /// The time to use; `None` for a frame before the presentation begins.
    pub(super) fn mend(&mut self, stated: Option<i64>) -> Result<Option<i64>, MediaError> {
        let Some(last) = self.last else {
            let first = stated.unwrap_or(0);
            return if first < 0 { Ok(None) } else { self.take(first) };
        };
        let Some(stated) = stated else { return self.take(last.saturating_add(self.nominal)) };
        let time = stated.saturating_add(self.shift);
        if time <= last {
            if last - time > self.clock.seconds(SPLICE_SECONDS) {
                let resumed = last + self.nominal;
                self.shift = resumed.saturating_sub(stated);
                return self.take(resumed);
            }
            return self.take(last + 1);
        }
        self.take(time)
    }

    fn take(&mut self, time: i64) -> Result<Option<i64>, MediaError> {
        let from = self.last.unwrap_or(0);
        let duration_ms = u64::try_from(self.clock.to_millis(time)).unwrap_or(0);
        if duration_ms > limits::MAX_DURATION_MS {
            return Err(MediaError::TooLong { duration_ms });
        }
        if time.saturating_sub(from) > self.clock.seconds(LONGEST_GAP_SECONDS) {
            return Err(MediaError::broken("two frames are more than an hour apart"));
        }
        self.last = Some(time);
        Ok(Some(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mender() -> Mender {
        Mender::new(Clock::new(1000), 40)
    }

    #[test]
    fn good_times_pass_unchanged() {
        let mut mender = mender();
        for time in [0, 40, 83, 120] {
            assert_eq!(mender.mend(Some(time)).unwrap(), Some(time));
        }
    }

    #[test]
    fn missing_and_repeated_times_still_ascend() {
        let mut mender = mender();
        let times: Vec<_> = [Some(0), None, Some(40), Some(20), Some(90)]
            .into_iter()
            .map(|t| mender.mend(t).unwrap().unwrap())
            .collect();
        assert_eq!(times, [0, 40, 41, 42, 90]);
    }

    #[test]
    fn a_splice_goes_on_where_the_old_timeline_ended() {
        let mut mender = mender();
        mender.mend(Some(0)).unwrap();
        mender.mend(Some(20_000)).unwrap();
        assert_eq!(mender.mend(Some(0)).unwrap(), Some(20_040));
        assert_eq!(mender.mend(Some(40)).unwrap(), Some(20_080));
    }

    #[test]
    fn frames_before_the_beginning_are_left_out() {
        assert_eq!(mender().mend(Some(-40)).unwrap(), None);
    }

    #[test]
    fn ten_years_between_two_frames_are_refused() {
        let mut mender = mender();
        mender.mend(Some(0)).unwrap();
        assert_eq!(mender.mend(Some(315_360_000_000)).unwrap_err().code(), "too_long");
        assert_eq!(mender.mend(Some(2 * 3_600_000)).unwrap_err().code(), "broken_media");
    }
}
