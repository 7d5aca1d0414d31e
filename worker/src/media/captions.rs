//! Text subtitles of the source as cues: their packets hold text and say when, so nothing is decoded.

use ffmpeg_next::Packet;
use reelgate_common::captions::{self, Cue, MAX_CUES};

use super::{clock::Clock, error::MediaError, ffi::StreamFacts, input::Source};
use crate::{plan::extras::EmbeddedCaptions, task::protocol::Output};

/// Cues count in milliseconds.
const CLOCK: Clock = Clock::new(1_000);
/// Shown so long when the source does not say.
const UNTIMED_MS: i64 = 5_000;

/// All subtitle streams that are wanted.
#[derive(Default)]
pub(super) struct Captions {
    tracks: Vec<Track>,
    /// Milliseconds that become zero.
    origin: i64,
}

struct Track {
    planned: EmbeddedCaptions,
    stream: StreamFacts,
    cues: Vec<Cue>,
}

impl Captions {
    /// `origin` in microseconds.
    pub(super) fn new(source: &Source, planned: Vec<EmbeddedCaptions>, origin: i64) -> Self {
        let stream = |index: u32| source.streams.iter().find(|stream| stream.index == index).cloned();
        let track =
            |planned: EmbeddedCaptions| Some(Track { stream: stream(planned.stream)?, planned, cues: Vec::new() });
        Self { tracks: planned.into_iter().filter_map(track).collect(), origin: CLOCK.of_micros(origin) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tracks.is_empty()
    }

    pub(super) fn streams(&self) -> impl Iterator<Item = u32> {
        self.tracks.iter().map(|track| track.planned.stream)
    }

    /// Takes a packet if it is of one of the streams.
    pub(super) fn send(&mut self, packet: &Packet) {
        let mut tracks = self.tracks.iter_mut();
        let Some(track) = tracks.find(|track| track.planned.stream as usize == packet.stream()) else { return };
        let (Some(data), Some(pts)) = (packet.data(), packet.pts()) else { return };
        if track.cues.len() >= MAX_CUES {
            return;
        }
        let start = CLOCK.convert(pts, track.stream.time_base).saturating_sub(self.origin);
        let lasts = CLOCK.convert(packet.duration(), track.stream.time_base);
        let text = text(&track.stream.codec, data);
        track.cues.extend(cue(start, if lasts > 0 { lasts } else { UNTIMED_MS }, text));
    }

    /// One output, or why there is none, for each stream.
    pub(super) fn finish(&mut self) -> Vec<(String, Result<Output, MediaError>)> {
        self.tracks.drain(..).map(|track| (track.planned.name.clone(), track.write())).collect()
    }
}

impl Track {
    fn write(self) -> Result<Output, MediaError> {
        if self.cues.is_empty() {
            return Err(MediaError::broken("a subtitle track holds no text"));
        }
        let name = self.planned.name;
        let file = format!("{name}.vtt");
        std::fs::write(&file, captions::write(&self.cues)).map_err(MediaError::io("write captions"))?;
        Ok(Output { name, file, ..Output::default() })
    }
}

fn cue(start: i64, lasts: i64, text: String) -> Option<Cue> {
    let end_ms = u64::try_from(start.saturating_add(lasts)).ok()?;
    let start_ms = u64::try_from(start.max(0)).ok()?;
    let settings = String::new();
    (start_ms < end_ms && !text.is_empty()).then_some(Cue { start_ms, end_ms, settings, text })
}

/// What a packet says, as WebVTT cue text.
fn text(codec: &str, data: &[u8]) -> String {
    match codec {
        // Two bytes of length, the text, then boxes of styles.
        "mov_text" => {
            let [high, low, rest @ ..] = data else { return String::new() };
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            captions::plain(&String::from_utf8_lossy(rest.get(..length).unwrap_or(rest)))
        }
        // ReadOrder, Layer, Style, Name, three margins and Effect come before the text.
        "ass" | "ssa" => {
            let line = String::from_utf8_lossy(data);
            captions::from_ass(line.splitn(9, ',').nth(8).unwrap_or_default().trim_end())
        }
        "webvtt" => String::from_utf8_lossy(data).into_owned(),
        _ => captions::from_srt(&String::from_utf8_lossy(data)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_packet_gives_its_text() {
        assert_eq!(text("mov_text", b"\0\x05Hi <y\0\0\0\x0cstyl"), "Hi &lt;y");
        assert_eq!(text("mov_text", b"\0"), "");
        assert_eq!(text("mov_text", b"\xff\xffshort"), "short");
        assert_eq!(text("ass", b"0,0,Default,,0,0,0,,{\\i1}Hello, you\\Nthere"), "Hello, you\nthere");
        assert_eq!(text("ass", b"0,0"), "");
        assert_eq!(text("subrip", b"<i>Hello</i>\r\n<font>there</font>"), "<i>Hello</i>\nthere");
        assert_eq!(text("webvtt", b"<v Ann>Hi"), "<v Ann>Hi");
    }

    #[test]
    fn a_cue_that_began_before_the_film_is_seen_from_its_beginning() {
        let made = cue(-500, 1_000, "a".to_owned()).unwrap();
        assert_eq!((made.start_ms, made.end_ms), (0, 500));
        assert_eq!(cue(-2_000, 1_000, "a".to_owned()), None);
    }
}
