//! A whole `moov`.

use crate::{
    boxes::{Child, children},
    bytes::Bytes,
    error::Mp4Error,
    fourcc::FourCc,
    matrix::Matrix,
    track::{Track, known_duration, read_matrix, read_trak},
};

/// A larger `moov` is refused; three hours at 60 frames per second with sound take 15 MB.
pub const MAX_MOOV_BYTES: u64 = 256 << 20;
/// More tracks are refused.
pub const MAX_TRACKS: usize = 128;

const MOOV: FourCc = FourCc(*b"moov");

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movie {
    /// Ticks per second, never 0.
    pub timescale: u32,
    /// In ticks; 0 when the file does not say.
    pub duration: u64,
    /// `mvex` is there: samples are (also) in `moof` boxes.
    pub fragmented: bool,
    /// In the order of the file.
    pub tracks: Vec<Track>,
}

/// Reads a `moov` box, its own header included.
///
/// # Errors
/// Whatever keeps its tables from being read. A movie that can be read may still be of no use: see `judge`.
pub fn parse_movie(moov: &[u8]) -> Result<Movie, Mp4Error> {
    let mut header = None;
    let mut fragmented = false;
    let mut tracks = Vec::new();
    for child in children(moov_payload(moov)?) {
        let child = child?;
        match &child.kind.0 {
            b"mvhd" => header = Some(read_mvhd(child.payload)?),
            b"mvex" => fragmented = true,
            b"cmov" => return Err(Mp4Error::Unsupported("a compressed moov")),
            b"trak" if tracks.len() >= MAX_TRACKS => {
                return Err(Mp4Error::Limit { what: "tracks", limit: MAX_TRACKS as u64 });
            }
            b"trak" => tracks.push(read_trak(child.payload)?),
            _ => {}
        }
    }
    let header = header.ok_or(Mp4Error::Missing { what: FourCc(*b"mvhd") })?;
    for track in &mut tracks {
        track.movie_timescale = header.timescale;
        track.matrix = track.matrix.then(header.matrix);
    }
    Ok(Movie { timescale: header.timescale, duration: header.duration, fragmented, tracks })
}

pub(crate) fn moov_payload(moov: &[u8]) -> Result<&[u8], Mp4Error> {
    if moov.len() as u64 > MAX_MOOV_BYTES {
        return Err(Mp4Error::Limit { what: "bytes of moov", limit: MAX_MOOV_BYTES });
    }
    let Child { kind, payload, .. } = children(moov).next().ok_or(Mp4Error::Truncated { what: MOOV })??;
    if kind == MOOV { Ok(payload) } else { Err(Mp4Error::Missing { what: MOOV }) }
}

struct Header {
    timescale: u32,
    duration: u64,
    matrix: Matrix,
}

fn read_mvhd(payload: &[u8]) -> Result<Header, Mp4Error> {
    let what = FourCc(*b"mvhd");
    let mut bytes = Bytes::new(what, payload);
    let (version, _) = bytes.full()?;
    bytes.skip(if version == 1 { 16 } else { 8 })?;
    let timescale = bytes.u32()?;
    if timescale == 0 {
        return Err(Mp4Error::Malformed { what, why: "its timescale is 0" });
    }
    let duration = known_duration(version, bytes.wide(version)?);
    bytes.skip(16)?;
    let matrix = read_matrix(&mut bytes)?;
    Ok(Header { timescale, duration, matrix })
}
