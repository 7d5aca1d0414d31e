//! One picture out of a few bytes: a file that holds only the index and one group of pictures decodes, there, to what the
//! whole file does.

use std::{fs, path::Path, process::Command};

use reelgate_packager::{package::picture_bytes, parse_movie};
use tempfile::TempDir;

use crate::{clips::clip, file::Loaded};

const CLIP: &str = "-f lavfi -i testsrc2=size=320x180:rate=25:duration=6 -f lavfi -i sine=frequency=440:duration=6 \
                    -c:v libx264 -preset veryfast -pix_fmt yuv420p -bf 3 -g 50 -c:a aac -movflags +faststart";

fn picture_at(path: &Path, seconds: f64) -> String {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-ss", &seconds.to_string(), "-i"])
        .arg(path)
        .args(["-frames:v", "1", "-an", "-f", "framemd5", "-"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().last().unwrap().rsplit(',').next().unwrap().trim().to_owned()
}

#[test]
fn a_group_of_pictures_is_all_that_a_picture_needs() {
    let folder = TempDir::new().unwrap();
    let Some(path) = clip(&folder, "clip.mp4", CLIP) else { return };
    let file = Loaded::open(&path).unwrap();
    let movie = parse_movie(file.whole(b"moov")).unwrap();
    let media = file.boxes.iter().find(|found| found.kind.0 == *b"mdat").unwrap();
    let head = usize::try_from(media.offset + media.header_len).unwrap();
    for time_ms in [0, 1_000, 1_999, 2_000, 3_960, 5_960, 60_000] {
        let range = picture_bytes(&movie, time_ms).unwrap();
        let part = range.start as usize..range.end as usize;
        assert!(part.len() < file.bytes.len() * 3 / 5, "{time_ms}: {} of {} bytes", part.len(), file.bytes.len());
        let mut sparse = vec![0; file.bytes.len()];
        sparse[..head].copy_from_slice(&file.bytes[..head]);
        sparse[part.clone()].copy_from_slice(&file.bytes[part]);
        let cut = folder.path().join("sparse.mp4");
        fs::write(&cut, sparse).unwrap();
        let seconds = time_ms.min(5_960) as f64 / 1_000.0;
        assert_eq!(picture_at(&cut, seconds), picture_at(&path, seconds), "{time_ms}");
    }
}
