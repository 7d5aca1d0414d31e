//! How loud it is when: what tells whether two tracks sound the same at the same time, whatever codec they came through.

/// From decoded sound to what `Heard` takes: gaps filled, so that a sample's place is its time.
pub(super) const FILTERS: &str =
    "aresample=8000:async=1:min_hard_comp=0.018,aformat=sample_fmts=s16:channel_layouts=mono";
const RATE: usize = 8_000;
/// Samples of a millisecond.
const STEP: usize = RATE / 1_000;
/// Loudness is smoothed over so many milliseconds.
const SMOOTH: usize = 5;
/// Milliseconds that are compared at a place, and how far they are moved to find the best place.
const WINDOW: usize = 2_500;
const REACH: i64 = 300;
/// A window that varies less says nothing about time (of 32,767).
const FLAT: f64 = 60.0;
/// Two windows that are less alike are not the same sound.
const ALIKE: f64 = 0.7;

/// The loudness of a track, millisecond by millisecond.
#[derive(Debug, Clone)]
pub struct Heard {
    /// When it begins, in seconds.
    pub start: f64,
    pub loudness: Vec<f64>,
}

/// How far a sound is from where it belongs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Offset {
    Milliseconds(i64),
    /// Silence, a steady tone, or too short: nothing in it marks a time.
    CannotTell,
    /// Nothing like it was found anywhere near.
    AnotherSound,
}

impl Heard {
    pub(super) fn new(start: f64, raw: &[u8]) -> Self {
        let samples: Vec<u16> =
            raw.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]).unsigned_abs()).collect();
        let loudest = |step: &[u16]| f64::from(step.iter().copied().max().unwrap_or(0));
        let steps: Vec<f64> = samples.chunks_exact(STEP).map(loudest).collect();
        let smooth = |at: usize| {
            let around = &steps[at.saturating_sub(SMOOTH / 2)..(at + SMOOTH / 2 + 1).min(steps.len())];
            around.iter().sum::<f64>() / around.len() as f64
        };
        Self { start, loudness: (0..steps.len()).map(smooth).collect() }
    }

    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.loudness.len() as f64 / 1_000.0
    }

    /// How much later than in `self`, whose times begin at `zero`, what sounds at `at` is in `other`, whose begin at `other_zero`.
    #[must_use]
    pub fn offset(&self, zero: f64, other: &Self, other_zero: f64, at: f64) -> Offset {
        let from = (((at - self.start) * 1_000.0).max(0.0) as usize).min(self.loudness.len());
        let window = &self.loudness[from..(from + WINDOW).min(self.loudness.len())];
        if window.len() < WINDOW / 5 || spread(window) < FLAT {
            return Offset::CannotTell;
        }
        let place = (self.start - zero - (other.start - other_zero)) * 1_000.0;
        let place = place.round() as i64 + from as i64;
        let found = (-REACH..=REACH).map(|moved| (likeness(window, &other.loudness, place + moved), moved));
        match found.max_by(|one, other| one.0.total_cmp(&other.0).then(other.1.abs().cmp(&one.1.abs()))) {
            Some((alike, moved)) if alike >= ALIKE => Offset::Milliseconds(moved),
            _ => Offset::AnotherSound,
        }
    }

    /// Seconds, on its own clock, at which it becomes loud after a tenth of a second that was not.
    #[must_use]
    pub fn beeps(&self, loud: f64) -> Vec<f64> {
        let mut quiet = 100;
        let mut beeps = Vec::new();
        for (at, loudness) in self.loudness.iter().enumerate() {
            if *loudness > loud && quiet >= 100 {
                beeps.push(self.start + at as f64 / 1_000.0);
            }
            quiet = if *loudness > loud { 0 } else { quiet + 1 };
        }
        beeps
    }
}

fn mean(of: &[f64]) -> f64 {
    of.iter().sum::<f64>() / of.len() as f64
}

fn spread(of: &[f64]) -> f64 {
    let mean = mean(of);
    (of.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / of.len() as f64).sqrt()
}

/// Correlation of the window with what lies at `place`, as far as there is something.
fn likeness(window: &[f64], other: &[f64], place: i64) -> f64 {
    let skipped = usize::try_from(-place).unwrap_or(0);
    let from = usize::try_from(place).unwrap_or(0);
    let (Some(one), Some(two)) = (window.get(skipped..), other.get(from..)) else { return -1.0 };
    let length = one.len().min(two.len());
    // What is left of the window must still be most of it.
    if length * 5 < window.len() * 4 {
        return -1.0;
    }
    let (one, two) = (&one[..length], &two[..length]);
    let (mean_one, mean_two) = (mean(one), mean(two));
    let (mut both, mut first, mut second) = (0.0, 0.0, 0.0);
    for (a, b) in one.iter().zip(two) {
        let (a, b) = (a - mean_one, b - mean_two);
        both += a * b;
        first += a * a;
        second += b * b;
    }
    if first == 0.0 || second == 0.0 { -1.0 } else { both / (first * second).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Beeps that come ever faster, delayed by so many milliseconds.
    fn heard(delay: usize) -> Heard {
        let loud = |at: usize| if (at * at / 3_000) % 500 < 120 { 12_000_i16 } else { 300 };
        let samples = (0..6_000_usize).flat_map(|at| [at.checked_sub(delay).map_or(0, loud); STEP]);
        Heard::new(0.0, &samples.flat_map(i16::to_le_bytes).collect::<Vec<u8>>())
    }

    #[test]
    fn a_delay_is_found_wherever_one_looks_and_a_flat_sound_tells_nothing() {
        for at in [0.0, 1.5, 3.4] {
            assert_eq!(heard(0).offset(0.0, &heard(35), 0.0, at), Offset::Milliseconds(35));
            assert_eq!(heard(35).offset(0.0, &heard(0), 0.0, at), Offset::Milliseconds(-35));
            assert_eq!(heard(0).offset(0.0, &heard(200), 0.2, at), Offset::Milliseconds(0));
        }
        let silence = Heard::new(0.0, &[0; 96_000]);
        assert_eq!(silence.offset(0.0, &heard(0), 0.0, 0.0), Offset::CannotTell);
        assert_eq!(heard(0).offset(0.0, &silence, 0.0, 0.0), Offset::AnotherSound);
    }

    #[test]
    fn a_beep_begins_after_quiet() {
        let mut raw = vec![0_u8; 2 * RATE];
        raw[RATE..RATE + 800].fill(0x30);
        let beeps = Heard::new(2.0, &raw).beeps(4_000.0);
        assert_eq!(beeps.len(), 1);
        assert!((beeps[0] - 2.5).abs() < 0.004, "{beeps:?}");
    }
}
