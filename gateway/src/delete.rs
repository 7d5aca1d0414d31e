//! `DELETE /v1/files/{id}`: gone for everybody at once by a tombstone; objects and rows follow, here or by the reconciler.

use std::time::Duration;

use reelgate_common::{
    auth::Caller,
    file::FileState,
    ids::{FileId, JobId, OrgId},
    job::JobState,
};
use serde::Serialize;
use serde_json::json;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::{
    app::App,
    endpoint::{Endpoint, Tag, media},
    error::ApiError,
    grant::Grant,
    maintenance::purge::purge,
    respond::{Response, ok},
};

/// How long the answer waits for the objects to go.
const PURGE_PATIENCE: Duration = Duration::from_secs(10);

/// What `DELETE /v1/files/{file_id}` is.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let delete = Endpoint::delete("/v1/files/{file_id}", "deleteFile", Tag::Files)
        .says(
            "Deletes a file",
            "And all that was made from it; who plays it is cut off. For its owner and admins of its organisation.",
        )
        .signed_in()
        .of_file()
        .answers::<Deleted>(200, "It is gone.", &json!({ "id": media::FILE, "deleted": true }))
        .fails(&["not_owner"]);
    vec![delete]
}

/// A file that is gone.
#[derive(Serialize, ToSchema)]
#[schema(as = DeletedFile)]
struct Deleted {
    id: FileId,
    deleted: bool,
}

/// # Errors
/// 404, or 403 for neither owner nor admin.
pub(crate) async fn delete(app: &App, caller: &Caller, file: FileId) -> Result<Response, ApiError> {
    let row = app.db.find_file(&caller.org, file).await?.ok_or_else(ApiError::file_not_found)?;
    Grant::from(caller.clone()).owns(&row.file)?;
    let jobs = app.db.jobs_of(&caller.org, file).await?;
    if !app.db.delete_file(&caller.org, file).await? {
        return Err(ApiError::file_not_found());
    }
    app.rows.forget(&caller.org, file);
    app.leases.end_file(&caller.org, file);
    app.cache.forget(file);
    tracing::info!(file.id = %file, org = %caller.org, user = %caller.user,
        override_by_admin = row.file.owner_id != caller.user, "a file was deleted");
    // Whoever still writes is let finish first; the reconciler comes for the rows.
    let running = row.file.state == FileState::Uploading || jobs.iter().any(|job| job.state == JobState::Running);
    let open = jobs.iter().filter(|job| matches!(job.state, JobState::Queued | JobState::Running)).map(|job| job.id);
    clean_up(app, open.collect(), caller.org.clone(), file, running).await;
    Ok(ok(&Deleted { id: file, deleted: true }))
}

/// Goes on when the client leaves or the store is slow; what fails is left to the reconciler.
async fn clean_up(app: &App, jobs: Vec<JobId>, org: OrgId, file: FileId, running: bool) {
    let backends = app.backends();
    let work = tokio::spawn(async move {
        for job in jobs {
            if let Err(error) = backends.queue.cancel(job).await {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, job.id = %job, "a job was not cancelled in the queue");
            }
        }
        if let Err(error) = purge(&backends, &org, file, running).await {
            let error: &dyn std::error::Error = &*error;
            tracing::warn!(error, file.id = %file, "a deleted file is not purged yet");
        }
    });
    if timeout(PURGE_PATIENCE, work).await.is_err() {
        tracing::warn!(file.id = %file, "purging a deleted file takes long; it goes on");
    }
}
