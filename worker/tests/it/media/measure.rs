//! Measures files with ffmpeg's own programs.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// A clip made by ffmpeg's program in `folder`; `arguments` without the output's name.
pub(crate) fn clip(folder: &Path, name: &str, arguments: &[&str]) -> PathBuf {
    let path = folder.join(name);
    let out = Command::new("ffmpeg").args(["-v", "error", "-y"]).args(arguments).arg(&path).output().unwrap();
    assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr));
    path
}

pub(super) fn ffprobe(path: &Path, arguments: &[&str]) -> Value {
    let out = Command::new("ffprobe").args(["-v", "error", "-of", "json"]).args(arguments).arg(path).output().unwrap();
    assert!(out.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

/// Raw bytes of what ffmpeg's program decodes.
pub(super) fn decoded(path: &Path, arguments: &[&str]) -> Vec<u8> {
    let out = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(path)
        .args(arguments)
        .arg("pipe:1")
        .output()
        .unwrap();
    assert!(out.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&out.stderr));
    out.stdout
}

/// Fails unless every frame decodes without a word of complaint.
pub(super) fn decodes(path: &Path) {
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-xerror", "-i"])
        .arg(path)
        .args(["-vsync", "passthrough", "-enc_time_base", "-1", "-f", "null", "-"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && said.is_empty(), "{}: {said}", path.display());
}

pub(super) fn duration_ms(path: &Path) -> u64 {
    let seconds =
        ffprobe(path, &["-show_entries", "format=duration"])["format"]["duration"].as_str().unwrap().to_owned();
    (seconds.parse::<f64>().unwrap() * 1000.0).round() as u64
}

/// Presentation times of the video's frames in units of the track, in order, and whether each is a key frame.
pub(super) fn frames(path: &Path) -> Vec<(i64, bool)> {
    let json = ffprobe(path, &["-select_streams", "v:0", "-show_entries", "packet=pts,flags"]);
    let mut frames: Vec<_> = json["packets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|packet| (packet["pts"].as_i64().unwrap(), packet["flags"].as_str().unwrap().starts_with('K')))
        .collect();
    frames.sort_unstable();
    frames
}

pub(super) fn stream(path: &Path, kind: &str) -> Value {
    ffprobe(path, &["-select_streams", kind, "-show_streams"])["streams"][0].clone()
}

/// The order of an MP4's boxes.
pub(super) fn boxes(path: &Path) -> Vec<String> {
    let bytes = std::fs::read(path).unwrap();
    let (mut at, mut names) = (0, Vec::new());
    while at + 8 <= bytes.len() {
        let size = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        names.push(String::from_utf8_lossy(&bytes[at + 4..at + 8]).into_owned());
        assert!(size >= 8, "a box without a size in {}", path.display());
        at += size;
    }
    names
}

/// `moov` comes before `mdat`, so a player starts at once.
pub(super) fn starts_at_once(path: &Path) {
    let boxes = boxes(path);
    let at = |name: &str| boxes.iter().position(|found| found == name);
    assert!(at("moov") < at("mdat") && at("moov").is_some(), "{}: {boxes:?}", path.display());
}
