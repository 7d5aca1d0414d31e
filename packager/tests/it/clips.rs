//! Clips made by the ffmpeg program: what it decodes and lists is the truth to compare with. Skipped where it is missing.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use reelgate_packager::{clean_entries, faststart, judge, parse_movie, segment_grid_points, shown_video};
use tempfile::TempDir;

use crate::file::Loaded;

const VIDEO: &str = "-f lavfi -i testsrc2=size=320x180:rate=25:duration=6";
const AUDIO: &str = "-f lavfi -i sine=frequency=440:duration=6";
const B_FRAMES: &str = "-c:v libx264 -preset veryfast -pix_fmt yuv420p -bf 3 -g 50";
const OPEN_GOP: &str = "-c:v libx264 -preset veryfast -pix_fmt yuv420p -bf 3 -g 25 -x264-params open-gop=1:scenecut=0";

fn run(program: &str, arguments: &str, file: &Path) -> Option<String> {
    let output = Command::new(program).args(arguments.split_whitespace()).arg(file).output().ok()?;
    assert!(output.status.success(), "{program} {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

/// A clip named `name`, or nothing where there is no ffmpeg.
pub(crate) fn clip(folder: &TempDir, name: &str, arguments: &str) -> Option<PathBuf> {
    let path = folder.path().join(name);
    if run("ffmpeg", &format!("-v error -y {arguments}"), &path).is_none() {
        println!("skipped: no ffmpeg");
        return None;
    }
    Some(path)
}

fn frame_hashes(file: &Path) -> String {
    let output = Command::new("ffmpeg").args(["-v", "error", "-i"]).arg(file).args(["-f", "framemd5", "-"]).output();
    let output = output.unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Writes head and pieces as one file.
fn moved(path: &Path) -> PathBuf {
    let file = Loaded::open(path).unwrap();
    let result = faststart(file.whole(b"ftyp"), file.whole(b"moov"), &file.boxes).unwrap().unwrap();
    let mut bytes = result.head.clone();
    for piece in &result.pieces {
        bytes.extend_from_slice(&file.bytes[piece.start as usize..piece.end as usize]);
    }
    assert_eq!(result.len(), bytes.len() as u64);
    let path = path.with_extension("moved.mp4");
    fs::write(&path, bytes).unwrap();
    path
}

/// Presentation times of key packets no later packet precedes, in ticks, from ffprobe's list in decoding order.
fn clean_by_ffprobe(path: &Path) -> Vec<i64> {
    let list = run("ffprobe", "-v error -select_streams v:0 -show_entries packet=pts,flags -of csv=p=0", path).unwrap();
    let packets: Vec<(i64, bool)> = list
        .lines()
        .map(|line| line.split_once(',').unwrap())
        .map(|(pts, flags)| (pts.parse().unwrap(), flags.starts_with('K')))
        .collect();
    let mut earliest = i64::MAX;
    let mut clean = Vec::new();
    for (pts, key) in packets.into_iter().rev() {
        if key && pts <= earliest {
            clean.push(pts);
        }
        earliest = earliest.min(pts);
    }
    clean.reverse();
    clean
}

fn clean_by_index(path: &Path) -> Vec<i64> {
    let movie = parse_movie(Loaded::open(path).unwrap().whole(b"moov")).unwrap();
    clean_entries(shown_video(&movie).unwrap()).unwrap().map(|entry| entry.presentation).collect()
}

fn reasons(path: &Path) -> Vec<&'static str> {
    let file = Loaded::open(path).unwrap();
    let safety = judge(&parse_movie(file.whole(b"moov")).unwrap(), file.bytes.len() as u64);
    safety.reasons.iter().map(|reason| reason.code).collect()
}

#[test]
fn a_moved_moov_decodes_to_the_same_frames() {
    let folder = TempDir::new().unwrap();
    for (name, codec) in [("bframes.mp4", B_FRAMES), ("open.mp4", OPEN_GOP), ("bframes.mov", B_FRAMES)] {
        let Some(path) = clip(&folder, name, &format!("{VIDEO} {AUDIO} {codec} -c:a aac")) else { return };
        let after = moved(&path);
        assert_eq!(frame_hashes(&after), frame_hashes(&path), "{name}");
        let file = Loaded::open(&after).unwrap();
        assert_eq!(faststart(file.whole(b"ftyp"), file.whole(b"moov"), &file.boxes), Ok(None), "{name}");
        assert_eq!(reasons(&after), Vec::<&str>::new(), "{name}");
    }
}

#[test]
fn clean_entries_are_those_of_ffprobes_packet_list() {
    let folder = TempDir::new().unwrap();
    let Some(closed) = clip(&folder, "closed.mp4", &format!("{VIDEO} {B_FRAMES}")) else { return };
    assert_eq!(clean_by_index(&closed), clean_by_ffprobe(&closed));
    assert_eq!(clean_by_index(&closed).len(), 3);
    let open = clip(&folder, "open.mp4", &format!("{VIDEO} {OPEN_GOP}")).unwrap();
    assert_eq!(clean_by_index(&open), clean_by_ffprobe(&open));
}

#[test]
fn the_sync_table_of_a_moved_moov_lists_clean_entries_only() {
    let folder = TempDir::new().unwrap();
    let Some(path) = clip(&folder, "open.mp4", &format!("{VIDEO} {OPEN_GOP}")) else { return };
    let listed = |path: &Path| {
        let movie = parse_movie(Loaded::open(path).unwrap().whole(b"moov")).unwrap();
        let clean: Vec<u32> = clean_entries(&movie.tracks[0]).unwrap().map(|entry| entry.sample).collect();
        (movie.tracks[0].tables.sync.clone().unwrap(), clean)
    };
    let (before, clean) = listed(&path);
    let (after, clean_after) = listed(&moved(&path));
    assert!(before.len() > clean.len(), "the clip has open entries");
    assert_eq!((&after, &clean_after), (&clean, &clean));
}

#[test]
fn grid_points_are_two_seconds_apart() {
    let folder = TempDir::new().unwrap();
    let Some(path) = clip(&folder, "short.mp4", &format!("{VIDEO} {B_FRAMES} -g 15 -sc_threshold 0")) else { return };
    let movie = parse_movie(Loaded::open(&path).unwrap().whole(b"moov")).unwrap();
    let (timescale, points) = segment_grid_points(shown_video(&movie).unwrap()).unwrap();
    let seconds: Vec<f64> = points.iter().map(|point| *point as f64 / f64::from(timescale)).collect();
    assert_eq!(seconds, [0.0, 2.4, 4.8]);
}

#[test]
fn turned_trimmed_and_sparse_clips_are_web_safe_only() {
    let folder = TempDir::new().unwrap();
    let Some(plain) = clip(&folder, "plain.mp4", &format!("{VIDEO} {AUDIO} {B_FRAMES} -c:a aac")) else { return };
    let name = plain.display();
    let turned = clip(&folder, "turned.mp4", &format!("-i {name} -c copy -metadata:s:v:0 rotate=90")).unwrap();
    assert_eq!(reasons(&turned), ["rotated"]);
    let trimmed = clip(&folder, "trimmed.mp4", &format!("-ss 3 -i {name} -c copy -an")).unwrap();
    assert_eq!(reasons(&trimmed), ["hidden_frames"]);
    let sparse = format!("-f lavfi -i testsrc2=size=320x180:rate=25:duration=12 {B_FRAMES} -g 1000 -sc_threshold 0");
    assert_eq!(reasons(&clip(&folder, "sparse.mp4", &sparse).unwrap()), ["entry_gap"]);
    let fields = clip(&folder, "fields.mp4", &format!("{VIDEO} {B_FRAMES} -flags +ildct+ilme")).unwrap();
    assert_eq!(reasons(&fields)[0], "interlaced");
}
