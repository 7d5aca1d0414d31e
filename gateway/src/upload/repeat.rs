//! Uploads that are sent again: an `Idempotency-Key` names one request of one person, and its nth file is one file, however often
//! the request comes and wherever. Who repeats is heard to the end, compared, and given the first one's answer.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use reelgate_common::{
    db::{Db, FileWithRenditions},
    file::FileState,
    hex::hex,
    ids::{FileId, OrgId},
};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};

use super::error::UploadError;
use crate::{body::RequestBody, error::ApiError};

const HEADER: &str = "idempotency-key";
const MAX_KEY: usize = 255;
/// How long a repeated upload waits for the first one to end; then it is told to come again.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(200);

/// As the client has sent it.
#[derive(Debug, Clone)]
pub(crate) struct RepeatKey(Vec<u8>);

impl RepeatKey {
    /// # Errors
    /// The header is empty, too long, or there twice.
    pub(super) fn of(request: &Request<RequestBody>) -> Result<Option<Self>, ApiError> {
        let mut keys = request.headers().get_all(HEADER).iter();
        match (keys.next(), keys.next()) {
            (None, _) => Ok(None),
            (Some(key), None) if !key.is_empty() && key.len() <= MAX_KEY => Ok(Some(Self(key.as_bytes().to_vec()))),
            _ => Err(ApiError::new(
                StatusCode::BAD_REQUEST,
                "invalid_idempotency_key",
                "Send one Idempotency-Key of 1 to 255 bytes, or none",
            )),
        }
    }

    /// What the row of the request's nth file bears: of one length, whatever the client has made up.
    pub(super) fn of_file(&self, number: usize) -> String {
        let digest = Sha256::new_with_prefix(&self.0).chain_update(b"\n").chain_update(number.to_be_bytes());
        hex(&digest.finalize())
    }
}

/// A file that was sent before, or is being sent at this moment.
pub(crate) struct Repeat {
    db: Db,
    org: OrgId,
    file: FileId,
    filename: String,
    max_bytes: u64,
    size: u64,
    digest: Sha256,
}

impl Repeat {
    pub(super) fn new(db: Db, org: OrgId, file: FileId, filename: String, max_bytes: u64) -> Self {
        Self { db, org, file, filename, max_bytes, size: 0, digest: Sha256::new() }
    }

    pub(super) fn filename(&self) -> &str {
        &self.filename
    }

    /// The bytes are compared only.
    pub(super) fn write(&mut self, data: &Bytes) -> Result<(), UploadError> {
        self.size += data.len() as u64;
        if self.size > self.max_bytes {
            return Err(UploadError::FileTooLarge { limit: self.max_bytes });
        }
        self.digest.update(data);
        Ok(())
    }

    /// The first one's file, as soon as it is one. If it ends without one, the bytes that came here are not kept, so that they must come
    /// again, which is what a client is told that repeats too early.
    pub(super) async fn finish(self) -> Result<FileWithRenditions, UploadError> {
        let end = Instant::now() + PATIENCE;
        let first = loop {
            let found = self.db.find_file(&self.org, self.file).await?.ok_or(UploadError::StillArriving)?;
            if found.file.state != FileState::Uploading {
                break found;
            }
            if Instant::now() >= end {
                return Err(UploadError::StillArriving);
            }
            sleep(LOOK).await;
        };
        let same = first.file.size_bytes == self.size && first.file.sha256 == hex(&self.digest.finalize());
        if same { Ok(first) } else { Err(UploadError::KeyReused) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_one_request_have_keys_of_their_own() {
        let keys = [RepeatKey(b"a".to_vec()), RepeatKey(b"b".to_vec())];
        let all: std::collections::HashSet<_> =
            keys.iter().flat_map(|key| [key.of_file(1), key.of_file(2), key.of_file(1)]).collect();
        assert_eq!(all.len(), 4);
        assert!(all.iter().all(|key| key.len() == 64));
    }
}
