//! Copied rungs: bit for bit what the source holds, and what goes wrong is refused and not made worse.

use std::path::Path;

use reelgate_packager::{judge, parse_movie};
use reelgate_worker::{
    plan::{LadderPolicy, SoundStep, plan},
    task::protocol::{Event, Request, SOUND_FILE},
};
use serde_json::Value;

use super::{
    child::{GRID, Said, probe, run, run_beside},
    measure::{clip, decoded, decodes, ffprobe, starts_at_once},
};

const FILM: &str = "testsrc2=size=320x180:rate=30:duration=5";
const H264: [&str; 8] = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "60"];

/// A clip with sound.
fn film(folder: &Path, name: &str, codecs: &[&str]) -> std::path::PathBuf {
    let sound = ["-f", "lavfi", "-i", FILM, "-f", "lavfi", "-i", "sine=frequency=440:duration=5"];
    clip(folder, name, &[&sound, &H264[..], codecs].concat())
}

/// Remuxes as if the tracks had been judged, gives what the plan does with the sound.
fn remux(source: &Path, copy_sound: bool) -> (SoundStep, Said) {
    let mut media = probe(source).unwrap();
    media.video.as_mut().unwrap().copyable = true;
    media.audio[0].copyable = copy_sound;
    let plan = plan(&media, GRID, &LadderPolicy::default());
    let step = plan.main_audio().unwrap().step;
    (step, run(&Request::Remux { media, plan }, source))
}

/// The hashes of a track's packets.
fn packets(path: &Path, track: &str) -> Vec<String> {
    let out = String::from_utf8(decoded(path, &["-map", track, "-c", "copy", "-f", "framemd5"])).unwrap();
    let lines = out.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit(',').next().unwrap().trim().to_owned()).collect()
}

#[test]
fn a_remuxed_film_holds_the_very_packets_of_its_source_and_can_be_cut() {
    let folder = tempfile::tempdir().unwrap();
    for (name, codecs) in [
        ("a.mkv", &["-c:a", "aac"][..]),
        ("a.ts", &["-c:a", "aac"]),
        ("a.flv", &["-c:a", "aac"]),
        ("a.mp4", &["-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"]),
    ] {
        let source = film(folder.path(), name, codecs);
        let (step, said) = remux(&source, true);
        assert_eq!(step, SoundStep::Copy);
        assert!(said.failure().is_none(), "{name}: {:?}\n{}", said.failure(), said.log);
        let made = said.path("180p");
        let copy = ["-i", source.to_str().unwrap(), "-c", "copy"];
        let reference = clip(folder.path(), &format!("{name}.reference.mp4"), &copy);
        for track in ["0:v", "0:a"] {
            let packets = packets(&made, track);
            assert!(packets.len() > 100, "{name} {track}: {}", packets.len());
            assert!(packets == self::packets(&reference, track), "{name} {track} is not what it was");
        }
        decodes(&made);
        starts_at_once(&made);
        can_be_cut(&made, name);
    }
}

#[test]
fn other_sound_beside_copied_pictures_becomes_aac() {
    let folder = tempfile::tempdir().unwrap();
    for codec in ["ac3", "libopus", "libmp3lame"] {
        let source = film(folder.path(), &format!("{codec}.mkv"), &["-c:a", codec]);
        let (step, said) = remux(&source, false);
        assert!(matches!(step, SoundStep::Encode { .. }));
        let made = said.path("180p");
        assert!(packets(&made, "0:v") == packets(&source, "0:v"), "{codec}");
        decodes(&made);
        can_be_cut(&made, codec);
    }
}

#[test]
fn other_sound_is_encoded_once_and_lent_to_the_rungs_below() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = ["-f", "lavfi", "-i", "testsrc2=size=854x480:rate=30:duration=5", "-f", "lavfi", "-i", "sine=d=5"];
    let source = clip(folder.path(), "a.mkv", &[&pictures[..], &H264[..], &["-c:a", "ac3"]].concat());
    let (_, remuxed) = remux(&source, false);
    let sound = remuxed.folder.path().join(SOUND_FILE);
    assert_eq!(packets(&sound, "0:a"), packets(&remuxed.path("480p"), "0:a"));

    // A film without sound of its own, so that none can have been encoded.
    let silent = clip(folder.path(), "silent.mkv", &["-i", source.to_str().unwrap(), "-c", "copy", "-an"]);
    let mut media = probe(&source).unwrap();
    media.video.as_mut().unwrap().copyable = true;
    let mut plan = plan(&media, GRID, &LadderPolicy { preset: "superfast".to_owned(), ..LadderPolicy::default() });
    plan.rungs.retain(|rung| rung.name == "360p");
    plan.audio[0].step = SoundStep::Lent;
    let said = run_beside(&Request::Encode { media, plan, threads: 2, keep_sound: false }, &silent, &[&sound]);
    assert!(said.failure().is_none(), "{:?}\n{}", said.failure(), said.log);
    assert_eq!(packets(&said.path("360p"), "0:a"), packets(&sound, "0:a"));
    decodes(&said.path("360p"));
}

/// How many seconds of a file's pictures lie at most between a piece of its sound and the pictures that are seen with it.
fn apart(path: &Path) -> f64 {
    let json = ffprobe(path, &["-show_entries", "packet=codec_type,pts_time,pos"]);
    let number = |packet: &Value, key: &str| packet[key].as_str().unwrap().parse::<f64>().unwrap();
    let mut packets: Vec<_> = json["packets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|packet| (number(packet, "pos"), packet["codec_type"] == "video", number(packet, "pts_time")))
        .collect();
    packets.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (mut seen, mut apart) = (0.0_f64, 0.0_f64);
    for (_, of_video, time) in packets {
        if of_video {
            seen = seen.max(time);
        } else {
            apart = apart.max((seen - time).abs());
        }
    }
    apart
}

#[test]
fn lent_sound_lies_beside_the_pictures_that_are_seen_with_it() {
    let folder = tempfile::tempdir().unwrap();
    // Longer than a muxer waits for a track that falls behind.
    let pictures = ["-f", "lavfi", "-i", "testsrc2=size=480x360:rate=10:duration=24", "-f", "lavfi", "-i", "sine=d=24"];
    let source = clip(folder.path(), "a.mkv", &[&pictures[..], &["-c:v", "mpeg4", "-c:a", "ac3"]].concat());
    let sound = clip(folder.path(), SOUND_FILE, &["-i", source.to_str().unwrap(), "-vn", "-c:a", "aac"]);
    let media = probe(&source).unwrap();
    let mut plan = plan(&media, GRID, &LadderPolicy { preset: "superfast".to_owned(), ..LadderPolicy::default() });
    plan.audio[0].step = SoundStep::Lent;
    let said = run_beside(&Request::Encode { media, plan, threads: 2, keep_sound: false }, &source, &[&sound]);
    assert!(said.failure().is_none(), "{:?}\n{}", said.failure(), said.log);
    let made = said.path("360p");
    assert_eq!(packets(&made, "0:a"), packets(&sound, "0:a"));
    assert!(apart(&made) < 2.0, "{} s", apart(&made));
}

#[test]
fn sound_that_nobody_else_wants_is_not_lent() {
    let folder = tempfile::tempdir().unwrap();
    // Copied sound is in the source, and this size has no rung below.
    for codec in ["aac", "ac3"] {
        let (_, said) = remux(&film(folder.path(), &format!("{codec}.mkv"), &["-c:a", codec]), codec == "aac");
        assert!(!said.folder.path().join(SOUND_FILE).exists(), "{codec}");
    }
}

fn can_be_cut(path: &Path, name: &str) {
    let bytes = std::fs::read(path).unwrap();
    let at = bytes.windows(4).position(|window| window == b"moov").unwrap() - 4;
    let length = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let safety = judge(&parse_movie(&bytes[at..at + length]).unwrap(), bytes.len() as u64);
    assert!(safety.segment_safe, "{name}: {:?}", safety.reasons);
}

#[test]
fn a_film_that_nobody_can_cut_is_given_up_before_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let picture = ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=10:duration=60", "-f", "lavfi", "-i", "sine=d=60"];
    let codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "9999", "-sc_threshold", "0", "-c:a", "aac"];
    let source = clip(folder.path(), "a.mkv", &[&picture[..], &codecs].concat());
    let (_, said) = remux(&source, true);
    assert!(said.failure().is_some_and(|failure| failure.message.contains("every 10 s")), "{:?}", said.failure());
    let furthest = said.events.iter().filter_map(|event| match event {
        Event::Progress { fraction } => Some(*fraction),
        _ => None,
    });
    let furthest = furthest.fold(0.0, f64::max);
    assert!((0.05..0.3).contains(&furthest), "it was copied up to {furthest} of it");
}
