//! A stretch of a film: what must be read and decoded for it, and which pictures are its own. Of one that becomes a chunk the index has
//! promised what is there; a source that keeps another word is no source for chunks, and is made whole instead. Of a sample nobody
//! has promised anything.

use reelgate_packager::package::Chunk;

use super::{
    clock::Clock,
    error::MediaError,
    ffi::{self, StreamFacts},
    input::Source,
    report::Progress,
};

/// Times are in the film's clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// When its first picture is shown.
    pub(super) from: i64,
    /// When the picture behind its last one is shown; nothing at the end of the film.
    pub(super) to: Option<i64>,
    /// When the picture is shown that decoding begins with; nothing at the beginning of the film.
    pub(super) entry: Option<i64>,
    /// What the index says.
    promised: Option<Promised>,
    timescale: u32,
}

#[derive(Debug, Clone, Copy)]
struct Promised {
    pictures: u32,
    /// Packets to be read.
    left: u32,
}

impl Window {
    /// `timescale`: that of the chunk's times.
    pub(super) fn new(chunk: &Chunk, timescale: u32) -> Self {
        let Chunk { from, to, pictures, entry, first, samples } = *chunk;
        let promised = Some(Promised { pictures, left: samples });
        Self { from, to, entry: (first > 1).then_some(entry), promised, timescale }
    }

    /// Milliseconds from the film's zero, also of a film without an index. Decoding begins `lead_ms` before.
    pub(super) fn between(from_ms: u64, to_ms: u64, lead_ms: u64) -> Self {
        let millis = |time: u64| i64::try_from(time).unwrap_or(i64::MAX);
        let entry = Some(millis(from_ms.saturating_sub(lead_ms)));
        Self { from: millis(from_ms), to: Some(millis(to_ms)), entry, promised: None, timescale: 1_000 }
    }

    pub(super) fn in_clock(self, clock: Clock) -> Self {
        let timescale = i32::try_from(self.timescale).unwrap_or(i32::MAX);
        let convert = |time| clock.convert(time, (1, timescale));
        Self { from: convert(self.from), to: self.to.map(convert), entry: self.entry.map(convert), ..self }
    }

    pub(super) fn progress(&self, clock: Clock, duration_ms: u64) -> Progress {
        let millis = |time| u64::try_from(clock.to_millis(time)).unwrap_or(0);
        let from_ms = millis(self.from);
        Progress::new(self.to.map_or(duration_ms, millis).saturating_sub(from_ms)).from(from_ms)
    }

    /// Goes to where decoding begins. `origin`: microseconds of the source that are the film's zero.
    pub(super) fn enter(
        &self,
        source: &mut Source,
        stream: &StreamFacts,
        (clock, origin): (Clock, i64),
    ) -> Result<(), MediaError> {
        let Some(entry) = self.entry else { return Ok(()) };
        let (num, den) = stream.time_base;
        let entry = entry.saturating_add(clock.of_micros(origin));
        let of_stream = Clock::representing((1, den)).convert(entry, (1, clock.time_base().1)) / i64::from(num.max(1));
        ffi::seek(&mut source.input, stream.index, of_stream).map_err(MediaError::libav("go to a stretch"))
    }

    /// A packet was read, and pictures came out up to `reached`; whether it was the last one. Pictures come in the order in which
    /// they are shown.
    pub(super) fn is_read(&mut self, reached: i64) -> bool {
        match &mut self.promised {
            Some(promised) => {
                promised.left = promised.left.saturating_sub(1);
                promised.left == 0
            }
            None => self.to.is_some_and(|to| reached > to),
        }
    }

    /// Whether a decoded frame comes before what can be decoded from here.
    pub(super) fn is_before(&self, stated: Option<i64>) -> bool {
        self.entry.is_some_and(|entry| stated.is_some_and(|time| time < entry))
    }

    pub(super) fn shows(&self, time: Option<i64>) -> bool {
        time.is_some_and(|time| self.from <= time && self.to.is_none_or(|to| time < to))
    }

    /// # Errors
    /// The pictures are not those that the index has promised.
    pub(super) fn prove(&self, shown: u64, damaged: u32) -> Result<(), MediaError> {
        let Some(Promised { pictures: promised, .. }) = self.promised else { return Ok(()) };
        if shown == u64::from(promised) && damaged == 0 {
            return Ok(());
        }
        Err(MediaError::broken(format!("a part has {shown} of {promised} pictures, {damaged} damaged")))
    }
}
