//! Sources that are damaged or made to hurt: each ends in a named failure or in what could be decoded.

use std::path::Path;

use super::{
    child::{GRID, encode, make, probe},
    measure::{clip, decodes, duration_ms},
};

fn code(source: &Path) -> String {
    probe(source).expect_err("it must be refused").code
}

fn text(folder: &Path, name: &str, content: &[u8]) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

#[test]
fn playlists_and_texts_are_no_media_whatever_they_are_called() {
    let folder = tempfile::tempdir().unwrap();
    let playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n";
    for (name, content) in [
        ("a.mp4", &playlist[..]),
        ("b.mkv", b"ffconcat version 1.0\nfile '/etc/passwd'\n"),
        ("c.mp4", b""),
        ("d.mp4", b"<html><script>alert(1)</script></html>"),
    ] {
        assert_eq!(code(&text(folder.path(), name, content)), "not_media", "{name}");
    }
}

/// Sound films in containers that libav knows and we do not let it open.
#[test]
fn containers_that_are_not_on_the_list_are_no_media() {
    let folder = tempfile::tempdir().unwrap();
    let picture = ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=1", "-c:v", "mpeg4"];
    for name in ["film.nut", "film.mxf", "film.gxf"] {
        let codec: &[&str] = if name.ends_with("nut") { &[] } else { &["-c:v", "mpeg2video", "-s", "720x576"] };
        assert_eq!(code(&clip(folder.path(), name, &[&picture[..], codec].concat())), "not_media", "{name}");
    }
}

#[test]
fn a_transport_stream_that_breaks_off_keeps_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let whole = clip(
        folder.path(),
        "whole.ts",
        &["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=6", "-c:v", "libx264", "-g", "25"],
    );
    let mut bytes = std::fs::read(whole).unwrap();
    bytes.truncate(bytes.len() / 2);
    let source = text(folder.path(), "half.ts", &bytes);
    let (_, _, said) = make(&source);
    let out = said.path("180p");
    decodes(&out);
    assert!((1_000..5_900).contains(&duration_ms(&out)));
}

#[test]
fn an_mp4_that_breaks_off_behind_its_index_gives_what_is_there_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let inputs =
        ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=8", "-f", "lavfi", "-i", "sine=duration=8"];
    let codecs = ["-c:v", "libx264", "-g", "25", "-c:a", "aac", "-movflags", "+faststart"];
    let whole = clip(folder.path(), "whole.mp4", &[&inputs[..], &codecs].concat());
    let mut bytes = std::fs::read(whole).unwrap();
    bytes.truncate(bytes.len() * 6 / 10);
    let (media, _, said) = make(&text(folder.path(), "cut.mp4", &bytes));
    assert_eq!(media.duration_ms, 8_000);
    assert!(said.warnings().contains(&"cut_off"), "{:?}", said.events);
    let out = said.path("180p");
    decodes(&out);
    assert!((3_000..7_000).contains(&duration_ms(&out)), "{}", duration_ms(&out));
}

#[test]
fn a_picture_that_ends_before_the_sound_is_shown_until_then_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let inputs =
        ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=3", "-f", "lavfi", "-i", "sine=duration=7"];
    let source = clip(folder.path(), "short.mkv", &[&inputs[..], &["-c:v", "mpeg4", "-c:a", "flac"]].concat());
    let (_, _, said) = make(&source);
    assert_eq!(said.warnings(), ["video_ends_early"]);
    decodes(&said.path("180p"));
    assert!(duration_ms(&said.path("180p")).abs_diff(7_000) < 100);
}

#[test]
fn an_mp4_without_its_end_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=2", "-c:v", "mpeg4"];
    let mut bytes = std::fs::read(clip(folder.path(), "whole.mp4", &arguments)).unwrap();
    bytes.truncate(bytes.len() / 2);
    assert_eq!(code(&text(folder.path(), "half.mp4", &bytes)), "broken_media");
}

#[test]
fn flipped_bytes_never_crash_the_task() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=160x90:rate=25:duration=1",
        "-f",
        "lavfi",
        "-i",
        "sine=duration=1",
        "-c:v",
        "libx264",
        "-c:a",
        "aac",
    ];
    let clean = std::fs::read(clip(folder.path(), "clean.mkv", &arguments)).unwrap();
    for round in 0..24_usize {
        let mut bytes = clean.clone();
        for hit in 0..20_usize {
            let at = (round * 7_919 + hit * 104_729) % bytes.len();
            bytes[at] ^= 1 << ((round + hit) % 8);
        }
        let source = text(folder.path(), "flipped.mkv", &bytes);
        // `run` fails on a crash; a refusal is as good as a film.
        if let Ok(media) = probe(&source) {
            encode(&media, GRID, &source);
        }
    }
}

#[test]
fn a_claimed_duration_of_years_is_too_long() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=16x16:rate=1:duration=2",
        "-vf",
        "setpts='N*315360000/TB'",
        "-vsync",
        "passthrough",
        "-c:v",
        "ffv1",
    ];
    assert_eq!(code(&clip(folder.path(), "years.mkv", &arguments)), "too_long");
}
