//! High dynamic range: patches of known light go in, and what comes out is held against what the light should look like.

use std::path::{Path, PathBuf};

use super::{
    child::make,
    measure::{clip, decoded, stream},
};

const PATCH: usize = 64;

fn pq(nits: f64) -> f64 {
    let y = (nits / 10_000.0).powf(2610.0 / 16_384.0);
    ((0.8359375 + 18.8515625 * y) / (1.0 + 18.6875 * y)).powf(78.84375)
}

/// The numbers of a 10-bit picture with the signal of each component, BT.2020.
fn coded([r, g, b]: [f64; 3]) -> [u16; 3] {
    let y = 0.2627 * r + 0.6780 * g + 0.0593 * b;
    let (cb, cr) = ((b - y) / 1.8814, (r - y) / 1.4746);
    [(64.0 + 876.0 * y).round() as u16, (512.0 + 896.0 * cb).round() as u16, (512.0 + 896.0 * cr).round() as u16]
}

/// A film of patches beside one another, coded without loss.
fn patches(folder: &Path, transfer: &str, colors: &[[u16; 3]]) -> PathBuf {
    let mut raw = Vec::new();
    for _ in 0..5 {
        for (plane, side) in [(0, PATCH), (1, PATCH / 2), (2, PATCH / 2)] {
            let row: Vec<u8> = colors.iter().flat_map(|color| color[plane].to_le_bytes().repeat(side)).collect();
            raw.extend(row.repeat(side));
        }
    }
    let name = folder.join("patches.yuv");
    std::fs::write(&name, raw).unwrap();
    let size = format!("{}x{PATCH}", PATCH * colors.len());
    let tags = format!("setparams=color_primaries=bt2020:color_trc={transfer}:colorspace=bt2020nc:range=tv");
    let input = ["-f", "rawvideo", "-pix_fmt", "yuv420p10le", "-s", &size, "-r", "5", "-i", name.to_str().unwrap()];
    clip(folder, "patches.mkv", &[&input[..], &["-vf", &tags, "-c:v", "ffv1"]].concat())
}

/// The middle of each patch of the first frame that was made, in the given format of three bytes.
fn shown(source: &Path, count: usize, format: &str) -> Vec<[u8; 3]> {
    let (_, plan, said) = make(source);
    let out = said.path(&plan.rungs[0].name);
    let tags = stream(&out, "v:0");
    for tag in ["color_primaries", "color_transfer", "color_space"] {
        assert_eq!(tags[tag], "bt709", "{tag}");
    }
    assert_eq!((tags["color_range"].as_str(), tags["pix_fmt"].as_str()), (Some("tv"), Some("yuv420p")));
    let raw = decoded(&out, &["-frames:v", "1", "-f", "rawvideo", "-pix_fmt", format]);
    let pixel = |at: usize| match format {
        "yuv444p" => [raw[at], raw[at + raw.len() / 3], raw[at + 2 * raw.len() / 3]],
        _ => [raw[3 * at], raw[3 * at + 1], raw[3 * at + 2]],
    };
    (0..count).map(|patch| pixel(count * PATCH * PATCH / 2 + patch * PATCH + PATCH / 2)).collect()
}

/// Shares of SDR's range.
fn greys(transfer: &str, signals: &[f64]) -> Vec<f64> {
    let folder = tempfile::tempdir().unwrap();
    let colors: Vec<_> = signals.iter().map(|signal| coded([*signal; 3])).collect();
    let shown = shown(&patches(folder.path(), transfer, &colors), signals.len(), "yuv444p");
    for [_, cb, cr] in &shown {
        assert!(cb.abs_diff(128) <= 2 && cr.abs_diff(128) <= 2, "grey is tinted: {shown:?}");
    }
    shown.iter().map(|[y, ..]| (f64::from(*y) - 16.0) / 219.0).collect()
}

#[test]
fn light_of_hdr10_comes_out_as_bright_as_it_is_and_highlights_are_rolled_off() {
    let nits = [1.0, 10.0, 50.0, 100.0, 203.0, 500.0, 1_000.0];
    let shown = greys("smpte2084", &nits.map(pq));
    // Below the knee the light is what it was, seen on a display of 203 nits.
    for (nits, shown) in nits.iter().zip(&shown).take(3) {
        let expected = (nits / 203.0).powf(1.0 / 2.4);
        assert!((shown - expected).abs() < 0.02, "{nits} nits: {shown}, not {expected}");
    }
    assert!((0.86..0.93).contains(&shown[4]), "diffuse white is {}", shown[4]);
    assert!(shown[6] > 0.97, "the brightest light is {}", shown[6]);
    assert!(shown.is_sorted_by(|darker, lighter| lighter - darker > 0.02), "{shown:?}");
}

#[test]
fn white_of_hlg_comes_out_white() {
    // Three quarters of the signal are diffuse white (BT.2408).
    let shown = greys("arib-std-b67", &[0.1, 0.38, 0.5, 0.75, 1.0]);
    assert!((0.86..0.93).contains(&shown[3]), "diffuse white is {}", shown[3]);
    assert!((0.3..0.55).contains(&shown[1]), "middle grey is {}", shown[1]);
    assert!(shown[4] > 0.97 && shown.is_sorted_by(|darker, lighter| lighter - darker > 0.02), "{shown:?}");
}

#[test]
fn colours_that_bt709_can_show_keep_their_hue() {
    // BT.709's own primaries at 40 nits, written in BT.2020.
    let light = |[r, g, b]: [f64; 3]| {
        [
            0.6274 * r + 0.3293 * g + 0.0433 * b,
            0.0691 * r + 0.9195 * g + 0.0114 * b,
            0.0164 * r + 0.0880 * g + 0.8956 * b,
        ]
    };
    let wanted = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]];
    let colors = wanted.map(|rgb| coded(light(rgb).map(|share| pq(40.0 * share))));
    let folder = tempfile::tempdir().unwrap();
    let shown = shown(&patches(folder.path(), "smpte2084", &colors), wanted.len(), "rgb24");
    let full = (40.0_f64 / 203.0).powf(1.0 / 2.4) * 255.0;
    for (shown, wanted) in shown.iter().zip(wanted) {
        for (shown, wanted) in shown.iter().zip(wanted) {
            assert!((f64::from(*shown) - full * wanted).abs() < 16.0, "{shown} instead of {}", full * wanted);
        }
    }
}
