//! The waveform as the child writes it and the parent checks it.

use serde::{Deserialize, Serialize};

/// More than any waveform of ours has.
const MAX_LENGTH: u32 = 4_096;

/// As BBC's audiowaveform has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WaveformJson {
    pub(crate) version: u8,
    pub(crate) channels: u8,
    pub(crate) sample_rate: u32,
    pub(crate) samples_per_pixel: u32,
    pub(crate) bits: u8,
    /// Stretches.
    pub(crate) length: u32,
    /// Of each stretch the lowest and the highest sample.
    pub(crate) data: Vec<i8>,
}

impl WaveformJson {
    pub(crate) fn new(sample_rate: u32, samples_per_pixel: u32, data: Vec<i8>) -> Self {
        let length = u32::try_from(data.len() / 2).unwrap_or(u32::MAX);
        Self { version: 2, channels: 1, sample_rate, samples_per_pixel, bits: 8, length, data }
    }

    /// Whether it is one of ours.
    pub(crate) fn is_sound(&self) -> bool {
        let shape = (self.version, self.channels, self.bits) == (2, 1, 8);
        let rates = self.sample_rate > 0 && self.samples_per_pixel > 0;
        shape && rates && (1..=MAX_LENGTH).contains(&self.length) && self.data.len() == 2 * self.length as usize
    }
}
