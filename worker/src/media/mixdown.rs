//! From one audio track to an unbroken run of samples in one rate and at most two channels: decoded, put in its place in time,
//! mixed down, resampled, gaps filled.

use std::collections::VecDeque;

use ffmpeg_next::{Packet, frame};

use super::{
    clock::Clock,
    decode::AudioDecoder,
    error::MediaError,
    ffi::{self, StreamFacts},
    filter::AudioGraph,
    input::Source,
    limits,
};

/// Going back by more than this is a new timeline, not jitter.
const SPLICE_SECONDS: u32 = 5;
const LONGEST_GAP_SECONDS: u32 = 3600;
/// Sound that is this far from its time, in seconds, is put right; less is jitter of the container's clock. A viewer notices
/// from 20 ms on.
const OUT_OF_PLACE: f64 = 0.018;

/// What a mixdown makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) rate: u32,
    /// One or two.
    pub(super) channels: u16,
}

impl Shape {
    pub(super) fn of(stream: &StreamFacts) -> Self {
        let rate = if stream.sample_rate == 44_100 { 44_100 } else { 48_000 };
        Self { rate, channels: stream.channels.clamp(1, 2) }
    }

    pub(super) fn clock(self) -> Clock {
        Clock::new(self.rate)
    }

    pub(super) fn layout(self) -> &'static str {
        if self.channels == 1 { "mono" } else { "stereo" }
    }
}

/// Packets in, frames out, their times in samples from zero.
pub(super) struct Mixdown {
    decoder: AudioDecoder,
    time_base: (i32, i32),
    /// Microseconds that become zero.
    origin: i64,
    shape: Shape,
    /// Samples of each frame but the last.
    chunk: u32,
    /// Filters for what is mixed down.
    correction: Option<String>,
    graph: Option<(Look, AudioGraph)>,
    ready: VecDeque<frame::Audio>,
    timeline: Timeline,
}

/// What a graph was built for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look {
    rate: u32,
    format: &'static str,
    layout: String,
}

impl Mixdown {
    pub(super) fn open(source: &Source, stream: &StreamFacts, origin: i64, chunk: u32) -> Result<Self, MediaError> {
        Ok(Self {
            decoder: AudioDecoder::open(source, stream)?,
            time_base: stream.time_base,
            origin,
            shape: Shape::of(stream),
            chunk,
            correction: None,
            graph: None,
            ready: VecDeque::new(),
            timeline: Timeline::default(),
        })
    }

    pub(super) fn with_correction(self, correction: Option<String>) -> Self {
        Self { correction, ..self }
    }

    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    /// Samples that have come out.
    pub(super) fn written(&self) -> i64 {
        self.timeline.written
    }

    pub(super) fn damaged(&self) -> u32 {
        self.decoder.damaged()
    }

    pub(super) fn send(&mut self, packet: &Packet) -> Result<(), MediaError> {
        self.decoder.send(packet)?;
        self.decoded()
    }

    pub(super) fn receive(&mut self) -> Option<frame::Audio> {
        self.ready.pop_front()
    }

    pub(super) fn finish(&mut self) -> Result<(), MediaError> {
        self.decoder.finish()?;
        self.decoded()?;
        self.drain()
    }

    fn decoded(&mut self) -> Result<(), MediaError> {
        while let Some(mut frame) = self.decoder.receive()? {
            if frame.samples() == 0 || frame.rate() == 0 {
                continue;
            }
            let look = look(&mut frame);
            let clock = Clock::new(look.rate);
            let stated = frame
                .timestamp()
                .map(|time| clock.convert(time, self.time_base).saturating_sub(clock.of_micros(self.origin)));
            let time = self.timeline.place(stated, i64::try_from(frame.samples()).unwrap_or(0), clock)?;
            frame.set_pts(Some(time));
            self.filter(look, frame)?;
        }
        Ok(())
    }

    fn filter(&mut self, look: Look, frame: frame::Audio) -> Result<(), MediaError> {
        if self.graph.as_ref().is_none_or(|(old, _)| *old != look) {
            self.drain()?;
            let graph = self.build(&look, &frame)?;
            self.graph = Some((look, graph));
        }
        if let Some((_, graph)) = &mut self.graph {
            graph.send(frame)?;
        }
        self.filtered()
    }

    fn build(&self, look: &Look, frame: &frame::Audio) -> Result<AudioGraph, MediaError> {
        let spec = filters(&look.layout, self.shape, self.timeline.written, self.correction.as_deref());
        let input = Clock::new(look.rate);
        AudioGraph::new(&spec, frame, &look.layout, input, self.shape.clock(), Some(self.chunk))
    }

    fn filtered(&mut self) -> Result<(), MediaError> {
        let Some((_, graph)) = &mut self.graph else { return Ok(()) };
        while let Some(mut frame) = graph.receive()? {
            // An encoder wants an unbroken count of samples; the resampler has already made it one.
            frame.set_pts(Some(self.timeline.written));
            self.timeline.written += i64::try_from(frame.samples()).unwrap_or(0);
            self.ready.push_back(frame);
        }
        Ok(())
    }

    fn drain(&mut self) -> Result<(), MediaError> {
        if let Some((_, graph)) = &mut self.graph {
            graph.finish()?;
        }
        self.filtered()?;
        self.graph = None;
        Ok(())
    }
}

fn look(frame: &mut frame::Audio) -> Look {
    let layout = ffi::settle_layout(frame);
    Look { rate: frame.rate(), format: frame.format().name(), layout }
}

/// `async=1` fills gaps and late starts with silence and cuts overlaps; it never bends the pitch. The matrix is ITU-R BS.775's,
/// without the bass channel, and scaled so that no sum of full channels clips.
fn filters(layout: &str, shape: Shape, first: i64, correction: Option<&str>) -> String {
    let Shape { rate, .. } = shape;
    let order = unordered(layout, shape).map(|pan| format!("{pan},")).unwrap_or_default();
    let correction = correction.map(|filters| format!("{filters},")).unwrap_or_default();
    let format = format!("sample_rates={rate}:channel_layouts={}", shape.layout());
    format!(
        "{order}aresample={rate}:async=1:min_hard_comp={OUT_OF_PLACE}:first_pts={first}:rematrix_maxval=1,\
         aformat={format},{correction}aformat=sample_fmts=fltp:{format}"
    )
}

/// Channels that have no place to speak from cannot be mixed by a matrix: the first two are taken for left and right, and of a
/// sphere its left and its right half.
fn unordered(layout: &str, shape: Shape) -> Option<&'static str> {
    let sphere = layout.starts_with("ambisonic");
    // As libav writes a bare number of channels.
    let bare = layout
        .split_once(' ')
        .is_some_and(|(count, word)| word == "channels" && count.parse::<u32>().is_ok_and(|count| count > 1));
    match (sphere, bare, shape.channels) {
        (true, _, 2) => Some("pan=stereo|c0=0.5*c0+0.5*c1|c1=0.5*c0-0.5*c1"),
        (false, true, 2) => Some("pan=stereo|c0=c0|c1=c1"),
        (true, ..) | (_, true, _) => Some("pan=mono|c0=c0"),
        _ => None,
    }
}

/// Where frames lie in time, splices mended, absurd gaps refused. Times are in samples of the source.
#[derive(Debug, Default)]
struct Timeline {
    shift: i64,
    end: Option<i64>,
    /// Samples that have come out.
    written: i64,
}

impl Timeline {
    fn place(&mut self, stated: Option<i64>, samples: i64, clock: Clock) -> Result<i64, MediaError> {
        let end = self.end.unwrap_or(0);
        let mut time = stated.map_or(end, |stated| stated.saturating_add(self.shift));
        if self.end.is_some() && end.saturating_sub(time) > clock.seconds(SPLICE_SECONDS) {
            self.shift += end.saturating_sub(time);
            time = end;
        }
        let duration_ms = u64::try_from(clock.to_millis(time)).unwrap_or(0);
        if duration_ms > limits::MAX_DURATION_MS {
            return Err(MediaError::TooLong { duration_ms });
        }
        if time.saturating_sub(end) > clock.seconds(LONGEST_GAP_SECONDS) {
            return Err(MediaError::broken("two pieces of sound are more than an hour apart"));
        }
        self.end = Some(time.saturating_add(samples));
        Ok(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_without_a_place_are_not_left_to_a_matrix() {
        let (stereo, mono) = (Shape { rate: 48_000, channels: 2 }, Shape { rate: 48_000, channels: 1 });
        assert_eq!(unordered("12 channels", stereo), Some("pan=stereo|c0=c0|c1=c1"));
        assert_eq!(unordered("12 channels", mono), Some("pan=mono|c0=c0"));
        assert!(unordered("ambisonic 1", stereo).unwrap().contains("-0.5*c1"));
        for known in ["stereo", "5.1(side)", "mono", "1 channels", "3 channels (FL+FR+LFE)"] {
            assert_eq!(unordered(known, stereo), None, "{known}");
        }
    }

    #[test]
    fn a_correction_comes_after_the_mixdown() {
        let spec = filters("5.1", Shape { rate: 44_100, channels: 2 }, 7, Some("volume=3dB"));
        let (mixed, corrected) = spec.split_once(",volume=3dB,").unwrap();
        assert!(mixed.contains("first_pts=7") && mixed.ends_with("aformat=sample_rates=44100:channel_layouts=stereo"));
        assert!(corrected.starts_with("aformat=sample_fmts=fltp"));
    }

    #[test]
    fn a_splice_goes_on_where_the_sound_ended() {
        let (mut timeline, clock) = (Timeline::default(), Clock::new(1000));
        assert_eq!(timeline.place(Some(0), 20_000, clock).unwrap(), 0);
        assert_eq!(timeline.place(Some(0), 1_000, clock).unwrap(), 20_000);
        assert_eq!(timeline.place(Some(1_000), 1_000, clock).unwrap(), 21_000);
    }

    #[test]
    fn hours_of_silence_are_refused() {
        let (mut timeline, clock) = (Timeline::default(), Clock::new(8_000));
        timeline.place(Some(0), 8_000, clock).unwrap();
        assert_eq!(timeline.place(Some(8_000 * 7_300), 1, clock).unwrap_err().code(), "broken_media");
        assert_eq!(timeline.place(Some(i64::MAX), 1, clock).unwrap_err().code(), "too_long");
    }
}
