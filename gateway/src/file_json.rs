//! A file as the API shows it, the same everywhere: upload, info and list (design section 3).

use reelgate_common::{
    db::FileWithRenditions,
    file::{Failure, FileKind, FileState},
    ids::{FileId, UserId},
    labels::Metadata,
    media_info::{AudioInfo, MediaInfo, Reason, VideoInfo},
    rendition::{Rendition, RenditionKind},
    timestamp::Timestamp,
};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// A file, and all that is made from it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = File)]
pub struct FileJson<'a> {
    id: FileId,
    /// A stable name within the organisation.
    location: &'a str,
    /// As it was uploaded, or renamed since.
    filename: &'a str,
    /// By its content.
    content_type: &'a str,
    size_bytes: u64,
    /// Unknown while the upload goes on.
    sha256: Option<&'a str>,
    kind: FileKind,
    state: FileState,
    /// 0.0 to 1.0, which is when every planned rendition is published or refused.
    #[schema(minimum = 0.0, maximum = 1.0)]
    progress: f64,
    /// Why it failed.
    failure: Option<&'a Failure>,
    /// What the probe found, and why the source is not used as it is.
    media: Option<&'a MediaInfo>,
    renditions: Vec<RenditionJson<'a>>,
    owner_id: &'a UserId,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// When it could first be played.
    ready_at: Option<Timestamp>,
    #[schema(value_type = Vec<String>)]
    tags: &'a [String],
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    metadata: &'a Metadata,
    /// From then on the file is as good as deleted.
    expires_at: Option<Timestamp>,
    /// Since when it is in the trash.
    trashed_at: Option<Timestamp>,
}

/// One finished output of a file.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rendition)]
pub(crate) struct RenditionJson<'a> {
    /// As `rendition` names it.
    name: &'a str,
    kind: RenditionKind,
    content_type: &'a str,
    size_bytes: u64,
    width: Option<u32>,
    height: Option<u32>,
    /// Bits per second.
    bitrate: Option<u64>,
    /// As RFC 6381 writes them.
    codecs: Option<&'a str>,
    /// Of captions alone, as are the three below: a tag of BCP 47, `und` when nobody has said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    language: Option<&'a str>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    label: Option<Option<&'a str>>,
    /// Shown unless the viewer chooses otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    default: Option<bool>,
    /// By a person, who can remove them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    added: Option<bool>,
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
            tags: &file.labels.tags,
            metadata: &file.labels.metadata,
            expires_at: file.labels.expires_at,
            trashed_at: file.trashed_at,
        }
    }
}

impl<'a> From<&'a Rendition> for RenditionJson<'a> {
    fn from(rendition: &'a Rendition) -> Self {
        let captions = rendition.captions();
        Self {
            name: &rendition.name,
            kind: rendition.kind,
            content_type: &rendition.content_type,
            size_bytes: rendition.size_bytes,
            width: rendition.width,
            height: rendition.height,
            bitrate: rendition.bitrate,
            codecs: rendition.codecs.as_deref(),
            language: captions.map(|captions| captions.language.as_str()),
            label: captions.map(|captions| captions.label.as_deref()),
            default: captions.map(|captions| captions.default),
            added: captions.map(|captions| captions.added),
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

/// A file as the document shows it.
pub(crate) fn example() -> Value {
    json!({
        "id": "0193d2c8-5f3a-7c41-9d2e-6b1f0a7c4e55",
        "location": "2026/11/0193d2c8-5f3a-7c41-9d2e-6b1f0a7c4e55/harbour.mp4",
        "filename": "harbour.mp4",
        "content_type": "video/mp4",
        "size_bytes": 48_231_004,
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "kind": "video",
        "state": "ready",
        "progress": 1.0,
        "failure": null,
        "media": media_example(),
        "renditions": [rendition_example()],
        "owner_id": "alice",
        "created_at": "2026-11-30T09:12:44.017Z",
        "updated_at": "2026-11-30T09:13:20.402Z",
        "ready_at": "2026-11-30T09:12:58.911Z",
        "tags": ["holiday"],
        "metadata": { "album": "17" },
        "expires_at": null,
        "trashed_at": null,
    })
}

fn rendition_example() -> Value {
    json!({
        "name": "720p",
        "kind": "video",
        "content_type": "video/mp4",
        "size_bytes": 21_004_113,
        "width": 1280,
        "height": 720,
        "bitrate": 2_210_450,
        "codecs": "avc1.64001f,mp4a.40.2",
        "url": "/v1/files/stream/0193d2c8-5f3a-7c41-9d2e-6b1f0a7c4e55?rendition=720p",
    })
}

/// What a probe finds.
pub(crate) fn media_example() -> Value {
    let video = VideoInfo {
        codec: "hevc".to_owned(),
        coded_width: 1920,
        coded_height: 1080,
        width: 1920,
        height: 1080,
        frame_rate: (25, 1),
        average_frame_rate: (25, 1),
        pixel_format: "yuv420p".to_owned(),
        ..VideoInfo::default()
    };
    let sound = AudioInfo {
        stream: 1,
        codec: "aac".to_owned(),
        sample_rate: 48_000,
        channels: 2,
        default: true,
        ..AudioInfo::default()
    };
    let media = MediaInfo {
        container: "mov".to_owned(),
        duration_ms: 76_040,
        bitrate: 5_074_279,
        video: Some(video),
        audio: vec![sound],
        moov_in_front: Some(false),
        reasons: vec![Reason { code: "video_codec".to_owned(), message: "Its pictures are HEVC".to_owned() }],
        ..MediaInfo::default()
    };
    json!(media)
}

/// Captions that somebody has added.
pub(crate) fn captions_example() -> Value {
    json!({
        "name": "captions-pt-br",
        "kind": "captions",
        "content_type": "text/vtt; charset=utf-8",
        "size_bytes": 1_204,
        "width": null,
        "height": null,
        "bitrate": null,
        "codecs": null,
        "language": "pt-BR",
        "label": "Português",
        "default": false,
        "added": true,
        "url": "/v1/files/0193d2c8-5f3a-7c41-9d2e-6b1f0a7c4e55/captions/pt-br.vtt",
    })
}
