//! Why a request of the tus protocol is refused, and the only place that maps it to status and code. Clients come again on their own after
//! 409, 423 and 5xx, so only what another try may mend has one of these.

use http::{HeaderValue, StatusCode};
use reelgate_common::{db::DbError, quota::Excess, storage::StorageError};

use super::{
    decide::Refusal,
    headers::{BadHead, TUS_VERSION, UPLOAD_OFFSET, VERSION},
};
use crate::{
    error::ApiError,
    upload::{budget::Evicted, error::UploadError},
};

#[derive(Debug, thiserror::Error)]
pub(super) enum TusError {
    #[error("the head cannot be read")]
    Head(BadHead),
    #[error("refused")]
    Refused(Refusal),
    #[error("there is no such upload")]
    NotFound,
    #[error("its time is over")]
    Expired,
    #[error("another request goes on with it")]
    TakenOver,
    #[error("the checksum does not hold")]
    ChecksumMismatch,
    #[error("the upload token is spent")]
    TokenSpent,
    #[error("the upload token does not allow this type")]
    TypeNotAllowed,
    #[error("the pieces cannot be put together")]
    Pieces,
    #[error("it is being put together")]
    Assembling,
    #[error("the gateway stops")]
    Draining,
    #[error("the stored bytes are not those that were received")]
    Damaged,
    #[error(transparent)]
    Upload(#[from] UploadError),
}

impl From<BadHead> for TusError {
    fn from(bad: BadHead) -> Self {
        Self::Head(bad)
    }
}

impl From<Refusal> for TusError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<DbError> for TusError {
    fn from(error: DbError) -> Self {
        Self::Upload(error.into())
    }
}

impl From<StorageError> for TusError {
    fn from(error: StorageError) -> Self {
        Self::Upload(error.into())
    }
}

impl From<Evicted> for TusError {
    fn from(evicted: Evicted) -> Self {
        Self::Upload(evicted.into())
    }
}

impl From<Excess> for TusError {
    fn from(excess: Excess) -> Self {
        Self::Upload(UploadError::OverQuota(excess))
    }
}

impl From<TusError> for ApiError {
    fn from(error: TusError) -> Self {
        let of = |status, code: &'static str, detail: &'static str| Self::new(status, code, detail);
        match error {
            TusError::Head(bad) => bad_head(bad),
            TusError::Refused(refusal) => refused(refusal),
            TusError::NotFound => of(StatusCode::NOT_FOUND, "upload_not_found", "There is no such upload"),
            TusError::Expired => of(StatusCode::GONE, "upload_expired", "The upload was left alone for too long"),
            TusError::TakenOver => {
                of(StatusCode::CONFLICT, "upload_taken_over", "Another request goes on with this upload")
            }
            TusError::ChecksumMismatch => {
                let status = StatusCode::from_u16(460).unwrap_or(StatusCode::BAD_REQUEST);
                of(status, "checksum_mismatch", "The bytes are not those of Upload-Checksum; none of them were kept")
            }
            TusError::TokenSpent => {
                of(StatusCode::FORBIDDEN, "upload_token_spent", "The upload token was used as often as it may be")
            }
            TusError::TypeNotAllowed => of(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "upload_type_not_allowed",
                "The upload token is for files of another type",
            ),
            TusError::Pieces => of(
                StatusCode::BAD_REQUEST,
                "upload_pieces_invalid",
                "Each piece must be a partial upload of the same organisation that is complete and not used yet",
            ),
            TusError::Assembling => {
                of(StatusCode::CONFLICT, "upload_assembling", "The file is being put together; ask again")
                    .retry_after(2)
            }
            TusError::Draining => {
                of(StatusCode::SERVICE_UNAVAILABLE, "gateway_stopping", "The gateway stops; go on with another one")
                    .retry_after(1)
            }
            TusError::Damaged => of(
                StatusCode::INTERNAL_SERVER_ERROR,
                "upload_damaged",
                "What is stored is not what was received; begin the upload anew",
            ),
            TusError::Upload(error) => error.into(),
        }
    }
}

fn bad_head(bad: BadHead) -> ApiError {
    match bad {
        BadHead::Version => {
            ApiError::new(StatusCode::PRECONDITION_FAILED, "tus_version_unsupported", "Send Tus-Resumable: 1.0.0")
                .header(TUS_VERSION, HeaderValue::from_static(VERSION))
        }
        BadHead::Header(name) => ApiError::new(
            StatusCode::BAD_REQUEST,
            "invalid_upload_header",
            format!("{name} is missing, malformed, there twice, or does not belong here"),
        ),
        BadHead::ChecksumUnknown => ApiError::new(
            StatusCode::BAD_REQUEST,
            "checksum_unsupported",
            "Tus-Checksum-Algorithm of OPTIONS lists the algorithms",
        ),
        BadHead::PartialType => ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_partial_upload",
            "Send Content-Type: application/partial-upload",
        ),
        BadHead::Lengths => ApiError::new(
            StatusCode::BAD_REQUEST,
            "invalid_upload_header",
            "Upload-Length and Content-Length of the last request say two lengths",
        ),
        BadHead::ContentType => ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_offset_stream",
            "Send Content-Type: application/offset+octet-stream",
        ),
    }
}

fn refused(refusal: Refusal) -> ApiError {
    match refusal {
        Refusal::Offset { stored } => ApiError::new(
            StatusCode::CONFLICT,
            "upload_offset_mismatch",
            format!("The upload goes on at byte {stored}"),
        )
        .header(UPLOAD_OFFSET, HeaderValue::from(stored)),
        Refusal::BeyondLength { length } => ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "upload_exceeds_length",
            format!("The upload was announced with {length} bytes"),
        ),
        Refusal::TooLarge { limit } => UploadError::FileTooLarge { limit }.into(),
        Refusal::LengthKnown | Refusal::LengthShort => ApiError::new(
            StatusCode::BAD_REQUEST,
            "invalid_upload_header",
            "Upload-Length was said before and was another, or is below what is there",
        ),
        Refusal::EndsBefore { length } => ApiError::new(
            StatusCode::BAD_REQUEST,
            "upload_ends_early",
            format!("The upload was announced with {length} bytes, and was said to end before; what came is kept"),
        ),
        Refusal::IsFinal => {
            ApiError::forbidden("upload_is_final", "What is put together of pieces takes no more bytes")
        }
    }
}
