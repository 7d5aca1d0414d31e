//! The poster: the most telling of a few frames around the first tenth of the film, never a black one if there is another.

use ffmpeg_next::frame;

use super::{clock::Clock, color, encode, error::MediaError, ffi, filter::VideoGraph};

/// Where candidates are looked for, in thousandths of the duration.
const PLACES: [u64; 8] = [0, 20, 50, 80, 100, 130, 170, 250];
const MAX_WIDTH: u32 = 1280;

pub(super) struct Poster {
    places: Vec<u64>,
    best: Option<(u64, frame::Video)>,
}

impl Poster {
    pub(super) fn new(duration_ms: u64) -> Self {
        let mut places: Vec<u64> = PLACES.iter().map(|place| duration_ms.saturating_mul(*place) / 1_000).collect();
        places.reverse();
        Self { places, best: None }
    }

    /// No further frame is wanted.
    pub(super) fn is_settled(&self) -> bool {
        self.places.is_empty()
    }

    pub(super) fn look(&mut self, picture: &frame::Video, time_ms: u64) -> Result<(), MediaError> {
        let mut due = false;
        while self.places.last().is_some_and(|place| *place <= time_ms) {
            self.places.pop();
            due = true;
        }
        if !due {
            return Ok(());
        }
        let contrast = contrast(picture);
        if self.best.as_ref().is_none_or(|(best, _)| contrast > *best) {
            self.best = Some((contrast, ffi::share(picture).map_err(MediaError::libav("share a picture"))?));
        }
        Ok(())
    }

    /// The poster as a JPEG with its size; `None` without any frame.
    pub(super) fn finish(self, clock: Clock) -> Result<Option<(Vec<u8>, u32, u32)>, MediaError> {
        let Some((_, picture)) = self.best else { return Ok(None) };
        let width = picture.width().min(MAX_WIDTH);
        let height = (u64::from(picture.height()) * u64::from(width) / u64::from(picture.width().max(1))).max(2);
        // JPEG knows no matrix but BT.601's, and no range but the full one.
        let matrix = color::scaler_matrix(ffi::color_tags(&picture).matrix);
        let colors = format!("in_color_matrix={matrix}:out_color_matrix=smpte170m:in_range=tv:out_range=pc");
        let spec = format!("scale={width}:{height}:flags=bicubic:{colors},format=yuvj420p");
        let mut graph = VideoGraph::new(&spec, &picture, clock, 1)?;
        graph.send(picture)?;
        let small = graph.receive()?.ok_or_else(|| MediaError::broken("the poster was lost"))?;
        Ok(Some((encode::jpeg(&small)?, small.width(), small.height())))
    }
}

/// The variance of the luma plane, on a sample of its pixels: black and plain frames have next to none.
fn contrast(picture: &frame::Video) -> u64 {
    let (stride, luma) = (picture.stride(0).max(1), picture.data(0));
    let width = picture.width() as usize;
    let samples =
        || luma.chunks(stride).step_by(8).flat_map(|row| row.iter().take(width).step_by(8)).map(|y| u64::from(*y));
    let count = samples().count().max(1) as u64;
    let mean = samples().sum::<u64>() / count;
    samples().map(|y| y.abs_diff(mean).pow(2)).sum::<u64>() / count
}
