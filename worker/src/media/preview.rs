//! The animated preview: a second each of three places of the film, as one small WebP.

use ffmpeg_next::frame;
use reelgate_common::still::StillFormat;

use super::{
    clock::Clock,
    error::MediaError,
    image::{self, Shrink},
};

const PICTURES_PER_SECOND: u64 = 8;
const EACH_MS: u32 = 125;
/// Where the three begin, in thousandths of the duration.
const PLACES: [u64; 3] = [150, 450, 750];
/// A film up to this long is shown from its beginning.
const SHORT_MS: u64 = 6_000;
const MAX_SIDE: u32 = 320;

pub(super) struct Preview {
    /// The next one last.
    marks: Vec<u64>,
    clock: Clock,
    shrink: Option<Shrink>,
    pictures: Vec<frame::Video>,
}

impl Preview {
    pub(super) fn new(duration_ms: u64, clock: Clock) -> Self {
        let mut marks = marks(duration_ms);
        marks.reverse();
        Self { marks, clock, shrink: None, pictures: Vec::new() }
    }

    pub(super) fn is_settled(&self) -> bool {
        self.marks.is_empty()
    }

    pub(super) fn look(&mut self, picture: &frame::Video, time_ms: u64) -> Result<(), MediaError> {
        let mut due = false;
        // Marks that one picture covers are one picture.
        while self.marks.pop_if(|mark| *mark <= time_ms).is_some() {
            due = true;
        }
        if !due {
            return Ok(());
        }
        let size = fit(picture.width(), picture.height());
        let shrink = self.shrink.get_or_insert_with(|| Shrink::new(size, StillFormat::Webp));
        self.pictures.push(shrink.small(picture, self.clock)?);
        Ok(())
    }

    /// The file and its size.
    pub(super) fn finish(mut self) -> Result<(Vec<u8>, u32, u32), MediaError> {
        let size = self.pictures.first().map_or((0, 0), |first| (first.width(), first.height()));
        Ok((image::animate(&mut self.pictures, EACH_MS)?, size.0, size.1))
    }
}

fn marks(duration_ms: u64) -> Vec<u64> {
    let run = |from: u64, count: u64| (0..count).map(move |index| from + index * u64::from(EACH_MS));
    if duration_ms <= SHORT_MS {
        return run(0, PICTURES_PER_SECOND * 3).filter(|mark| *mark == 0 || *mark < duration_ms).collect();
    }
    PLACES.iter().flat_map(|place| run(duration_ms / 1_000 * place, PICTURES_PER_SECOND)).collect()
}

/// Even, and as large as a preview gets.
fn fit(width: u32, height: u32) -> (u32, u32) {
    let longest = width.max(height).max(1);
    let scale = |side: u32| {
        let scaled = u64::from(side) * u64::from(MAX_SIDE.min(longest)) / u64::from(longest);
        u32::try_from(scaled).unwrap_or(2).max(2) & !1
    };
    (scale(width), scale(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_film_shows_three_places_and_a_short_one_its_beginning() {
        let long = marks(100_000);
        assert_eq!((long.len(), long[0], long[8], long[23]), (24, 15_000, 45_000, 75_875));
        assert!(long.is_sorted());
        assert_eq!(marks(1_000), [0, 125, 250, 375, 500, 625, 750, 875]);
        assert_eq!(marks(0), [0]);
    }

    #[test]
    fn the_longer_side_is_bounded_and_both_are_even() {
        assert_eq!(fit(1920, 1080), (320, 180));
        assert_eq!(fit(1080, 1920), (180, 320));
        assert_eq!(fit(161, 121), (160, 120));
        assert_eq!(fit(1, 4000), (2, 320));
    }
}
