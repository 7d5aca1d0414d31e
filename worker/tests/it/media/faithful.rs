//! What an output looks and sounds like, beside what ffmpeg's program shows of the source.

use std::path::Path;

use super::{
    child::{GRID, encode, make, probe},
    measure::{clip, decoded, decodes, frames, stream},
};

/// Red, green, blue and white quarters.
const QUARTERS: &str = "color=red:s=160x96:d=1:r=10[a];color=green:s=160x96:d=1:r=10[b];color=blue:s=160x96:d=1:r=10[c];\
    color=white:s=160x96:d=1:r=10[d];[a][b]hstack[t];[c][d]hstack[u];[t][u]vstack";

/// The first frame on 8 by 8 pixels, upright, as RGB.
fn looks(path: &Path) -> Vec<u8> {
    decoded(path, &["-vf", "scale=8:8:flags=area", "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24"])
}

fn difference(one: &[u8], other: &[u8]) -> f64 {
    assert_eq!(one.len(), other.len());
    one.iter().zip(other).map(|(one, other)| f64::from(one.abs_diff(*other))).sum::<f64>() / one.len() as f64
}

#[test]
fn full_range_ten_bits_and_full_chroma_keep_their_colours() {
    let folder = tempfile::tempdir().unwrap();
    let made = [
        ("full.mp4", vec!["-pix_fmt", "yuvj420p", "-c:v", "libx264"]),
        ("ten.mp4", vec!["-pix_fmt", "yuv420p10le", "-c:v", "libx264"]),
        ("chroma.mkv", vec!["-pix_fmt", "yuv444p", "-c:v", "libx264"]),
        ("wide.mkv", vec!["-pix_fmt", "yuv422p10le", "-c:v", "ffv1"]),
        ("twelve.mkv", vec!["-pix_fmt", "yuv422p12le", "-c:v", "ffv1"]),
        ("deep.mkv", vec!["-pix_fmt", "yuv444p12le", "-c:v", "ffv1"]),
        ("screen.mkv", vec!["-pix_fmt", "gbrp", "-c:v", "ffv1"]),
        ("odd.mkv", vec!["-pix_fmt", "yuv420p", "-vf", "crop=317:191:0:0", "-c:v", "ffv1"]),
    ];
    for (name, codec) in made {
        let source = clip(folder.path(), name, &[&["-f", "lavfi", "-i", QUARTERS][..], &codec].concat());
        let (_, plan, said) = make(&source);
        let out = said.path(&plan.rungs[0].name);
        let shown = stream(&out, "v:0");
        assert_eq!((shown["pix_fmt"].as_str(), shown["profile"].as_str()), (Some("yuv420p"), Some("High")), "{name}");
        let apart = difference(&looks(&source), &looks(&out));
        assert!(apart < 6.0, "{name}: {apart} apart");
    }
}

#[test]
fn fields_become_frames_and_wide_pixels_square() {
    let folder = tempfile::tempdir().unwrap();
    let source = clip(
        folder.path(),
        "fields.ts",
        &[
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=720x576:rate=50:duration=2",
            "-vf",
            "interlace,setsar=64/45",
            "-c:v",
            "mpeg2video",
            "-flags",
            "+ildct+ilme",
            "-b:v",
            "6M",
        ],
    );
    let (media, _, said) = make(&source);
    let video = media.video.unwrap();
    assert!(video.interlaced);
    assert_eq!((video.width, video.height), (1024, 576));
    let out = said.path("576p");
    let shown = stream(&out, "v:0");
    assert_eq!((shown["width"].as_u64(), shown["sample_aspect_ratio"].as_str()), (Some(1024), Some("1:1")));
    assert_eq!(shown["field_order"], "progressive");
    assert_eq!(frames(&out).len(), frames(&source).len());
}

#[test]
fn sound_alone_becomes_an_audio_rendition() {
    let folder = tempfile::tempdir().unwrap();
    let source = clip(folder.path(), "a.flac", &["-f", "lavfi", "-i", "sine=frequency=440:duration=5"]);
    let (media, plan, said) = make(&source);
    assert!(plan.rungs.is_empty() && media.video.is_none());
    let out = said.path("audio");
    decodes(&out);
    assert!(super::measure::duration_ms(&out).abs_diff(5_000) <= 100);
}

#[test]
fn the_poster_of_a_source_that_needs_no_rung_is_not_its_black_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let film = "testsrc2=size=320x180:rate=25:duration=20,fade=in:st=0.6:d=0.2";
    let source = clip(folder.path(), "a.mp4", &["-f", "lavfi", "-i", film, "-c:v", "libx264", "-g", "50"]);
    let mut media = probe(&source).unwrap();
    media.web_safe = true;
    media.segment_safe = true;
    let (plan, said) = encode(&media, GRID, &source);
    assert!(plan.rungs.is_empty() && said.failure().is_none(), "{:?}", said.events);
    let poster = said.path("poster");
    let small = decoded(&poster, &["-vf", "scale=1:1:flags=area", "-f", "rawvideo", "-pix_fmt", "gray"]);
    assert!(small[0] > 60, "mean luma {}", small[0]);
    assert_eq!(stream(&poster, "v:0")["width"], 320);
}

#[test]
fn an_hd_poster_has_the_colours_of_the_film() {
    let folder = tempfile::tempdir().unwrap();
    let film = format!("{QUARTERS},scale=1280:768:flags=neighbor:out_color_matrix=bt709,format=yuv420p");
    let tags = ["-c:v", "libx264", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"];
    let source = clip(folder.path(), "hd.mp4", &[&["-f", "lavfi", "-i", &film][..], &tags].concat());
    let (_, plan, said) = make(&source);
    let apart = difference(&looks(&source), &looks(&said.path(&plan.rungs[0].name)));
    assert!(apart < 6.0, "rung: {apart} apart");
    let apart = difference(&looks(&source), &looks(&said.path("poster")));
    assert!(apart < 6.0, "poster: {apart} apart");
}
