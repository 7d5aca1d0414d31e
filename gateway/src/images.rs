//! Images of a file and what is drawn like one: poster, preview, sheets of the storyboard and the text that names their
//! tiles, waveform. They need the scope `image` and open no lease.

mod endpoints;
mod storyboard;

use std::{borrow::Cow, sync::Arc};

use http::HeaderValue;
use reelgate_common::{
    db::FileWithRenditions,
    ids::FileId,
    rendition::{Rendition, RenditionKind, Sheet},
    timestamp::Timestamp,
    tokens::Scope,
};

pub(crate) use self::endpoints::endpoints;
use crate::{
    app::App,
    error::ApiError,
    grant::Grant,
    play::{Ask, serve},
    representation::{Caching, Choice, Representation, image_named, may_come},
    respond::Response,
};

/// Which of them; the shape of its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Image {
    Poster,
    Preview,
    Waveform,
    /// Its number, from 1.
    Sheet(u32),
    /// WebVTT and JSON that name the tiles of all sheets.
    Cues,
    Tiles,
}

impl Image {
    /// Of the last part of an address below a file.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "poster" => Self::Poster,
            "preview" => Self::Preview,
            "waveform.json" => Self::Waveform,
            "storyboard.vtt" => Self::Cues,
            "storyboard.json" => Self::Tiles,
            _ => {
                let number = name.strip_prefix("storyboard-")?.strip_suffix(".jpg")?;
                let plain = !number.starts_with(['0', '+']);
                Self::Sheet(number.parse().ok().filter(|_| plain)?)
            }
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Poster => "poster",
            Self::Preview => "preview",
            Self::Waveform => "waveform",
            Self::Sheet(_) | Self::Cues | Self::Tiles => "storyboard",
        }
    }

    /// The rendition without which there is none, or none yet.
    fn rendition(self) -> Cow<'static, str> {
        match self {
            Self::Poster | Self::Preview | Self::Waveform => self.name().into(),
            Self::Sheet(number) => format!("storyboard-{number}").into(),
            Self::Cues | Self::Tiles => "storyboard-1".into(),
        }
    }
}

/// `GET /v1/files/{id}/{image}`
///
/// # Errors
/// 404, 403, 409, 412, 416, or 503.
pub(crate) async fn image(
    app: &Arc<App>,
    grant: Grant,
    (file, image): (FileId, Image),
    ask: Ask<'_>,
) -> Result<Response, ApiError> {
    let rendition = image.rendition();
    let row = row_with(app, &grant, file, |row| image_named(row, &rendition).is_ok()).await?;
    let found = image_named(&row, &rendition)?;
    let shown = match image {
        Image::Poster | Image::Preview | Image::Waveform | Image::Sheet(_) => {
            Representation::of(&row.file, Choice::Rendition(found))
        }
        Image::Cues => text("text/vtt; charset=utf-8", storyboard::vtt(&sheets(&row), ask.query.get("token")), &row),
        Image::Tiles => text("application/json", storyboard::json(&sheets(&row), ask.query.get("token")), &row),
    };
    serve(app, &row.file, shown, None, ask).await
}

/// A file whose images the grant may see; as it is now, where what is remembered of it lacks what is asked for.
///
/// # Errors
/// 404, 403, or 503.
pub(crate) async fn row_with(
    app: &App,
    grant: &Grant,
    file: FileId,
    has: impl Fn(&FileWithRenditions) -> bool,
) -> Result<Arc<FileWithRenditions>, ApiError> {
    grant.covers(file)?;
    grant.allows(Scope::Image)?;
    let does = |row: &FileWithRenditions| has(row) || !may_come(&row.file);
    app.rows.find_that(&app.db, grant.org(), file, does).await?.ok_or_else(ApiError::file_not_found)
}

/// All sheets in their order, with the names they are asked for by.
fn sheets(row: &FileWithRenditions) -> Vec<(String, Sheet)> {
    let sheet = |rendition: &Rendition| Some((format!("{}.jpg", rendition.name), *rendition.sheet()?));
    let mut sheets: Vec<_> = row.renditions.iter().filter_map(sheet).collect();
    sheets.sort_by_key(|(_, sheet)| sheet.first_ms);
    sheets
}

fn text(content_type: &'static str, text: String, row: &FileWithRenditions) -> Representation {
    let boards = row.renditions.iter().filter(|rendition| rendition.kind == RenditionKind::Storyboard);
    let modified = boards.map(|rendition| rendition.created_at).max().unwrap_or(Timestamp::default());
    Representation::of_text(HeaderValue::from_static(content_type), text, modified, Caching::Revalidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_has_one_address() {
        assert_eq!(Image::parse("storyboard-12.jpg"), Some(Image::Sheet(12)));
        for wrong in ["storyboard-01.jpg", "storyboard-+1.jpg", "storyboard-.jpg", "storyboard-1.png", "posters", ""] {
            assert_eq!(Image::parse(wrong), None, "{wrong}");
        }
    }
}
