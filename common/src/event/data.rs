//! What events say besides their kind and their file: one type for each kind, made by whoever tells it. The API's document has their schemas.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{EventKind, LiveKind};
use crate::{
    file::{Failure, FileKind, FileState},
    rendition::RenditionKind,
    timestamp::Timestamp,
};

/// Of what is in the log.
pub trait EventData: Serialize + ToSchema {
    const KIND: EventKind;
}

/// Of what is told and never kept.
pub trait LiveData: Serialize + ToSchema {
    const KIND: LiveKind;
}

pub(crate) fn object(data: &impl Serialize) -> Value {
    serde_json::to_value(data).expect("made of texts and numbers")
}

/// The upload is accepted, or (`again`) the file waits to be processed once more.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FileStagedData)]
pub struct FileStaged<'a> {
    /// The file's after it.
    #[schema(value_type = FileState)]
    pub state: &'a str,
    pub filename: &'a str,
    #[schema(value_type = FileKind)]
    pub kind: &'a str,
    pub content_type: &'a str,
    pub size_bytes: i64,
    /// In hexadecimal digits.
    pub sha256: &'a str,
    pub owner_id: &'a str,
    pub again: bool,
}

impl EventData for FileStaged<'_> {
    const KIND: EventKind = EventKind::FileStaged;
}

/// An attempt has begun.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FileProcessingData)]
pub struct FileProcessing<'a> {
    /// The file's after it.
    #[schema(value_type = FileState)]
    pub state: &'a str,
    /// From 1 on.
    pub attempt: i64,
}

impl EventData for FileProcessing<'_> {
    const KIND: EventKind = EventKind::FileProcessing;
}

/// One rendition is published.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RenditionReadyData)]
pub struct RenditionReady<'a> {
    /// The file's after it.
    #[schema(value_type = FileState)]
    pub state: &'a str,
    #[schema(inline)]
    pub rendition: MadeRendition<'a>,
}

impl EventData for RenditionReady<'_> {
    const KIND: EventKind = EventKind::RenditionReady;
}

/// What was published.
#[derive(Debug, Serialize, ToSchema)]
pub struct MadeRendition<'a> {
    pub name: &'a str,
    pub kind: RenditionKind,
    pub content_type: &'a str,
    pub size_bytes: u64,
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
    /// Bits per second.
    pub bitrate: Option<u64>,
    /// RFC 6381.
    pub codecs: Option<&'a str>,
}

/// It can be played.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FileReadyData)]
pub struct FileReady<'a> {
    /// The file's after it.
    #[schema(value_type = FileState)]
    pub state: &'a str,
    /// The name of the first that plays; `null` for a file that is not processed.
    pub rendition: Option<&'a str>,
}

impl EventData for FileReady<'_> {
    const KIND: EventKind = EventKind::FileReady;
}

/// Nothing more will be made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FileCompletedData)]
pub struct FileCompleted<'a> {
    /// The file's after it.
    #[schema(value_type = FileState)]
    pub state: &'a str,
    /// Why not everything planned was made.
    #[schema(value_type = Option<Failure>)]
    pub failure: Option<&'a Failure>,
}

impl EventData for FileCompleted<'_> {
    const KIND: EventKind = EventKind::FileCompleted;
}

/// Nothing playable could be made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FileFailedData)]
pub struct FileFailed<'a> {
    /// The file's after it.
    #[schema(value_type = FileState)]
    pub state: &'a str,
    #[schema(value_type = Failure)]
    pub failure: &'a Failure,
}

impl EventData for FileFailed<'_> {
    const KIND: EventKind = EventKind::FileFailed;
}

/// Something else that its JSON shows has changed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FileUpdatedData)]
pub struct FileUpdated<'a> {
    /// The file's after it.
    #[schema(value_type = FileState)]
    pub state: &'a str,
    /// Names of its members.
    #[schema(value_type = Vec<String>)]
    pub changed: &'a [&'a str],
}

impl EventData for FileUpdated<'_> {
    const KIND: EventKind = EventKind::FileUpdated;
}

/// It is in the trash.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FileTrashedData)]
pub struct FileTrashed<'a> {
    /// The file's after it.
    #[schema(value_type = FileState)]
    pub state: &'a str,
    /// Until then it can be restored.
    pub kept_until: Option<Timestamp>,
}

impl EventData for FileTrashed<'_> {
    const KIND: EventKind = EventKind::FileTrashed;
}

/// It is back from the trash.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FileRestoredData)]
pub struct FileRestored<'a> {
    /// The file's after it.
    #[schema(value_type = FileState)]
    pub state: &'a str,
}

impl EventData for FileRestored<'_> {
    const KIND: EventKind = EventKind::FileRestored;
}

/// It was deleted, or its upload was given up.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FileDeletedData)]
pub struct FileDeleted<'a> {
    /// The file's before it.
    #[schema(value_type = FileState)]
    pub state: &'a str,
}

impl EventData for FileDeleted<'_> {
    const KIND: EventKind = EventKind::FileDeleted;
}

/// How far an upload is.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = UploadProgressData)]
pub struct UploadProgress {
    pub received_bytes: u64,
    /// `null` where nobody knows (multipart).
    pub size_bytes: Option<u64>,
}

impl LiveData for UploadProgress {
    const KIND: LiveKind = LiveKind::UploadProgress;
}

/// A job waits.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = JobQueuedData)]
pub struct JobQueued {
    /// Among the organisation's waiting jobs.
    pub position: u64,
}

impl LiveData for JobQueued {
    const KIND: LiveKind = LiveKind::JobQueued;
}

/// How far a job is.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = JobProgressData)]
pub struct JobProgress<'a> {
    /// 0.0 to 1.0.
    pub progress: f64,
    /// Seconds of film per second; `null` while nobody knows.
    pub speed: Option<f64>,
    pub time_left_ms: Option<u64>,
    /// Those that are being made.
    #[schema(inline, value_type = Vec<RungProgress>)]
    pub rungs: &'a [RungProgress],
}

impl LiveData for JobProgress<'_> {
    const KIND: LiveKind = LiveKind::JobProgress;
}

/// How far one rung is.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RungProgress {
    pub name: String,
    /// 0.0 to 1.0.
    pub progress: f64,
}
