//! From one audio track to AAC-LC packets: decoded, mixed down to at most two channels, resampled, gaps filled, encoded once.

use ffmpeg_next::{Packet, frame};

use super::{
    clock::Clock,
    decode::AudioDecoder,
    encode::AudioEncoder,
    error::MediaError,
    ffi::{self, StreamFacts},
    filter::AudioGraph,
    input::Source,
    limits,
    rung::SoundTrack,
};

/// Going back by more than this is a new timeline, not jitter.
const SPLICE_SECONDS: u32 = 5;
const LONGEST_GAP_SECONDS: u32 = 3600;

pub(super) struct Sound {
    pub(super) stream: u32,
    decoder: AudioDecoder,
    time_base: (i32, i32),
    /// Microseconds that become zero.
    origin: i64,
    graph: Option<(Look, AudioGraph)>,
    encoder: AudioEncoder,
    rate: u32,
    channels: u16,
    timeline: Timeline,
}

/// What a graph was built for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look {
    rate: u32,
    format: &'static str,
    layout: String,
}

impl Sound {
    pub(super) fn open(source: &Source, stream: &StreamFacts, origin: i64, bitrate: u32) -> Result<Self, MediaError> {
        let rate = if stream.sample_rate == 44_100 { 44_100 } else { 48_000 };
        let channels = stream.channels.clamp(1, 2);
        Ok(Self {
            stream: stream.index,
            decoder: AudioDecoder::open(source, stream)?,
            time_base: stream.time_base,
            origin,
            graph: None,
            encoder: AudioEncoder::open(rate, channels, bitrate)?,
            rate,
            channels,
            timeline: Timeline::default(),
        })
    }

    pub(super) fn track(&self) -> SoundTrack {
        SoundTrack { parameters: self.encoder.parameters(), clock: self.encoder.clock() }
    }

    /// RFC 6381 name of AAC-LC.
    pub(super) const CODEC: &'static str = "mp4a.40.2";

    pub(super) fn send(&mut self, packet: &Packet, out: &mut Vec<Packet>) -> Result<(), MediaError> {
        self.decoder.send(packet)?;
        self.decoded(out)
    }

    pub(super) fn finish(&mut self, out: &mut Vec<Packet>) -> Result<(), MediaError> {
        self.decoder.finish()?;
        self.decoded(out)?;
        if let Some((_, mut graph)) = self.graph.take() {
            graph.finish()?;
            self.filtered(&mut graph, out)?;
        }
        self.encoder.finish()?;
        self.encoded(out)
    }

    /// Milliseconds encoded so far.
    pub(super) fn end_ms(&self) -> u64 {
        u64::try_from(self.encoder.clock().to_millis(self.timeline.written)).unwrap_or(0)
    }

    fn decoded(&mut self, out: &mut Vec<Packet>) -> Result<(), MediaError> {
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
            self.filter(look, frame, out)?;
        }
        Ok(())
    }

    fn filter(&mut self, look: Look, frame: frame::Audio, out: &mut Vec<Packet>) -> Result<(), MediaError> {
        if self.graph.as_ref().is_none_or(|(old, _)| *old != look) {
            if let Some((_, mut old)) = self.graph.take() {
                old.finish()?;
                self.filtered(&mut old, out)?;
            }
            let graph = self.build(&look, &frame)?;
            self.graph = Some((look, graph));
        }
        let Some((look, mut graph)) = self.graph.take() else { return Ok(()) };
        graph.send(frame)?;
        self.filtered(&mut graph, out)?;
        self.graph = Some((look, graph));
        Ok(())
    }

    /// `async=1` fills gaps and late starts with silence and cuts overlaps; it never bends the pitch.
    fn build(&self, look: &Look, frame: &frame::Audio) -> Result<AudioGraph, MediaError> {
        let layout = if self.channels == 1 { "mono" } else { "stereo" };
        let spec = format!(
            "aresample={rate}:async=1:first_pts={first},aformat=sample_fmts=fltp:sample_rates={rate}:channel_layouts={layout}",
            rate = self.rate,
            first = self.timeline.written,
        );
        let (input, output) = (Clock::new(look.rate), self.encoder.clock());
        AudioGraph::new(&spec, frame, &look.layout, input, output, Some(self.encoder.frame_size()))
    }

    fn filtered(&mut self, graph: &mut AudioGraph, out: &mut Vec<Packet>) -> Result<(), MediaError> {
        while let Some(mut frame) = graph.receive()? {
            // The encoder wants an unbroken count of samples; the resampler has already made it one.
            frame.set_pts(Some(self.timeline.written));
            self.timeline.written += i64::try_from(frame.samples()).unwrap_or(0);
            self.encoder.send(&frame)?;
            self.encoded(out)?;
        }
        Ok(())
    }

    fn encoded(&mut self, out: &mut Vec<Packet>) -> Result<(), MediaError> {
        while let Some(packet) = self.encoder.receive()? {
            out.push(packet);
        }
        Ok(())
    }
}

fn look(frame: &mut frame::Audio) -> Look {
    let layout = ffi::settle_layout(frame);
    Look { rate: frame.rate(), format: frame.format().name(), layout }
}

/// Where frames lie in time, splices mended, absurd gaps refused. Times are in samples of the source.
#[derive(Debug, Default)]
struct Timeline {
    shift: i64,
    end: Option<i64>,
    /// Samples given to the encoder.
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
