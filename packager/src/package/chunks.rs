//! Cutting a film into chunks that are encoded each by itself: where they begin, which samples it takes to decode each, and where
//! those lie. Pure, from the index alone.
//!
//! A chunk is a stretch of display time. It begins with a picture that begins a segment anyway, so that a key frame is due there. It
//! is decoded from the sync sample at or before that picture, and what is shown before it is dropped; so it does not matter whether
//! groups of pictures are open: pictures that are decoded after a sync sample and shown before it belong to the chunk before, which
//! decodes on until it has them.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::track::{Edit, Track};

use super::samples::Samples;

/// A film of more pictures is not cut: nine hours at 60 frames a second.
const MAX_PICTURES: u32 = 2_000_000;
/// Samples of other tracks that lie between are fetched along, up to so many bytes at a time, rather than asked around.
const GAP: u64 = 256 << 10;
/// 1.0 in an edit list.
const NORMAL_SPEED: i32 = 1 << 16;

/// How to cut. Times are in ticks of the track, on the presentation's clock.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// Where segments begin, ascending.
    pub points: &'a [i64],
    /// No chunk is longer, if points allow.
    pub longest: i64,
    /// Pictures that must be decoded before the first and after the last one, for filters that look at neighbours.
    pub context: u32,
}

/// One chunk. Times are in ticks of the track, on the presentation's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// When its first picture is shown.
    pub from: i64,
    /// When the first picture of the next chunk is shown; nothing for the last.
    pub to: Option<i64>,
    /// Pictures that are shown in between.
    pub pictures: u32,
    /// When the picture is shown that decoding begins with.
    pub entry: i64,
    /// Its sample, from 1 on as in the index.
    pub first: u32,
    /// Samples to be decoded, in the order of decoding.
    pub samples: u32,
}

/// The chunks of a track in order, two at the least.
///
/// # Errors
/// Why it cannot be cut, in words that follow "it cannot be cut: ".
pub fn chunks(track: &Track, wish: &Wish<'_>) -> Result<Vec<Chunk>, &'static str> {
    let film = Film::read(track)?;
    let mut starts = vec![0];
    loop {
        let begun = starts.last().copied().unwrap_or(0);
        match film.next_start(begun, wish) {
            Some(start) => starts.push(start),
            None => break,
        }
    }
    if starts.len() < 2 {
        return Err("it is no longer than one chunk");
    }
    let ends = starts.iter().skip(1).copied().map(Some).chain([None]);
    starts.iter().zip(ends).map(|(start, end)| film.chunk(*start, end, wish.context)).collect()
}

/// Where the samples of a chunk lie in the file, ascending; with what lies between, where that is little.
#[must_use]
pub fn chunk_bytes(track: &Track, first: u32, samples: u32) -> Vec<Range<u64>> {
    let wanted = first..first.saturating_add(samples);
    let mut ranges: Vec<Range<u64>> = Samples::new(track)
        .map_while(Result::ok)
        .take_while(|sample| sample.number < wanted.end)
        .filter(|sample| wanted.contains(&sample.number))
        .map(|sample| sample.at..sample.at.saturating_add(u64::from(sample.size)))
        .collect();
    ranges.sort_unstable_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(GAP) => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

/// When the picture decoded last has been shown, in ticks of the track, on the presentation's clock: what a film's last picture lasts
/// is said nowhere else. `None` without samples, or when the tables are inconsistent.
#[must_use]
pub fn end_of_last(track: &Track) -> Option<i64> {
    track.tables.check().ok()?;
    let last = Samples::new(track).last()?.ok()?;
    Some(last.composition.saturating_add(track.presentation_shift()).saturating_add(i64::from(last.duration)))
}

/// A track's pictures, in the order in which they are shown.
struct Film {
    /// When each is shown, strictly ascending, none before zero; and its place in the order of decoding, from 0 on.
    pictures: Vec<(i64, u32)>,
    /// Of each picture the highest such place up to it.
    decoded: Vec<u32>,
    /// Sync samples: when they are shown and their places, both ascending.
    entries: Vec<(i64, u32)>,
}

impl Film {
    fn read(track: &Track) -> Result<Self, &'static str> {
        if track.sample_count() > MAX_PICTURES {
            return Err("it has too many pictures");
        }
        if track.tables.check().is_err() {
            return Err("its index contradicts itself");
        }
        let end = shown_until(track)?;
        let shift = track.presentation_shift();
        let sync = track.tables.sync.as_ref();
        let (mut pictures, mut entries) = (Vec::new(), Vec::new());
        for sample in Samples::new(track) {
            let sample = sample.map_err(|_| "its index contradicts itself")?;
            let (shown, place) = (sample.composition.saturating_add(shift), sample.number - 1);
            if shown >= end {
                return Err("its edit list hides pictures at its end");
            }
            if sync.is_none_or(|numbers| numbers.binary_search(&sample.number).is_ok()) {
                entries.push((shown, place));
            }
            if shown >= 0 {
                pictures.push((shown, place));
            }
        }
        pictures.sort_unstable();
        if !pictures.is_sorted_by(|before, after| before.0 < after.0) {
            return Err("two of its pictures are shown at the same time");
        }
        if !entries.is_sorted_by(|before, after| before.0 < after.0) || entries.first().is_none_or(|first| first.1 != 0)
        {
            return Err("its key frames are not in order");
        }
        let highest = |highest: &mut u32, (_, place): &(i64, u32)| {
            *highest = (*highest).max(*place);
            Some(*highest)
        };
        let decoded = pictures.iter().scan(0, highest).collect();
        Ok(Self { pictures, decoded, entries })
    }

    fn shown(&self, picture: usize) -> Option<i64> {
        self.pictures.get(picture).map(|(shown, _)| *shown)
    }

    /// The sync sample that the chunk is decoded from which begins with this picture.
    fn entry(&self, start: usize, context: u32) -> Option<(i64, u32)> {
        let earliest = self.shown(start.saturating_sub(context as usize))?;
        let at = self.entries.partition_point(|(shown, _)| *shown <= earliest);
        self.entries.get(at.checked_sub(1)?).copied()
    }

    /// Where the next chunk begins, if there is to be one: as late as the wish allows, but rather where less is decoded that is
    /// not shown. That costs about half of what encoding it would.
    fn next_start(&self, begun: usize, wish: &Wish<'_>) -> Option<usize> {
        let from = self.shown(begun)?;
        let mut best: Option<(i64, usize)> = None;
        for point in &wish.points[wish.points.partition_point(|point| *point <= from)..] {
            let start = self.pictures.partition_point(|(shown, _)| shown < point);
            let (Some(shown), Some((entry, _))) = (self.shown(start), self.entry(start, wish.context)) else { break };
            if start <= begun {
                continue;
            }
            let length = shown.saturating_sub(from);
            if length > wish.longest && best.is_some() {
                break;
            }
            let worth = length.saturating_mul(2).saturating_sub(shown.saturating_sub(entry));
            if best.is_none_or(|(other, _)| worth >= other) {
                best = Some((worth, start));
            }
        }
        // What is left is no longer than a chunk.
        let last = self.pictures.last().map_or(0, |(shown, _)| *shown);
        best.map(|(_, start)| start).filter(|_| last.saturating_sub(from) >= wish.longest)
    }

    fn chunk(&self, start: usize, end: Option<usize>, context: u32) -> Result<Chunk, &'static str> {
        const BROKEN: &str = "its index contradicts itself";
        let (entry, first) =
            if start == 0 { self.entries.first().copied() } else { self.entry(start, context) }.ok_or(BROKEN)?;
        let last = match end {
            Some(end) => {
                let seen = (end + context as usize).min(self.pictures.len()) - 1;
                self.decoded.get(seen).copied()
            }
            // Also what is decoded last and never shown.
            None => self.decoded.last().copied(),
        };
        let last = last.filter(|last| *last >= first).ok_or(BROKEN)?;
        let pictures = end.unwrap_or(self.pictures.len()) - start;
        Ok(Chunk {
            from: self.shown(start).ok_or(BROKEN)?,
            to: end.and_then(|end| self.shown(end)),
            pictures: u32::try_from(pictures).map_err(|_| BROKEN)?,
            entry,
            first: first + 1,
            samples: last - first + 1,
        })
    }
}

/// When the presentation ends by the edit list, a little later for its coarse clock.
fn shown_until(track: &Track) -> Result<i64, &'static str> {
    let shown: Vec<&Edit> = track.edits.iter().filter(|edit| !edit.is_empty()).collect();
    let Some(edit) = shown.first() else { return Ok(i64::MAX) };
    if shown.len() > 1 || edit.rate != NORMAL_SPEED {
        return Err("its edit list rearranges it");
    }
    if edit.duration == 0 {
        return Ok(i64::MAX);
    }
    let delay: i64 =
        track.edits.iter().take_while(|edit| edit.is_empty()).map(|edit| track.from_movie_ticks(edit.duration)).sum();
    Ok(delay
        .saturating_add(track.from_movie_ticks(edit.duration))
        .saturating_add(track.from_movie_ticks(1))
        .saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::{ChunkOffsets, ChunkRun, OffsetRun, SampleSizes, TimeRun};

    /// Ticks of a picture; a second has 25.
    const PICTURE: u32 = 40;

    /// `count` pictures with a sync sample every `group`, each sample of 100 bytes behind one another. With `open` groups, each
    /// sync sample but the first is shown two pictures later than the two that follow it.
    fn film(count: u32, group: u32, open: bool) -> Track {
        let mut track = Track::new();
        track.timescale = 1_000;
        track.movie_timescale = 1_000;
        track.tables.times = vec![TimeRun { count, delta: PICTURE }];
        track.tables.sizes = SampleSizes::Constant { size: 100, count };
        track.tables.sync = Some((0..count).step_by(group as usize).map(|at| at + 1).collect());
        track.tables.chunks = vec![ChunkRun { first_chunk: 1, samples_per_chunk: count, description: 1 }];
        track.tables.chunk_offsets = ChunkOffsets::Short(vec![1_000]);
        if open {
            let offset = |at: u32| match at % group {
                _ if at < group => 0,
                0 => 80,
                1 | 2 => -40,
                _ => 0,
            };
            track.tables.offsets = (0..count).map(|at| OffsetRun { count: 1, offset: offset(at) }).collect();
        }
        track
    }

    fn points(seconds: impl Iterator<Item = i64>) -> Vec<i64> {
        seconds.map(|second| second * 1_000).collect()
    }

    fn cut(track: &Track, points: &[i64], context: u32) -> Vec<Chunk> {
        chunks(track, &Wish { points, longest: 10_000, context }).unwrap()
    }

    #[test]
    fn chunks_follow_one_another_and_hold_every_picture_once() {
        for (group, open, context) in [(50, false, 0), (50, true, 0), (250, false, 2), (7, true, 2), (10_000, false, 0)]
        {
            let track = film(2_525, group, open);
            let cut = cut(&track, &points((0..101).step_by(2)), context);
            assert_eq!(cut.iter().map(|chunk| chunk.pictures).sum::<u32>(), 2_525, "{group} {open}");
            for pair in cut.windows(2) {
                assert_eq!(pair[0].to, Some(pair[1].from), "{group} {open}");
            }
            assert!(cut.iter().all(|chunk| chunk.to.is_none_or(|to| to - chunk.from <= 10_000)));
            assert!(cut.iter().all(|chunk| chunk.entry <= chunk.from && chunk.samples >= chunk.pictures));
            assert_eq!((cut[0].first, cut[0].from), (1, 0));
            let last = cut.last().unwrap();
            assert_eq!(last.first + last.samples - 1, 2_525);
        }
    }

    #[test]
    fn it_is_cut_where_little_is_decoded_in_vain() {
        // A group lasts 8 s: the point at 8 s costs nothing, the one at 10 s two seconds of decoding.
        let track = film(2_500, 200, false);
        let cut = cut(&track, &points((0..100).step_by(2)), 0);
        assert_eq!((cut[0].to, cut[1].first, cut[1].entry), (Some(10_000), 201, 8_000));
        let finer = chunks(&track, &Wish { points: &points(0..100), longest: 9_000, context: 0 }).unwrap();
        assert_eq!((finer[0].to, finer[1].samples), (Some(9_000), finer[1].pictures + 25));
    }

    #[test]
    fn pictures_of_an_open_group_belong_to_the_chunk_in_which_they_are_shown() {
        let track = film(500, 50, true);
        // The sync sample 251 is shown at 10.08 s; two pictures that follow it in decoding are shown before.
        let at = cut(&track, &[0, 10_080], 0);
        assert_eq!((at[0].to, at[0].pictures, at[0].samples), (Some(10_080), 252, 253));
        assert_eq!((at[1].entry, at[1].first), (10_080, 251));
        let before = cut(&track, &[0, 10_000], 0);
        assert_eq!((before[0].pictures, before[0].samples), (250, 250));
        assert_eq!((before[1].entry, before[1].first), (8_080, 201), "the sync sample after it has not all of it");
    }

    #[test]
    fn neighbours_are_decoded_where_filters_look_at_them() {
        let track = film(500, 50, false);
        let (without, with) =
            (cut(&track, &points((0..20).step_by(2)), 0), cut(&track, &points((0..20).step_by(2)), 2));
        assert_eq!((without[1].first, with[1].first), (251, 201));
        assert_eq!((without[0].samples, with[0].samples), (250, 252));
    }

    #[test]
    fn what_cannot_be_cut_says_why() {
        let wish = Wish { points: &points(0..100), longest: 10_000, context: 0 };
        let why = |change: fn(&mut Track)| {
            let mut track = film(500, 50, false);
            change(&mut track);
            chunks(&track, &wish).unwrap_err()
        };
        let edit = |duration, media_time| Edit { duration, media_time, rate: NORMAL_SPEED };
        assert_eq!(chunks(&film(100, 50, false), &wish), Err("it is no longer than one chunk"));
        assert!(why(|track| track.edits = vec![Edit { duration: 0, media_time: 0, rate: 1 }]).contains("rearranges"));
        let mut hidden = film(500, 50, false);
        hidden.edits = vec![edit(19_000, 0)];
        assert!(chunks(&hidden, &wish).unwrap_err().contains("hides"));
        hidden.edits = vec![edit(20_000, 0)];
        assert!(chunks(&hidden, &wish).is_ok());
        assert!(why(|track| track.tables.sync = Some(vec![2])).contains("key frames"));
        assert!(why(|track| track.tables.times = vec![TimeRun { count: 500, delta: 0 }]).contains("same time"));
    }

    #[test]
    fn the_bytes_of_a_chunk_are_asked_for_at_once_where_they_lie_near_one_another() {
        let track = film(500, 50, false);
        assert_eq!(chunk_bytes(&track, 251, 250), vec![1_000 + 25_000..1_000 + 50_000]);
        let mut apart = film(4, 2, false);
        apart.tables.chunks = vec![ChunkRun { first_chunk: 1, samples_per_chunk: 2, description: 1 }];
        apart.tables.chunk_offsets = ChunkOffsets::Short(vec![1_000, 1_000_000]);
        assert_eq!(chunk_bytes(&apart, 1, 4), vec![1_000..1_200, 1_000_000..1_000_200]);
        apart.tables.chunk_offsets = ChunkOffsets::Short(vec![1_000, 2_000]);
        assert_eq!(chunk_bytes(&apart, 2, 2), vec![1_100..2_100]);
    }
}
