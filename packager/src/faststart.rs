//! Virtual faststart: a file whose `moov` lies behind its media, described as a rewritten head (`ftyp` and `moov`) followed by
//! ranges of the original. No media byte is copied or even seen.
//!
//! Every box inside `moov` is kept byte for byte but four: `stco` and `co64` (shifted), `stss` of video tracks (clean entries
//! only, since Chromium crashes when it seeks into an open GOP), and the sizes of the boxes around them. At the top level
//! only padding (`free`, `skip`, `wide`) is left out.

use std::ops::Range;

use crate::{
    boxes::{Child, TopBox, children},
    bytes::{Bytes, word},
    clean::clean_entries,
    error::Mp4Error,
    fourcc::FourCc,
    movie::{Movie, moov_payload, parse_movie},
    track::Track,
    track_kind::TrackKind,
};

/// A longer `stss` is not added where there was none.
const MAX_ADDED_SYNC: usize = 2_000_000;

/// The bytes of a virtual file: `head`, then `pieces` of the original in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faststart {
    /// At most twice `moov` and `ftyp` (every offset becomes 64 bits wide), and 8 MB for each track that reorders frames and
    /// had no `stss`.
    pub head: Vec<u8>,
    pub pieces: Vec<Range<u64>>,
}

impl Faststart {
    /// Length of the virtual file.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.pieces
            .iter()
            .fold(self.head.len() as u64, |sum, piece| sum.saturating_add(piece.end.saturating_sub(piece.start)))
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Describes the file with `moov` in front; nothing when it already precedes every `mdat`.
///
/// `ftyp` and `moov` are whole boxes with their headers (`ftyp` empty when the file has none, as old QuickTime), `boxes` the
/// whole top level.
///
/// # Errors
/// What `parse_movie` and `clean_entries` refuse; fragmented files and such with auxiliary offsets (`saio`); a chunk that
/// lies in no box that is kept.
pub fn faststart(ftyp: &[u8], moov: &[u8], boxes: &[TopBox]) -> Result<Option<Faststart>, Mp4Error> {
    let position = |kind: &[u8; 4]| boxes.iter().position(|top| top.kind.0 == *kind);
    let at_moov = position(b"moov").ok_or(Mp4Error::Missing { what: FourCc(*b"moov") })?;
    let at_mdat = position(b"mdat").ok_or(Mp4Error::Missing { what: FourCc(*b"mdat") })?;
    if at_moov < at_mdat {
        return Ok(None);
    }
    let movie = parse_movie(moov)?;
    if movie.fragmented || position(b"moof").is_some() {
        return Err(Mp4Error::Unsupported("a fragmented file"));
    }
    if movie.tracks.iter().any(|track| track.has_auxiliary_offsets) {
        return Err(Mp4Error::Unsupported("a file with auxiliary offsets"));
    }
    let pieces: Vec<Range<u64>> = boxes.iter().filter(|top| is_kept(top)).map(|top| top.offset..top.end()).collect();
    let plan = Plan { movie: &movie, sync: clean_sync(&movie)?, pieces: &pieces };
    // Wider offsets make the head longer, which may make further offsets too wide: so all are widened at once, and the
    // second try holds.
    let head = match plan.head(ftyp, moov, false)? {
        Some(head) => head,
        None => plan.head(ftyp, moov, true)?.ok_or(Mp4Error::Unsupported("an offset beyond 64 bits"))?,
    };
    Ok(Some(Faststart { head, pieces: joined(&pieces) }))
}

fn is_kept(top: &TopBox) -> bool {
    !matches!(&top.kind.0, b"ftyp" | b"moov" | b"free" | b"skip" | b"wide")
}

/// Adjoining pieces as one.
fn joined(pieces: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut out: Vec<Range<u64>> = Vec::new();
    for piece in pieces {
        match out.last_mut() {
            Some(last) if last.end == piece.start => last.end = piece.end,
            _ => out.push(piece.clone()),
        }
    }
    out
}

/// For each track what its `stss` shall list; `None` leaves it as it is.
fn clean_sync(movie: &Movie) -> Result<Vec<Option<Vec<u32>>>, Mp4Error> {
    movie
        .tracks
        .iter()
        .map(|track| if track.kind == TrackKind::Video { clean_numbers(track) } else { Ok(None) })
        .collect()
}

fn clean_numbers(track: &Track) -> Result<Option<Vec<u32>>, Mp4Error> {
    // Without stss every sample is a sync sample, and without ctts all of them are clean.
    if track.tables.sync.is_none() && track.tables.offsets.is_empty() {
        return Ok(None);
    }
    let count = clean_entries(track)?.count();
    let listed = track.tables.sync.as_ref().map_or(track.sample_count() as usize, Vec::len);
    // A list without any entry would say that playing can begin nowhere: worse than one that says too much.
    if count == listed || count == 0 {
        return Ok(None);
    }
    if track.tables.sync.is_none() && count > MAX_ADDED_SYNC {
        return Err(Mp4Error::Limit { what: "sync samples", limit: MAX_ADDED_SYNC as u64 });
    }
    Ok(Some(clean_entries(track)?.map(|entry| entry.sample).collect()))
}

struct Plan<'a> {
    movie: &'a Movie,
    /// By track, as in the movie.
    sync: Vec<Option<Vec<u32>>>,
    pieces: &'a [Range<u64>],
}

impl Plan<'_> {
    /// The head, or nothing when an offset needs 64 bits and `wide` is not set.
    fn head(&self, ftyp: &[u8], moov: &[u8], wide: bool) -> Result<Option<Vec<u8>>, Mp4Error> {
        let payload = moov_payload(moov)?;
        // The head's length does not depend on the offsets in it: the first pass measures.
        let measured = Writer::new(self, wide, 0).moov(payload)?.len();
        let length = (ftyp.len() + measured) as u64;
        let mut writer = Writer::new(self, wide, length);
        let written = writer.moov(payload)?;
        if writer.too_wide {
            return Ok(None);
        }
        Ok(Some([ftyp, &written].concat()))
    }
}

/// Writes `moov` anew.
struct Writer<'a> {
    plan: &'a Plan<'a>,
    /// Whether all offsets become 64 bits wide.
    wide: bool,
    /// Where each piece begins in the file, and by how much its start moves to get there.
    pieces: Vec<(Range<u64>, u64)>,
    /// An offset did not fit.
    too_wide: bool,
}

impl<'a> Writer<'a> {
    fn new(plan: &'a Plan<'a>, wide: bool, head_length: u64) -> Self {
        let mut next = head_length;
        let mut pieces = Vec::with_capacity(plan.pieces.len());
        for piece in plan.pieces {
            pieces.push((piece.clone(), next));
            next = next.saturating_add(piece.end.saturating_sub(piece.start));
        }
        Self { plan, wide, pieces, too_wide: false }
    }

    fn moov(&mut self, payload: &[u8]) -> Result<Vec<u8>, Mp4Error> {
        let mut out = Vec::with_capacity(payload.len() + 8);
        let mut track = 0;
        boxed(&mut out, FourCc(*b"moov"), |out| {
            each_child(out, payload, |out, child| {
                if child.kind.0 != *b"trak" {
                    return Ok(false);
                }
                self.container(out, child, &[*b"mdia", *b"minf", *b"stbl"], track)?;
                track += 1;
                Ok(true)
            })
        })?;
        Ok(out)
    }

    /// Copies a box, descending along `path` to the sample table.
    fn container(
        &mut self,
        out: &mut Vec<u8>,
        this: Child<'_>,
        path: &[[u8; 4]],
        track: usize,
    ) -> Result<(), Mp4Error> {
        boxed(out, this.kind, |out| {
            each_child(out, this.payload, |out, child| match path.split_first() {
                Some((step, deeper)) if child.kind.0 == *step => {
                    self.container(out, child, deeper, track)?;
                    Ok(true)
                }
                Some(_) => Ok(false),
                None => self.table(out, child, track),
            })?;
            match (path, self.plan.sync_to_add(track)) {
                ([], Some(numbers)) => write_sync(out, numbers),
                _ => Ok(()),
            }
        })
    }

    /// Writes one of the tables that change; false for the others.
    fn table(&mut self, out: &mut Vec<u8>, child: Child<'_>, track: usize) -> Result<bool, Mp4Error> {
        match &child.kind.0 {
            b"stco" | b"co64" => self.offsets(out, child)?,
            b"stss" => match self.plan.sync.get(track).and_then(Option::as_ref) {
                Some(numbers) => write_sync(out, numbers)?,
                None => return Ok(false),
            },
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn offsets(&mut self, out: &mut Vec<u8>, child: Child<'_>) -> Result<(), Mp4Error> {
        let mut bytes = Bytes::new(child.kind, child.payload);
        let flags = bytes.u32()?;
        let was_wide = child.kind.0 == *b"co64";
        let old: &mut dyn Iterator<Item = u64> = if was_wide {
            &mut bytes.entries::<8>()?.iter().map(|entry| u64::from_be_bytes(*entry))
        } else {
            &mut bytes.entries::<4>()?.iter().map(|entry| u64::from(word(entry, 0)))
        };
        let wide = self.wide || was_wide;
        boxed(out, FourCc(if wide { *b"co64" } else { *b"stco" }), |out| {
            out.extend_from_slice(&flags.to_be_bytes());
            let at = out.len();
            out.extend_from_slice(&[0; 4]);
            let mut count = 0_u32;
            for offset in old {
                let offset = self.moved(offset)?;
                count = count.saturating_add(1);
                match u32::try_from(offset) {
                    _ if wide => out.extend_from_slice(&offset.to_be_bytes()),
                    Ok(short) => out.extend_from_slice(&short.to_be_bytes()),
                    Err(_) => {
                        self.too_wide = true;
                        out.extend_from_slice(&[0; 4]);
                    }
                }
            }
            patch(out, at, count);
            Ok(())
        })
    }

    /// Where a byte of the original lies in the virtual file. The end of a piece belongs to it when nothing begins there.
    fn moved(&self, offset: u64) -> Result<u64, Mp4Error> {
        let after = self.pieces.partition_point(|(piece, _)| piece.start <= offset);
        let found = after.checked_sub(1).and_then(|index| self.pieces.get(index));
        match found {
            Some((piece, start)) if offset <= piece.end => Ok(start.saturating_add(offset - piece.start)),
            _ => Err(Mp4Error::ChunkOutside { offset }),
        }
    }
}

impl Plan<'_> {
    /// The list of a track that has none so far.
    fn sync_to_add(&self, track: usize) -> Option<&Vec<u32>> {
        let had = self.movie.tracks.get(track)?.tables.sync.is_some();
        self.sync.get(track)?.as_ref().filter(|_| !had)
    }
}

/// Hands each child to `write`; copies it as it is where that says false, and what is no box behind the last.
fn each_child(
    out: &mut Vec<u8>,
    payload: &[u8],
    mut write: impl FnMut(&mut Vec<u8>, Child<'_>) -> Result<bool, Mp4Error>,
) -> Result<(), Mp4Error> {
    let mut boxes = children(payload);
    for child in boxes.by_ref() {
        let child = child?;
        if !write(out, child)? {
            out.extend_from_slice(child.whole);
        }
    }
    out.extend_from_slice(boxes.rest());
    Ok(())
}

/// Writes a box around what `fill` writes.
fn boxed(
    out: &mut Vec<u8>,
    kind: FourCc,
    fill: impl FnOnce(&mut Vec<u8>) -> Result<(), Mp4Error>,
) -> Result<(), Mp4Error> {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&kind.0);
    fill(out)?;
    let size = u32::try_from(out.len() - at).map_err(|_| Mp4Error::Unsupported("a head above 4 GiB"))?;
    patch(out, at, size);
    Ok(())
}

fn patch(out: &mut [u8], at: usize, value: u32) {
    if let Some(place) = out.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<4>()) {
        *place = value.to_be_bytes();
    }
}

fn write_sync(out: &mut Vec<u8>, numbers: &[u32]) -> Result<(), Mp4Error> {
    boxed(out, FourCc(*b"stss"), |out| {
        let count = u32::try_from(numbers.len()).map_err(|_| Mp4Error::Unsupported("a head above 4 GiB"))?;
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&count.to_be_bytes());
        numbers.iter().for_each(|number| out.extend_from_slice(&number.to_be_bytes()));
        Ok(())
    })
}
