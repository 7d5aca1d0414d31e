//! Refusals in the words of the draft: its three problem types (RFC 9457) beside our own fields, and all others as everywhere.

use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Refused,
    answer::{set_complete, set_limit},
};
use crate::{
    error::{ApiError, Detail},
    respond::{self, Response},
    upload::tus::{decide::Refusal, error::TusError, headers::BadHead},
};

const TYPES: &str = "https://iana.org/assignments/http-problem-types#";

/// What the request was.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) writes: bool,
    pub(super) offset: Option<u64>,
}

/// An error as the IETF's draft of resumable uploads has it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = UploadProblem)]
pub(in crate::upload::tus) struct Problem<'a> {
    /// One of the draft's three addresses.
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    /// A sentence, which may change.
    #[schema(value_type = String)]
    detail: &'a Detail,
    /// Stable; `docs/errors.md` explains each.
    code: &'a str,
    /// Where the upload has got to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    expected_offset: Option<u64>,
    /// Where the request began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    provided_offset: Option<u64>,
}

pub(super) fn answer(refused: Refused, asked: Asked, limit: u64) -> Response {
    let (problem, error) = named(refused);
    let mut response = match problem {
        None => error.into_response(),
        Some(problem) => problem.answer(error, asked),
    };
    // Whatever was refused, nothing was completed by it.
    if asked.writes {
        set_complete(&mut response, false);
    }
    if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
        set_limit(response.headers_mut(), limit, None);
    }
    response
}

#[derive(Clone, Copy)]
enum Known {
    Offset(u64),
    Length,
    Completed,
}

fn named(refused: Refused) -> (Option<Known>, ApiError) {
    match refused {
        Refused::Api(error) => (None, error),
        Refused::Completed => {
            let error = ApiError::new(StatusCode::BAD_REQUEST, "upload_completed", "The upload is complete");
            (Some(Known::Completed), error)
        }
        Refused::Tus(error) => {
            let known = match &error {
                TusError::Refused(Refusal::Offset { stored }) => Some(Known::Offset(*stored)),
                TusError::Head(BadHead::Lengths) => Some(Known::Length),
                TusError::Refused(
                    Refusal::BeyondLength { .. }
                    | Refusal::LengthKnown
                    | Refusal::LengthShort
                    | Refusal::EndsBefore { .. },
                ) => Some(Known::Length),
                _ => None,
            };
            (known, error.into())
        }
    }
}

impl Known {
    fn answer(self, error: ApiError, asked: Asked) -> Response {
        let (name, title, status) = match self {
            Self::Offset(_) => ("mismatching-upload-offset", "Mismatching Upload Offset", StatusCode::CONFLICT),
            Self::Length => {
                ("inconsistent-upload-length", "Inconsistent Upload Length Values", StatusCode::BAD_REQUEST)
            }
            Self::Completed => ("completed-upload", "Upload Is Completed", StatusCode::BAD_REQUEST),
        };
        let expected_offset = if let Self::Offset(stored) = self { Some(stored) } else { None };
        let body = Problem {
            kind: format!("{TYPES}{name}"),
            title,
            status: status.as_u16(),
            detail: &error.detail,
            code: &error.code,
            expected_offset,
            provided_offset: expected_offset.and(asked.offset),
        };
        let mut response = respond::json(status, &body);
        let mut headers = error.into_response().into_parts().0.headers;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response.headers_mut().extend(headers);
        response
    }
}
