//! One track: who it is, how it is shown, where its samples lie.

use crate::{
    boxes::{Children, children},
    bytes::Bytes,
    error::Mp4Error,
    fourcc::FourCc,
    matrix::Matrix,
    sample_entry::{SampleEntry, read_stsd},
    tables::{SampleTables, read_co64, read_ctts, read_stco, read_stsc, read_stss, read_stsz, read_stts, read_stz2},
    track_kind::TrackKind,
};

/// One line of an edit list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edit {
    /// In ticks of the movie.
    pub duration: u64,
    /// Where in the media it begins, in ticks of the track; -1 is an empty edit (nothing is shown).
    pub media_time: i64,
    /// 16.16; 1.0 is normal speed.
    pub rate: i32,
}

impl Edit {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.media_time == -1
    }
}

/// Where samples lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataReference {
    pub kind: FourCc,
    /// In the same file.
    pub self_contained: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    pub id: u32,
    pub enabled: bool,
    /// Tracks of one group, unless it is 0, are each other's alternatives: languages of one film.
    pub alternate_group: u16,
    pub handler: FourCc,
    pub kind: TrackKind,
    /// ISO 639-2 or BCP 47; `None` for `und`.
    pub language: Option<String>,
    /// Ticks per second, never 0.
    pub timescale: u32,
    /// In ticks, as `mdhd` says.
    pub duration: u64,
    /// Ticks per second of edit durations, never 0.
    pub movie_timescale: u32,
    /// The track's, then the movie's.
    pub matrix: Matrix,
    /// Presentation size, 16.16.
    pub width: u32,
    pub height: u32,
    pub edits: Vec<Edit>,
    /// Tracks that hold this one's chapters.
    pub chapter_tracks: Vec<u32>,
    pub entries: Vec<SampleEntry>,
    pub data_references: Vec<DataReference>,
    /// Whether `saio` names absolute places in the file.
    pub has_auxiliary_offsets: bool,
    pub tables: SampleTables,
}

impl Track {
    pub(crate) fn new() -> Self {
        Self {
            id: 0,
            enabled: false,
            alternate_group: 0,
            handler: FourCc::default(),
            kind: TrackKind::Other,
            language: None,
            timescale: 0,
            duration: 0,
            movie_timescale: 1,
            matrix: Matrix::default(),
            width: 0,
            height: 0,
            edits: Vec::new(),
            chapter_tracks: Vec::new(),
            entries: Vec::new(),
            data_references: Vec::new(),
            has_auxiliary_offsets: false,
            tables: SampleTables::default(),
        }
    }

    #[must_use]
    pub fn sample_count(&self) -> u32 {
        self.tables.sizes.count()
    }

    /// What to add to a composition time to get the time of presentation, both in ticks of the track: empty edits in front
    /// delay, the first other edit says where in the media presentation begins. Later edits are not looked at.
    #[must_use]
    pub fn presentation_shift(&self) -> i64 {
        let mut delay = 0_i64;
        for edit in &self.edits {
            if !edit.is_empty() {
                return delay.saturating_sub(edit.media_time);
            }
            delay = delay.saturating_add(self.from_movie_ticks(edit.duration));
        }
        delay
    }

    /// Movie ticks as track ticks, rounded; saturates.
    #[must_use]
    pub fn from_movie_ticks(&self, ticks: u64) -> i64 {
        let (to, from) = (u128::from(self.timescale), u128::from(self.movie_timescale.max(1)));
        i64::try_from((u128::from(ticks) * to + from / 2) / from).unwrap_or(i64::MAX)
    }
}

pub(crate) fn read_trak(payload: &[u8]) -> Result<Track, Mp4Error> {
    let mut track = Track::new();
    for child in children(payload) {
        let child = child?;
        match &child.kind.0 {
            b"tkhd" => read_tkhd(&mut track, child.payload)?,
            b"edts" => read_edts(&mut track, child.payload)?,
            b"tref" => read_tref(&mut track, child.payload)?,
            b"mdia" => read_mdia(&mut track, child.payload)?,
            _ => {}
        }
    }
    if track.timescale == 0 {
        return Err(Mp4Error::Malformed { what: FourCc(*b"mdhd"), why: "it is missing or its timescale is 0" });
    }
    Ok(track)
}

fn read_tkhd(track: &mut Track, payload: &[u8]) -> Result<(), Mp4Error> {
    let mut bytes = Bytes::new(FourCc(*b"tkhd"), payload);
    let (version, flags) = bytes.full()?;
    track.enabled = flags & 1 != 0;
    bytes.skip(if version == 1 { 16 } else { 8 })?;
    track.id = bytes.u32()?;
    bytes.skip(4)?;
    bytes.wide(version)?;
    bytes.skip(10)?;
    track.alternate_group = bytes.u16()?;
    bytes.skip(4)?;
    track.matrix = read_matrix(&mut bytes)?;
    track.width = bytes.u32()?;
    track.height = bytes.u32()?;
    Ok(())
}

pub(crate) fn read_matrix(bytes: &mut Bytes<'_>) -> Result<Matrix, Mp4Error> {
    let mut cells = [0; 9];
    for cell in &mut cells {
        *cell = bytes.i32()?;
    }
    Ok(Matrix(cells))
}

fn read_edts(track: &mut Track, payload: &[u8]) -> Result<(), Mp4Error> {
    for child in children(payload) {
        let child = child?;
        if child.kind.0 == *b"elst" {
            track.edits = read_elst(child.payload)?;
        }
    }
    Ok(())
}

fn read_elst(payload: &[u8]) -> Result<Vec<Edit>, Mp4Error> {
    let mut bytes = Bytes::new(FourCc(*b"elst"), payload);
    let (version, _) = bytes.full()?;
    let field = |entry: &[u8], wide: bool| -> Result<Edit, Mp4Error> {
        let mut fields = Bytes::new(FourCc(*b"elst"), entry);
        let duration = fields.wide(u8::from(wide))?;
        let media_time = if wide { fields.i64()? } else { i64::from(fields.i32()?) };
        Ok(Edit { duration, media_time, rate: fields.i32()? })
    };
    if version == 1 {
        bytes.entries::<20>()?.iter().map(|entry| field(entry, true)).collect()
    } else {
        bytes.entries::<12>()?.iter().map(|entry| field(entry, false)).collect()
    }
}

fn read_tref(track: &mut Track, payload: &[u8]) -> Result<(), Mp4Error> {
    for child in children(payload) {
        let child = child?;
        if child.kind.0 == *b"chap" {
            track.chapter_tracks = child.payload.as_chunks::<4>().0.iter().map(|id| u32::from_be_bytes(*id)).collect();
        }
    }
    Ok(())
}

fn read_mdia(track: &mut Track, payload: &[u8]) -> Result<(), Mp4Error> {
    let mut minf = None;
    for child in children(payload) {
        let child = child?;
        match &child.kind.0 {
            b"mdhd" => read_mdhd(track, child.payload)?,
            b"hdlr" => read_hdlr(track, child.payload)?,
            b"elng" => read_elng(track, child.payload),
            b"minf" => minf = Some(child.payload),
            _ => {}
        }
    }
    // Last, since the handler says how sample entries are laid out.
    minf.map_or(Ok(()), |minf| read_minf(track, children(minf)))
}

fn read_mdhd(track: &mut Track, payload: &[u8]) -> Result<(), Mp4Error> {
    let mut bytes = Bytes::new(FourCc(*b"mdhd"), payload);
    let (version, _) = bytes.full()?;
    bytes.skip(if version == 1 { 16 } else { 8 })?;
    track.timescale = bytes.u32()?;
    track.duration = known_duration(version, bytes.wide(version)?);
    if track.language.is_none() {
        track.language = read_language(bytes.u16()?);
    }
    Ok(())
}

/// All bits set means unknown; told as 0, like a writer that did not fill it in.
pub(crate) fn known_duration(version: u8, duration: u64) -> u64 {
    let unknown = if version == 1 { u64::MAX } else { u64::from(u32::MAX) };
    if duration == unknown { 0 } else { duration }
}

/// Three letters of five bits; smaller numbers are Macintosh language codes, which nobody needs any more.
fn read_language(packed: u16) -> Option<String> {
    let letters = [packed >> 10 & 31, packed >> 5 & 31, packed & 31];
    let text: String = letters.iter().map(|n| char::from(*n as u8 + 0x60)).collect();
    (text != "und" && text.bytes().all(|b| b.is_ascii_lowercase())).then_some(text)
}

fn read_elng(track: &mut Track, payload: &[u8]) {
    let tag = payload.get(4..).unwrap_or_default().split(|b| *b == 0).next().unwrap_or_default();
    let plain = tag.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-');
    if (2..=35).contains(&tag.len()) && plain && tag != b"und" {
        track.language = Some(String::from_utf8_lossy(tag).into_owned());
    }
}

fn read_hdlr(track: &mut Track, payload: &[u8]) -> Result<(), Mp4Error> {
    let mut bytes = Bytes::new(FourCc(*b"hdlr"), payload);
    bytes.skip(8)?;
    track.handler = FourCc(bytes.array()?);
    track.kind = match &track.handler.0 {
        b"vide" => TrackKind::Video,
        b"soun" => TrackKind::Audio,
        b"text" | b"sbtl" | b"subt" | b"clcp" => TrackKind::Text,
        _ => TrackKind::Other,
    };
    Ok(())
}

fn read_minf(track: &mut Track, boxes: Children<'_>) -> Result<(), Mp4Error> {
    for child in boxes {
        let child = child?;
        match &child.kind.0 {
            b"dinf" => read_dinf(track, child.payload)?,
            b"stbl" => read_stbl(track, child.payload)?,
            _ => {}
        }
    }
    Ok(())
}

fn read_dinf(track: &mut Track, payload: &[u8]) -> Result<(), Mp4Error> {
    for child in children(payload) {
        let child = child?;
        if child.kind.0 != *b"dref" {
            continue;
        }
        let mut bytes = Bytes::new(child.kind, child.payload);
        bytes.skip(8)?;
        for reference in children(bytes.rest()) {
            let reference = reference?;
            let flags = Bytes::new(reference.kind, reference.payload).full()?.1;
            track.data_references.push(DataReference { kind: reference.kind, self_contained: flags & 1 != 0 });
        }
    }
    Ok(())
}

fn read_stbl(track: &mut Track, payload: &[u8]) -> Result<(), Mp4Error> {
    let tables = &mut track.tables;
    for child in children(payload) {
        let child = child?;
        match &child.kind.0 {
            b"stsd" => track.entries = read_stsd(child.payload, track.kind)?,
            b"stts" => tables.times = read_stts(child.payload)?,
            b"ctts" => tables.offsets = read_ctts(child.payload)?,
            b"stss" => tables.sync = Some(read_stss(child.payload)?),
            b"stsz" => tables.sizes = read_stsz(child.payload)?,
            b"stz2" => tables.sizes = read_stz2(child.payload)?,
            b"stsc" => tables.chunks = read_stsc(child.payload)?,
            b"stco" => tables.chunk_offsets = read_stco(child.payload)?,
            b"co64" => tables.chunk_offsets = read_co64(child.payload)?,
            b"saio" => track.has_auxiliary_offsets = true,
            _ => {}
        }
    }
    Ok(())
}
