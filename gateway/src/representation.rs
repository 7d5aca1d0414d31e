//! Which bytes stand for a file, and what is said about them: rendition, type, name, validators. Pure.

use http::HeaderValue;
use reelgate_common::{
    db::FileWithRenditions,
    file::{FileKind, FileRecord, FileState},
    hex::hex,
    lease::{Parameter, Shown},
    rendition::{Rendition, RenditionKind, Role},
    timestamp::Timestamp,
    tokens::Scope,
};
use sha2::{Digest, Sha256};

use crate::{
    disposition::{Disposition, content_disposition},
    error::ApiError,
    virtual_file::{Extent, VirtualFile},
};

/// The exact upload, under the name that asks for it.
pub(crate) const SOURCE: &str = "source";

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish<'a> {
    /// The exact upload.
    Source,
    Named(&'a str),
    /// The best playable one. A lease remembers which that was: the bytes behind one URL must not change while it plays.
    Best,
}

impl Wish<'_> {
    #[must_use]
    pub(crate) fn scope(&self) -> Scope {
        match self {
            Self::Source => Scope::Source,
            Self::Named(_) | Self::Best => Scope::Play,
        }
    }

    /// Under which a lease remembers what it shows.
    #[must_use]
    pub(crate) fn parameter(&self) -> Parameter {
        match self {
            Self::Source => Parameter::Named(SOURCE.to_owned()),
            Self::Named(name) => Parameter::Named((*name).to_owned()),
            Self::Best => Parameter::Best,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Choice<'a> {
    Source,
    Rendition(&'a Rendition),
}

impl Choice<'_> {
    #[must_use]
    pub(crate) fn shown(&self) -> Shown {
        match self {
            Self::Source => Shown::Source,
            Self::Rendition(rendition) => Shown::Rendition(rendition.name.clone()),
        }
    }
}

/// What was chosen before.
///
/// # Errors
/// 404 when it is not there any more.
pub(crate) fn pinned<'a>(row: &'a FileWithRenditions, shown: &Shown) -> Result<Choice<'a>, ApiError> {
    match shown {
        Shown::Source | Shown::Packaged => Ok(Choice::Source),
        Shown::Rendition(name) => {
            let found = row.renditions.iter().find(|rendition| rendition.name == *name);
            found.map(Choice::Rendition).ok_or_else(no_rendition)
        }
    }
}

/// # Errors
/// 409 while it is not there yet or when it never will be, 404 for a name this file does not have.
pub(crate) fn choose<'a>(row: &'a FileWithRenditions, wish: Wish) -> Result<Choice<'a>, ApiError> {
    match wish {
        Wish::Source if row.file.state == FileState::Uploading => Err(ApiError::not_ready(row.file.state)),
        Wish::Source => Ok(Choice::Source),
        Wish::Named(name) => named(row, name),
        Wish::Best => best(row),
    }
}

/// An image of this name, if it has been published.
///
/// # Errors
/// 404, or 409 while one may still come or when the file has failed.
pub(crate) fn image_named<'a>(row: &'a FileWithRenditions, name: &str) -> Result<&'a Rendition, ApiError> {
    let found = row.renditions.iter().find(|rendition| is_image(rendition.kind) && rendition.name == name);
    found.ok_or_else(|| missing_rendition(&row.file))
}

/// What is shown under the scope of images.
fn is_image(kind: RenditionKind) -> bool {
    match kind {
        RenditionKind::Poster | RenditionKind::Storyboard | RenditionKind::Preview | RenditionKind::Waveform => true,
        RenditionKind::Video | RenditionKind::Audio | RenditionKind::Captions => false,
    }
}

fn named<'a>(row: &'a FileWithRenditions, name: &str) -> Result<Choice<'a>, ApiError> {
    let served = |rendition: &&Rendition| !is_image(rendition.kind) && rendition.name == name;
    match row.renditions.iter().find(served) {
        Some(rendition) => Ok(Choice::Rendition(rendition)),
        None => Err(missing_rendition(&row.file)),
    }
}

/// Why a file does not have what was asked for.
pub(crate) fn missing_rendition(file: &FileRecord) -> ApiError {
    match file.state {
        FileState::Failed => ApiError::failed(file.failure.as_ref()),
        state if may_come(file) => ApiError::not_ready(state),
        _ => no_rendition(),
    }
}

fn best(row: &FileWithRenditions) -> Result<Choice<'_>, ApiError> {
    let playable = row.renditions.iter().filter(|rendition| rendition.is_playable());
    match (playable.max_by_key(|rendition| rendition.rank), row.file.state) {
        (Some(rendition), _) => Ok(Choice::Rendition(rendition)),
        // What is never processed is served as it is.
        (None, FileState::Ready) => Ok(Choice::Source),
        (None, FileState::Failed) => Err(ApiError::failed(row.file.failure.as_ref())),
        (None, state) => Err(ApiError::not_ready(state)),
    }
}

/// Whether processing may still publish something. Then a row that is remembered may lack what others have seen already.
pub(crate) fn may_come(file: &FileRecord) -> bool {
    match file.state {
        FileState::Uploading | FileState::Staged | FileState::Processing => true,
        FileState::Ready => file.progress < 1.0,
        FileState::Failed => false,
    }
}

/// The file does not have it, and will not get it.
pub(crate) fn no_rendition() -> ApiError {
    ApiError::new(http::StatusCode::NOT_FOUND, "rendition_not_found", "The file has no such rendition")
}

/// Bytes and what the headers say about them.
#[derive(Debug, Clone)]
pub(crate) struct Representation {
    pub content_type: HeaderValue,
    pub disposition: HeaderValue,
    /// Strong, without quotes.
    pub etag: String,
    pub modified: Timestamp,
    pub bytes: VirtualFile,
    /// The attempt whose folder holds `Role::Output` objects.
    pub attempt: i64,
    pub caching: Caching,
}

/// What the client's own cache may do; never one that is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caching {
    /// Keep it as long as seems fit.
    Private,
    /// Ask each time: there may be more.
    Revalidate,
    /// These bytes stand behind this address for ever.
    Immutable,
}

impl Caching {
    #[must_use]
    pub(crate) fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Private => "private",
            Self::Revalidate => "private, no-cache",
            Self::Immutable => "private, max-age=31536000, immutable",
        })
    }
}

impl Representation {
    #[must_use]
    pub(crate) fn of(file: &FileRecord, choice: Choice) -> Self {
        match choice {
            Choice::Source => Self::of_source(file),
            Choice::Rendition(rendition) => Self::of_rendition(file, rendition),
        }
    }

    fn of_source(file: &FileRecord) -> Self {
        let harmless = file.state != FileState::Failed && is_media(&file.content_type);
        Self {
            content_type: content_type(&file.content_type),
            disposition: content_disposition(disposition(harmless), &file.filename),
            etag: format!("source-{}", file.sha256),
            // The bytes have not changed since the upload was accepted, which began then.
            modified: file.created_at,
            bytes: VirtualFile::of_object(Role::Source, file.size_bytes),
            attempt: 0,
            caching: Caching::Private,
        }
    }

    fn of_rendition(file: &FileRecord, rendition: &Rendition) -> Self {
        let filename = rendition_filename(&file.filename, rendition);
        Self {
            content_type: content_type(&rendition.content_type),
            disposition: content_disposition(disposition(is_media(&rendition.content_type)), &filename),
            etag: rendition.etag.clone(),
            modified: rendition.created_at,
            bytes: VirtualFile::of_layout(&rendition.layout),
            attempt: rendition.attempt,
            // People may put others in their place.
            caching: match rendition.kind {
                RenditionKind::Captions => Caching::Revalidate,
                _ => Caching::Private,
            },
        }
    }

    /// A document of our own making.
    #[must_use]
    pub(crate) fn of_text(content_type: HeaderValue, text: String, modified: Timestamp, caching: Caching) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        Self {
            content_type,
            disposition: HeaderValue::from_static("inline"),
            etag: hex(&digest[..16]),
            modified,
            bytes: VirtualFile::from_extents([Extent::Inline(text.into())]),
            attempt: 0,
            caching,
        }
    }
}

fn disposition(harmless: bool) -> Disposition {
    if harmless { Disposition::Inline } else { Disposition::Attachment }
}

/// What a browser shows without ever running it. SVG is a document, not an image.
fn is_media(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    matches!(
        essence,
        "image/jpeg"
            | "image/png"
            | "image/gif"
            | "image/webp"
            | "image/avif"
            | "image/bmp"
            | "image/heic"
            | "text/vtt"
    ) || ((essence.starts_with("video/") || essence.starts_with("audio/")) && !essence.ends_with("mpegurl"))
}

fn content_type(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

/// `film.mov` as its rung: `film-720p.mp4`.
fn rendition_filename(filename: &str, rendition: &Rendition) -> String {
    if rendition.name == SOURCE {
        return filename.to_owned();
    }
    let stem = filename.rsplit_once('.').map_or(filename, |(stem, _)| stem);
    let extension = match rendition.content_type.split(';').next().unwrap_or_default() {
        "video/mp4" => "mp4",
        "audio/mp4" => "m4a",
        "audio/mpeg" => "mp3",
        "image/jpeg" => "jpg",
        "image/webp" => "webp",
        "text/vtt" => "vtt",
        _ => "bin",
    };
    format!("{stem}-{}.{extension}", rendition.name)
}

/// A source that stands in for a rendition needs the right to the source, or to images if it is one.
#[must_use]
pub(crate) fn fallback_scope(kind: FileKind) -> Scope {
    if kind == FileKind::Image { Scope::Image } else { Scope::Source }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use reelgate_common::{
        file::Failure,
        ids::{FileId, OrgId, UserId},
        key::Key,
        labels::Labels,
    };

    use super::*;

    fn row(state: FileState, progress: f64, renditions: Vec<Rendition>) -> FileWithRenditions {
        let (id, org_id) = (FileId::new(), OrgId::new("acme"));
        let failure = (state == FileState::Failed).then(|| Failure {
            code: "not_media".to_owned(),
            message: "Not media".to_owned(),
            retryable: false,
        });
        let file = FileRecord {
            id,
            org_id: org_id.clone(),
            owner_id: UserId::new("alice"),
            location: "l".to_owned(),
            filename: "my.film.mov".to_owned(),
            name_key: String::new(),
            content_type: "video/quicktime".to_owned(),
            size_bytes: 10,
            sha256: "ab".to_owned(),
            kind: FileKind::Video,
            state,
            progress,
            failure,
            generation: 1,
            media: None,
            grid: None,
            source_key: Key::Staging { org: org_id, file: id },
            staged_version: None,
            created_at: Timestamp(1),
            updated_at: Timestamp(1),
            ready_at: None,
            labels: Labels::default(),
            trashed_at: None,
            deleted_at: None,
        };
        FileWithRenditions { file, renditions }
    }

    fn rendition(name: &str, kind: RenditionKind, rank: i32, created_at: i64) -> Rendition {
        Rendition {
            file_id: FileId::new(),
            generation: 1,
            attempt: 1,
            name: name.to_owned(),
            kind,
            content_type: "video/mp4".to_owned(),
            size_bytes: 1,
            width: None,
            height: None,
            bitrate: None,
            codecs: None,
            duration_ms: None,
            layout: Vec::new(),
            etag: name.to_owned(),
            rank,
            packaging: None,
            details: None,
            earned: false,
            used_at: None,
            created_at: Timestamp(created_at),
        }
    }

    fn ladder() -> Vec<Rendition> {
        vec![
            rendition("poster", RenditionKind::Poster, -1, 5),
            rendition("480p", RenditionKind::Video, 480, 10),
            rendition("1080p", RenditionKind::Video, 1080, 20),
        ]
    }

    fn chosen(row: &FileWithRenditions, wish: Wish) -> String {
        match choose(row, wish) {
            Ok(Choice::Source) => SOURCE.to_owned(),
            Ok(Choice::Rendition(rendition)) => rendition.name.clone(),
            Err(error) => error.code.into_owned(),
        }
    }

    #[test]
    fn the_best_is_that_of_the_highest_rank() {
        assert_eq!(chosen(&row(FileState::Ready, 1.0, ladder()), Wish::Best), "1080p");
    }

    #[test]
    fn what_was_chosen_before_is_found_again_or_missed() {
        let row = row(FileState::Ready, 0.5, ladder());
        let first = choose(&row, Wish::Named("480p")).unwrap();
        assert_eq!(pinned(&row, &first.shown()), Ok(first));
        assert_eq!(pinned(&row, &Shown::Source), Ok(Choice::Source));
        let gone = pinned(&row, &Shown::Rendition("360p".to_owned())).unwrap_err();
        assert_eq!(gone.code, "rendition_not_found");
    }

    #[test]
    fn a_file_under_way_or_failed_is_a_conflict() {
        for state in [FileState::Uploading, FileState::Staged, FileState::Processing] {
            assert_eq!(chosen(&row(state, 0.0, vec![]), Wish::Best), "not_ready");
        }
        let failed = row(FileState::Failed, 1.0, vec![]);
        assert_eq!(chosen(&failed, Wish::Best), "not_media");
        assert_eq!(chosen(&failed, Wish::Named("720p")), "not_media");
        assert_eq!(choose(&failed, Wish::Best).unwrap_err().status, StatusCode::CONFLICT);
    }

    #[test]
    fn the_source_is_there_from_staged_on_and_what_failed_is_an_attachment() {
        assert_eq!(chosen(&row(FileState::Uploading, 0.0, vec![]), Wish::Source), "not_ready");
        for state in [FileState::Staged, FileState::Processing, FileState::Ready, FileState::Failed] {
            assert_eq!(chosen(&row(state, 0.0, vec![]), Wish::Source), SOURCE);
        }
        let said = |state| Representation::of(&row(state, 0.0, vec![]).file, Choice::Source).disposition;
        assert!(said(FileState::Ready).to_str().unwrap().starts_with("inline"));
        assert!(said(FileState::Failed).to_str().unwrap().starts_with("attachment"));
    }

    #[test]
    fn an_image_of_a_file_that_failed_is_missing_for_the_same_reason() {
        let told = |state| image_named(&row(state, 1.0, Vec::new()), "poster").unwrap_err().status;
        assert_eq!((told(FileState::Failed), told(FileState::Ready)), (StatusCode::CONFLICT, StatusCode::NOT_FOUND));
    }

    #[test]
    fn a_name_is_missing_only_when_it_cannot_come_any_more() {
        assert_eq!(chosen(&row(FileState::Ready, 0.5, ladder()), Wish::Named("720p")), "not_ready");
        assert_eq!(chosen(&row(FileState::Ready, 1.0, ladder()), Wish::Named("720p")), "rendition_not_found");
        assert_eq!(chosen(&row(FileState::Ready, 1.0, ladder()), Wish::Named("poster")), "rendition_not_found");
        assert_eq!(chosen(&row(FileState::Ready, 1.0, ladder()), Wish::Named("480p")), "480p");
    }

    #[test]
    fn what_is_never_processed_is_served_as_it_is() {
        assert_eq!(chosen(&row(FileState::Ready, 1.0, vec![]), Wish::Best), SOURCE);
        assert_eq!(fallback_scope(FileKind::Other), Scope::Source);
    }

    #[test]
    fn only_media_is_shown_inline() {
        for content_type in ["video/mp4", "audio/mpeg", "image/png", "video/mp4; codecs=avc1"] {
            assert!(is_media(content_type), "{content_type}");
        }
        for content_type in ["image/svg+xml", "text/html", "application/pdf", "audio/mpegurl", "", "VIDEO"] {
            assert!(!is_media(content_type), "{content_type}");
        }
    }

    #[test]
    fn a_rung_is_named_after_its_source() {
        let name = |rendition: Rendition| rendition_filename("my.film.mov", &rendition);
        assert_eq!(name(rendition("720p", RenditionKind::Video, 1, 1)), "my.film-720p.mp4");
        assert_eq!(name(rendition(SOURCE, RenditionKind::Video, 1, 1)), "my.film.mov");
    }
}
