//! A `moov` box: read, judged, moved to the front, packaged, and cut into segments, all within what was promised.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reelgate_packager::{
    FourCc, TopBox, TopWalk, codecs, faststart, judge,
    package::{MAX_INLINE_BYTES, SegmentPiece, TrackSummary, build, init_segment, media_segment},
    parse_movie, read_header, segment_grid_points,
};

/// Movies of more samples are allowed, but each takes longer than a fuzzer has for one.
const MAX_SAMPLES: u32 = 100_000;

fuzz_target!(|moov: &[u8]| {
    let _ = read_header(moov, moov.len() as u64);
    walk(moov);
    let top = |kind: &[u8; 4], offset, size| TopBox { kind: FourCc(*kind), offset, header_len: 8, size };
    let boxes = [top(b"mdat", 0, u64::from(u32::MAX)), top(b"moov", u64::from(u32::MAX), moov.len() as u64)];
    let _ = faststart(&[], moov, &boxes);
    let Ok(movie) = parse_movie(moov) else { return };
    let safety = judge(&movie, 1 << 20);
    assert!(safety.web_safe || !safety.segment_safe);
    let _ = codecs(&movie);
    if movie.tracks.iter().any(|track| track.sample_count() > MAX_SAMPLES) {
        return;
    }
    for track in &movie.tracks {
        let _ = segment_grid_points(track);
    }
    let Ok(built) = build(&movie, &[], 1) else { return };
    for track in &built.summary.tracks {
        cut(track, &built.object);
    }
});

fn walk(bytes: &[u8]) {
    let mut walk = TopWalk::new(bytes.len() as u64);
    while let Some(at) = walk.wanted() {
        let at = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
        if walk.feed(&bytes[at..bytes.len().min(at + 16)]).is_err() {
            return;
        }
    }
}

fn cut(track: &TrackSummary, index: &[u8]) {
    let slice = |range: &std::ops::Range<u64>| index.get(range.start as usize..range.end as usize).unwrap_or_default();
    let _ = init_segment(track);
    for (n, entry) in TrackSummary::read_table(slice(&track.table_range())).iter().enumerate().take(50) {
        let segment = media_segment(track, n as u32, entry, slice(&entry.record)).expect("what was built can be cut");
        let inline = segment.pieces.iter().filter(|piece| matches!(piece, SegmentPiece::Inline(_)));
        assert!(inline.map(SegmentPiece::len).sum::<u64>() <= MAX_INLINE_BYTES as u64);
        assert_eq!(segment.pieces.iter().map(SegmentPiece::len).sum::<u64>(), u64::from(entry.size));
    }
}
