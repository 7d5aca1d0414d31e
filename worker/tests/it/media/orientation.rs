//! Which way up: every turn and mirror that a display matrix can ask for is in the pixels of what is made, and in no matrix.

use std::path::Path;

use super::{
    child::make,
    measure::{clip, decoded, stream},
};

/// Red, green, blue and white quarters, so that no two of the eight orientations look alike.
const QUARTERS: &str = "color=red:s=160x96:d=1:r=10[a];color=green:s=160x96:d=1:r=10[b];color=blue:s=160x96:d=1:r=10[c];\
    color=white:s=160x96:d=1:r=10[d];[a][b]hstack[t];[c][d]hstack[u];[t][u]vstack";

/// Columns of the matrix as MP4 writes it: where x and y of a pixel go.
const ORIENTATIONS: [[i32; 4]; 8] = [
    [1, 0, 0, 1],
    [0, 1, -1, 0],
    [-1, 0, 0, -1],
    [0, -1, 1, 0],
    [-1, 0, 0, 1],
    [1, 0, 0, -1],
    [0, 1, 1, 0],
    [0, -1, -1, 0],
];

/// The corners, upright, as the nearest of the four colours each: top left, top right, bottom left, bottom right.
fn corners(path: &Path) -> [char; 4] {
    let raw = decoded(path, &["-vf", "scale=8:8:flags=area", "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24"]);
    let color = |x: usize, y: usize| match raw[3 * (8 * y + x)..][..3] {
        [r, g, b] if r > 150 && g > 150 && b > 150 => 'w',
        [r, g, b] if r > g.max(b) => 'r',
        [r, g, b] if g > r.max(b) => 'g',
        _ => 'b',
    };
    [color(1, 1), color(6, 1), color(1, 6), color(6, 6)]
}

/// Where the corners lie after the matrix was applied.
fn turned([a, b, c, d]: [i32; 4]) -> [char; 4] {
    let mut out = ['?'; 4];
    for (color, (x, y)) in [('r', (-1, -1)), ('g', (1, -1)), ('b', (-1, 1)), ('w', (1, 1))] {
        let (x, y) = (a * x + c * y, b * x + d * y);
        out[usize::from(y > 0) * 2 + usize::from(x > 0)] = color;
    }
    out
}

#[test]
fn every_turn_and_mirror_is_baked_in() {
    let folder = tempfile::tempdir().unwrap();
    let flat =
        clip(folder.path(), "flat.mp4", &["-f", "lavfi", "-i", QUARTERS, "-c:v", "libx264", "-pix_fmt", "yuv420p"]);
    let bytes = std::fs::read(&flat).unwrap();
    let matrix = bytes.windows(4).position(|word| word == b"tkhd").unwrap() + 44;
    for orientation @ [a, b, c, d] in ORIENTATIONS {
        let mut bytes = bytes.clone();
        for (place, value) in [(0, a), (4, b), (12, c), (16, d)] {
            bytes[matrix + place..][..4].copy_from_slice(&(value * 65_536).to_be_bytes());
        }
        let source = folder.path().join("turned.mp4");
        std::fs::write(&source, bytes).unwrap();
        let (media, plan, said) = make(&source);
        let size = if a == 0 { (192, 320) } else { (320, 192) };
        let video = media.video.unwrap();
        assert_eq!((video.width, video.height, video.mirrored), (size.0, size.1, a * d - b * c < 0), "{orientation:?}");
        let out = said.path(&plan.rungs[0].name);
        let shown = stream(&out, "v:0");
        assert_eq!(shown["side_data_list"], serde_json::Value::Null, "the matrix is gone");
        assert_eq!((shown["width"].as_u64(), shown["height"].as_u64()), (Some(size.0.into()), Some(size.1.into())));
        assert_eq!(corners(&out), turned(orientation), "{orientation:?}");
        assert_eq!(corners(&said.path("poster")), turned(orientation), "the poster of {orientation:?}");
    }
}
