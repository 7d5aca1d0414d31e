//! `DELETE /v1/files/{id}`: gone for everybody at once, to the trash if there is one, else by a tombstone; objects and rows of what is
//! deleted follow, here or by the maintenance.

mod many;

use std::time::Duration;

use futures_util::{StreamExt, stream};
use reelgate_common::{
    auth::Caller,
    backends::Backends,
    db::{FileWithRenditions, Removal, Removed},
    file::FileState,
    ids::{FileId, JobId, OrgId},
    job::JobState,
};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::timeout;
use utoipa::ToSchema;

pub(crate) use self::many::delete_many;
use crate::{
    app::App,
    endpoint::{Endpoint, Tag, inline, media},
    error::{ApiError, Violation},
    grant::Grant,
    maintenance::purge::purge,
    query::Query,
    respond::{Response, ok},
};

/// How long the answer waits for the objects to go.
const PURGE_PATIENCE: Duration = Duration::from_secs(10);
/// Files that are purged at once.
const PURGES: usize = 4;

/// What `DELETE /v1/files/{file_id}` and `POST /v1/files/delete` are.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let delete = Endpoint::delete("/v1/files/{file_id}", "deleteFile", Tag::Files)
        .says(
            "Deletes a file",
            "And all that was made from it; who plays it is cut off. Where there is a trash it goes there. For its owner and admins of its organisation.",
        )
        .signed_in()
        .of_file()
        .query("permanent", inline::<bool>(), "Past the trash, and out of it.", json!(false))
        .answers::<Deleted>(200, "It is gone.", &example())
        .fails(&["not_owner"]);
    vec![delete, many::endpoint()]
}

fn example() -> Value {
    json!({ "id": media::FILE, "deleted": true, "trashed": false })
}

/// A file that is gone.
#[derive(Serialize, ToSchema)]
#[schema(as = DeletedFile)]
struct Deleted {
    id: FileId,
    deleted: bool,
    /// It can be restored.
    trashed: bool,
}

impl Deleted {
    fn new(gone: &Gone) -> Self {
        Self { id: gone.file, deleted: true, trashed: gone.trashed }
    }
}

/// What is left to be done about a file that is nobody's any more.
struct Gone {
    org: OrgId,
    file: FileId,
    trashed: bool,
    /// Those that were open.
    jobs: Vec<JobId>,
    /// Whoever still writes is let finish first; the maintenance comes for the rows.
    running: bool,
}

/// `?permanent=true`: past the trash, and out of it.
///
/// # Errors
/// 404, or 403 for neither owner nor admin.
pub(crate) async fn delete(app: &App, caller: &Caller, file: FileId, query: &Query<'_>) -> Result<Response, ApiError> {
    let gone = remove(app, caller, file, permanent(query)?).await?;
    let answer = ok(&Deleted::new(&gone));
    clean_up(app, vec![gone]).await;
    Ok(answer)
}

fn permanent(query: &Query) -> Result<bool, ApiError> {
    match query.get("permanent") {
        None | Some("" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => {
            let loc = ["query".into(), "permanent".into()];
            Err(ApiError::invalid(vec![Violation::new(loc, "Input should be 'true' or 'false'", "bool_parsing")]))
        }
    }
}

async fn remove(app: &App, caller: &Caller, file: FileId, permanent: bool) -> Result<Gone, ApiError> {
    let row = removable(app, caller, file, permanent).await?;
    let jobs = app.db.jobs_of(&caller.org, file).await?;
    let how = match app.config.trash.keep() {
        Some(keep) if !permanent => Removal::ToTrash(keep),
        _ => Removal::Deletion,
    };
    let removed = app.db.remove_file(&caller.org, file, how).await?;
    if removed == Removed::NoSuchFile {
        return Err(ApiError::file_not_found());
    }
    app.rows.forget(&caller.org, file);
    app.leases.end_file(&caller.org, file);
    app.cache.forget(file);
    let trashed = removed == Removed::Trashed;
    tracing::info!(file.id = %file, org = %caller.org, user = %caller.user, trashed,
        override_by_admin = row.file.owner_id != caller.user, "a file was deleted");
    let running = row.file.state == FileState::Uploading || jobs.iter().any(|job| job.state == JobState::Running);
    let open = jobs.iter().filter(|job| matches!(job.state, JobState::Queued | JobState::Running)).map(|job| job.id);
    Ok(Gone { org: caller.org.clone(), file, trashed, jobs: open.collect(), running })
}

/// What is in the trash is there only for those who may take it out.
async fn removable(app: &App, caller: &Caller, file: FileId, permanent: bool) -> Result<FileWithRenditions, ApiError> {
    let grant = Grant::from(caller.clone());
    if let Some(row) = app.db.find_file(&caller.org, file).await? {
        grant.owns(&row.file)?;
        return Ok(row);
    }
    let trashed = if permanent { app.db.find_trashed(&caller.org, file).await? } else { None };
    trashed.filter(|row| grant.owns(&row.file).is_ok()).ok_or_else(ApiError::file_not_found)
}

/// Goes on when the client leaves or the store is slow; what fails is left to the maintenance.
async fn clean_up(app: &App, gone: Vec<Gone>) {
    let (backends, count) = (app.backends(), gone.len());
    let work = tokio::spawn(async move {
        let one = |gone| finish(&backends, gone);
        stream::iter(gone).for_each_concurrent(PURGES, one).await;
    });
    if timeout(PURGE_PATIENCE, work).await.is_err() {
        tracing::warn!(files = count, "purging deleted files takes long; it goes on");
    }
}

async fn finish(backends: &Backends, gone: Gone) {
    for job in gone.jobs {
        if let Err(error) = backends.queue.cancel(job).await {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, job.id = %job, "a job was not cancelled in the queue");
        }
    }
    if gone.trashed {
        return;
    }
    if let Err(error) = purge(backends, &gone.org, gone.file, gone.running).await {
        let error: &dyn std::error::Error = &*error;
        tracing::warn!(error, file.id = %gone.file, "a deleted file is not purged yet");
    }
}
