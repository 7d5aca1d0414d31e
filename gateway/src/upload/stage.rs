//! The commit that answers an upload.

use std::time::Duration;

use reelgate_common::{
    db::{Db, FileWithRenditions, NewJob, StagedFile},
    file::FileState,
    ids::{FileId, OrgId},
};

use super::error::UploadError;

/// Waits between tries; together a short restart of the database.
const WAITS: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1_500), Duration::from_secs(4)];

/// Makes the upload a file. Trying again is safe: it only changes a row that is still `uploading`, so a commit whose
/// answer was lost shows as a row that is not.
pub(super) async fn stage(
    db: &Db,
    org: &OrgId,
    file: FileId,
    staged: &StagedFile,
    job: Option<&NewJob>,
) -> Result<FileWithRenditions, UploadError> {
    let mut waits = WAITS.iter();
    loop {
        let failed = match try_stage(db, org, file, staged, job).await {
            Err(UploadError::Db(error)) => error,
            settled => return settled,
        };
        let Some(wait) = waits.next() else { return Err(failed.into()) };
        tokio::time::sleep(*wait).await;
    }
}

async fn try_stage(
    db: &Db,
    org: &OrgId,
    file: FileId,
    staged: &StagedFile,
    job: Option<&NewJob>,
) -> Result<FileWithRenditions, UploadError> {
    if let Some(stored) = db.stage_file(org, file, staged, job).await? {
        return Ok(stored);
    }
    let found = db.find_file(org, file).await?;
    found.filter(|found| found.file.state != FileState::Uploading).ok_or(UploadError::Closed)
}
