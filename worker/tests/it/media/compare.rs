//! An output beside its source, both as ffmpeg's program decodes them: the same frames at the same times in the same colours,
//! the right way up.

use std::path::Path;

use reelgate_common::media_info::VideoInfo;

use super::measure::{decoded, stream};

/// Enough of a film to find a drift, and little enough to decode twice.
const SECONDS: &str = "12";
/// Frames are looked at on a grid of so many squares.
const GRID: usize = 8 * 8;
/// Seconds that a frame may be away from its time.
const OUT_OF_PLACE: f64 = 0.02;

struct Pictures {
    /// Luma and both chromas of each frame's grid.
    grids: Vec<Vec<u8>>,
    seconds: Vec<f64>,
}

impl Pictures {
    fn of(path: &Path, stream: u32) -> Self {
        let map = format!("0:{stream}");
        let look = "scale=8:8:flags=area:out_range=tv,format=yuv444p";
        let common = ["-map", &map, "-t", SECONDS, "-vsync", "passthrough", "-enc_time_base", "1:90000", "-vf", look];
        let raw = decoded(path, &[&common[..], &["-f", "rawvideo"]].concat());
        let told = String::from_utf8(decoded(path, &[&common[..], &["-f", "framecrc"]].concat())).unwrap();
        let base: f64 = told.lines().find_map(|line| line.strip_prefix("#tb 0: 1/")).unwrap().parse().unwrap();
        let seconds = told.lines().filter(|line| !line.starts_with('#'));
        let seconds =
            seconds.map(|line| line.split(',').nth(2).unwrap().trim().parse::<f64>().unwrap() / base).collect();
        Self { grids: raw.chunks_exact(3 * GRID).map(<[u8]>::to_vec).collect(), seconds }
    }
}

fn apart(one: &[u8], other: &[u8]) -> f64 {
    one.iter().zip(other).map(|(one, other)| f64::from(one.abs_diff(*other))).sum::<f64>() / one.len() as f64
}

/// 1 for pictures of the same pattern, whatever their brightness; also for such that have none.
fn likeness(one: &[u8], other: &[u8]) -> f64 {
    let mean = |of: &[u8]| of.iter().map(|v| f64::from(*v)).sum::<f64>() / of.len() as f64;
    let (a, b) = (mean(one), mean(other));
    let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
        one.iter().zip(other).map(|(one, other)| f(f64::from(*one) - a, f64::from(*other) - b)).sum()
    };
    let (both, first, second) = (sum(&|x, y| x * y), sum(&|x, _| x * x), sum(&|_, y| y * y));
    if first < 400.0 && second < 400.0 { 1.0 } else { both / (first * second).sqrt() }
}

pub(super) fn same_film(source: &Path, video: &VideoInfo, output: &Path) {
    same_pictures(source, video, output);
    right_tags(video, output);
}

/// All of it may be shifted: ffmpeg's program counts from the first packet of any stream, we from the first that is shown.
fn same_pictures(source: &Path, video: &VideoInfo, output: &Path) {
    let index = u32::try_from(stream(output, "v:0")["index"].as_u64().unwrap()).unwrap();
    let (before, after) = (Pictures::of(source, video.stream), Pictures::of(output, index));
    assert_eq!(before.grids.len(), after.grids.len(), "frames");
    assert!(!before.grids.is_empty(), "no frames");
    let shift = after.seconds[0] - before.seconds[0];
    for (number, (before, after)) in before.seconds.iter().zip(&after.seconds).enumerate() {
        assert!((before + shift - after).abs() < OUT_OF_PLACE, "frame {number} at {before} s is shown at {after} s");
    }
    let changed = video.hdr.is_some() || video.color_space.as_deref().is_some_and(|space| space.starts_with("bt2020"));
    for (number, (before, after)) in before.grids.iter().zip(&after.grids).enumerate() {
        let alike = likeness(&before[..GRID], &after[..GRID]);
        assert!(alike > 0.9, "frame {number} is another picture: {alike}");
        if !changed {
            let (luma, chroma) = (apart(&before[..GRID], &after[..GRID]), apart(&before[GRID..], &after[GRID..]));
            assert!(luma < 5.0 && chroma < 5.0, "frame {number} has other colours: {luma} and {chroma} apart");
        }
    }
}

fn right_tags(video: &VideoInfo, output: &Path) {
    let shown = stream(output, "v:0");
    assert_eq!(shown["side_data_list"], serde_json::Value::Null, "a matrix is left");
    assert_eq!((shown["color_range"].as_str(), shown["pix_fmt"].as_str()), (Some("tv"), Some("yuv420p")));
    assert!(matches!(shown["sample_aspect_ratio"].as_str(), None | Some("1:1")), "{}", shown["sample_aspect_ratio"]);
    assert!(matches!(shown["field_order"].as_str(), None | Some("progressive")), "{}", shown["field_order"]);
    let (width, height) = (shown["width"].as_f64().unwrap(), shown["height"].as_f64().unwrap());
    let aspect = f64::from(video.width) / f64::from(video.height);
    assert!((width / height / aspect - 1.0).abs() < 0.03, "{width}x{height} of {}x{}", video.width, video.height);
    let wide = video.hdr.is_some() || video.color_space.as_deref().is_some_and(|space| space.starts_with("bt2020"));
    for (tag, before) in [("color_space", &video.color_space), ("color_transfer", &video.color_transfer)] {
        let wanted = before.as_deref().filter(|_| !wide && video.chroma != "4:4:4");
        let found = shown[tag].as_str().unwrap_or_else(|| panic!("no {tag}"));
        if let Some(wanted) = wanted {
            // The one matrix has two numbers.
            let same = |tag: &str| tag.replace("bt470bg", "smpte170m");
            assert!(same(found) == same(wanted) || found == "bt709", "{tag}: {found} of {wanted}");
        }
        assert!(!wide || found == "bt709", "{tag}: {found} of what was HDR");
    }
}
