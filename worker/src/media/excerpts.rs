//! Excerpts of a rung that is still being made: its beginning and its key frames, in small files of their own, so that they
//! are looked at while later pictures are encoded. They are for that alone; without them all is looked at afterwards.

use std::{path::Path, sync::mpsc::Sender};

use ffmpeg_next::{Packet, codec};

use super::{
    clock::Clock,
    error::MediaError,
    look::{Beginning, END_MS, WHOLE_MS},
    mux::{Mp4, Track},
};
use crate::task::protocol::excerpt_file;

/// Less than this is not worth a look of its own.
const SHORTEST_MS: u64 = 8_000;
/// Packets lie side by side in an excerpt, whenever they are shown.
const APART_MS: i64 = 40;
const CLOCK: Clock = Clock::new(1_000);

/// An excerpt that is complete, by its number.
pub(super) type Closed = Sender<(String, u32)>;

pub(super) struct Excerpts {
    /// The rung's.
    name: String,
    closed: Closed,
    duration_ms: u64,
    clock: Clock,
    /// When the excerpt under way ends; without it there are no more.
    until_ms: Option<u64>,
    number: u32,
    beginning: Beginning,
    /// With how many packets it has.
    open: Option<(Mp4, i64)>,
}

impl Excerpts {
    /// `duration_ms` is how long the film claims to last, `clock` that of its packets.
    pub(super) fn new(name: String, duration_ms: u64, clock: Clock, closed: Closed) -> Self {
        let (until_ms, beginning) = (end_of_next(0, duration_ms), Beginning::new());
        Self { name, closed, duration_ms, clock, until_ms, number: 0, beginning, open: None }
    }

    /// A packet as the encoder gives it; `parameters` are the encoder's.
    pub(super) fn take(&mut self, packet: &Packet, parameters: impl Fn() -> codec::Parameters) {
        if let Some(until_ms) = self.until_ms
            && self.keep(packet, until_ms, parameters).is_err()
        {
            // A disk that is full is the rung's own matter.
            (self.until_ms, self.open) = (None, None);
        }
    }

    fn keep(
        &mut self,
        packet: &Packet,
        until_ms: u64,
        parameters: impl Fn() -> codec::Parameters,
    ) -> Result<(), MediaError> {
        let time_ms = self.clock.to_millis(packet.pts().unwrap_or(0));
        let beginning = self.beginning.has(packet.is_key(), time_ms);
        if packet.is_key() && u64::try_from(time_ms).is_ok_and(|time_ms| time_ms >= until_ms) {
            self.close(until_ms)?;
        }
        if self.until_ms.is_some() && (beginning || packet.is_key()) { self.write(packet, parameters) } else { Ok(()) }
    }

    fn write(&mut self, packet: &Packet, parameters: impl Fn() -> codec::Parameters) -> Result<(), MediaError> {
        let (file, count) = match &mut self.open {
            Some(open) => open,
            None => {
                let name = excerpt_file(&self.name, self.number);
                self.open.insert((Mp4::create(Path::new(&name), Some((parameters(), CLOCK)), None)?, 0))
            }
        };
        let mut packet = packet.clone();
        packet.set_pts(Some(*count * APART_MS));
        packet.set_dts(Some(*count * APART_MS));
        packet.set_duration(APART_MS);
        *count += 1;
        file.write(Track::Video, packet)
    }

    fn close(&mut self, until_ms: u64) -> Result<(), MediaError> {
        self.until_ms = end_of_next(until_ms, self.duration_ms);
        let Some((file, _)) = self.open.take() else { return Ok(()) };
        file.finish()?;
        // Nobody listens when the film has failed.
        drop(self.closed.send((self.name.clone(), self.number)));
        self.number += 1;
        Ok(())
    }
}

/// Where the excerpt ends that begins at `from_ms`: half-way through what is left, so that of a long film there are few and
/// little is left at its end. What is shown in the last seconds is looked at in the whole output in any case.
fn end_of_next(from_ms: u64, duration_ms: u64) -> Option<u64> {
    let left = duration_ms.saturating_sub(from_ms);
    let worth = duration_ms > WHOLE_MS && left > SHORTEST_MS + END_MS.unsigned_abs();
    worth.then(|| from_ms + (left / 2).max(SHORTEST_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(duration_ms: u64) -> Vec<u64> {
        std::iter::successors(end_of_next(0, duration_ms), |end| end_of_next(*end, duration_ms)).collect()
    }

    #[test]
    fn excerpts_end_before_the_film_does_and_are_few() {
        assert_eq!(ends(10_000), [0; 0], "it is looked at whole");
        assert_eq!(ends(12_000), [8_000]);
        assert_eq!(ends(30_000), [15_000, 23_000]);
        assert_eq!(ends(60_000), [30_000, 45_000, 53_000]);
        let day = ends(86_400_000);
        assert!(day.len() < 16 && day.last().is_some_and(|last| 86_400_000 - last <= 10_000), "{day:?}");
        assert!(ends(u64::MAX).len() < 64);
    }
}
