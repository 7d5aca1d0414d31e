//! What is heard: every channel in its place and at its level, nothing clipped, every language there, and as loud as wanted.

use std::path::{Path, PathBuf};

use reelgate_worker::plan::LadderPolicy;

use super::{
    child::{make, make_by},
    measure::{clip, decoded, decodes, stream},
};

const RATE: usize = 48_000;
const PICTURE: [&str; 4] = ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=7"];

/// Samples of each channel.
fn heard(path: &Path, channels: usize) -> Vec<Vec<f32>> {
    let count = channels.to_string();
    let raw = decoded(path, &["-vn", "-ac", &count, "-ar", "48000", "-f", "f32le"]);
    let all: Vec<f32> = raw.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    (0..channels).map(|channel| all.iter().skip(channel).step_by(channels).copied().collect()).collect()
}

/// The level of a tone in one second of a channel, without the seconds' edges.
fn level(samples: &[f32], second: usize) -> f64 {
    let middle = &samples[second * RATE + RATE / 5..(second + 1) * RATE - RATE / 5];
    let power: f64 = middle.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / middle.len() as f64;
    (2.0 * power).sqrt()
}

/// How often a tone swings in a second.
fn pitch(samples: &[f32], second: usize) -> usize {
    let samples = &samples[second * RATE..(second + 1) * RATE];
    samples.windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count()
}

/// One channel after the other speaks for a second, at half of full scale.
fn in_turns(folder: &Path, layout: &str, channels: usize) -> PathBuf {
    let voices: Vec<_> = (0..channels)
        .map(|channel| format!("0.5*sin(880*PI*t)*between(t,{channel},{}-0.00001)", channel + 1))
        .collect();
    let sound = format!("aevalsrc='{}':c={layout}:s=48000:d={channels}", voices.join("|"));
    let sound = ["-f", "lavfi", "-i", sound.as_str(), "-c:v", "mpeg4", "-c:a", "pcm_f32le"];
    clip(folder, "turns.mkv", &[&PICTURE[..], &sound].concat())
}

#[test]
fn six_channels_are_mixed_by_the_matrix_of_the_itu() {
    let folder = tempfile::tempdir().unwrap();
    let (_, _, said) = make(&in_turns(folder.path(), "5.1", 6));
    let both = heard(&said.path("90p"), 2);
    // Front left, front right, centre, bass, surround left, surround right; scaled by 1 / (1 + 2 * 0.7071).
    let (front, beside) = (0.5 * 0.4142, 0.5 * 0.2929);
    let expected = [(front, 0.0), (0.0, front), (beside, beside), (0.0, 0.0), (beside, 0.0), (0.0, beside)];
    for (second, (left, right)) in expected.into_iter().enumerate() {
        let found = (level(&both[0], second), level(&both[1], second));
        assert!((found.0 - left).abs() < 0.012 && (found.1 - right).abs() < 0.012, "channel {second}: {found:?}");
    }
}

#[test]
fn six_full_channels_do_not_clip() {
    let folder = tempfile::tempdir().unwrap();
    let sound = "aevalsrc='sin(880*PI*t)|sin(880*PI*t)|sin(880*PI*t)|sin(880*PI*t)|sin(880*PI*t)|sin(880*PI*t)':c=5.1:s=48000:d=3";
    let sound = ["-f", "lavfi", "-i", sound, "-c:v", "mpeg4", "-c:a", "pcm_s16le"];
    let (_, _, said) = make(&clip(folder.path(), "full.mkv", &[&PICTURE[..], &sound].concat()));
    let both = heard(&said.path("90p"), 2);
    let peak = both.iter().flatten().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    assert!((0.97..1.02).contains(&peak), "the peak is {peak}");
    assert!((level(&both[0], 1) - 1.0).abs() < 0.1, "{}", level(&both[0], 1));
}

#[test]
fn one_channel_stays_one_and_keeps_its_level() {
    let folder = tempfile::tempdir().unwrap();
    let (_, plan, said) = make(&in_turns(folder.path(), "mono", 1));
    let out = said.path(&plan.rungs[0].name);
    assert_eq!(stream(&out, "a:0")["channels"], 1);
    let found = level(&heard(&out, 1)[0], 0);
    assert!((found - 0.5).abs() < 0.03, "{found}");
}

#[test]
fn channels_without_a_place_and_many_of_them_are_heard() {
    let folder = tempfile::tempdir().unwrap();
    for (name, layout, channels) in
        [("many", "7.1", 8), ("square", "quad", 4), ("three", "2.1", 3), ("six", "hexagonal", 6)]
    {
        let (_, _, said) = make(&in_turns(folder.path(), layout, channels));
        let both = heard(&said.path("90p"), 2);
        assert!(level(&both[0], 0) > 0.1 && level(&both[1], 0) < 0.02, "{name}: left is left");
        assert!(level(&both[1], 1) > 0.1 && level(&both[0], 1) < 0.02, "{name}: right is right");
    }
    // Twelve channels that nobody has named.
    let voices: Vec<_> = (0..12).map(|voice| format!("0.3*sin({}*PI*t)", 400 + 200 * voice)).collect();
    let sound = format!("aevalsrc='{}':s=48000:d=3", voices.join("|"));
    let source = clip(folder.path(), "twelve.wav", &["-f", "lavfi", "-i", &sound, "-c:a", "pcm_s16le"]);
    let (media, _, said) = make(&source);
    assert_eq!(media.audio[0].channels, 12);
    let both = heard(&said.path("audio"), 2);
    assert_eq!((pitch(&both[0], 1).abs_diff(200) < 4, pitch(&both[1], 1).abs_diff(300) < 4), (true, true));
}

/// Three languages, each a tone of its own; the second is the default.
fn three_languages(folder: &Path) -> PathBuf {
    let tone = |pitch: u32| format!("sine=frequency={pitch}:sample_rate=48000:duration=7");
    let (english, german, french) = (tone(400), tone(600), tone(900));
    let inputs = ["-f", "lavfi", "-i", &english, "-f", "lavfi", "-i", &german, "-f", "lavfi", "-i", &french];
    let tracks = ["-map", "0:v", "-map", "1:a", "-map", "2:a", "-map", "3:a", "-c:v", "mpeg4", "-c:a", "flac"];
    let tags =
        ["-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=ger", "-metadata:s:a:2", "language=fre"];
    let default = ["-disposition:a:0", "0", "-disposition:a:1", "default", "-disposition:a:2", "0"];
    clip(folder, "three.mkv", &[&PICTURE[..], &inputs, &tracks, &tags, &default].concat())
}

#[test]
fn every_language_is_made_and_the_default_one_goes_with_the_picture() {
    let folder = tempfile::tempdir().unwrap();
    let (_, plan, said) = make(&three_languages(folder.path()));
    assert_eq!(plan.audio.iter().map(|step| step.name.as_str()).collect::<Vec<_>>(), ["audio", "audio-2", "audio-3"]);
    for (name, language, swings) in [("90p", "ger", 600), ("audio-2", "eng", 400), ("audio-3", "fre", 900)] {
        let out = said.path(name);
        decodes(&out);
        assert_eq!(stream(&out, "a:0")["tags"]["language"], language, "{name}");
        assert!(pitch(&heard(&out, 1)[0], 3).abs_diff(swings) <= 2, "{name}");
    }
}

/// LUFS of a file as ffmpeg's own meter has it.
fn loudness(path: &Path) -> f64 {
    let said =
        decoded(path, &["-vn", "-af", "ebur128=metadata=1,ametadata=print:file=-:key=lavfi.r128.I", "-f", "null"]);
    let said = String::from_utf8(said).unwrap();
    said.lines().filter_map(|line| line.strip_prefix("lavfi.r128.I=")).next_back().unwrap().parse().unwrap()
}

#[test]
fn loudness_is_brought_to_what_the_policy_says_and_no_peak_clips() {
    let folder = tempfile::tempdir().unwrap();
    // Quiet; loud; loud in turns, so that its peaks are far above its mean; and spread over six channels.
    let quiet = "anoisesrc=color=pink:amplitude=0.03:duration=7:seed=1,aformat=channel_layouts=stereo";
    let loud = "anoisesrc=color=pink:amplitude=0.9:duration=7:seed=2,aformat=channel_layouts=stereo";
    let lively = "aevalsrc='0.05*sin(880*PI*t)+0.6*sin(1200*PI*t)*pow(sin(PI*mod(t,1.5)/0.2),2)*lt(mod(t,1.5),0.2)':c=mono:s=44100:d=7";
    let around = "anoisesrc=color=pink:amplitude=0.2:duration=7:seed=3,aformat=channel_layouts=mono,pan=5.1|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0";
    for (name, sound) in [("quiet", quiet), ("loud", loud), ("lively", lively), ("around", around)] {
        let sound = ["-f", "lavfi", "-i", sound, "-c:v", "mpeg4", "-c:a", "flac"];
        let source = clip(folder.path(), &format!("{name}.mkv"), &[&PICTURE[..], &sound].concat());
        for target in [-23_i8, -16] {
            // At half of this libav's encoder puts peaks of its own into bare tones.
            let policy = LadderPolicy { loudness: target, audio_bitrate: 256_000, ..LadderPolicy::default() };
            let (_, _, said) = make_by(policy, &source);
            let out = said.path("90p");
            let found = loudness(&out);
            assert!((found - f64::from(target)).abs() <= 1.0, "{name}: {found} LUFS instead of {target}");
            let peak = heard(&out, 1)[0].iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
            assert!(peak < 1.0, "{name} at {target}: a peak of {peak}");
        }
    }
}

#[test]
fn loudness_is_left_alone_unless_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let sound = ["-f", "lavfi", "-i", "sine=frequency=440:duration=7", "-c:v", "mpeg4", "-c:a", "flac"];
    let source = clip(folder.path(), "plain.mkv", &[&PICTURE[..], &sound].concat());
    let (_, _, said) = make(&source);
    assert!((loudness(&source) - loudness(&said.path("90p"))).abs() < 0.3);
}
