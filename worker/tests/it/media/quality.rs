//! What a sample says of a rung is what ffmpeg's program sees in it.

use std::process::Command;

use reelgate_worker::{
    plan::{LadderPolicy, VideoCodec, plan, quality::Stretch},
    task::protocol::{Event, Request},
};

use super::{
    child::{GRID, probe, run},
    measure::clip,
};

/// Likeness of every fourth picture, as the child looks at them.
fn likeness(made: &std::path::Path, source: &std::path::Path, size: &str, both: &str) -> f64 {
    let graph = format!(
        "[0:v]scale={both}:flags=bicubic[m];[1:v]scale={size}:flags=bicubic,scale={both}:flags=bicubic[s];[m][s]ssim=f=-"
    );
    let mut program = Command::new("ffmpeg");
    program.args(["-nostdin", "-v", "error", "-i"]).arg(made).arg("-i").arg(source);
    let out = program.args(["-lavfi", &graph, "-f", "null", "-"]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    let all = text.lines().map(|line| line.split("All:").nth(1).unwrap().split(' ').next().unwrap());
    let fourth: Vec<f64> = all.step_by(4).map(|value| value.parse().unwrap()).collect();
    fourth.iter().sum::<f64>() / fourth.len() as f64
}

#[test]
fn a_sample_is_measured_as_others_would() {
    let folder = tempfile::tempdir().unwrap();
    let picture = [
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=640x360:rate=25:duration=4,noise=alls=6:allf=t",
        "-c:v",
        "mpeg4",
        "-q:v",
        "2",
    ];
    let source = clip(folder.path(), "a.mkv", &picture);
    let media = probe(&source).unwrap();
    let policy = LadderPolicy {
        codecs: vec![VideoCodec::Hevc, VideoCodec::Av1, VideoCodec::Vp9],
        rungs: vec![360, 180],
        ..LadderPolicy::default()
    };
    let mut plan = plan(&media, GRID, &policy);
    (plan.audio, plan.extras) = (Vec::new(), reelgate_worker::plan::Extras::default());
    let stretches = vec![Stretch { from_ms: 0, to_ms: 4_000 }];
    let said = run(&Request::Sample { media, plan, stretches, threads: 2 }, &source);
    assert!(said.failure().is_none(), "{:?}\n{}", said.failure(), said.log);
    let mut names = Vec::new();
    for event in &said.events {
        let Event::Measured { name, compared, own, shown, bytes, millis } = event else { continue };
        assert_eq!((*compared, *millis), (25, 4_000), "{name}");
        let size = if name.starts_with("360p") { "640:360" } else { "320:180" };
        let path = said.path(name);
        let expected = likeness(&path, &source, size, size);
        assert!((own / 25.0 - expected).abs() < 0.001, "{name}: {} and {expected}", own / 25.0);
        let large = likeness(&path, &source, "640:360", "640:360");
        assert!((shown / 25.0 - large).abs() < 0.003, "{name}: {} and {large}", shown / 25.0);
        let file = std::fs::metadata(&path).unwrap().len();
        assert!(*bytes <= file && *bytes > file / 10 * 8, "{name}: {bytes} of {file}");
        names.push(name.clone());
    }
    names.sort();
    assert_eq!(names, ["180p", "180p-av1", "180p-hevc", "180p-vp9", "360p", "360p-av1", "360p-hevc", "360p-vp9"]);
}

#[test]
fn stretches_of_a_film_without_an_index_are_found_by_their_times() {
    let folder = tempfile::tempdir().unwrap();
    let picture = [
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=320x180:rate=25:duration=20",
        "-c:v",
        "mpeg2video",
        "-g",
        "12",
        "-bf",
        "2",
        "-q:v",
        "3",
    ];
    for name in ["a.ts", "a.mkv", "a.mp4", "a.avi"] {
        let source = clip(folder.path(), name, &picture);
        let media = probe(&source).unwrap();
        let policy = LadderPolicy { rungs: vec![180], ..LadderPolicy::default() };
        let mut plan = plan(&media, GRID, &policy);
        (plan.audio, plan.extras) = (Vec::new(), reelgate_worker::plan::Extras::default());
        let stretches = [(2_000, 4_000), (9_000, 11_000), (16_000, 18_000)];
        let stretches = stretches.map(|(from_ms, to_ms)| Stretch { from_ms, to_ms }).to_vec();
        let said = run(&Request::Sample { media, plan, stretches, threads: 1 }, &source);
        assert!(said.failure().is_none(), "{name}: {:?}\n{}", said.failure(), said.log);
        let measured: Vec<_> = said
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Measured { millis, compared, own, .. } => Some((*millis, *compared, own / f64::from(*compared))),
                _ => None,
            })
            .collect();
        assert_eq!(measured.len(), 3, "{name}: {measured:?}");
        assert!(
            measured.iter().all(|(millis, compared, own)| *millis == 2_000 && *compared == 13 && *own > 0.9),
            "{name}: {measured:?}"
        );
    }
}
