//! A file as the API shows it, the same everywhere: upload, info and list (design section 3).

use reelgate_common::{
    db::FileWithRenditions,
    file::{Failure, FileKind, FileState},
    ids::{FileId, UserId},
    media_info::MediaInfo,
    rendition::{CaptionsDetails, Rendition, RenditionKind},
    timestamp::Timestamp,
};
use serde::Serialize;

#[derive(Debug, Serialize)]
pub struct FileJson<'a> {
    id: FileId,
    location: &'a str,
    filename: &'a str,
    content_type: &'a str,
    size_bytes: u64,
    /// Unknown while the upload goes on.
    sha256: Option<&'a str>,
    kind: FileKind,
    state: FileState,
    progress: f64,
    failure: Option<&'a Failure>,
    /// What the probe found, and why the source is not used as it is.
    media: Option<&'a MediaInfo>,
    renditions: Vec<RenditionJson<'a>>,
    owner_id: &'a UserId,
    created_at: Timestamp,
    updated_at: Timestamp,
    ready_at: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
pub(crate) struct RenditionJson<'a> {
    name: &'a str,
    kind: RenditionKind,
    content_type: &'a str,
    size_bytes: u64,
    width: Option<u32>,
    height: Option<u32>,
    bitrate: Option<u64>,
    codecs: Option<&'a str>,
    #[serde(flatten)]
    captions: Option<CaptionsJson<'a>>,
    /// A path; the client adds its token.
    url: String,
}

impl<'a> From<&'a FileWithRenditions> for FileJson<'a> {
    fn from(row: &'a FileWithRenditions) -> Self {
        let file = &row.file;
        Self {
            id: file.id,
            location: &file.location,
            filename: &file.filename,
            content_type: &file.content_type,
            size_bytes: file.size_bytes,
            sha256: Some(file.sha256.as_str()).filter(|digest| !digest.is_empty()),
            kind: file.kind,
            state: file.state,
            progress: file.progress,
            failure: file.failure.as_ref(),
            media: file.media.as_ref(),
            renditions: row.renditions.iter().map(RenditionJson::from).collect(),
            owner_id: &file.owner_id,
            created_at: file.created_at,
            updated_at: file.updated_at,
            ready_at: file.ready_at,
        }
    }
}

/// Only captions have these.
#[derive(Debug, Serialize)]
struct CaptionsJson<'a> {
    language: &'a str,
    label: Option<&'a str>,
    default: bool,
    /// By a person, who can remove them.
    added: bool,
}

impl<'a> From<&'a CaptionsDetails> for CaptionsJson<'a> {
    fn from(details: &'a CaptionsDetails) -> Self {
        let CaptionsDetails { language, label, default, added } = details;
        Self { language, label: label.as_deref(), default: *default, added: *added }
    }
}

impl<'a> From<&'a Rendition> for RenditionJson<'a> {
    fn from(rendition: &'a Rendition) -> Self {
        Self {
            name: &rendition.name,
            kind: rendition.kind,
            content_type: &rendition.content_type,
            size_bytes: rendition.size_bytes,
            width: rendition.width,
            height: rendition.height,
            bitrate: rendition.bitrate,
            codecs: rendition.codecs.as_deref(),
            captions: rendition.captions().map(CaptionsJson::from),
            url: url(rendition),
        }
    }
}

fn url(rendition: &Rendition) -> String {
    let Rendition { file_id, name, .. } = rendition;
    match rendition.kind {
        RenditionKind::Poster => format!("/v1/files/{file_id}/poster"),
        RenditionKind::Preview => format!("/v1/files/{file_id}/preview"),
        RenditionKind::Waveform => format!("/v1/files/{file_id}/waveform.json"),
        RenditionKind::Storyboard => format!("/v1/files/{file_id}/{name}.jpg"),
        RenditionKind::Captions => {
            let language = name.strip_prefix("captions-").unwrap_or(name);
            format!("/v1/files/{file_id}/captions/{language}.vtt")
        }
        RenditionKind::Video | RenditionKind::Audio => format!("/v1/files/stream/{file_id}?rendition={name}"),
    }
}
