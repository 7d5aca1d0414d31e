//! Films made with ffmpeg's test sources, whose every frame bears its number, so that a player's picture can be held against
//! its clock.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

/// 16 squares across the top ninth of the picture: the frame's number, lowest bit first, white for one.
const NUMBERS: &str = "format=gray,geq=lum='16+219*mod(floor(N/pow(2,X)),2)'";
/// Frames per second.
pub const RATE: u32 = 30;

/// What to make. H.264 and AAC in an MP4, B-frames, a key frame every two seconds: web-safe and segment-safe.
#[derive(Debug, Clone, Copy)]
pub struct Film {
    pub seconds: u32,
    pub width: u32,
    pub height: u32,
    /// Bits per second of the video: enough that a player cannot have all of it at once.
    pub bitrate: u32,
    /// Whether the index lies in front of the media.
    pub faststart: bool,
}

impl Default for Film {
    fn default() -> Self {
        Self { seconds: 24, width: 640, height: 360, bitrate: 4_000_000, faststart: true }
    }
}

impl Film {
    /// Writes it into `folder`.
    ///
    /// # Errors
    /// ffmpeg is not installed.
    pub fn make(&self, folder: &Path) -> Result<PathBuf> {
        let Self { seconds, width, height, bitrate, faststart } = self;
        let path = folder.join("film.mp4");
        let source = |source: &str| format!("{source}:rate={RATE}:duration={seconds}");
        let graph = format!(
            "[0]noise=alls=30:allf=t[picture];[1]{NUMBERS},scale={width}:{}:flags=neighbor[numbers];\
             [picture][numbers]overlay=format=yuv420,format=yuv420p[v]",
            height / 9
        );
        let bitrate = bitrate.to_string();
        let flags = if *faststart { "+faststart" } else { "0" };
        let status = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-y"])
            .args(["-f", "lavfi", "-i", &source(&format!("testsrc2=size={width}x{height}"))])
            .args(["-f", "lavfi", "-i", &source("color=size=16x2")])
            .args(["-f", "lavfi", "-i", &format!("sine=frequency=440:sample_rate=48000:duration={seconds}")])
            .args(["-filter_complex", &graph, "-map", "[v]", "-map", "2:a"])
            .args(["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "60", "-sc_threshold", "0"])
            .args(["-x264-params", "open-gop=0"])
            .args(["-b:v", &bitrate, "-maxrate", &bitrate, "-bufsize", &bitrate])
            .args(["-c:a", "aac", "-b:a", "96k", "-ac", "2", "-movflags", flags])
            .arg(&path)
            .status()
            .context("ffmpeg is missing: run make test")?;
        ensure!(status.success(), "ffmpeg could not make a film");
        Ok(path)
    }
}
