//! The poster: the most telling of a few frames from all over the film, the earlier ones preferred, never a black one if there
//! is another.

use ffmpeg_next::frame;
use reelgate_common::still::StillFormat;

use super::{
    clock::Clock,
    error::MediaError,
    ffi,
    image::{self, Shrink},
};

/// Where candidates are looked for, in thousandths of the duration, and what each is worth in percent: an early one does not
/// give the story away, but a long dark beginning must not be the whole choice.
const PLACES: [(u64, u64); 11] = [
    (0, 90),
    (20, 100),
    (50, 100),
    (80, 100),
    (100, 100),
    (130, 100),
    (170, 100),
    (250, 100),
    (350, 90),
    (500, 85),
    (700, 80),
];
const MAX_WIDTH: u32 = 1280;
/// Bins of the histogram of brightness.
const BINS: usize = 32;

pub(super) struct Poster {
    /// The next one last.
    places: Vec<(u64, u64)>,
    best: Option<(u64, frame::Video)>,
}

impl Poster {
    pub(super) fn new(duration_ms: u64) -> Self {
        let place = |(place, worth): &(u64, u64)| (duration_ms.saturating_mul(*place) / 1_000, *worth);
        Self { places: PLACES.iter().rev().map(place).collect(), best: None }
    }

    /// No further frame is wanted.
    pub(super) fn is_settled(&self) -> bool {
        self.places.is_empty()
    }

    pub(super) fn look(&mut self, picture: &frame::Video, time_ms: u64) -> Result<(), MediaError> {
        let mut worth = None;
        while let Some(due) = self.places.pop_if(|(place, _)| *place <= time_ms) {
            worth = Some(due.1);
        }
        let Some(worth) = worth else { return Ok(()) };
        let telling = telling(&histogram(picture)) * worth;
        if self.best.as_ref().is_none_or(|(best, _)| telling > *best) {
            self.best = Some((telling, ffi::share(picture).map_err(MediaError::libav("share a picture"))?));
        }
        Ok(())
    }

    /// The poster as a JPEG with its size; `None` without any frame.
    pub(super) fn finish(self, clock: Clock) -> Result<Option<(Vec<u8>, u32, u32)>, MediaError> {
        let Some((_, picture)) = self.best else { return Ok(None) };
        let width = picture.width().min(MAX_WIDTH);
        let height = u64::from(picture.height()) * u64::from(width) / u64::from(picture.width().max(1));
        let height = u32::try_from(height).unwrap_or(2).max(2);
        let small = Shrink::new((width, height), StillFormat::Jpeg).small(&picture, clock)?;
        Ok(Some((image::encode(&small, StillFormat::Jpeg)?, small.width(), small.height())))
    }
}

/// How often each brightness occurs, on a sample of the pixels.
fn histogram(picture: &frame::Video) -> [u64; BINS] {
    let (stride, luma) = (picture.stride(0).max(1), picture.data(0));
    let width = picture.width() as usize;
    let mut bins = [0; BINS];
    for row in luma.chunks(stride).step_by(8) {
        for brightness in row.iter().take(width).step_by(8) {
            bins[usize::from(*brightness) * BINS / 256] += 1;
        }
    }
    bins
}

/// The entropy of the brightness, in thousandths of a bit: a black frame has none, white letters on black little, a scene much.
/// Contrast would take the letters.
fn telling(histogram: &[u64; BINS]) -> u64 {
    let all = histogram.iter().sum::<u64>().max(1) as f64;
    let share = |count: &u64| *count as f64 / all;
    let entropy: f64 = histogram.iter().filter(|count| **count > 0).map(share).map(|share| -share * share.log2()).sum();
    (entropy * 1_000.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scene_tells_more_than_letters_and_letters_more_than_black() {
        let mut black = [0; BINS];
        black[2] = 1_000;
        let mut letters = black;
        letters[29] = 100;
        let scene = [30; BINS];
        assert_eq!(telling(&black), 0);
        assert!(telling(&black) < telling(&letters) && telling(&letters) < telling(&scene));
        assert_eq!(telling(&scene), 5_000);
        assert_eq!(telling(&[0; BINS]), 0);
    }
}
