//! What clients upload: small, of every kind that takes a way of its own, and no two with the same bytes.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;

use super::dice::Dice;
use crate::process::Folder;

/// Above the smallest part, so that it goes in parts.
const LARGE: usize = 6 << 20;

/// What becomes of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Served as it is at once, and given a poster.
    WebSafe,
    /// Must be encoded.
    Foreign,
    /// Is ready without any work.
    Plain,
    /// Calls itself a film and is none.
    Junk,
    /// Keeps a worker busy for a while.
    Long,
}

/// Clips made once.
#[derive(Debug)]
pub(crate) struct Media {
    web_safe: Vec<u8>,
    foreign: Vec<u8>,
}

impl Media {
    pub(crate) fn make(folder: &Folder) -> Result<Self> {
        let x264 = [
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-pix_fmt",
            "yuv420p",
            "-c:a",
            "aac",
            "-movflags",
            "+faststart",
        ];
        let foreign = ["-c:v", "mpeg4", "-c:a", "libmp3lame"];
        Ok(Self {
            web_safe: clip(&folder.join("web-safe.mp4"), &x264)?,
            foreign: clip(&folder.join("foreign.mkv"), &foreign)?,
        })
    }

    /// The name and the bytes of a new upload.
    pub(crate) fn upload(&self, dice: &mut Dice) -> (Kind, String, Bytes) {
        let number = dice.throw();
        match dice.below(10) {
            0..=2 => (Kind::WebSafe, format!("{number}.mp4"), with_free_box(&self.web_safe, dice)),
            3..=6 => (Kind::Foreign, format!("{number}.mkv"), with_void(&self.foreign, dice)),
            7 => (Kind::Junk, format!("{number}.mp4"), dice.bytes(2_000).into()),
            8 => (Kind::Plain, format!("{number}.bin"), dice.bytes(LARGE).into()),
            _ => {
                let length = 1 + dice.below(200_000);
                (Kind::Plain, format!("{number}.bin"), dice.bytes(length).into())
            }
        }
    }
}

fn clip(path: &str, codecs: &[&str]) -> Result<Vec<u8>> {
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y"])
        .args(["-f", "lavfi", "-i", "testsrc2=size=256x144:rate=15:duration=2"])
        .args(["-f", "lavfi", "-i", "sine=frequency=440:duration=2"])
        .args(codecs)
        .arg(path)
        .status()
        .context("ffmpeg is missing: run make test")?;
    ensure!(status.success(), "ffmpeg could not make a clip");
    Ok(std::fs::read(path)?)
}

/// A box that every reader skips (ISO/IEC 14496-12, 8.1.2).
pub(crate) fn with_free_box(clip: &[u8], dice: &mut Dice) -> Bytes {
    let noise = dice.bytes(1_000);
    let size = u32::try_from(noise.len() + 8).unwrap_or(u32::MAX).to_be_bytes();
    [clip, &size, b"free", &noise].concat().into()
}

/// An element that every reader skips (RFC 8794, 11.3.2); 120 bytes fit a length of one byte.
fn with_void(clip: &[u8], dice: &mut Dice) -> Bytes {
    let noise = dice.bytes(120);
    [clip, &[0xec, 0x80 | 120], &noise].concat().into()
}
