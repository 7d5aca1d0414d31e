//! What is made beside what plays: which outputs a plan asks for, and whether those that came are what they must be. They were
//! made of hostile input and go to browsers, so each is held against what the source alone says of it.

use std::{fs::File, os::unix::fs::FileExt};

use reelgate_common::{
    captions,
    media_info::MediaInfo,
    rendition::{CaptionsDetails, Details, RenditionKind, Sheet},
    still::StillFormat,
};

use super::{
    expected::{Copied, Expected, Extra, Kind},
    image_size::image_size,
};
use crate::{
    plan::{
        Extras,
        extras::{EmbeddedCaptions, StoryboardLayout},
    },
    task::{protocol::Output, waveform::WaveformJson},
};

/// Larger than any of them.
const MAX_BYTES: u64 = 16 << 20;
const MAX_SIDE: u32 = 16_384;
const WRONG_IMAGE: &str = "it is no image of the planned kind and size";

/// What the second look found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) kind: RenditionKind,
    pub(super) content_type: &'static str,
    pub(super) size: Option<(u32, u32)>,
    pub(super) details: Option<Details>,
}

/// The outputs that the child is to make.
pub(super) fn expected(media: &MediaInfo, extras: &Extras) -> Vec<Expected> {
    let one = |name: String, extension: &str, what: Extra| Expected {
        file: format!("{name}.{extension}"),
        name,
        what: Kind::Extra(what),
        language: None,
        copied: Copied::default(),
    };
    let mut all = Vec::new();
    all.extend(extras.poster.then(|| one("poster".to_owned(), "jpg", Extra::Poster)));
    if let Some(layout) = StoryboardLayout::of(media).filter(|_| extras.storyboard) {
        let sheets = 1..=layout.sheets();
        all.extend(sheets.map(|number| one(StoryboardLayout::name(number), "jpg", Extra::Sheet(layout, number))));
    }
    all.extend(extras.preview.then(|| one("preview".to_owned(), "webp", Extra::Preview)));
    all.extend(extras.waveform.then(|| one("waveform".to_owned(), "json", Extra::Waveform)));
    let captions = EmbeddedCaptions::of(media, &extras.captions);
    all.extend(captions.into_iter().map(|captions| one(captions.name, "vtt", Extra::Captions)));
    all
}

impl Extras {
    /// What has not been published before.
    pub(super) fn without(mut self, media: &MediaInfo, has: impl Fn(&str) -> bool) -> Self {
        let sheets = StoryboardLayout::of(media).map_or(0, |layout| layout.sheets());
        self.poster &= !has("poster");
        self.storyboard &= (1..=sheets).any(|number| !has(&StoryboardLayout::name(number)));
        self.preview &= !has("preview");
        self.waveform &= !has("waveform");
        let made = EmbeddedCaptions::of(media, &self.captions).into_iter().filter(|captions| has(&captions.name));
        let made: Vec<u32> = made.map(|captions| captions.stream).collect();
        self.captions.retain(|stream| !made.contains(stream));
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        !(self.poster || self.storyboard || self.preview || self.waveform) && self.captions.is_empty()
    }
}

/// # Errors
/// Why it is not what it must be.
pub(super) fn verify(
    media: &MediaInfo,
    file: &File,
    length: u64,
    expected: &Expected,
    extra: Extra,
    output: &Output,
) -> Result<Seen, &'static str> {
    let bytes = whole(file, length).ok_or("it cannot be read or is too large")?;
    match extra {
        Extra::Poster => image(&bytes, StillFormat::Jpeg, None).map(|size| seen(RenditionKind::Poster, size)),
        Extra::Preview => {
            let size = image(&bytes, StillFormat::Webp, None)?;
            Ok(Seen { content_type: "image/webp", ..seen(RenditionKind::Preview, size) })
        }
        Extra::Sheet(layout, number) => {
            let size = image(&bytes, StillFormat::Jpeg, Some(layout.sheet_size(layout.tiles_on(number))))?;
            let details = Some(Details::Storyboard(sheet(layout, number, output)));
            Ok(Seen { details, ..seen(RenditionKind::Storyboard, size) })
        }
        Extra::Waveform => waveform(&bytes),
        Extra::Captions => words(media, &bytes, &expected.name),
    }
}

fn whole(file: &File, length: u64) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).ok().filter(|_| length <= MAX_BYTES)?];
    file.read_exact_at(&mut bytes, 0).ok()?;
    Some(bytes)
}

fn seen(kind: RenditionKind, size: (u32, u32)) -> Seen {
    Seen { kind, content_type: "image/jpeg", size: Some(size), details: None }
}

fn image(bytes: &[u8], format: StillFormat, size: Option<(u32, u32)>) -> Result<(u32, u32), &'static str> {
    let (found, width, height) = image_size(bytes).ok_or(WRONG_IMAGE)?;
    let sane = (1..=MAX_SIDE).contains(&width) && (1..=MAX_SIDE).contains(&height);
    let right = found == format && sane && size.is_none_or(|size| size == (width, height));
    if right { Ok((width, height)) } else { Err(WRONG_IMAGE) }
}

/// A film that ended early has fewer tiles than were planned.
fn sheet(layout: StoryboardLayout, number: u32, output: &Output) -> Sheet {
    let planned = layout.tiles_on(number);
    let made = output
        .duration_ms
        .map_or(planned, |covered| u32::try_from(covered / layout.interval_ms.max(1)).unwrap_or(planned));
    Sheet {
        first_ms: u64::from((number - 1) * layout.per_sheet()) * layout.interval_ms,
        interval_ms: layout.interval_ms,
        columns: layout.columns,
        tiles: made.clamp(1, planned),
        tile_width: layout.tile_width,
        tile_height: layout.tile_height,
    }
}

fn waveform(bytes: &[u8]) -> Result<Seen, &'static str> {
    let sound = serde_json::from_slice::<WaveformJson>(bytes).is_ok_and(|waveform| waveform.is_sound());
    if !sound {
        return Err("it is no waveform");
    }
    Ok(Seen { kind: RenditionKind::Waveform, content_type: "application/json", size: None, details: None })
}

/// Only captions as we write them ourselves: nothing but cues.
fn words(media: &MediaInfo, bytes: &[u8], name: &str) -> Result<Seen, &'static str> {
    let cues = captions::read(bytes).map_err(|_| "they are no captions")?;
    if captions::write(&cues).as_bytes() != bytes {
        return Err("they hold more than cues");
    }
    let streams: Vec<u32> = media.subtitles.iter().map(|track| track.stream).collect();
    let language = EmbeddedCaptions::of(media, &streams).into_iter().find(|captions| captions.name == name);
    let language = language.map_or_else(|| "und".to_owned(), |captions| captions.language);
    let details = CaptionsDetails { language, label: None, default: false, added: false };
    let details = Some(Details::Captions(details));
    Ok(Seen { kind: RenditionKind::Captions, content_type: "text/vtt; charset=utf-8", size: None, details })
}
