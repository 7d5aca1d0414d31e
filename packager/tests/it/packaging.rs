//! What ffmpeg decodes from segments equals what it decodes from the plain file: every frame and its time, and the sound
//! without priming and added silence. Skipped where the ffmpeg program is missing.

use std::path::{Path, PathBuf};

use reelgate_packager::{Codec, judge, package::Kind, parse_movie, shown_video, sounding_audio};
use tempfile::TempDir;

use crate::{
    clips::clip,
    file::Loaded,
    packed::{frames, index_bytes, lay_out, pack, sound, table},
};

const VIDEO: &str = "-f lavfi -i testsrc2=size=320x180:rate=25:duration=9";
const AUDIO: &str = "-f lavfi -i sine=frequency=440:duration=9";
const NTSC: &str = "-f lavfi -i testsrc2=size=320x180:rate=30000/1001:duration=9";
const B_FRAMES: &str = "-c:v libx264 -preset veryfast -pix_fmt yuv420p -bf 3 -g 50";

/// Packages a file and compares all that is decoded.
fn compare(path: &Path) {
    let name = path.display();
    let file = Loaded::open(path).unwrap();
    let movie = parse_movie(file.whole(b"moov")).unwrap();
    let built = pack(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
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
fn sound_alone_is_cut_every_few_seconds() {
    let folder = TempDir::new().unwrap();
    for name in ["alone.m4a", "alone.mov"] {
        let Some(path) = clip(&folder, name, "-f lavfi -i sine=frequency=440:duration=21 -c:a aac") else { return };
        compare(&path);
        let built = pack(&Loaded::open(&path).unwrap()).unwrap();
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
        let Ok(file) = Loaded::open(path) else { continue };
        let Ok(movie) = parse_movie(file.whole(b"moov")) else { continue };
        if judge(&movie, file.bytes.len() as u64).segment_safe {
            compare(path);
            compared += 1;
        }
    }
    println!("{compared} files compared");
    assert!(compared >= 9);
}
