//! AAC-LC beside pictures that are encoded: the source's own packets where they go on without a gap, ours where they do not.

use std::path::Path;

use reelgate_worker::plan::SoundStep;

use super::{
    child::{GRID, Said, encode, probe},
    measure::{clip, decoded, decodes},
};

const FILM: [&str; 8] = [
    "-f",
    "lavfi",
    "-i",
    "testsrc2=size=640x480:rate=10:duration=4",
    "-f",
    "lavfi",
    "-i",
    "sine=frequency=440:duration=4:sample_rate=48000",
];

/// Encodes as if the sound had been judged.
fn made(folder: &Path, name: &str, codecs: &[&str]) -> (std::path::PathBuf, SoundStep, Said) {
    let source = clip(folder, name, &[&FILM[..], codecs].concat());
    let mut media = probe(&source).unwrap();
    media.audio[0].copyable = true;
    let (plan, said) = encode(&media, GRID, &source);
    assert!(said.failure().is_none(), "{name}: {:?}\n{}", said.failure(), said.log);
    let step = plan.main_audio().unwrap().step;
    (source, step, said)
}

/// The hashes of the packets of sound.
fn packets(path: &Path) -> Vec<String> {
    let out =
        String::from_utf8(decoded(path, &["-map", "0:a", "-c", "copy", "-bsf:a", "aac_adtstoasc", "-f", "framemd5"]));
    let out = out.unwrap();
    let lines = out.lines().filter(|line| !line.starts_with('#'));
    // What lies beside a packet comes behind its hash.
    lines.map(|line| line.split(',').nth(5).unwrap().trim().to_owned()).collect()
}

#[test]
fn sound_that_goes_on_without_a_gap_is_copied_into_every_rung() {
    let folder = tempfile::tempdir().unwrap();
    for (name, video) in [("a.mkv", "mpeg4"), ("a.ts", "mpeg2video"), ("a.flv", "flv")] {
        let (source, step, said) = made(folder.path(), name, &["-c:v", video, "-c:a", "aac", "-ac", "2"]);
        assert!(matches!(step, SoundStep::CopyIfSteady { .. }), "{name}: {step:?}");
        let theirs = packets(&source);
        assert!(theirs.len() > 150, "{name}: {}", theirs.len());
        for rung in ["480p", "360p"] {
            let ours = said.path(rung);
            assert!(packets(&ours) == theirs, "{name} {rung}: other sound");
            decodes(&ours);
        }
    }
}

#[test]
fn sound_with_a_gap_or_a_late_beginning_is_encoded_with_silence_there() {
    let folder = tempfile::tempdir().unwrap();
    for (name, filter) in [("gap.mkv", "aselect='not(between(t,1,2))'"), ("late.mkv", "aselect='gte(t,1)'")] {
        let codecs = ["-c:v", "mpeg4", "-af", filter, "-c:a", "aac", "-ac", "2"];
        let (source, _, said) = made(folder.path(), name, &codecs);
        let (theirs, ours) = (packets(&source).len(), packets(&said.path("480p")).len());
        // A second is 47 packets.
        assert!(ours > theirs + 40, "{name}: {ours} packets of {theirs}");
    }
}
