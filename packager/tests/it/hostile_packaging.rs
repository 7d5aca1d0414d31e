//! Property tests of packaging: whatever a movie or a stored index says, nothing panics, what is built stays within the
//! stated bounds, and what was built can be cut.

use std::sync::OnceLock;

use proptest::{collection::vec, prelude::*, sample::Index};
use reelgate_packager::{
    Edit, Mp4Error,
    package::{
        Built, MAX_INLINE_BYTES, MAX_RECORD_BYTES, MAX_SILENT_FRAMES, Segment, SegmentEntry, SegmentPiece,
        TrackSummary, build, build_covering, init_segment, media_segment,
    },
    parse_movie,
};
use tempfile::TempDir;

use crate::{clips::clip, file::Loaded, packed::table, small};

/// The `moov` of a clip with reordered frames and late sound, or of the smallest movie where there is no ffmpeg.
fn real_moov() -> &'static [u8] {
    static MOOV: OnceLock<Vec<u8>> = OnceLock::new();
    MOOV.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let arguments = "-f lavfi -i testsrc2=size=64x64:rate=25:duration=7 -itsoffset 0.3 -f lavfi -i sine=duration=5 \
                         -c:v libx264 -preset ultrafast -pix_fmt yuv420p -bf 2 -g 30 -c:a aac";
        let made = clip(&folder, "real.mov", arguments);
        made.map_or_else(|| small::moov(&[40, 140]), |path| Loaded::open(&path).unwrap().whole(b"moov").to_vec())
    })
}

fn inline_bytes(segment: &Segment) -> usize {
    let inline = segment.pieces.iter().filter(|piece| matches!(piece, SegmentPiece::Inline(_)));
    inline.map(|piece| piece.len() as usize).sum()
}

fn record<'a>(built: &'a Built, entry: &SegmentEntry) -> &'a [u8] {
    &built.object[entry.record.start as usize..entry.record.end as usize]
}

fn check(built: &Built, moov: usize) {
    let segments: u64 = built.summary.tracks.iter().map(|track| u64::from(track.segments)).sum();
    // Silence is bounded by itself.
    let silence = 5 * u64::from(MAX_SILENT_FRAMES);
    assert!(built.object.len() as u64 <= 4 * moov as u64 + 256 * segments + silence);
    for track in &built.summary.tracks {
        assert!(init_segment(track).len() < 70_000);
        let mut end = 0;
        for (n, entry) in table(built, track).iter().enumerate().take(50) {
            assert!(entry.record.end - entry.record.start <= MAX_RECORD_BYTES);
            assert_eq!(entry.presentation, end);
            end += u64::from(entry.duration);
            let segment = media_segment(track, n as u32, entry, record(built, entry)).unwrap();
            assert!(inline_bytes(&segment) <= MAX_INLINE_BYTES);
            assert_eq!(segment.pieces.iter().map(SegmentPiece::len).sum::<u64>(), u64::from(entry.size));
        }
    }
}

fn mutate(bytes: &mut [u8], changes: &[(Index, u8)]) {
    for (place, value) in changes {
        let at = place.index(bytes.len());
        bytes[at] = *value;
    }
}

fn package(moov: &[u8], grid: &[i64], timescale: u32, covered: i64) -> Option<Built> {
    let movie = parse_movie(moov).ok()?;
    // A movie of millions of samples is allowed, but is no good for a thousand rounds.
    if movie.tracks.iter().any(|track| track.sample_count() > 100_000) {
        return None;
    }
    let built = build_covering(&movie, grid, timescale, covered).ok()?;
    check(&built, moov.len());
    Some(built)
}

#[test]
fn what_is_mutated_below_is_packaged_when_it_is_whole() {
    assert!(package(real_moov(), &[], 1, 0).is_some());
    assert!(package(&small::moov(&[40, 140]), &[], 1, 0).is_some());
}

proptest! {
    #[test]
    fn a_mutated_movie_never_panics(
        changes in vec((any::<Index>(), any::<u8>()), 0..8),
        real in any::<bool>(),
        grid in vec(any::<i64>(), 0..6),
        timescale in any::<u32>(),
        covered in 0..100_000_000_i64,
    ) {
        let mut moov = if real { real_moov().to_vec() } else { small::moov(&[40, 140, 900, 7]) };
        mutate(&mut moov, &changes);
        package(&moov, &grid, timescale, covered);
    }

    #[test]
    fn an_odd_grid_is_only_a_grid(mut grid in vec(-10_000..10_000_i64, 0..40), timescale in 0..2000_u32, sorted in any::<bool>()) {
        if sorted {
            grid.sort_unstable();
        }
        prop_assert!(package(real_moov(), &grid, timescale, 0).is_some());
    }

    #[test]
    fn a_mutated_index_never_panics(changes in vec((any::<Index>(), any::<u8>()), 1..6), cut in any::<Index>(), at in any::<u32>()) {
        let movie = parse_movie(real_moov()).unwrap();
        let mut built = build(&movie, &[], 1).unwrap();
        let tracks = built.summary.tracks.clone();
        let pristine = built.clone();
        mutate(&mut built.object[8..], &changes);
        for track in &tracks {
            for (n, entry) in table(&pristine, track).iter().enumerate() {
                let record = record(&built, entry);
                let _ = media_segment(track, n as u32, entry, &record[..cut.index(record.len() + 1)]);
                if let Ok(segment) = media_segment(track, at, entry, record) {
                    prop_assert!(inline_bytes(&segment) <= MAX_INLINE_BYTES);
                }
            }
            let _ = table(&built, track);
            prop_assert!(track.entry_range(at).is_none() || at < track.segments);
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_record(bytes in vec(any::<u8>(), 0..200), size in any::<u32>(), start in any::<u64>()) {
        let movie = parse_movie(&small::moov(&[40, 140])).unwrap();
        let track = build(&movie, &[], 1).unwrap().summary.tracks.remove(0);
        let entry = SegmentEntry { start, presentation: start, duration: size, size, lead: size, record: start..u64::MAX };
        if let Ok(segment) = media_segment(&track, size, &entry, &bytes) {
            prop_assert_eq!(segment.pieces.iter().map(SegmentPiece::len).sum::<u64>(), u64::from(size));
        }
        let _ = TrackSummary::read_table(&bytes);
    }
}

#[test]
fn edits_that_hide_frames_or_order_them_anew_are_refused() {
    let refused = |change: fn(&mut Vec<Edit>)| {
        let mut movie = parse_movie(&small::moov(&[40, 140, 900, 7])).unwrap();
        assert!(build(&movie, &[], 1).is_ok());
        change(&mut movie.tracks[0].edits);
        matches!(build(&movie, &[], 1), Err(Mp4Error::Unsupported(_)))
    };
    assert!(refused(|edits| edits[0].duration /= 2));
    assert!(refused(|edits| edits[0].media_time += 1));
    assert!(refused(|edits| edits[0].rate *= 2));
    assert!(refused(|edits| edits.push(edits[0])));
    assert!(!refused(|edits| edits.clear()));
}

#[test]
fn a_claim_of_a_thousand_million_samples_is_refused_at_once() {
    let moov = small::moov(&[40, 140]);
    let mut movie = parse_movie(&moov).unwrap();
    let track = &mut movie.tracks[0];
    track.tables.times[0].count = 1_000_000_000;
    track.tables.offsets.clear();
    track.tables.sizes = reelgate_packager::SampleSizes::Constant { size: 10, count: 1_000_000_000 };
    assert!(matches!(build(&movie, &[], 1), Err(Mp4Error::Limit { what: "samples", .. })));
}

#[test]
fn samples_in_one_run_cost_a_few_bytes_a_segment() {
    let mut movie = parse_movie(&small::moov(&[40])).unwrap();
    let track = &mut movie.tracks[0];
    // Five million samples in one chunk, every hundredth a clean entry.
    const COUNT: u32 = 5_000_000;
    track.edits.clear();
    track.tables.times[0].count = COUNT;
    track.tables.offsets.clear();
    track.tables.sync = Some((0..COUNT / 100).map(|n| n * 100 + 1).collect());
    track.tables.sizes = reelgate_packager::SampleSizes::Constant { size: 10, count: COUNT };
    track.tables.chunks[0].samples_per_chunk = COUNT;
    let built = build(&movie, &[], 1).unwrap();
    assert_eq!(built.summary.tracks[0].segments, COUNT / 100);
    assert!(built.object.len() < 80 * COUNT as usize / 100, "{}", built.object.len());
}

#[test]
fn a_summary_comes_back_from_json() {
    let built = package(real_moov(), &[], 1, 0).unwrap();
    let text = serde_json::to_string(&built.summary).unwrap();
    assert_eq!(serde_json::from_str::<reelgate_packager::package::Summary>(&text).unwrap(), built.summary);
}
