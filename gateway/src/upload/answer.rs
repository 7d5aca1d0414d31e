//! What became of each file, as JSON: 200 if any was stored, else the status of the first error.

use http::header::RETRY_AFTER;
use reelgate_common::db::FileWithRenditions;
use serde::Serialize;
use utoipa::ToSchema;

use super::form::Outcome;
use crate::{
    error::{ApiError, Detail},
    file_json::FileJson,
    respond::{self, Response},
};

/// What became of each file, in the order sent.
#[derive(Serialize, ToSchema)]
pub(super) struct Uploaded<'a> {
    files: Vec<UploadedFile<'a>>,
}

/// A file, or why it was not stored.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum UploadedFile<'a> {
    Stored(Box<FileJson<'a>>),
    Failed(FailedUpload<'a>),
}

/// A file that was not stored.
#[derive(Serialize, ToSchema)]
pub(super) struct FailedUpload<'a> {
    filename: &'a str,
    error: UploadFailure<'a>,
}

/// Why a file was not stored.
#[derive(Serialize, ToSchema)]
pub(super) struct UploadFailure<'a> {
    /// Stable; `docs/errors.md` explains each.
    code: &'a str,
    /// A sentence.
    message: &'a str,
}

/// Nothing was stored: an error as everywhere, and beside it what happened to each file.
#[derive(Serialize, ToSchema)]
#[schema(as = UploadError)]
pub(super) struct Refusal<'a> {
    /// A sentence, which may change.
    detail: &'a str,
    /// Stable; `docs/errors.md` explains each.
    code: &'a str,
    /// If the form could be read so far.
    #[schema(required = false)]
    files: Vec<UploadedFile<'a>>,
}

pub(super) fn answer(outcomes: Vec<Outcome>) -> Response {
    let known: Vec<_> = outcomes.into_iter().map(known).collect();
    let files = known.iter().map(UploadedFile::from).collect();
    let is_stored = |known: &Known| matches!(known, Known::Stored(_));
    let first = known.iter().find_map(|known| match known {
        Known::Failed(_, error) => Some(error),
        Known::Stored(_) => None,
    });
    match first {
        Some(error) if !known.iter().any(is_stored) => refusal(error, files),
        _ => respond::ok(&Uploaded { files }),
    }
}

/// What is told of an outcome.
enum Known {
    Stored(Box<FileWithRenditions>),
    Failed(String, ApiError),
}

fn known(outcome: Outcome) -> Known {
    match outcome {
        Outcome::Stored(stored) => Known::Stored(stored),
        Outcome::Failed { filename, error } => Known::Failed(filename, error.into()),
    }
}

impl<'a> From<&'a Known> for UploadedFile<'a> {
    fn from(known: &'a Known) -> Self {
        match known {
            Known::Stored(stored) => Self::Stored(Box::new(FileJson::from(&**stored))),
            Known::Failed(filename, error) => {
                let error = UploadFailure { code: &error.code, message: message(error) };
                Self::Failed(FailedUpload { filename, error })
            }
        }
    }
}

fn message(error: &ApiError) -> &str {
    match &error.detail {
        Detail::Text(text) => text,
        Detail::Invalid(_) => "The request is not valid",
    }
}

fn refusal(error: &ApiError, files: Vec<UploadedFile<'_>>) -> Response {
    let retry_after = error.clone().into_response().headers().get(RETRY_AFTER).cloned();
    let told = Refusal { detail: message(error), code: &error.code, files };
    let mut response = respond::json(error.status, &told);
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, seconds);
    }
    response
}
