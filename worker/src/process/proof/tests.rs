//! One good output, and what must be refused of it.

use reelgate_common::media_info::{AudioInfo, VideoInfo};
use reelgate_packager::{
    AudioEntry, Colour, DataReference, Edit, FourCc, Matrix, OffsetRun, SampleEntry, SampleSizes, SampleTables,
    TimeRun, TrackKind, VideoEntry,
};

use super::*;

const FRAMES: u32 = 100;

/// What the tests take apart: four seconds at 25 pictures a second with sound in English.
struct Case {
    source: MediaInfo,
    grid: SegmentGrid,
    movie: Movie,
    seen: MediaInfo,
    output: Output,
    size: Option<(u32, u32)>,
    copied: Copied,
}

impl Case {
    fn good() -> Self {
        let video = VideoInfo { width: 640, height: 360, ..VideoInfo::default() };
        let audio = vec![AudioInfo::default()];
        Self {
            source: MediaInfo { duration_ms: 4_000, ..MediaInfo::default() },
            grid: SegmentGrid::Regular { period_ms: 2_000 },
            movie: Movie { timescale: 1_000, duration: 4_000, fragmented: false, tracks: vec![film(), speech()] },
            seen: MediaInfo { duration_ms: 4_000, video: Some(video), audio, ..MediaInfo::default() },
            output: Output { begins_ms: Some(0), duration_ms: Some(4_000), ..Output::default() },
            size: Some((640, 360)),
            copied: Copied::default(),
        }
    }

    fn film(&mut self) -> &mut Track {
        &mut self.movie.tracks[0]
    }

    fn entry(&mut self) -> &mut VideoEntry {
        match &mut self.film().entries[0].codec {
            Codec::Video(video) => video,
            _ => unreachable!(),
        }
    }

    fn colour(&mut self) -> &mut Colour {
        self.entry().colour.as_mut().unwrap()
    }

    fn shown(&mut self) -> &mut VideoInfo {
        self.seen.video.as_mut().unwrap()
    }
}

fn film() -> Track {
    let colour = Colour { primaries: 1, transfer: 1, matrix: 1, full_range: false };
    let video = VideoEntry { width: 640, height: 360, colour: Some(colour), ..VideoEntry::default() };
    let tables = SampleTables {
        times: vec![TimeRun { count: FRAMES, delta: 512 }],
        offsets: vec![OffsetRun { count: FRAMES, offset: 1_024 }],
        sync: Some(vec![1, 51]),
        sizes: SampleSizes::Constant { size: 10, count: FRAMES },
        ..SampleTables::default()
    };
    track(TrackKind::Video, 12_800, Codec::Video(video), tables)
}

fn speech() -> Track {
    let mut speech = track(TrackKind::Audio, 48_000, Codec::Audio(AudioEntry::default()), SampleTables::default());
    speech.language = Some("eng".to_owned());
    speech
}

fn track(kind: TrackKind, timescale: u32, codec: Codec, tables: SampleTables) -> Track {
    Track {
        id: 1,
        enabled: true,
        alternate_group: 0,
        handler: FourCc::default(),
        kind,
        language: None,
        timescale,
        duration: 0,
        movie_timescale: 1_000,
        matrix: Matrix::default(),
        width: 0,
        height: 0,
        edits: vec![Edit { duration: 4_000, media_time: 1_024, rate: 1 << 16 }],
        chapter_tracks: Vec::new(),
        entries: vec![SampleEntry { format: FourCc::default(), data_reference: 1, codec }],
        data_references: vec![DataReference { kind: FourCc(*b"url "), self_contained: true }],
        has_auxiliary_offsets: false,
        tables,
    }
}

fn proven(change: impl FnOnce(&mut Case)) -> Result<(), Flaw> {
    let mut case = Case::good();
    change(&mut case);
    let Case { source, grid, movie, seen, output, size, copied } = &case;
    prove(&Exhibit { source, grid, movie, seen, output, size: *size, language: Some("eng"), copied: *copied })
}

#[test]
fn a_good_output_passes() {
    assert_eq!(proven(|_| {}), Ok(()));
}

#[test]
fn another_picture_than_planned_is_refused() {
    assert_eq!(proven(|case| case.size = Some((854, 480))), Err(Flaw::Size));
    assert_eq!(proven(|case| case.seen.video = None), Err(Flaw::NoPicture));
    assert_eq!(proven(|case| case.size = None), Err(Flaw::NotSoundAlone));
    assert_eq!(proven(|case| case.shown().rotation = 90), Err(Flaw::Turned));
    assert_eq!(proven(|case| case.shown().mirrored = true), Err(Flaw::Turned));
    assert_eq!(proven(|case| case.entry().pixel_aspect = Some((4, 3))), Err(Flaw::Turned));
}

#[test]
fn an_output_lasts_as_long_as_its_source_or_as_what_was_decoded_of_it() {
    let lasting = |source_ms, output_ms, told_ms: Option<u64>| {
        proven(|case| {
            case.source.duration_ms = source_ms;
            case.seen.duration_ms = output_ms;
            case.output.duration_ms = told_ms;
        })
    };
    assert_eq!(lasting(4_000, 4_090, None), Ok(()));
    assert_eq!(lasting(0, 4_000, Some(4_010)), Ok(()));
    for told in [None, Some(10_000)] {
        assert_eq!(lasting(10_000, 4_000, told), Err(Flaw::Duration { output_ms: 4_000, source_ms: 10_000 }));
    }
}

#[test]
fn pictures_and_sound_that_moved_apart_are_refused() {
    // Twice the delay of the edit list: everything is shown 80 ms early.
    let moved = proven(|case| case.film().edits[0].media_time = 2_048);
    assert_eq!(moved, Err(Flaw::PicturesMoved { output_ms: -80, source_ms: 0 }));
    assert_eq!(proven(|case| case.output.begins_ms = Some(0)), Ok(()));
    let late = proven(|case| case.movie.tracks[1].edits = vec![Edit { duration: 300, media_time: -1, rate: 1 << 16 }]);
    assert_eq!(late, Err(Flaw::SoundMoved { output_ms: 300 }));
    let cut = proven(|case| case.movie.tracks[1].edits[0].media_time = 48_000);
    assert_eq!(cut, Err(Flaw::SoundMoved { output_ms: -1_000 }));
}

#[test]
fn each_segment_begins_with_a_key_frame() {
    let keys = |keys: &[u32]| proven(|case| case.film().tables.sync = Some(keys.to_vec()));
    assert_eq!(keys(&[1, 51]), Ok(()));
    assert_eq!(keys(&[1, 26, 51, 76]), Ok(()));
    assert_eq!(keys(&[1, 52]), Err(Flaw::KeyFrame { missing_ms: 2_000 }));
    assert_eq!(keys(&[1]), Err(Flaw::KeyFrame { missing_ms: 2_000 }));
    assert_eq!(keys(&[51]), Err(Flaw::KeyFrame { missing_ms: 0 }));
    let points = SegmentGrid::Points { timescale: 25, pts: vec![0, 25, 50] };
    assert_eq!(proven(|case| case.grid = points), Err(Flaw::KeyFrame { missing_ms: 1_000 }));
}

#[test]
fn a_pause_over_several_points_needs_one_key_frame() {
    let paused = proven(|case| {
        case.seen.duration_ms = 9_900;
        case.source.duration_ms = 9_900;
        case.film().tables.times = vec![
            TimeRun { count: 50, delta: 512 },
            TimeRun { count: 1, delta: 70_000 },
            TimeRun { count: 49, delta: 512 },
        ];
        case.film().tables.sync = Some(vec![1, 51, 52, 66]);
    });
    assert_eq!(paused, Ok(()));
}

#[test]
fn an_index_that_contradicts_itself_is_refused() {
    assert_eq!(proven(|case| case.film().tables.times[0].count = 99), Err(Flaw::Index));
}

#[test]
fn colours_that_screens_show_wrong_are_refused() {
    assert_eq!(proven(|case| case.entry().colour = None), Err(Flaw::Colours));
    assert_eq!(proven(|case| case.colour().transfer = 16), Err(Flaw::Colours));
    assert_eq!(proven(|case| case.colour().matrix = 2), Err(Flaw::Colours));
    assert_eq!(proven(|case| case.colour().full_range = true), Err(Flaw::Colours));
}

#[test]
fn what_was_copied_keeps_the_tags_and_the_beginning_of_its_source() {
    let late = |case: &mut Case| {
        case.movie.tracks[1].edits = vec![Edit { duration: 300, media_time: -1, rate: 1 << 16 }];
        case.entry().colour = None;
    };
    let copied = |pictures, sound| {
        proven(|case| {
            late(case);
            case.copied = Copied { pictures, sound };
        })
    };
    assert_eq!(copied(true, true), Ok(()));
    assert_eq!(copied(false, true), Err(Flaw::Colours));
    assert_eq!(copied(true, false), Err(Flaw::SoundMoved { output_ms: 300 }));
}

#[test]
fn sound_in_another_language_is_refused() {
    let spoken = |language: Option<&str>| proven(|case| case.movie.tracks[1].language = language.map(str::to_owned));
    assert_eq!(spoken(Some("deu")), Err(Flaw::Language));
    assert_eq!(spoken(None), Err(Flaw::Language));
}
