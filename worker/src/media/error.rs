//! Why media work fails, by meaning, and the stable code and sentence each becomes.

use std::io::ErrorKind;

use reelgate_common::file::Failure;

use crate::halt::{DISK_FULL, IO_FAILED, NO_ROOM};

/// What went wrong with a source or an output.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    #[error("no audio or video was recognised")]
    NotMedia,
    #[error("codec {codec} is not supported")]
    UnsupportedCodec { codec: String },
    #[error("the media is encrypted")]
    Encrypted,
    #[error("{width} x {height} pixels are too many")]
    TooManyPixels { width: u64, height: u64 },
    #[error("{duration_ms} ms are too long")]
    TooLong { duration_ms: u64 },
    #[error("the media is broken: {what}")]
    Broken { what: String },
    #[error("libav could not {doing}: {source}")]
    Libav { doing: &'static str, source: ffmpeg_next::Error },
    #[error("could not {doing}: {source}")]
    Io { doing: &'static str, source: std::io::Error },
}

impl MediaError {
    /// For `map_err` at a call into libav.
    pub(super) fn libav(doing: &'static str) -> impl FnOnce(ffmpeg_next::Error) -> Self {
        move |source| Self::Libav { doing, source }
    }

    pub(super) fn io(doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }

    pub(super) fn broken(what: impl Into<String>) -> Self {
        Self::Broken { what: what.into() }
    }

    /// The stable code, snake_case.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotMedia => "not_media",
            Self::UnsupportedCodec { .. } => "unsupported_codec",
            Self::Encrypted => "encrypted",
            Self::TooManyPixels { .. } => "too_many_pixels",
            Self::TooLong { .. } => "too_long",
            Self::Broken { .. } => "broken_media",
            Self::Libav { source: ffmpeg_next::Error::Other { errno: ffmpeg_next::error::ENOMEM }, .. } => {
                "out_of_memory"
            }
            error if error.lacks_room() => DISK_FULL,
            Self::Libav { .. } => "media_failed",
            Self::Io { .. } => IO_FAILED,
        }
    }

    /// Whether the worker's disk is full; libav's muxers meet it, too.
    fn lacks_room(&self) -> bool {
        match self {
            Self::Libav { source: ffmpeg_next::Error::Other { errno: ffmpeg_next::error::ENOSPC }, .. } => true,
            Self::Io { source, .. } => matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded),
            _ => false,
        }
    }

    /// The failure as the API shows it: a sentence that tells the user what to do.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let message = match self {
            Self::NotMedia => {
                "No audio or video was found in this file; upload an MP4, MOV, MKV, WebM, AVI, TS or audio file."
                    .to_owned()
            }
            Self::UnsupportedCodec { codec } => {
                format!(
                    "The codec {codec} cannot be decoded here; export the file with H.264, HEVC, VP9 or AV1 video and AAC audio."
                )
            }
            Self::Encrypted => "The file is encrypted (DRM); upload a copy without protection.".to_owned(),
            Self::TooManyPixels { width, height } => {
                format!("The picture has {width} x {height} pixels, more than 36 megapixels; upload a smaller version.")
            }
            Self::TooLong { duration_ms } => {
                format!(
                    "The file claims to play for {} hours, more than 12; upload it in parts.",
                    duration_ms / 3_600_000
                )
            }
            Self::Broken { what } => format!("The file is damaged ({what}); export or upload it again."),
            error if error.lacks_room() => NO_ROOM.to_owned(),
            Self::Libav { doing, source } => {
                format!("Processing failed (could not {doing}: {source}); try again, or export the file anew.")
            }
            Self::Io { doing, .. } => format!("The worker could not {doing}; try again."),
        };
        Failure {
            code: self.code().to_owned(),
            message,
            retryable: matches!(self, Self::Io { .. } | Self::Libav { .. }),
        }
    }
}

/// libav's "again" and "end" become `false`: nothing to take now. Every other error stays one.
pub(super) fn ready(doing: &'static str, result: Result<(), ffmpeg_next::Error>) -> Result<bool, MediaError> {
    match result {
        Ok(()) => Ok(true),
        Err(ffmpeg_next::Error::Eof | ffmpeg_next::Error::Other { errno: ffmpeg_next::error::EAGAIN }) => Ok(false),
        Err(source) => Err(MediaError::Libav { doing, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_one_whoever_meets_it() {
        let full = ffmpeg_next::Error::Other { errno: ffmpeg_next::error::ENOSPC };
        let by_libav = MediaError::libav("write a packet")(full);
        let by_us = MediaError::io("write an image")(std::fs::write("/dev/full", "x").unwrap_err());
        for error in [by_libav, by_us] {
            let failure = error.failure();
            assert_eq!((failure.code.as_str(), failure.retryable), (DISK_FULL, true), "{error}");
        }
        let broken = MediaError::io("write an image")(ErrorKind::PermissionDenied.into());
        assert_eq!(broken.code(), IO_FAILED);
    }
}
