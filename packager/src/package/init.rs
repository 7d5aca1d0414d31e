//! Init segments: `ftyp` and a `moov` of one track without samples.

use super::{
    summary::{Kind, TrackSummary},
    write::{boxed, words},
};

const MATRIX: [u32; 9] = [1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30];

/// The init segment of a track.
///
/// Its edit is the only one in all that is sent: players of fragments know no other use of edits than to skip a beginning.
/// A duration of 0 in it means all there is.
#[must_use]
pub fn init_segment(track: &TrackSummary) -> Vec<u8> {
    let mut out = boxed(b"ftyp", &[b"iso6", &words(&[0]), b"iso6mp41dash"]);
    let next = track.id.saturating_add(1);
    let mvhd = [&words(&[0, 0, 0, track.timescale, 0, 1 << 16, 0x0100_0000, 0, 0])[..], &words(&MATRIX), &[0; 24]];
    let mvhd = boxed(b"mvhd", &[mvhd[0], mvhd[1], mvhd[2], &words(&[next])]);
    let trex = boxed(b"trex", &[&words(&[0, track.id, 1, 0, 0, 0])]);
    let trak = boxed(b"trak", &[&tkhd(track), &boxed(b"edts", &[&elst(track.media_time)]), &mdia(track)]);
    out.extend(boxed(b"moov", &[&mvhd, &trak, &boxed(b"mvex", &[&trex])]));
    out
}

fn tkhd(track: &TrackSummary) -> Vec<u8> {
    let (volume, width, height) = match &track.video {
        Some(video) => (0, video.width, video.height),
        None => (0x0100_0000, 0, 0),
    };
    // Enabled, in the movie and in its preview.
    let head = words(&[7, 0, 0, track.id, 0, 0, 0, 0, 0, volume]);
    let size = [width, height].map(|side| side.min(0xffff) << 16);
    boxed(b"tkhd", &[&head, &words(&MATRIX), &words(&size)])
}

fn elst(media_time: u64) -> Vec<u8> {
    match i32::try_from(media_time) {
        Ok(short) => boxed(b"elst", &[&words(&[0, 1, 0, short.cast_unsigned(), 1 << 16])]),
        Err(_) => boxed(b"elst", &[&words(&[1 << 24, 1, 0, 0]), &media_time.to_be_bytes(), &words(&[1 << 16])]),
    }
}

fn mdia(track: &TrackSummary) -> Vec<u8> {
    let (handler, media_header) = match track.kind {
        Kind::Video => (b"vide", boxed(b"vmhd", &[&words(&[1, 0, 0])])),
        Kind::Audio => (b"soun", boxed(b"smhd", &[&words(&[0, 0])])),
    };
    let mdhd = boxed(b"mdhd", &[&words(&[0, 0, 0, track.timescale, 0]), &language(track).to_be_bytes(), &[0; 2]]);
    let hdlr = boxed(b"hdlr", &[&words(&[0, 0]), handler, &[0; 13]]);
    let here = boxed(b"url ", &[&words(&[1])]);
    let dinf = boxed(b"dinf", &[&boxed(b"dref", &[&words(&[0, 1]), &here])]);
    boxed(b"mdia", &[&mdhd, &hdlr, &boxed(b"minf", &[&media_header, &dinf, &stbl(&track.sample_entry)])])
}

fn stbl(sample_entry: &[u8]) -> Vec<u8> {
    let none = words(&[0, 0]);
    let sizes = boxed(b"stsz", &[&words(&[0, 0, 0])]);
    let stsd = boxed(b"stsd", &[&words(&[0, 1]), sample_entry]);
    let [stts, stsc, stco] = [b"stts", b"stsc", b"stco"].map(|kind| boxed(kind, &[&none]));
    boxed(b"stbl", &[&stsd, &stts, &stsc, &sizes, &stco])
}

/// Three letters of five bits; `und` for a language that has no three-letter code here.
fn language(track: &TrackSummary) -> u16 {
    match track.language.as_deref().map(str::as_bytes) {
        Some([a, b, c]) if [a, b, c].iter().all(|letter| letter.is_ascii_lowercase()) => {
            [a, b, c].iter().fold(0, |packed, letter| packed << 5 | u16::from(**letter & 31))
        }
        _ => 0x55c4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        boxes::children,
        movie::parse_movie,
        package::{AudioSummary, VideoRange, VideoSummary},
        track_kind::TrackKind,
    };

    fn summary(kind: Kind) -> TrackSummary {
        let facts = VideoSummary { width: 640, height: 360, frame_rate: (25, 1), video_range: VideoRange::Sdr };
        TrackSummary {
            language: Some("deu".to_owned()),
            sample_entry: boxed(b"none", &[&[0; 100]]),
            media_time: 1024,
            duration: 9,
            video: (kind == Kind::Video).then_some(facts),
            audio: (kind == Kind::Audio).then_some(AudioSummary { channels: 2, sample_rate: 48_000 }),
            ..TrackSummary::new(kind, 2, 12_800, "")
        }
    }

    #[test]
    fn an_init_segment_is_a_movie_without_samples_and_with_one_edit() {
        for (kind, expected) in [(Kind::Video, TrackKind::Video), (Kind::Audio, TrackKind::Audio)] {
            let bytes = init_segment(&summary(kind));
            let boxes: Vec<_> = children(&bytes).map(Result::unwrap).collect();
            assert_eq!(boxes.iter().map(|top| top.kind.0).collect::<Vec<_>>(), [*b"ftyp", *b"moov"]);
            let movie = parse_movie(boxes[1].whole).unwrap();
            let track = &movie.tracks[0];
            assert!(movie.fragmented && movie.tracks.len() == 1);
            assert_eq!((track.kind, track.id, track.timescale, track.sample_count()), (expected, 2, 12_800, 0));
            assert_eq!(track.language.as_deref(), Some("deu"));
            assert_eq!((track.edits.len(), track.edits[0].media_time, track.edits[0].duration), (1, 1024, 0));
            assert!(track.data_references[0].self_contained);
            assert_eq!(track.width >> 16, if kind == Kind::Video { 640 } else { 0 });
        }
    }

    #[test]
    fn an_edit_beyond_32_bits_is_written_wide() {
        let bytes = init_segment(&TrackSummary { media_time: 1 << 35, ..summary(Kind::Audio) });
        let moov = children(&bytes).nth(1).unwrap().unwrap();
        assert_eq!(parse_movie(moov.whole).unwrap().tracks[0].edits[0].media_time, 1 << 35);
    }
}
