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

/// A limiter takes some of the loudness that it was given; so often what is missing is added.
const ROUNDS: usize = 4;
/// LU that nobody hears.
const CLOSE: f64 = 0.3;

/// Listens to every track whose loudness the plan wants moved, and leaves the source at its start again. A plan without any
/// costs nothing. A track that cannot be opened is left for the pass that makes something of it.
pub(super) fn measure(source: &mut Source, plan: &Plan, origin: i64) -> Result<Corrections, MediaError> {
    let wanted = plan.audio.iter().filter_map(|step| Some((step.stream, Gain::towards(f64::from(step.loudness?)))));
    let mut gains: Vec<(u32, Gain)> = wanted.collect();
    for _ in 0..ROUNDS {
        let open: Vec<_> = gains.iter_mut().filter(|(_, gain)| !gain.settled).collect();
        if open.is_empty() {
            break;
        }
        listen(source, open, origin)?;
        *source = source.again()?;
    }
    Ok(Corrections(gains.into_iter().filter_map(|(stream, gain)| Some((stream, gain.filters()?))).collect()))
}

/// One pass over the source.
fn listen(source: &mut Source, gains: Vec<&mut (u32, Gain)>, origin: i64) -> Result<(), MediaError> {
    let mut tracks = Vec::new();
    for (stream, gain) in gains {
        let mixdown = Mixdown::open(source, source.stream(*stream)?, origin, CHUNK);
        match mixdown {
            Ok(mixdown) => tracks.push((*stream, mixdown.with_correction(gain.filters()), None, gain)),
            Err(_) => gain.settled = true,
        }
    }
    ffi::discard_all_but(&mut source.input, &tracks.iter().map(|(stream, ..)| *stream).collect::<Vec<_>>());
    while let Some(packet) = source.receive()? {
        for (_, mixdown, meter, _) in tracks.iter_mut().filter(|(stream, ..)| packet.stream() == *stream as usize) {
            mixdown.send(&packet)?;
            pour(mixdown, meter)?;
        }
    }
    for (_, mut mixdown, mut meter, gain) in tracks {
        mixdown.finish()?;
        pour(&mut mixdown, &mut meter)?;
        gain.learn(meter.map(Meter::finish).transpose()?.flatten());
    }
    Ok(())
}

fn pour(mixdown: &mut Mixdown, meter: &mut Option<Meter>) -> Result<(), MediaError> {
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

/// What is done to a track, learnt from round to round.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Gain {
    /// LUFS.
    target: f64,
    decibels: f64,
    /// Peaks would clip.
    limited: bool,
    /// There is nothing more to learn.
    settled: bool,
}

impl Gain {
    fn towards(target: f64) -> Self {
        Self { target, decibels: 0.0, limited: false, settled: false }
    }

    /// What a round with the gain so far sounded like.
    fn learn(&mut self, heard: Option<Measured>) {
        let Some(heard) = heard.filter(|heard| heard.integrated >= SILENCE) else {
            self.settled = true;
            return;
        };
        let missing = self.target - heard.integrated;
        if self.limited && missing.abs() < CLOSE {
            self.settled = true;
            return;
        }
        self.decibels = (self.decibels + missing).min(MOST_GAIN);
        self.limited |= heard.peak + self.decibels > CEILING;
        self.settled = !self.limited || self.decibels >= MOST_GAIN;
    }

    /// `None` when nothing is to be done.
    fn filters(self) -> Option<String> {
        if self.decibels.abs() < 0.1 {
            return None;
        }
        let volume = format!("volume={:.2}dB:precision=float", self.decibels);
        if !self.limited {
            return Some(volume);
        }
        let limit = 10_f64.powf(CEILING / 20.0);
        Some(format!("{volume},alimiter=limit={limit:.4}:attack=5:release=50:level=0:latency=1"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(target: f64, rounds: &[(f64, f64)]) -> Gain {
        let mut gain = Gain::towards(target);
        for (integrated, peak) in rounds {
            gain.learn(Some(Measured { integrated: *integrated, peak: *peak }));
        }
        gain
    }

    #[test]
    fn a_quiet_track_is_raised_and_a_loud_one_lowered_in_one_round() {
        let quiet = after(-23.0, &[(-30.0, -12.0)]);
        assert_eq!((quiet.filters().unwrap().as_str(), quiet.settled), ("volume=7.00dB:precision=float", true));
        let loud = after(-23.0, &[(-10.0, 0.5)]);
        assert_eq!((loud.filters().unwrap().as_str(), loud.settled), ("volume=-13.00dB:precision=float", true));
    }

    #[test]
    fn what_a_limiter_takes_is_added_until_little_is_missing() {
        let once = after(-16.0, &[(-30.0, -6.0)]);
        assert!(once.filters().unwrap().contains("volume=14.00dB") && once.filters().unwrap().contains("alimiter"));
        assert!(!once.settled);
        let twice = after(-16.0, &[(-30.0, -6.0), (-18.0, -1.5)]);
        assert!(twice.filters().unwrap().contains("volume=16.00dB") && !twice.settled);
        assert!(after(-16.0, &[(-30.0, -6.0), (-18.0, -1.5), (-16.2, -1.5)]).settled);
    }

    #[test]
    fn silence_and_what_is_right_already_are_left_alone() {
        assert_eq!(after(-23.0, &[(-70.0, -80.0)]).filters(), None);
        assert_eq!(after(-23.0, &[(-23.05, -3.0)]).filters(), None);
        let whisper = after(-14.0, &[(-59.0, -50.0)]);
        assert!(whisper.filters().unwrap().starts_with("volume=30.00dB") && whisper.settled);
    }
}
