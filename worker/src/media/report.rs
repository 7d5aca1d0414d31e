//! What is told while the work goes on.

use reelgate_common::{file::Failure, media_info::Reason};

use super::likeness::Likeness;
use crate::{
    plan::SoundFlaw,
    task::protocol::{Moment, Output},
};

pub enum Report {
    /// 0.0 to 1.0.
    Progress(f64),
    Output(Output),
    Excerpt {
        name: String,
        number: u32,
    },
    /// Of a rung in a stretch of the film.
    Measured {
        name: String,
        likeness: Likeness,
    },
    Refused {
        name: String,
        failure: Failure,
    },
    /// What became of sound that was to be copied if it goes on without a gap.
    Settled {
        audio: String,
        flaw: Option<SoundFlaw>,
    },
    /// Something is wrong with the source, although something could be made of it.
    Warned(Reason),
    Reached(Moment),
}

pub(super) type Tell<'a> = &'a mut dyn FnMut(Report);

/// Tells how far the work is, in steps of half a percent.
pub(super) struct Progress {
    from_ms: u64,
    duration_ms: u64,
    told: u64,
}

impl Progress {
    pub(super) fn new(duration_ms: u64) -> Self {
        Self { from_ms: 0, duration_ms, told: 0 }
    }

    /// Of a stretch that begins there.
    pub(super) fn from(self, from_ms: u64) -> Self {
        Self { from_ms, ..self }
    }

    pub(super) fn reached(&mut self, time_ms: u64, tell: Tell<'_>) {
        let Some(steps) = time_ms.saturating_sub(self.from_ms).saturating_mul(200).checked_div(self.duration_ms) else {
            return;
        };
        let steps = steps.min(198);
        if steps > self.told {
            self.told = steps;
            tell(Report::Progress(steps as f64 / 200.0));
        }
    }
}
