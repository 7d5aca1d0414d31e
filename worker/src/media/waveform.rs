//! The waveform: lowest and highest sample of many equal stretches of the sound, for players that draw it. The JSON is that
//! of BBC's audiowaveform, version 2 with 8 bits, which their players read.

use ffmpeg_next::{Packet, frame};

use super::{
    error::MediaError,
    input::Source,
    mixdown::Mixdown,
    report::{Report, Tell},
};
use crate::task::{protocol::Output, waveform::WaveformJson};

const NAME: &str = "waveform";
const FILE: &str = "waveform.json";
/// Samples that come out of the mixdown at once.
const CHUNK: u32 = 1_024;

/// The sound that is measured, decoded for this alone: it may be copied otherwise. What goes wrong with it is told at the end.
pub(super) struct Waveform {
    stream: u32,
    open: Result<(Mixdown, Peaks), MediaError>,
}

impl Waveform {
    /// `origin` in microseconds becomes zero.
    pub(super) fn open(source: &Source, stream: u32, origin: i64) -> Self {
        let mixdown = source.stream(stream).and_then(|stream| Mixdown::open(source, stream, origin, CHUNK));
        let open = mixdown.map(|mixdown| {
            let peaks = Peaks::new(mixdown.shape().rate);
            (mixdown, peaks)
        });
        Self { stream, open }
    }

    /// Takes a packet of any stream.
    pub(super) fn send(&mut self, packet: &Packet) {
        if packet.stream() == self.stream as usize {
            self.mix(|mixdown| mixdown.send(packet));
        }
    }

    fn mix(&mut self, feed: impl FnOnce(&mut Mixdown) -> Result<(), MediaError>) {
        let Ok((mixdown, peaks)) = &mut self.open else { return };
        if let Err(error) = feed(mixdown) {
            self.open = Err(error);
            return;
        }
        while let Some(frame) = mixdown.receive() {
            peaks.look(&frame);
        }
    }

    pub(super) fn finish(mut self, tell: Tell<'_>) {
        self.mix(Mixdown::finish);
        let written = self.open.and_then(|(_, peaks)| {
            let json = serde_json::to_vec(&peaks.finish()).map_err(|error| MediaError::broken(error.to_string()))?;
            std::fs::write(FILE, json).map_err(MediaError::io("write the waveform"))
        });
        let (name, file) = (NAME.to_owned(), FILE.to_owned());
        tell(match written {
            Ok(()) => Report::Output(Output { name, file, ..Output::default() }),
            Err(error) => Report::Refused { name, failure: error.failure() },
        });
    }
}

/// Stretches at the most; a power of two.
const MAX_STRETCHES: usize = 2_048;
const FIRST_STRETCH: u32 = 256;

/// Collects peaks of all channels together; stretches double whenever there are too many, so memory is bounded however
/// long the sound is.
pub(super) struct Peaks {
    rate: u32,
    stretch: u32,
    done: Vec<(f32, f32)>,
    open: (f32, f32),
    filled: u32,
}

const NOTHING: (f32, f32) = (f32::INFINITY, f32::NEG_INFINITY);

impl Peaks {
    pub(super) fn new(rate: u32) -> Self {
        Self { rate, stretch: FIRST_STRETCH, done: Vec::new(), open: NOTHING, filled: 0 }
    }

    /// A frame of planar floats, as the encoder gets it.
    pub(super) fn look(&mut self, frame: &frame::Audio) {
        let planes: Vec<&[f32]> = (0..frame.planes()).map(|plane| frame.plane::<f32>(plane)).collect();
        for index in 0..frame.samples() {
            let samples = planes.iter().filter_map(|plane| plane.get(index));
            self.sample(samples.fold(NOTHING, |peak, sample| join(peak, (*sample, *sample))));
        }
    }

    fn sample(&mut self, peak: (f32, f32)) {
        self.open = join(self.open, peak);
        self.filled += 1;
        if self.filled == self.stretch {
            self.close();
        }
    }

    fn close(&mut self) {
        self.done.push(std::mem::replace(&mut self.open, NOTHING));
        self.filled = 0;
        if self.done.len() == MAX_STRETCHES {
            self.done = self.done.chunks(2).map(|pair| pair.iter().copied().fold(NOTHING, join)).collect();
            self.stretch = self.stretch.saturating_mul(2);
        }
    }

    pub(super) fn finish(mut self) -> WaveformJson {
        if self.filled > 0 {
            self.close();
        }
        let data: Vec<i8> = self.done.iter().flat_map(|(low, high)| [byte(*low), byte(*high)]).collect();
        WaveformJson::new(self.rate, self.stretch, data)
    }
}

fn join(one: (f32, f32), other: (f32, f32)) -> (f32, f32) {
    (one.0.min(other.0), one.1.max(other.1))
}

fn byte(sample: f32) -> i8 {
    if sample.is_finite() { (sample.clamp(-1.0, 1.0) * 127.0).round() as i8 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_double_when_there_are_too_many_and_peaks_survive() {
        let mut peaks = Peaks::new(48_000);
        let samples = FIRST_STRETCH as usize * MAX_STRETCHES + 1;
        for index in 0..samples {
            let value = if index == 1_000 { 0.5 } else { 0.0 };
            peaks.sample((-value, value));
        }
        let made = peaks.finish();
        assert_eq!((made.samples_per_pixel, made.length), (2 * FIRST_STRETCH, MAX_STRETCHES as u32 / 2 + 1));
        let at = 2 * (1_000 / (2 * FIRST_STRETCH as usize));
        assert_eq!(made.data[at..at + 2], [-64, 64]);
        assert!(made.data[at + 2..].iter().all(|value| *value == 0));
    }

    #[test]
    fn silence_and_what_is_no_number_are_flat() {
        assert_eq!((byte(f32::NAN), byte(f32::INFINITY), byte(0.0), byte(2.0), byte(-2.0)), (0, 0, 0, 127, -127));
        assert_eq!(Peaks::new(48_000).finish().data, Vec::<i8>::new());
    }
}
