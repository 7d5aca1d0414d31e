//! Building the index.

use crate::{error::Mp4Error, movie::Movie};

use super::summary::Summary;

/// A packaged movie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The index object, to be stored beside the MP4.
    pub object: Vec<u8>,
    pub summary: Summary,
}

/// Packages the shown video track and all sounding audio tracks.
///
/// `grid` are the presentation times of the video at which segments begin, ascending, in units of 1/`grid_timescale` s.
///
/// # Errors
/// `Unsupported` for what must not or cannot be packaged.
pub fn build(movie: &Movie, grid: &[i64], grid_timescale: u32) -> Result<Built, Mp4Error> {
    let _ = (movie, grid, grid_timescale);
    Err(Mp4Error::Unsupported("packaging"))
}
