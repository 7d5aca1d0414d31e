//! When things happen in an output: key frames, durations, frame counts, sound against picture.

use reelgate_common::grid::SegmentGrid;

use reelgate_worker::plan::{FrameRate, LadderPolicy};

use super::{
    child::{encode, make, make_by, probe},
    measure::{clip, decoded, duration_ms, frames, starts_at_once, stream},
};

const NTSC: &str = "testsrc2=size=640x360:rate=30000/1001:duration=7";

#[test]
fn every_rung_has_its_key_frames_at_the_first_frame_of_each_grid_point() {
    let folder = tempfile::tempdir().unwrap();
    let source = clip(folder.path(), "a.mp4", &["-f", "lavfi", "-i", NTSC, "-c:v", "mpeg4", "-q:v", "5"]);
    let (media, plan, said) = make(&source);
    assert_eq!(plan.rungs.len(), 1);
    let taller =
        clip(folder.path(), "b.mp4", &["-f", "lavfi", "-i", &NTSC.replace("640x360", "1280x720"), "-c:v", "mpeg4"]);
    let (_, plan, more) = make(&taller);
    assert_eq!(plan.rungs.iter().map(|rung| rung.name.as_str()).collect::<Vec<_>>(), ["720p", "480p", "360p"]);
    let expected: Vec<i64> = [0, 60, 120, 180].map(|frame| frame * 1001).to_vec();
    for (said, name) in [(&said, "360p"), (&more, "720p"), (&more, "480p"), (&more, "360p")] {
        let path = said.path(name);
        let frames = frames(&path);
        assert_eq!(frames.len(), 210, "{name}");
        assert_eq!(stream(&path, "v:0")["time_base"], "1/30000", "{name}");
        let keys: Vec<i64> = frames.iter().filter(|frame| frame.1).map(|frame| frame.0).collect();
        assert_eq!(keys, expected, "{name}");
        starts_at_once(&path);
        assert!(duration_ms(&path).abs_diff(media.duration_ms) <= 100);
    }
}

#[test]
fn key_frames_meet_the_points_of_a_source_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let source = clip(folder.path(), "a.mp4", &["-f", "lavfi", "-i", NTSC, "-c:v", "mpeg4"]);
    let media = probe(&source).unwrap();
    let points = [0, 61 * 3003, 133 * 3003, 200 * 3003].to_vec();
    let (_, said) = encode(&media, SegmentGrid::Points { timescale: 90_000, pts: points }, &source);
    let keys: Vec<i64> = frames(&said.path("360p")).into_iter().filter(|frame| frame.1).map(|frame| frame.0).collect();
    assert_eq!(keys, [0, 61 * 1001, 133 * 1001, 200 * 1001]);
}

#[test]
fn a_variable_frame_rate_keeps_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let varied = "select='not(between(n,40,99))*(lt(n,20)+not(mod(n,3)))'";
    let source = clip(
        folder.path(),
        "a.mkv",
        &[
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=320x180:rate=30:duration=6",
            "-vf",
            varied,
            "-vsync",
            "vfr",
            "-c:v",
            "mpeg4",
        ],
    );
    let (_, _, said) = make(&source);
    let out = said.path("180p");
    let seconds = |path, unit: f64| frames(path).iter().map(|frame| frame.0 as f64 / unit).collect::<Vec<_>>();
    let base: f64 = stream(&out, "v:0")["time_base"].as_str().unwrap().trim_start_matches("1/").parse().unwrap();
    let (before, after) = (seconds(&source, 1000.0), seconds(&out, base));
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(&after) {
        assert!((before - after).abs() < 0.002, "{before} became {after}");
    }
}

/// A white frame and a beep begin together at 1, 3 and 5 s.
const FLASH: &str = "color=black:size=320x180:rate=50:duration=6,geq=lum='if(lt(mod(T+1,2),0.1),235,16)':cb=128:cr=128";
const BEEP: &str = "aevalsrc='if(lt(mod(t+1,2),0.1),0.8*sin(2*PI*1000*t),0)':s=44100:d=6";

fn flashes(path: &std::path::Path) -> Vec<f64> {
    let small = decoded(path, &["-vf", "fps=200,scale=1:1:flags=area", "-f", "rawvideo", "-pix_fmt", "gray"]);
    rises(&small.iter().map(|luma| *luma > 128).collect::<Vec<_>>(), 200.0, 10)
}

fn beeps(path: &std::path::Path) -> Vec<f64> {
    let raw = decoded(path, &["-af", "aresample=48000:async=1:first_pts=0", "-ac", "1", "-f", "s16le"]);
    let loud: Vec<bool> =
        raw.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]).unsigned_abs() > 4_000).collect();
    rises(&loud, 48_000.0, 4_800)
}

/// Times at which it becomes true after `quiet` untrue ones.
fn rises(states: &[bool], rate: f64, quiet: usize) -> Vec<f64> {
    let mut silence = quiet;
    let mut times = Vec::new();
    for (at, state) in states.iter().enumerate() {
        if *state && silence >= quiet {
            times.push(at as f64 / rate);
        }
        silence = if *state { 0 } else { silence + 1 };
    }
    times
}

fn in_sync(arguments: &[&str], name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let source = clip(folder.path(), name, arguments);
    flashes_beep(&source, LadderPolicy::default(), 3);
}

/// Flash and beep begin together wherever there is one: at the start, in the middle, at the end.
fn flashes_beep(source: &std::path::Path, policy: LadderPolicy, count: usize) {
    let (media, _, said) = make_by(policy, source);
    let name = source.file_name().unwrap().to_string_lossy();
    let out = said.path("180p");
    let (flashes, beeps) = (flashes(&out), beeps(&out));
    assert_eq!((flashes.len(), beeps.len()), (count, count), "{name}: {flashes:?} {beeps:?}");
    for (flash, beep) in flashes.iter().zip(&beeps) {
        assert!((flash - beep).abs() < 0.02, "{name}: flash at {flash}, beep at {beep}");
    }
    assert!(
        duration_ms(&out).abs_diff(media.duration_ms) <= 100,
        "{name}: {} of {}",
        duration_ms(&out),
        media.duration_ms
    );
}

#[test]
fn sound_and_picture_stay_together() {
    let inputs = ["-f", "lavfi", "-i", FLASH, "-f", "lavfi", "-i", BEEP];
    in_sync(&[&inputs[..], &["-c:v", "mpeg4", "-c:a", "aac"]].concat(), "aac.mp4");
    in_sync(&[&inputs[..], &["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "mp2"]].concat(), "broadcast.ts");
    in_sync(&[&inputs[..], &["-c:v", "mpeg4", "-c:a", "libopus", "-ar", "48000"]].concat(), "opus.mkv");
    in_sync(&[&inputs[..], &["-c:v", "mpeg4", "-c:a", "pcm_s16le", "-ar", "22050"]].concat(), "low.avi");
}

#[test]
fn sound_that_begins_late_stays_late() {
    let late = "aevalsrc='if(lt(mod(t+1.5,2),0.1),0.8*sin(2*PI*1000*t),0)':s=48000:d=5.5";
    let inputs = ["-f", "lavfi", "-i", FLASH, "-itsoffset", "0.5", "-f", "lavfi", "-i", late];
    // The beeps lie at 0.5, 2.5 and 4.5 s of the late track, so at 1, 3 and 5 s of the film; the first one needs no quiet.
    in_sync(&[&inputs[..], &["-c:v", "mpeg4", "-c:a", "aac"]].concat(), "late.mp4");
    in_sync(&[&inputs[..], &["-c:v", "mpeg4", "-c:a", "flac"]].concat(), "late.mkv");
}

#[test]
fn sound_whose_clock_runs_slow_does_not_fall_behind() {
    let folder = tempfile::tempdir().unwrap();
    // The sound's clock loses 1 %, and its times say so: at the end it is 95 ms away from a count of its samples.
    let flash = FLASH.replace("duration=6", "duration=10");
    let slow = "aevalsrc='if(lt(mod(t*1.01+1,2),0.1),0.8*sin(2*PI*1000*t),0)':s=48000:d=9.9,asetpts=PTS*1.01";
    let inputs = ["-f", "lavfi", "-i", &flash, "-f", "lavfi", "-i", slow];
    let source = clip(folder.path(), "slow.mkv", &[&inputs[..], &["-c:v", "mpeg4", "-c:a", "pcm_s16le"]].concat());
    flashes_beep(&source, LadderPolicy::default(), 5);
}

#[test]
fn an_edit_list_cuts_picture_and_sound_at_the_same_place() {
    let folder = tempfile::tempdir().unwrap();
    let inputs = ["-f", "lavfi", "-i", FLASH, "-f", "lavfi", "-i", BEEP];
    let codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "100", "-c:a", "aac"];
    let whole = clip(folder.path(), "whole.mp4", &[&inputs[..], &codecs].concat());
    // Copied from between two key frames, so that an edit hides what comes before.
    let cut = ["-ss", "1.7", "-i", whole.to_str().unwrap(), "-c", "copy"];
    let cut = clip(folder.path(), "cut.mp4", &cut);
    flashes_beep(&cut, LadderPolicy::default(), 2);
}

#[test]
fn pieces_of_a_broadcast_follow_one_another_in_step() {
    let folder = tempfile::tempdir().unwrap();
    let inputs = ["-f", "lavfi", "-i", FLASH, "-f", "lavfi", "-i", BEEP];
    // Encoded, because a field of MPEG-2 is never copied; both pieces begin at the same time of the clock.
    let codecs = ["-c:v", "mpeg2video", "-b:v", "2M", "-c:a", "mp2"];
    let piece = clip(folder.path(), "piece.ts", &[&inputs[..], &codecs].concat());
    let later = ["-i", piece.to_str().unwrap(), "-c", "copy", "-output_ts_offset"];
    let ahead = clip(folder.path(), "ahead.ts", &[&later[..], &["40000"]].concat());
    let [piece, ahead] = [piece, ahead].map(|path| std::fs::read(path).unwrap());
    for (name, pieces) in [("back.ts", [&piece, &piece]), ("ahead.ts", [&piece, &ahead])] {
        let spliced = folder.path().join(name);
        std::fs::write(&spliced, pieces.map(Vec::as_slice).concat()).unwrap();
        assert!(probe(&spliced).unwrap().duration_ms.abs_diff(12_000) < 200, "{name}");
        flashes_beep(&spliced, LadderPolicy::default(), 6);
    }
}

#[test]
fn a_film_whose_clock_begins_late_lasts_as_long_as_it_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let film = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=2", "-c:v", "mpeg4"];
    let late = clip(folder.path(), "late.mkv", &[&film[..], &["-output_ts_offset", "1000"]].concat());
    let (media, _, said) = make(&late);
    assert!(media.duration_ms.abs_diff(2_000) < 50, "{}", media.duration_ms);
    assert!(said.warnings().is_empty(), "{:?}", said.warnings());
}

#[test]
fn a_constant_rate_neither_drifts_nor_parts_from_the_sound() {
    let folder = tempfile::tempdir().unwrap();
    // Pictures at 50 a second, at 10, and with a pause.
    let varied = "select='not(between(n,160,199))*(lt(n,100)+not(mod(n,5)))'";
    let inputs = ["-f", "lavfi", "-i", FLASH, "-f", "lavfi", "-i", BEEP];
    let codecs = ["-vf", varied, "-vsync", "vfr", "-c:v", "mpeg4", "-c:a", "aac"];
    let source = clip(folder.path(), "varied.mkv", &[&inputs[..], &codecs].concat());
    let policy = LadderPolicy { frame_rate: FrameRate::Constant, ..LadderPolicy::default() };
    let (_, plan, said) = make_by(policy.clone(), &source);
    let (num, den) = plan.constant_rate.unwrap();
    assert_eq!((num, den), (50, 1));
    let out = said.path("180p");
    assert_eq!(stream(&out, "v:0")["time_base"], format!("1/{num}"));
    let times: Vec<i64> = frames(&out).iter().map(|frame| frame.0).collect();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == i64::from(den)), "{times:?}");
    let lasts = times.len() as f64 * f64::from(den) / f64::from(num);
    assert!((lasts - 6.0).abs() <= 0.1, "{} frames of {num}/{den}", times.len());
    flashes_beep(&source, policy, 3);
}

/// Mean differences of the luma to the progressive original's pictures at the time of each frame, and half a frame later.
fn nearness(order: &str, top: &str) -> (f64, f64) {
    let folder = tempfile::tempdir().unwrap();
    let film = "testsrc2=size=320x240:rate=50:duration=2";
    let fields = format!("{film},interlace=scan={order}:lowpass=off");
    let codec = ["-c:v", "mpeg2video", "-flags", "+ildct+ilme", "-top", top, "-q:v", "2"];
    let source = clip(folder.path(), "fields.ts", &[&["-f", "lavfi", "-i", &fields][..], &codec].concat());
    let (media, _, said) = make(&source);
    assert!(media.video.unwrap().interlaced);
    let luma = ["-vsync", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray"];
    let made = decoded(&said.path("240p"), &luma);
    let original = clip(folder.path(), "original.mkv", &["-f", "lavfi", "-i", film, "-c:v", "ffv1"]);
    let original = decoded(&original, &luma);
    let picture = |film: &[u8], number: usize| film[number * 320 * 240..(number + 1) * 320 * 240].to_vec();
    let apart = |late: usize| {
        let sum: f64 = (5..45)
            .map(|number| {
                let (one, other) = (picture(&made, number), picture(&original, 2 * number + late));
                one.iter().zip(&other).map(|(one, other)| f64::from(one.abs_diff(*other))).sum::<f64>()
            })
            .sum();
        sum / (40.0 * 320.0 * 240.0)
    };
    (apart(0), apart(1))
}

#[test]
fn fields_of_either_order_show_the_moment_of_the_first() {
    for (order, top) in [("tff", "1"), ("bff", "0")] {
        let (now, later) = nearness(order, top);
        assert!(now < 4.0 && now * 1.5 < later, "{order}: {now} at its time, {later} after");
    }
}
