//! What ffmpeg's own programs see and hear in a file, on the file's own clock: the judge of whether an output is as its source.
//! It knows nothing of the product but the words of its `media`.

pub mod beside;
mod colors;
mod sound;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

pub use colors::Colors;
pub use sound::{Heard, Offset};

/// Pictures are looked at on a grid of so many squares a side.
pub const SIDE: usize = 8;
/// Red, green and blue of each square of a picture, in rows.
pub type Grid = [u8; 3 * SIDE * SIDE];

/// What to look at.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Index of the stream, and how its numbers become colours.
    pub video: Option<(u64, Colors)>,
    /// Index of the stream.
    pub audio: Option<u64>,
    /// No more than so many seconds.
    pub at_most: Option<u32>,
    /// Which flaw ends the look at once.
    pub flawless: bool,
}

impl Wish {
    /// The tracks that the product shows of a source, by its own word in `media`.
    #[must_use]
    pub fn of_source(path: &Path, media: &Value) -> Self {
        let tracks = media["audio"].as_array().map(Vec::as_slice).unwrap_or_default();
        let default = tracks.iter().find(|track| track["default"] == true).or(tracks.first());
        let video = media["video"]["stream"].as_u64().map(|stream| (stream, Colors::of(path, &media["video"])));
        Self { video, audio: default.and_then(|track| track["stream"].as_u64()), ..Self::default() }
    }

    /// The first picture and sound of an output, which must be flawless.
    ///
    /// # Errors
    /// ffprobe cannot read it.
    pub fn of_output(path: &Path) -> Result<Self> {
        let video = stream(path, "v:0")?.map(|video| (video["index"].as_u64().unwrap_or(0), Colors::tagged(&video)));
        let audio = stream(path, "a:0")?.and_then(|audio| audio["index"].as_u64());
        Ok(Self { video, audio, at_most: None, flawless: true })
    }
}

/// What was seen and heard. Times are seconds on the file's clock.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub grids: Vec<Grid>,
    pub seconds: Vec<f64>,
    pub sound: Option<Heard>,
    /// What ffmpeg complained of.
    pub said: String,
}

impl Seen {
    /// Decodes `input`, a path or an address.
    ///
    /// # Errors
    /// ffmpeg is missing.
    pub fn of(input: &str, wish: &Wish) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let told =
            Command::new("ffmpeg").args(arguments(input, wish, &folder)).output().context("ffmpeg is missing")?;
        let mut said = String::from_utf8_lossy(&told.stderr).into_owned();
        if !told.status.success() {
            said.push_str(&format!(" ({})", told.status));
        }
        let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap_or_default();
        let pieces = read("grids").chunks_exact(3 * SIDE * SIDE).map(Grid::try_from).collect::<Result<_, _>>()?;
        let sound = times(&read("sound.times")).first().map(|start| Heard::new(*start, &read("sound")));
        Ok(Self { grids: pieces, seconds: times(&read("times")), sound, said })
    }

    /// When the first picture is shown, else when the first sound is heard.
    #[must_use]
    pub fn begin(&self) -> f64 {
        let sound = self.sound.as_ref().map(|sound| sound.start);
        self.seconds.first().copied().or(sound).unwrap_or(0.0)
    }
}

fn arguments(input: &str, wish: &Wish, folder: &TempDir) -> Vec<String> {
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (mut graph, mut outputs) = (Vec::new(), Vec::new());
    if let Some((stream, colors)) = &wish.video {
        graph.push(format!("[0:{stream}]{},split[grids][times]", colors.filters()));
        outputs.push(format!("-map [grids] -vsync passthrough -enc_time_base 1:90000 -f rawvideo {}", file("grids")));
        outputs.push(format!("-map [times] -vsync passthrough -enc_time_base 1:90000 -f framecrc {}", file("times")));
    }
    if let Some(stream) = wish.audio {
        graph.push(format!("[0:{stream}]{},asplit[sound][heard]", sound::FILTERS));
        outputs.push(format!("-map [sound] -f s16le {}", file("sound")));
        outputs.push(format!("-map [heard] -f framecrc {}", file("sound.times")));
    }
    let strict = if wish.flawless { "-xerror " } else { "" };
    let limit = wish.at_most.map(|seconds| format!("-t {seconds} ")).unwrap_or_default();
    let mut all: Vec<String> =
        format!("-nostdin -v error {strict}-copyts {limit}-i").split(' ').map(str::to_owned).collect();
    all.extend([input.to_owned(), "-filter_complex".to_owned(), graph.join(";")]);
    all.extend(outputs.iter().flat_map(|output| output.split(' ')).map(str::to_owned));
    all
}

/// Of a `framecrc` file: the time of each frame in seconds.
fn times(file: &[u8]) -> Vec<f64> {
    let text = String::from_utf8_lossy(file);
    let base = text.lines().find_map(|line| line.strip_prefix("#tb 0: ")?.split_once('/'));
    let base = base.and_then(|(num, den)| Some(num.parse::<f64>().ok()? / den.parse::<f64>().ok()?)).unwrap_or(1.0);
    let frames = text.lines().filter(|line| !line.starts_with('#'));
    frames.filter_map(|line| line.split(',').nth(2)?.trim().parse::<f64>().ok()).map(|time| time * base).collect()
}

/// What ffprobe says, as JSON.
///
/// # Errors
/// It cannot read the file.
pub fn ffprobe(path: &Path, arguments: &[&str]) -> Result<Value> {
    let told = Command::new("ffprobe").args(["-v", "error", "-of", "json"]).args(arguments).arg(path).output()?;
    ensure!(told.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&told.stderr));
    Ok(serde_json::from_slice(&told.stdout)?)
}

/// The first stream of a kind (`v:0`, `a:0`), if there is one.
///
/// # Errors
/// As `ffprobe`.
pub fn stream(path: &Path, kind: &str) -> Result<Option<Value>> {
    let found = ffprobe(path, &["-select_streams", kind, "-show_streams"])?;
    Ok(found["streams"].get(0).cloned())
}

/// A clip made by ffmpeg's program: all of its arguments but the output's name.
///
/// # Errors
/// It could not be made.
pub fn clip(folder: &Path, name: &str, arguments: &[&str]) -> Result<PathBuf> {
    let path = folder.join(name);
    let told = Command::new("ffmpeg").args(["-nostdin", "-v", "error", "-y"]).args(arguments).arg(&path).output()?;
    ensure!(told.status.success(), "{name}: {}", String::from_utf8_lossy(&told.stderr));
    Ok(path)
}
