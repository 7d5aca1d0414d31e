//! What an output must be before anybody may see it, compared with its source and its plan. Pure: it takes the output's
//! index and what a second look has found; who opened and decoded it is not its matter.

use std::fmt;

use reelgate_common::{grid::SegmentGrid, media_info::MediaInfo};
use reelgate_packager::{Codec, Edit, Movie, Track, clean_entries, shown_video, sounding_audio};

use super::{expected::Copied, packaging};
use crate::task::protocol::Output;

/// How far an output's duration may be from what it was made of.
const DURATION_MS: u64 = 100;
/// How far apart pictures and sound may have moved.
const OFFSET_MS: i64 = 20;
/// What an encoder of AAC adds in front; it is cut away by the edit list, and two frames at most.
const PRIMING_MS: i64 = 60;
/// Movies count in milliseconds, so what an edit list delays is rounded: a picture next to a point may be meant for either
/// side of it.
const ROUNDING_MS: i64 = 2;
/// H.273: PQ and HLG.
const HDR_TRANSFERS: [u16; 2] = [16, 18];
const UNSPECIFIED: u16 = 2;

/// What is to be compared.
pub(super) struct Exhibit<'a> {
    pub(super) source: &'a MediaInfo,
    pub(super) grid: &'a SegmentGrid,
    /// The output's own index.
    pub(super) movie: &'a Movie,
    /// What the second look has found.
    pub(super) seen: &'a MediaInfo,
    /// What the child that made it says it has made.
    pub(super) output: &'a Output,
    /// Size of the picture; nothing for sound alone.
    pub(super) size: Option<(u32, u32)>,
    pub(super) language: Option<&'a str>,
    pub(super) copied: Copied,
}

/// Why an output is kept back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Flaw {
    Size,
    NoPicture,
    NotSoundAlone,
    Duration { output_ms: u64, source_ms: u64 },
    PicturesMoved { output_ms: i64, source_ms: i64 },
    SoundMoved { output_ms: i64 },
    KeyFrame { missing_ms: i64 },
    Index,
    Colours,
    Turned,
    Language,
}

impl fmt::Display for Flaw {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size => write!(to, "its picture has another size than planned"),
            Self::NoPicture => write!(to, "it has no picture"),
            Self::NotSoundAlone => write!(to, "it is not sound alone"),
            Self::Duration { output_ms, source_ms } => {
                write!(to, "it lasts {output_ms} ms and its source {source_ms} ms")
            }
            Self::PicturesMoved { output_ms, source_ms } => {
                write!(to, "its pictures begin at {output_ms} ms and those of its source at {source_ms} ms")
            }
            Self::SoundMoved { output_ms } => write!(to, "its sound begins at {output_ms} ms instead of 0"),
            Self::KeyFrame { missing_ms } => write!(to, "it has no key frame for the segment at {missing_ms} ms"),
            Self::Index => write!(to, "its index contradicts itself"),
            Self::Colours => write!(to, "its colours are not tagged as what every screen shows"),
            Self::Turned => write!(to, "its picture is to be turned or stretched by the player"),
            Self::Language => write!(to, "its sound has another language than the source's"),
        }
    }
}

/// The first flaw found, if any.
pub(super) fn prove(exhibit: &Exhibit<'_>) -> Result<(), Flaw> {
    shape(exhibit)?;
    duration(exhibit)?;
    sound(exhibit)?;
    match shown_video(exhibit.movie) {
        Some(track) if exhibit.size.is_some() => pictures(exhibit, track),
        _ => Ok(()),
    }
}

fn shape(exhibit: &Exhibit<'_>) -> Result<(), Flaw> {
    match (exhibit.size, &exhibit.seen.video) {
        (Some(size), Some(video)) if (video.width, video.height) != size => Err(Flaw::Size),
        (Some(_), Some(video)) if video.rotation != 0 || video.mirrored => Err(Flaw::Turned),
        (Some(_), Some(_)) => Ok(()),
        (Some(_), None) => Err(Flaw::NoPicture),
        (None, None) if !exhibit.seen.audio.is_empty() => Ok(()),
        (None, _) => Err(Flaw::NotSoundAlone),
    }
}

/// An output lasts as long as its source. Sources may lie about that (cut files, headers written by the clock), so when the
/// source's header disagrees, what the child has counted while decoding is taken instead.
fn duration(exhibit: &Exhibit<'_>) -> Result<(), Flaw> {
    let (source, seen) = (exhibit.source, exhibit.seen);
    let near = |claimed: u64| claimed.abs_diff(seen.duration_ms) <= DURATION_MS;
    let shown = source.video.as_ref().and_then(|video| video.duration_ms);
    if near(source.duration_ms) || shown.is_some_and(near) || exhibit.output.duration_ms.is_some_and(near) {
        return Ok(());
    }
    Err(Flaw::Duration { output_ms: seen.duration_ms, source_ms: source.duration_ms })
}

/// Silence was put where the source's sound begins late, so what was encoded always begins at zero.
fn sound(exhibit: &Exhibit<'_>) -> Result<(), Flaw> {
    for track in sounding_audio(exhibit.movie).filter(|_| !exhibit.copied.sound) {
        let output_ms = millis(track.presentation_shift(), track);
        if !(-PRIMING_MS..=OFFSET_MS).contains(&output_ms) {
            return Err(Flaw::SoundMoved { output_ms });
        }
    }
    let wanted = exhibit.language.filter(|language| is_iso639(language));
    let spoken = sounding_audio(exhibit.movie).next().map(|track| track.language.as_deref());
    match (wanted, spoken) {
        (Some(wanted), Some(spoken)) if spoken != Some(wanted) => Err(Flaw::Language),
        _ => Ok(()),
    }
}

/// What an MP4 can say of a language; others are not kept.
fn is_iso639(language: &str) -> bool {
    language.len() == 3 && language.bytes().all(|letter| letter.is_ascii_lowercase()) && language != "und"
}

fn pictures(exhibit: &Exhibit<'_>, track: &Track) -> Result<(), Flaw> {
    if !exhibit.copied.pictures {
        tags(track)?;
    }
    let times = times(track)?;
    let output_ms = millis(times.first().copied().unwrap_or(0), track);
    if let Some(source_ms) = exhibit.output.begins_ms.and_then(|ms| i64::try_from(ms).ok())
        && (output_ms - source_ms).abs() > OFFSET_MS
    {
        return Err(Flaw::PicturesMoved { output_ms, source_ms });
    }
    key_frames(exhibit, track, &times)
}

fn tags(track: &Track) -> Result<(), Flaw> {
    let video = track.entries.first().and_then(|entry| match &entry.codec {
        Codec::Video(video) => Some(video),
        _ => None,
    });
    let video = video.ok_or(Flaw::NoPicture)?;
    if video.pixel_aspect.is_some_and(|(across, down)| across != down) {
        return Err(Flaw::Turned);
    }
    let tagged = video.colour.is_some_and(|colour| {
        ![colour.primaries, colour.transfer, colour.matrix].contains(&UNSPECIFIED)
            && !HDR_TRANSFERS.contains(&colour.transfer)
            && !colour.full_range
    });
    if tagged { Ok(()) } else { Err(Flaw::Colours) }
}

/// When each picture is shown, ascending, in ticks of the track.
fn times(track: &Track) -> Result<Vec<i64>, Flaw> {
    let tables = &track.tables;
    if !tables.is_consistent() {
        return Err(Flaw::Index);
    }
    let deltas = tables.times.iter().flat_map(|run| std::iter::repeat_n(run.delta, run.count as usize));
    let offsets = tables.offsets.iter().flat_map(|run| std::iter::repeat_n(run.offset, run.count as usize));
    let shift = track.presentation_shift();
    let mut decode = 0_i64;
    let mut times: Vec<i64> = deltas
        .zip(offsets.chain(std::iter::repeat(0)))
        .map(|(delta, offset)| {
            let shown = decode.saturating_add(i64::from(offset)).saturating_add(shift);
            decode = decode.saturating_add(i64::from(delta));
            shown
        })
        .collect();
    times.sort_unstable();
    Ok(times)
}

/// The first picture at or after each point of the grid begins a segment.
fn key_frames(exhibit: &Exhibit<'_>, track: &Track, times: &[i64]) -> Result<(), Flaw> {
    let clean: Vec<i64> = clean_entries(track).map_err(|_| Flaw::Index)?.map(|entry| entry.presentation).collect();
    let rounding =
        if track.edits.iter().any(Edit::is_empty) { rescale(ROUNDING_MS, 1_000, track.timescale) } else { 0 };
    let (points, timescale) = packaging::points(exhibit.grid, exhibit.seen.duration_ms);
    for point in points {
        let wanted = rescale(point, timescale, track.timescale);
        let first = |from: i64| times.get(times.partition_point(|time| *time < from)).copied();
        let Some(earliest) = first(wanted - rounding) else { break };
        let latest = first(wanted + rounding).unwrap_or(i64::MAX);
        let at = clean.partition_point(|entry| *entry < earliest);
        if clean.get(at).is_none_or(|entry| *entry > latest) {
            return Err(Flaw::KeyFrame { missing_ms: rescale(point, timescale, 1_000) });
        }
    }
    Ok(())
}

fn millis(ticks: i64, track: &Track) -> i64 {
    rescale(ticks, track.timescale, 1_000)
}

pub(super) fn rescale(value: i64, from: u32, to: u32) -> i64 {
    let from = i128::from(from.max(1));
    let scaled = (2 * i128::from(value) * i128::from(to) + from).div_euclid(2 * from);
    i64::try_from(scaled).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
