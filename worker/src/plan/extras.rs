//! What is made beside what plays: the choice, and the shapes of it that both sides of a task compute alike, so that the
//! parent knows what the child must give. Pure.

use reelgate_common::media_info::{MediaInfo, SubtitleInfo};
use reelgate_packager::language_tag;

use super::{Choice, Extras, LadderPolicy};

/// Captions of one file at the most.
const MAX_CAPTIONS: usize = 32;
const INTERVALS_MS: [u64; 4] = [1_000, 2_000, 5_000, 10_000];
const MAX_TILES: u64 = 400;
const COLUMNS: u32 = 10;
const ROWS: u32 = 10;
const TILE_SIDE: u32 = 160;

pub(super) fn extras(media: &MediaInfo, policy: &LadderPolicy, reasons: &mut Vec<Choice>) -> Extras {
    let (film, sound) = (media.video.is_some(), media.video.is_none() && !media.audio.is_empty());
    let is_text = |track: &&SubtitleInfo| policy.captions && track.text;
    let captions = media.subtitles.iter().filter(is_text).map(|track| track.stream).take(MAX_CAPTIONS).collect();
    let made = Extras {
        poster: film,
        storyboard: film && policy.storyboard,
        preview: film && policy.preview,
        waveform: sound && policy.waveform,
        captions: if film { captions } else { Vec::new() },
    };
    let pictures = [(made.poster, "poster"), (made.storyboard, "storyboard"), (made.preview, "preview")];
    reasons
        .extend(pictures.iter().filter(|(made, _)| *made).map(|(_, what)| Choice::new(*what, "the source has video")));
    if made.waveform {
        reasons.push(Choice::new("waveform", "the source has audio and no video"));
    }
    if !made.captions.is_empty() {
        reasons.push(Choice::new("captions", "the source has subtitles that are text"));
    }
    made
}

/// How a storyboard is laid out; a function of the source alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoryboardLayout {
    pub(crate) interval_ms: u64,
    /// On all sheets.
    pub(crate) tiles: u32,
    pub(crate) columns: u32,
    /// Even.
    pub(crate) tile_width: u32,
    pub(crate) tile_height: u32,
}

impl StoryboardLayout {
    /// `None` without pictures.
    pub(crate) fn of(media: &MediaInfo) -> Option<Self> {
        let video = media.video.as_ref()?;
        let duration_ms = video.duration_ms.unwrap_or(media.duration_ms).max(media.duration_ms).max(1);
        let enough = |interval: &u64| duration_ms.div_ceil(*interval) <= MAX_TILES;
        let interval_ms = INTERVALS_MS.into_iter().find(enough).unwrap_or_else(|| duration_ms.div_ceil(MAX_TILES));
        let tiles = u32::try_from(duration_ms.div_ceil(interval_ms)).unwrap_or(1);
        let longest = u64::from(video.width.max(video.height).max(1));
        let side = |side: u32| {
            let scaled = u64::from(side) * u64::from(TILE_SIDE) / longest;
            u32::try_from(scaled).unwrap_or(2).max(2) & !1
        };
        let (tile_width, tile_height) = (side(video.width), side(video.height));
        Some(Self { interval_ms, tiles, columns: COLUMNS.min(tiles), tile_width, tile_height })
    }

    pub(crate) fn per_sheet(&self) -> u32 {
        self.columns * ROWS
    }

    pub(crate) fn sheets(&self) -> u32 {
        self.tiles.div_ceil(self.per_sheet())
    }

    /// Of a sheet from which on so many tiles are planned.
    pub(crate) fn sheet_size(&self, tiles: u32) -> (u32, u32) {
        let rows = tiles.min(self.per_sheet()).div_ceil(self.columns);
        (self.columns * self.tile_width, rows * self.tile_height)
    }

    /// Tiles planned on the sheet of this number, from 1.
    pub(crate) fn tiles_on(&self, sheet: u32) -> u32 {
        (self.tiles - (sheet - 1) * self.per_sheet()).min(self.per_sheet())
    }

    /// What the sheet of this number is called, from 1.
    pub(crate) fn name(sheet: u32) -> String {
        format!("storyboard-{sheet}")
    }
}

/// Captions out of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EmbeddedCaptions {
    pub(crate) stream: u32,
    /// `captions-en`; a second one in the same language is `captions-en-2`.
    pub(crate) name: String,
    pub(crate) language: String,
}

impl EmbeddedCaptions {
    /// Those of the streams that are wanted. What a track is called does not hang on which others are wanted.
    pub(crate) fn of(media: &MediaInfo, streams: &[u32]) -> Vec<Self> {
        let mut named: Vec<Self> = Vec::new();
        for track in media.subtitles.iter().filter(|track| track.text) {
            let language = track.language.as_deref().and_then(language_tag).unwrap_or_else(|| "und".to_owned());
            let before = named.iter().filter(|other| other.language.eq_ignore_ascii_case(&language)).count();
            let number = if before == 0 { String::new() } else { format!("-{}", before + 1) };
            // In lower case, as it is looked for.
            let name = format!("captions-{}{number}", language.to_ascii_lowercase());
            named.push(Self { stream: track.stream, name, language });
        }
        named.retain(|captions| streams.contains(&captions.stream));
        named
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captions_are_called_by_the_shortest_tag_whichever_are_still_to_be_made() {
        let track = |(stream, language): (u32, Option<&str>)| SubtitleInfo {
            stream,
            language: language.map(str::to_owned),
            text: stream != 5,
            ..SubtitleInfo::default()
        };
        let tracks = [(2, Some("ger")), (3, Some("de")), (4, None), (5, Some("eng")), (6, Some("EN"))];
        let media = MediaInfo { subtitles: tracks.map(track).to_vec(), ..MediaInfo::default() };
        let names = |streams: &[u32]| {
            let captions = EmbeddedCaptions::of(&media, streams).into_iter();
            captions.map(|one| format!("{} {}", one.name, one.language)).collect::<Vec<_>>()
        };
        assert_eq!(names(&[2, 3, 4, 6]), ["captions-de de", "captions-de-2 de", "captions-und und", "captions-en en"]);
        assert_eq!(names(&[3]), ["captions-de-2 de"]);
    }
}
