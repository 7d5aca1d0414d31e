//! Building the index: which tracks are packaged, each one's clock and cut, and the layout of the object.

use crate::{
    clean::{MAX_SAMPLES, clean_entries},
    error::Mp4Error,
    judge::{alternative_audio, shown_video, sounding_audio},
    movie::Movie,
    sample_entry::{AudioEntry, Codec, SampleEntry, VideoEntry},
    track::Track,
};

use super::{
    MAX_SILENT_FRAMES, bandwidth,
    cut::{Cut, cut_audio, cut_video},
    describe::{channels, describe, sample_rate},
    facts::video_facts,
    points::Points,
    segment::SegmentEntry,
    summary::{AudioSummary, Kind, Summary, TrackSummary},
    timeline::{audio_clock, video_clock},
};

/// In front of the first table: a name and a version, for people who find the object.
const HEADER: &[u8; 8] = b"RGPX\0\0\0\x01";

/// A packaged movie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The index object, to be stored beside the MP4.
    pub object: Vec<u8>,
    pub summary: Summary,
}

/// Packages the shown video track and all sounding audio tracks, and of those that are switched off as alternatives to them
/// such as can be packaged.
///
/// `grid` are the presentation times of the video at which segments begin, ascending, the first segment's included, in units
/// of 1/`grid_timescale` s. Video begins its segments with the first clean entry at or after each point, sound with the
/// frame nearest to it. Without points the video is cut every 2 s or more and sound without video every 4 s.
///
/// # Errors
/// `Unsupported` for what must not or cannot be packaged (edits that hide film, codecs, fragments), `Limit` for more than
/// this crate takes, `Malformed` for tables that contradict one another.
pub fn build(movie: &Movie, grid: &[i64], grid_timescale: u32) -> Result<Built, Mp4Error> {
    build_covering(movie, grid, grid_timescale, 0)
}

/// As `build`; sound reaches at least to `covered` on the presentation's clock, in units of 1/`grid_timescale` s, for an
/// audio rendition that is played beside somebody else's video.
///
/// # Errors
/// As `build`.
pub fn build_covering(movie: &Movie, grid: &[i64], grid_timescale: u32, covered: i64) -> Result<Built, Mp4Error> {
    refuse(movie)?;
    let mut covered = (covered, grid_timescale.max(1));
    let mut tracks = Vec::new();
    for (index, track) in packaged(movie).enumerate() {
        let id = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let entry = track.entries.first().ok_or(Mp4Error::Unsupported("a track without a sample description"))?;
        let points = Points::new(grid, grid_timescale, track.timescale);
        match &entry.codec {
            Codec::Video(video) => {
                let (summary, cut, end) = package_video(track, entry, video, id, points)?;
                covered = later(covered, (end, track.timescale));
                tracks.push((summary, cut));
            }
            Codec::Audio(audio) => {
                let cover = rescale_up(covered, track.timescale);
                let (mut summary, cut) = package_audio(track, entry, audio, id, points, cover)?;
                summary.is_default = !tracks.iter().any(|(other, _): &(TrackSummary, Cut)| other.kind == Kind::Audio);
                tracks.push((summary, cut));
            }
            Codec::Other => return Err(Mp4Error::Unsupported("a track that is neither video nor audio")),
        }
    }
    let mut looked_at: u64 = packaged(movie).map(samples).sum();
    for track in alternative_audio(movie) {
        looked_at = looked_at.saturating_add(samples(track));
        let id = u32::try_from(tracks.len() + 1).unwrap_or(u32::MAX);
        let points = Points::new(grid, grid_timescale, track.timescale);
        if looked_at <= u64::from(MAX_SAMPLES)
            && let Some(alternative) = package_alternative(track, id, points, rescale_up(covered, track.timescale))
        {
            tracks.push(alternative);
        }
    }
    Ok(lay_out(tracks))
}

/// Nothing for a track that cannot be packaged: the film plays without it.
fn package_alternative(track: &Track, id: u32, points: Points<'_>, cover: i64) -> Option<(TrackSummary, Cut)> {
    refuse_track(track).ok()?;
    let entry = track.entries.first()?;
    let Codec::Audio(audio) = &entry.codec else { return None };
    let (summary, cut) = package_audio(track, entry, audio, id, points, cover).ok()?;
    Some((TrackSummary { is_default: false, ..summary }, cut))
}

fn packaged(movie: &Movie) -> impl Iterator<Item = &Track> {
    shown_video(movie).into_iter().chain(sounding_audio(movie))
}

/// What no track can make good, and movies that would take too long to look at.
fn refuse(movie: &Movie) -> Result<(), Mp4Error> {
    if movie.fragmented {
        return Err(Mp4Error::Unsupported("a fragmented movie"));
    }
    if packaged(movie).next().is_none() {
        return Err(Mp4Error::Unsupported("a movie without video and sound"));
    }
    if packaged(movie).map(samples).sum::<u64>() > u64::from(MAX_SAMPLES) {
        return Err(Mp4Error::Limit { what: "samples", limit: u64::from(MAX_SAMPLES) });
    }
    packaged(movie).try_for_each(refuse_track)
}

fn refuse_track(track: &Track) -> Result<(), Mp4Error> {
    if track.data_references.iter().any(|reference| !reference.self_contained) {
        return Err(Mp4Error::Unsupported("media outside the file"));
    }
    if track.entries.len() != 1 {
        return Err(Mp4Error::Unsupported("a track whose codec changes"));
    }
    track.tables.check()?;
    if track.sample_count() == 0 || track.tables.duration() == 0 {
        return Err(Mp4Error::Unsupported("a track without samples or without duration"));
    }
    Ok(())
}

fn samples(track: &Track) -> u64 {
    u64::from(track.sample_count())
}

fn package_video(
    track: &Track,
    entry: &SampleEntry,
    video: &VideoEntry,
    id: u32,
    points: Points<'_>,
) -> Result<(TrackSummary, Cut, i64), Mp4Error> {
    let first = clean_entries(track)?.next().filter(|first| first.sample == 1);
    let first = first.ok_or(Mp4Error::Unsupported("video that does not begin with a clean entry"))?;
    let clock = video_clock(track, first.composition)?;
    let cut = cut_video(track, id, &clock, points)?;
    let mut summary = summarise(track, entry, Kind::Video, id)?;
    summary.media_time = clock.media_time.max(0).cast_unsigned();
    summary.duration = clock.end.max(0).cast_unsigned();
    summary.video = Some(video_facts(track, video));
    Ok((summary, cut, clock.end))
}

fn package_audio(
    track: &Track,
    entry: &SampleEntry,
    audio: &AudioEntry,
    id: u32,
    points: Points<'_>,
    cover: i64,
) -> Result<(TrackSummary, Cut), Mp4Error> {
    let clock = audio_clock(track, audio, cover)?;
    if clock.front.frames.saturating_add(clock.back.frames) > MAX_SILENT_FRAMES {
        return Err(Mp4Error::Limit { what: "frames of silence", limit: u64::from(MAX_SILENT_FRAMES) });
    }
    let cut = cut_audio(track, id, &clock, points)?;
    let mut summary = summarise(track, entry, Kind::Audio, id)?;
    summary.media_time = clock.media_time.max(0).cast_unsigned();
    summary.duration = clock.end.max(0).cast_unsigned();
    summary.audio = Some(AudioSummary { channels: channels(audio), sample_rate: sample_rate(audio) });
    Ok((summary, cut))
}

/// What video and sound have in common; the rest is filled in behind it.
fn summarise(track: &Track, entry: &SampleEntry, kind: Kind, id: u32) -> Result<TrackSummary, Mp4Error> {
    let description = describe(entry)?;
    Ok(TrackSummary {
        language: track.language.clone(),
        sample_entry: description.sample_entry,
        ..TrackSummary::new(kind, id, track.timescale, description.codecs)
    })
}

/// All tables, then all records, each track's together.
fn lay_out(mut tracks: Vec<(TrackSummary, Cut)>) -> Built {
    let target_duration = tracks.iter().map(|(track, cut)| longest_seconds(&cut.entries, track.timescale)).max();
    let target_duration = target_duration.unwrap_or(0).max(1);
    let mut place = HEADER.len() as u64;
    for (track, cut) in &mut tracks {
        track.table = place;
        track.segments = u32::try_from(cut.entries.len()).unwrap_or(u32::MAX);
        track.average_bandwidth = bandwidth::average(&cut.entries, track.timescale);
        track.peak_bandwidth = bandwidth::peak(&cut.entries, track.timescale, target_duration);
        place = track.table_range().end;
    }
    let mut object = HEADER.to_vec();
    for (_, cut) in &mut tracks {
        for entry in &mut cut.entries {
            entry.record = entry.record.start + place..entry.record.end + place;
            entry.write(&mut object);
        }
        place += cut.records.len() as u64;
    }
    tracks.iter().for_each(|(_, cut)| object.extend(&cut.records));
    let tracks = tracks.into_iter().map(|(track, _)| track).collect();
    Built { object, summary: Summary { tracks, target_duration } }
}

fn longest_seconds(entries: &[SegmentEntry], timescale: u32) -> u32 {
    entries.iter().map(|entry| entry.duration.div_ceil(timescale)).max().unwrap_or(0)
}

type Time = (i64, u32);

fn later(a: Time, b: Time) -> Time {
    let (left, right) = (i128::from(a.0) * i128::from(b.1), i128::from(b.0) * i128::from(a.1));
    if left >= right { a } else { b }
}

fn rescale_up((time, from): Time, to: u32) -> i64 {
    let scaled = i128::from(time) * i128::from(to) + i128::from(from) - 1;
    i64::try_from(scaled.div_euclid(i128::from(from.max(1)))).unwrap_or(i64::MAX)
}
