//! How loud a track is (EBU R128), measured in a first pass over it, and what the second pass does about it. A track is only
//! moved as a whole; a limiter catches the few peaks that would then clip.

use std::collections::HashMap;

use ffmpeg_next::frame;

use super::{
    error::MediaError,
    ffi,
    filter::AudioGraph,
    input::Source,
    mixdown::{Mixdown, Shape},
};
use crate::plan::Plan;

/// Samples that are measured together.
const CHUNK: u32 = 4_800;

/// Softer than this is silence, and stays it.
const SILENCE: f64 = -60.0;
/// A whisper is not brought up to a shout: its noise would come along.
const MOST_GAIN: f64 = 30.0;
/// dBTP that no peak exceeds after it was moved: AAC may overshoot by a little.
const CEILING: f64 = -1.5;

/// The filters that bring each track to its loudness, by stream.
#[derive(Debug, Default)]
pub(super) struct Corrections(HashMap<u32, String>);

impl Corrections {
    pub(super) fn of(&self, stream: u32) -> Option<&str> {
        self.0.get(&stream).map(String::as_str)
    }
}

/// Listens to every track whose loudness the plan wants moved; the source must be opened again for what comes next. A plan
/// without any costs nothing. What cannot be decoded is left for the pass that makes something of it.
pub(super) fn measure(source: &mut Source, plan: &Plan, origin: i64) -> Result<Corrections, MediaError> {
    let mut heard = Vec::new();
    for step in &plan.audio {
        let Some(target) = step.loudness else { continue };
        if let Ok(mixdown) = Mixdown::open(source, source.stream(step.stream)?, origin, CHUNK) {
            heard.push((step.stream, f64::from(target), mixdown, None::<Meter>));
        }
    }
    if heard.is_empty() {
        return Ok(Corrections::default());
    }
    ffi::discard_all_but(&mut source.input, &heard.iter().map(|(stream, ..)| *stream).collect::<Vec<_>>());
    while let Some(packet) = source.receive()? {
        for (_, _, mixdown, meter) in heard.iter_mut().filter(|(stream, ..)| packet.stream() == *stream as usize) {
            mixdown.send(&packet)?;
            listen(mixdown, meter)?;
        }
    }
    let mut corrections = Corrections::default();
    for (stream, target, mut mixdown, mut meter) in heard {
        mixdown.finish()?;
        listen(&mut mixdown, &mut meter)?;
        let measured = meter.map(Meter::finish).transpose()?.flatten();
        corrections.0.extend(measured.and_then(|measured| measured.correction(target)).map(|spec| (stream, spec)));
    }
    *source = source.again()?;
    Ok(corrections)
}

fn listen(mixdown: &mut Mixdown, meter: &mut Option<Meter>) -> Result<(), MediaError> {
    while let Some(frame) = mixdown.receive() {
        let meter = match meter {
            Some(meter) => meter,
            None => meter.insert(Meter::new(&frame, mixdown.shape())?),
        };
        meter.send(frame)?;
    }
    Ok(())
}

/// Takes the sound as it will be encoded, and says how loud it was as a whole.
struct Meter {
    graph: AudioGraph,
    /// LUFS so far, and the true peak in dBTP.
    integrated: Option<f64>,
    peak: f64,
}

impl Meter {
    fn new(sample: &frame::Audio, shape: Shape) -> Result<Self, MediaError> {
        let (layout, clock) = (shape.layout(), shape.clock());
        let graph = AudioGraph::new("ebur128=metadata=1:peak=true", sample, layout, clock, clock, None)?;
        Ok(Self { graph, integrated: None, peak: f64::NEG_INFINITY })
    }

    fn send(&mut self, frame: frame::Audio) -> Result<(), MediaError> {
        self.graph.send(frame)?;
        self.read()
    }

    fn finish(mut self) -> Result<Option<Measured>, MediaError> {
        self.graph.finish()?;
        self.read()?;
        let (peak, integrated) = (self.peak, self.integrated);
        Ok(integrated.map(|integrated| Measured { integrated, peak }))
    }

    fn read(&mut self) -> Result<(), MediaError> {
        while let Some(frame) = self.graph.receive()? {
            let said = frame.metadata();
            let number = |key| said.get(key).and_then(|text| text.parse::<f64>().ok()).filter(|n| n.is_finite());
            self.integrated = number("lavfi.r128.I").or(self.integrated);
            if let Some(peak) = number("lavfi.r128.true_peak") {
                self.peak = self.peak.max(20.0 * peak.max(1e-10).log10());
            }
        }
        Ok(())
    }
}

/// A whole track, measured.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Measured {
    /// LUFS.
    integrated: f64,
    /// dBTP.
    peak: f64,
}

impl Measured {
    /// The filters that bring it to `target` LUFS; `None` when it is there already, or silent.
    fn correction(self, target: f64) -> Option<String> {
        let gain = (target - self.integrated).min(MOST_GAIN);
        if self.integrated < SILENCE || gain.abs() < 0.1 {
            return None;
        }
        let volume = format!("volume={gain:.2}dB:precision=float");
        if self.peak + gain <= CEILING {
            return Some(volume);
        }
        let limit = 10_f64.powf(CEILING / 20.0);
        Some(format!("{volume},alimiter=limit={limit:.4}:attack=5:release=50:level=0:latency=1"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_track_is_raised_and_a_loud_one_lowered() {
        let quiet = Measured { integrated: -30.0, peak: -12.0 };
        assert_eq!(quiet.correction(-23.0).unwrap(), "volume=7.00dB:precision=float");
        let loud = Measured { integrated: -10.0, peak: 0.5 };
        assert_eq!(loud.correction(-23.0).unwrap(), "volume=-13.00dB:precision=float");
    }

    #[test]
    fn peaks_that_would_clip_are_limited() {
        let lively = Measured { integrated: -30.0, peak: -6.0 };
        assert!(lively.correction(-16.0).unwrap().contains("alimiter=limit=0.8414:"));
    }

    #[test]
    fn silence_and_what_is_right_already_are_left_alone() {
        assert_eq!(Measured { integrated: -70.0, peak: -80.0 }.correction(-23.0), None);
        assert_eq!(Measured { integrated: -23.05, peak: -3.0 }.correction(-23.0), None);
        assert!(Measured { integrated: -59.0, peak: -50.0 }.correction(-14.0).unwrap().starts_with("volume=30.00dB"));
    }
}
