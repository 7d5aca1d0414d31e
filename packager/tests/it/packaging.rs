//! What ffmpeg decodes from segments equals what it decodes from the plain file: every frame and its time, and the sound
//! without priming and added silence. Skipped where the ffmpeg program is missing.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use reelgate_packager::{
    Codec, Mp4Error, judge,
    package::{Kind, VideoRange},
    parse_movie, shown_video, sounding_audio,
};
use tempfile::TempDir;

use crate::{
    clips::clip,
    file::Loaded,
    packed::{Plain, frames, index_bytes, lay_out, pack, sound, table},
};

const VIDEO: &str = "-f lavfi -i testsrc2=size=320x180:rate=25:duration=9";
const AUDIO: &str = "-f lavfi -i sine=frequency=440:duration=9";
const NTSC: &str = "-f lavfi -i testsrc2=size=320x180:rate=30000/1001:duration=9";
const B_FRAMES: &str = "-c:v libx264 -preset veryfast -pix_fmt yuv420p -bf 3 -g 50";

/// Packages a file and compares all that is decoded.
fn compare(path: &Path) {
    let name = path.display();
    let file = Plain::open(path).unwrap();
    let movie = file.movie().unwrap();
    let built = pack(&movie).unwrap_or_else(|error| panic!("{name}: {error}"));
    let folder = TempDir::new().unwrap();
    let master = lay_out(folder.path(), &file, &built);
    let tracks = shown_video(&movie).into_iter().chain(sounding_audio(&movie));
    let mut sounds = 0;
    let mut video_end = 0;
    for (track, summary) in tracks.zip(&built.summary.tracks) {
        let map = format!("0:i:{}", track.id);
        if summary.kind == Kind::Video {
            let mut expected = frames(path, &map);
            // A film that begins late begins with a longer first frame instead.
            expected[0].time = 0;
            let got = frames(&master, "0:v:0");
            assert_eq!(got.len(), expected.len(), "{name}");
            for (n, (got, expected)) in got.iter().zip(&expected).enumerate() {
                assert!((got.time - expected.time).abs() <= 1, "{name}: frame {n}: {got:?}, expected {expected:?}");
                assert_eq!(got.hash, expected.hash, "{name}: frame {n}");
            }
            video_end = (summary.duration * 1_000_000) / u64::from(summary.timescale);
            continue;
        }
        let Codec::Audio(_) = &track.entries[0].codec else { panic!("{name}: no audio entry") };
        let audio = summary.audio.as_ref().unwrap();
        let (rate, channels) = (audio.sample_rate, audio.channels);
        let expected = sound(path, &map, rate, channels);
        let got = sound(&master, &format!("0:a:{sounds}"), rate, channels);
        sounds += 1;
        let from = expected.first.max(0);
        let to = expected.end();
        assert!(got.first <= 0 && got.end() >= to, "{name}: {}..{} holds {from}..{to}", got.first, got.end());
        assert_eq!(got.between(from, to), expected.between(from, to), "{name}: sound {sounds}");
        assert!(got.between(0, from).iter().all(|sample| sample.abs() < 64), "{name}: silence before");
        let heard = got.end() as u64 * 1_000_000 / u64::from(rate);
        assert!(heard + 1 >= video_end, "{name}: sound ends at {heard}, video at {video_end}");
    }
    check_index(&built);
}

fn check_index(built: &reelgate_packager::package::Built) {
    for ((track, n), bytes) in index_bytes(built) {
        assert!(bytes <= 64 << 10, "track {track}, segment {n}: {bytes} bytes of index");
    }
    for track in &built.summary.tracks {
        let entries = table(built, track);
        let mut end = 0;
        for entry in &entries {
            assert_eq!(entry.presentation, end);
            assert!(u64::from(entry.duration) <= u64::from(built.summary.target_duration) * u64::from(track.timescale));
            end += u64::from(entry.duration);
        }
        assert_eq!(end, track.duration);
    }
}

#[test]
fn clips_of_all_kinds_come_out_as_they_went_in() {
    let folder = TempDir::new().unwrap();
    let clips = [
        ("bframes.mp4", format!("{VIDEO} {AUDIO} {B_FRAMES} -c:a aac")),
        ("bframes.mov", format!("{VIDEO} {AUDIO} {B_FRAMES} -c:a aac")),
        ("front.mp4", format!("{NTSC} {AUDIO} {B_FRAMES} -c:a aac -movflags +faststart")),
        ("negative.mp4", format!("{NTSC} {AUDIO} {B_FRAMES} -c:a aac -movflags +negative_cts_offsets")),
        ("no_edits.mp4", format!("{VIDEO} {B_FRAMES} -use_editlist 0")),
        ("longer.mp4", format!("{VIDEO} -f lavfi -i sine=frequency=440:duration=23 {B_FRAMES} -c:a aac -ac 2")),
        ("shorter.mp4", format!("{VIDEO} -f lavfi -i sine=frequency=440:duration=5 {B_FRAMES} -c:a aac -ac 2")),
        ("late_sound.mp4", format!("{VIDEO} -itsoffset 0.68 {AUDIO} {B_FRAMES} -c:a aac -ar 48000")),
        ("late_video.mp4", format!("{AUDIO} -itsoffset 0.44 {VIDEO} {B_FRAMES} -c:a aac")),
        ("mute.mp4", format!("{VIDEO} {B_FRAMES}")),
        (
            "varying.mp4",
            format!("{VIDEO} {AUDIO} -vf select='not(mod(n\\,7))+gt(mod(n\\,5)\\,2)' -vsync 0 {B_FRAMES} -c:a aac"),
        ),
    ];
    for (name, arguments) in &clips {
        let Some(path) = clip(&folder, name, arguments) else { return };
        compare(&path);
    }
}

#[test]
fn other_codecs_come_out_as_they_went_in() {
    let folder = TempDir::new().unwrap();
    let longer = "-f lavfi -i sine=frequency=440:duration=10:sample_rate=48000";
    let hdr = "-pix_fmt yuv420p10le -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc";
    let clips = [
        (
            "hevc.mp4",
            format!("{VIDEO} -c:v libx265 -x265-params log-level=none:keyint=50 -preset ultrafast {hdr}"),
            "hvc1.2",
        ),
        ("av1.mp4", format!("{VIDEO} -c:v libaom-av1 -cpu-used 8 -usage realtime -g 50 -pix_fmt yuv420p"), "av01.0"),
        ("opus.mp4", format!("{VIDEO} {longer} {B_FRAMES} -c:a libopus"), "opus"),
        ("mp3.mp4", format!("{VIDEO} {longer} {B_FRAMES} -c:a libmp3lame -ac 2"), "mp4a.6B"),
        ("ac3.mp4", format!("{VIDEO} {longer} {B_FRAMES} -c:a ac3 -ac 2"), "ac-3"),
    ];
    for (name, arguments, codec) in &clips {
        let Some(path) = clip(&folder, name, arguments) else { return };
        compare(&path);
        let summary = pack(&Plain::open(&path).unwrap().movie().unwrap()).unwrap().summary;
        let track = summary.tracks.last().unwrap();
        assert!(track.codecs.starts_with(codec), "{name}: {}", track.codecs);
        if let Some(video) = &track.video {
            let range = if *name == "hevc.mp4" { VideoRange::Pq } else { VideoRange::Sdr };
            assert_eq!((video.frame_rate, video.video_range), ((25, 1), range), "{name}");
        }
    }
}

/// Of a clip whose container does not say its colours.
fn range_without_colr(path: &Path) -> VideoRange {
    let mut moov = Loaded::open(path).unwrap().whole(b"moov").to_vec();
    let place = moov.windows(4).position(|kind| kind == b"colr").expect("ffmpeg writes the box");
    moov[place..place + 4].copy_from_slice(b"free");
    let movie = parse_movie(&moov).unwrap();
    pack(&movie).unwrap().summary.tracks[0].video.as_ref().unwrap().video_range
}

#[test]
fn colours_are_found_in_parameter_sets_where_the_container_is_silent() {
    let folder = TempDir::new().unwrap();
    let tags = |transfer| format!("-color_primaries bt2020 -color_trc {transfer} -colorspace bt2020nc");
    let hevc =
        |more| format!("{VIDEO} -c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -x265-params log-level=none{more}");
    let (pq, hlg) = (tags("smpte2084"), tags("arib-std-b67"));
    let clips = [
        ("plain.mp4", format!("{} {pq}", hevc("")), VideoRange::Pq),
        ("layers.mp4", format!("{} {hlg}", hevc(":temporal-layers=1:bframes=4:ref=4")), VideoRange::Hlg),
        ("lists.mp4", format!("{} {pq}", hevc(":scaling-list=default:amp=1:rect=1")), VideoRange::Pq),
        ("cropped.mp4", format!("{} {hlg} -vf crop=314:178", hevc("")), VideoRange::Hlg),
        ("avc.mp4", format!("{VIDEO} {B_FRAMES} {hlg}"), VideoRange::Hlg),
        ("sdr.mp4", format!("{VIDEO} {B_FRAMES} {}", tags("bt2020-10")), VideoRange::Sdr),
    ];
    for (name, arguments, expected) in &clips {
        let Some(path) = clip(&folder, name, arguments) else { return };
        assert_eq!(range_without_colr(&path), *expected, "{name}");
    }
}

/// The boxes of a payload with every `stco` made a `co64` whose chunks lie `shift` further behind.
fn far(payload: &[u8], shift: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = payload;
    while let Some((size, _)) = rest.split_first_chunk::<4>() {
        let (whole, after) = rest.split_at(u32::from_be_bytes(*size) as usize);
        let (kind, body) = (&whole[4..8], &whole[8..]);
        let (kind, body) = match kind {
            b"moov" | b"trak" | b"mdia" | b"minf" | b"stbl" => (kind, far(body, shift)),
            b"stco" => {
                let offsets = body[8..].as_chunks::<4>().0.iter();
                let offsets = offsets.flat_map(|offset| (u64::from(u32::from_be_bytes(*offset)) + shift).to_be_bytes());
                (&b"co64"[..], body[..8].iter().copied().chain(offsets).collect())
            }
            _ => (kind, body.to_vec()),
        };
        out.extend((body.len() as u32 + 8).to_be_bytes());
        out.extend(kind);
        out.extend(body);
        rest = after;
    }
    out
}

#[test]
fn a_file_of_more_than_4_gib_comes_out_as_it_went_in() {
    let folder = TempDir::new().unwrap();
    let arguments = format!("{VIDEO} {AUDIO} {B_FRAMES} -c:a aac");
    let Some(near) = clip(&folder, "near.mp4", &arguments) else { return };
    let near = Loaded::open(&near).unwrap();
    let ftyp = near.whole(b"ftyp");
    let shift = 5_u64 << 30;
    let path = folder.path().join("far.mp4");
    let file = File::create(&path).unwrap();
    let mut hole = [&[0, 0, 0, 1][..], b"free", &shift.to_be_bytes()].concat();
    hole.splice(0..0, ftyp.iter().copied());
    file.write_all_at(&hole, 0).unwrap();
    let rest = &near.bytes[ftyp.len()..near.bytes.len() - near.whole(b"moov").len()];
    file.write_all_at(rest, shift + ftyp.len() as u64).unwrap();
    let moov = far(near.whole(b"moov"), shift);
    file.write_all_at(&moov, shift + (ftyp.len() + rest.len()) as u64).unwrap();
    assert!(Plain::open(&path).unwrap().movie().unwrap().tracks[0].tables.chunk_offsets.get(0).unwrap() > shift);
    compare(&path);
}

#[test]
fn sound_of_quicktime_is_described_as_iso_has_it() {
    let folder = TempDir::new().unwrap();
    let Some(path) = clip(&folder, "sound.mov", &format!("{VIDEO} {AUDIO} {B_FRAMES} -c:a aac")) else { return };
    let file = Plain::open(&path).unwrap();
    let bytes = file.read(0..file.size);
    let mp4a = bytes.windows(4).position(|window| window == b"mp4a").unwrap();
    assert_eq!(bytes[mp4a + 12..mp4a + 14], [0, 1], "the clip has version 1");
    assert!(bytes.windows(4).any(|window| window == b"wave"));
    let built = pack(&file.movie().unwrap()).unwrap();
    let entry = &built.summary.tracks[1].sample_entry;
    assert_eq!((&entry[4..8], &entry[16..18], &entry[40..44]), (&b"mp4a"[..], &[0, 0][..], &b"esds"[..]));
    assert!(!entry.windows(4).any(|window| window == b"wave"));
    assert_eq!(built.summary.tracks[1].codecs, "mp4a.40.2");
}

#[test]
fn what_the_phone_cut_away_is_not_packaged() {
    let folder = TempDir::new().unwrap();
    let Some(plain) = clip(&folder, "plain.mp4", &format!("{VIDEO} {AUDIO} {B_FRAMES} -c:a aac")) else { return };
    let name = plain.display();
    for copy in ["-c copy", "-c copy -an", "-c copy -vn"] {
        let trimmed = clip(&folder, "trimmed.mp4", &format!("-ss 3 -i {name} {copy}")).unwrap();
        let movie = Plain::open(&trimmed).unwrap().movie().unwrap();
        assert!(matches!(pack(&movie), Err(Mp4Error::Unsupported(_))), "{copy}");
    }
}

#[test]
fn sound_alone_is_cut_every_few_seconds() {
    let folder = TempDir::new().unwrap();
    for name in ["alone.m4a", "alone.mov"] {
        let Some(path) = clip(&folder, name, "-f lavfi -i sine=frequency=440:duration=21 -c:a aac") else { return };
        compare(&path);
        let built = pack(&Plain::open(&path).unwrap().movie().unwrap()).unwrap();
        assert_eq!((built.summary.tracks.len(), built.summary.tracks[0].segments), (1, 5));
    }
}

#[test]
fn every_segment_safe_file_comes_out_as_it_went_in() {
    let Some(corpus) = crate::corpus::corpus() else {
        println!("skipped: no corpus");
        return;
    };
    let mut compared = 0;
    let mut files: Vec<PathBuf> = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for path in files.iter().filter(|path| path.extension().is_some_and(|e| e == "mp4" || e == "mov")) {
        let Ok(file) = Plain::open(path) else { continue };
        let Ok(movie) = file.movie() else { continue };
        if judge(&movie, file.size).segment_safe {
            compare(path);
            compared += 1;
        }
    }
    println!("{compared} files compared");
    assert!(compared >= 9);
}
