//! Property tests: whatever the bytes, nothing panics, and what is read can be judged and moved without panic.

use proptest::{collection::vec, prelude::*};
use reelgate_packager::{
    FourCc, TopBox, TopWalk, codecs, faststart, judge, parse_movie, read_header, segment_grid_points,
};

use crate::small;

fn use_everything(moov: &[u8]) {
    let top = |kind: &[u8; 4], offset, size| TopBox { kind: FourCc(*kind), offset, header_len: 8, size };
    let length = moov.len() as u64;
    let boxes = [top(b"mdat", 0, u64::from(u32::MAX)), top(b"moov", u64::from(u32::MAX), length)];
    let _ = faststart(&[], moov, &boxes);
    let Ok(movie) = parse_movie(moov) else { return };
    let safety = judge(&movie, 1 << 20);
    assert!(safety.web_safe || !safety.segment_safe);
    assert_eq!(safety.segment_safe, safety.reasons.is_empty());
    let _ = codecs(&movie);
    for track in movie.tracks.iter().filter(|track| track.sample_count() < 1_000_000) {
        let _ = segment_grid_points(track);
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..300), size in any::<u64>()) {
        let _ = read_header(&bytes, size);
        use_everything(&bytes);
        let mut walk = TopWalk::new(size);
        for first in bytes.chunks(16) {
            if walk.wanted().is_none() || walk.feed(first).is_err() {
                break;
            }
        }
    }

    #[test]
    fn a_mutated_moov_never_panics(changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..12), cut in any::<prop::sample::Index>()) {
        let mut moov = small::moov(&[40, 140]);
        for (place, value) in changes {
            let at = place.index(moov.len());
            moov[at] = value;
        }
        use_everything(&moov);
        use_everything(&moov[..cut.index(moov.len())]);
    }
}

#[test]
fn offsets_that_pass_32_bits_are_promoted_and_point_to_the_same_bytes() {
    let old = [40, u32::MAX - 16];
    let moov = small::moov(&old);
    let mdat = 5_u64 << 30;
    let boxes = [
        TopBox { kind: FourCc(*b"ftyp"), offset: 0, header_len: 8, size: 16 },
        TopBox { kind: FourCc(*b"free"), offset: 16, header_len: 8, size: 8 },
        TopBox { kind: FourCc(*b"mdat"), offset: 24, header_len: 16, size: mdat },
        TopBox { kind: FourCc(*b"moov"), offset: 24 + mdat, header_len: 8, size: moov.len() as u64 },
    ];
    let ftyp = b"\0\0\0\x10ftypisom\0\0\0\0";
    let result = faststart(ftyp, &moov, &boxes).unwrap().unwrap();
    assert_eq!(result.pieces, vec![boxes[2].offset..boxes[2].end()]);
    assert_eq!(result.head.len(), 16 + moov.len() + 4 * old.len());
    let movie = parse_movie(&result.head[16..]).unwrap();
    let new: Vec<u64> = movie.tracks[0].tables.chunk_offsets.iter().collect();
    let shift = result.head.len() as u64 - 24;
    assert_eq!(new, old.map(|offset| u64::from(offset) + shift));
}

#[test]
fn a_chunk_in_no_kept_box_is_refused() {
    let moov = small::moov(&[4, 140]);
    let top = |kind: &[u8; 4], offset, size| TopBox { kind: FourCc(*kind), offset, header_len: 8, size };
    let boxes = [top(b"free", 0, 24), top(b"mdat", 24, 1000), top(b"moov", 1024, moov.len() as u64)];
    assert!(faststart(&[], &moov, &boxes).is_err());
}
