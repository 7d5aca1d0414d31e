//! How loud a track is (EBU R128), measured in a first pass over it, and what the second pass does about it. A track is only
//! moved as a whole; a limiter catches the few peaks that would then clip.

use ffmpeg_next::frame;

use super::{clock::Clock, error::MediaError, filter::AudioGraph};

/// Softer than this is silence, and stays it.
const SILENCE: f64 = -60.0;
/// A whisper is not brought up to a shout: its noise would come along.
const MOST_GAIN: f64 = 30.0;
/// dBTP that no peak exceeds after it was moved: AAC may overshoot by a little.
const CEILING: f64 = -1.5;

/// Takes the sound as it will be encoded, and says how loud it was as a whole.
pub(super) struct Loudness {
    graph: AudioGraph,
    /// LUFS so far, and the true peak in dBTP.
    integrated: Option<f64>,
    peak: f64,
}

impl Loudness {
    /// `layout` is `mono` or `stereo`.
    pub(super) fn new(sample: &frame::Audio, layout: &str, clock: Clock) -> Result<Self, MediaError> {
        let graph = AudioGraph::new("ebur128=metadata=1:peak=true", sample, layout, clock, clock, None)?;
        Ok(Self { graph, integrated: None, peak: f64::NEG_INFINITY })
    }

    pub(super) fn send(&mut self, frame: frame::Audio) -> Result<(), MediaError> {
        self.graph.send(frame)?;
        self.read()
    }

    pub(super) fn finish(mut self) -> Result<Option<Measured>, MediaError> {
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
            for channel in 0..frame.channels() {
                if let Some(peak) = number(&format!("lavfi.r128.true_peaks_ch{channel}")) {
                    self.peak = self.peak.max(20.0 * peak.max(1e-10).log10());
                }
            }
        }
        Ok(())
    }
}

/// A whole track, measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measured {
    /// LUFS.
    pub(super) integrated: f64,
    /// dBTP.
    pub(super) peak: f64,
}

impl Measured {
    /// The filters that bring it to `target` LUFS; `None` when it is there already, or silent.
    pub(super) fn correction(self, target: f64) -> Option<String> {
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
