//! A track whose packets are kept as they are: only their times are brought to the output's clock and origin. Sources whose
//! times cannot be kept so are refused, for mending them is what encoding does.

use ffmpeg_next::{Packet, codec};

use super::{
    clock::Clock,
    error::MediaError,
    ffi::{self, StreamFacts, StreamKind},
    input::Source,
};
use crate::plan::SoundFlaw;

/// Sound is counted in samples. Containers that count milliseconds are off by less than this part of a second.
const ROUNDING: i64 = 500;
/// Milliseconds around zero within which sound begins with its film: players make up for them, and for priming.
const BEGINNING_MS: u32 = 60;
/// As `reelgate_packager::judge` has it for what can be cut.
const LONGEST_GAP_SECONDS: u32 = 10;

pub(super) struct CopiedTrack {
    pub(super) stream: u32,
    parameters: codec::Parameters,
    time_base: (i32, i32),
    clock: Clock,
    /// In ticks of `clock`.
    origin: i64,
    /// Samples of a packet of sound; zero for pictures.
    samples: i64,
    last: Option<i64>,
    flaw: Option<SoundFlaw>,
    /// Where the last packet ends, in display time.
    end: i64,
    started: bool,
    /// When the last key frame is shown.
    entry: Option<i64>,
}

impl CopiedTrack {
    /// `origin` in microseconds becomes zero.
    pub(super) fn open(source: &Source, stream: &StreamFacts, origin: i64) -> Result<Self, MediaError> {
        let found = source.input.stream(stream.index as usize);
        let found = found.ok_or_else(|| MediaError::broken("a track has vanished"))?;
        // A copy: what the stream gives out is its own.
        let mut parameters = codec::Parameters::new();
        parameters.clone_from(&found.parameters());
        ffi::set_tag(&mut parameters, 0);
        let sound = stream.kind == StreamKind::Audio;
        let clock = if sound { Clock::new(stream.sample_rate) } else { Clock::representing(stream.time_base) };
        Ok(Self {
            stream: stream.index,
            parameters,
            time_base: stream.time_base,
            clock,
            origin: clock.of_micros(origin),
            samples: if sound { 1_024 } else { 0 },
            last: None,
            flaw: None,
            end: 0,
            started: sound,
            entry: None,
        })
    }

    pub(super) fn track(&self) -> (codec::Parameters, Clock) {
        (self.parameters.clone(), self.clock)
    }

    /// Milliseconds at which what was taken so far ends.
    pub(super) fn end_ms(&self) -> u64 {
        u64::try_from(self.clock.to_millis(self.end)).unwrap_or(0)
    }

    /// The packet as the output shall have it; nothing for pictures before the first that can be decoded.
    pub(super) fn take(&mut self, mut packet: Packet) -> Result<Option<Packet>, MediaError> {
        if packet.is_corrupt() || ffi::changes_codec(&packet) {
            return Err(MediaError::broken("a track changes or is damaged on its way"));
        }
        self.started |= packet.is_key();
        if !self.started {
            return Ok(None);
        }
        let (clock, time_base, origin) = (self.clock, self.time_base, self.origin);
        let place = |time: i64| clock.convert(time, time_base).saturating_sub(origin);
        let display = packet.pts().or(packet.dts()).map(place);
        let display = display.ok_or_else(|| MediaError::broken("a packet has no time"))?;
        let duration = self.clock.convert(packet.duration().max(0), self.time_base);
        let (decode, display, duration) = match self.samples {
            0 => (packet.dts().map(place), display, duration),
            samples => {
                let time = self.in_step(display);
                (Some(time), time, samples)
            }
        };
        if let (Some(last), Some(decode)) = (self.last, decode)
            && decode <= last
        {
            return Err(MediaError::broken("the times of a track go back"));
        }
        if self.samples == 0 {
            self.enter(packet.is_key(), display)?;
        }
        self.last = decode.or(self.last);
        self.end = self.end.max(display.saturating_add(duration));
        packet.set_pts(Some(display));
        packet.set_dts(decode);
        packet.set_duration(duration);
        Ok(Some(packet))
    }

    /// Nobody can cut what has no entry for so long; known now, it need not be copied to its end.
    fn enter(&mut self, key: bool, display: i64) -> Result<(), MediaError> {
        if key {
            self.entry = Some(display);
        }
        match self.entry {
            Some(entry) if display.saturating_sub(entry) > self.clock.seconds(LONGEST_GAP_SECONDS) => {
                Err(MediaError::broken("playing can begin only every 10 s or less often"))
            }
            _ => Ok(()),
        }
    }

    /// Whether sound has not begun with its film, or has had a gap since.
    pub(super) fn flaw(&self) -> Option<SoundFlaw> {
        self.flaw
    }

    /// Sound follows without a gap where its times say so but for rounding.
    fn in_step(&mut self, stated: i64) -> i64 {
        let rounding = self.clock.seconds(1) / ROUNDING;
        match self.last.map(|last| last.saturating_add(self.samples)) {
            Some(next) if next.abs_diff(stated) <= rounding.unsigned_abs() => return next,
            Some(_) => self.flaw = Some(SoundFlaw::Gap),
            None if stated.abs() <= self.clock.of_micros(i64::from(BEGINNING_MS) * 1_000) => {}
            None => self.flaw = Some(SoundFlaw::Late),
        }
        stated
    }
}
