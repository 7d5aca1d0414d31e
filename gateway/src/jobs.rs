//! `/v1/jobs`: what was decided about a file and why, what became of each attempt, and another run or the end of one. For the
//! organisation's admins; a file's owner may see its job and run it again. Operators see the jobs of all organisations, and change
//! none.

use reelgate_common::{
    auth::Caller,
    db::{Cancelled, DueJob, JobFilter, Reach, Retried},
    ids::{FileId, JobId},
    job::{JobKind, JobRecord, JobState},
    timestamp::Timestamp,
};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    app::App,
    endpoint::{Endpoint, Tag, failures::DATABASE, inline, media},
    error::ApiError,
    grant::Grant,
    job_json::{self, Explained, JobJson},
    query::{Query, Reader},
    respond::{Response, ok},
    revoke::only_admins,
};

const JOB: &str = "0193d2c8-6a11-7b02-8f4c-2d9e1c55a0b7";

/// What `/v1/jobs` and `POST /v1/files/{file_id}/retry` are.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let list = Endpoint::get("/v1/jobs", "listJobs", Tag::Jobs)
        .says("Lists jobs", "Those of the organisation, the newest first, for its admins; those of one file for its owner, too; operators see those of all.")
        .signed_in()
        .query("state", inline::<JobState>(), "Only jobs in this state.", json!("dead"))
        .query("kind", inline::<JobKind>(), "Only jobs of this kind. Without it, all but the parts of films.", json!("chunk"))
        .query("file_id", inline::<FileId>(), "Only those of this file.", json!(media::FILE))
        .limited()
        .query("cursor", inline::<JobId>(), "`next` of the page before.", json!(JOB))
        .answers::<Page>(200, "A page.", &json!({ "jobs": [job_json::example()], "next": null }))
        .fails(&["validation_failed", "not_admin"])
        .fails(DATABASE);
    let explain = of_job(Endpoint::get("/v1/jobs/{job_id}", "explainJob", Tag::Jobs))
        .says(
            "Explains a job",
            "What was found in the source, what was decided and why, and what became of each attempt.",
        )
        .answers::<Explained>(200, "The job, explained.", &job_json::explained_example())
        .fails(&["not_owner"]);
    let retry = of_job(Endpoint::post("/v1/jobs/{job_id}/retry", "retryJob", Tag::Jobs))
        .says("Runs a job again", "One that was given up or cancelled. For admins of the organisation.")
        .answers::<JobJson>(200, "It waits for a worker.", &job_json::example())
        .fails(&["not_admin", "not_retryable"]);
    let cancel = of_job(Endpoint::post("/v1/jobs/{job_id}/cancel", "cancelJob", Tag::Jobs))
        .says("Cancels a job", "A worker that runs it stops. For admins of the organisation.")
        .answers::<JobJson>(200, "It was cancelled.", &job_json::example())
        .fails(&["not_admin", "job_over"]);
    let retry_file = Endpoint::post("/v1/files/{file_id}/retry", "retryFile", Tag::Files)
        .says("Processes a file again", "One that has failed. For its owner and admins of its organisation.")
        .signed_in()
        .of_file()
        .answers::<JobJson>(200, "The job that waits for a worker.", &job_json::example())
        .fails(&["not_owner", "not_retryable", "job_not_found"]);
    vec![list, explain, retry, cancel, retry_file]
}

fn of_job(endpoint: Endpoint) -> Endpoint {
    let codes = &["validation_failed", "job_not_found"];
    endpoint.signed_in().path("job_id", inline::<JobId>(), "The job.", json!(JOB)).fails(codes).fails(DATABASE)
}

/// Jobs, the newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = JobPage)]
struct Page {
    jobs: Vec<JobJson>,
    /// `cursor` of the page that follows; `null` at the end.
    next: Option<JobId>,
}

/// `?state&file_id&limit&cursor`, newest first. Those of one file for its owner, too.
///
/// # Errors
/// 403 for a caller who may not see them, 422 for a filter that is none.
pub(crate) async fn list(app: &App, caller: &Caller, query: &Query<'_>) -> Result<Response, ApiError> {
    let wanted = parse(query)?;
    if !caller.operator && !owns(app, caller, wanted.file).await? {
        only_admins(caller)?;
    }
    // One more tells whether anything follows.
    let filter = JobFilter { limit: wanted.limit + 1, ..wanted.clone() };
    let mut jobs = app.db.list_jobs(reach(caller), &filter).await?;
    let more = jobs.len() as u64 > wanted.limit;
    jobs.truncate(usize::try_from(wanted.limit).unwrap_or(usize::MAX));
    if caller.operator {
        tracing::info!(operator = %caller.user, org = %caller.org, jobs = jobs.len(), "an operator listed all jobs");
    }
    let next = jobs.last().filter(|_| more).map(|job| job.id);
    Ok(ok(&Page { jobs: jobs.into_iter().map(JobJson::from).collect(), next }))
}

async fn owns(app: &App, caller: &Caller, file: Option<FileId>) -> Result<bool, ApiError> {
    let Some(file) = file else { return Ok(false) };
    let row = app.db.find_file(&caller.org, file).await?;
    Ok(row.is_some_and(|row| row.file.owner_id == caller.user))
}

fn reach(caller: &Caller) -> Reach<'_> {
    if caller.operator { Reach::All } else { Reach::Org(&caller.org) }
}

/// # Errors
/// 404 for a job that is not the organisation's, 403 for neither the file's owner nor an admin or operator.
pub(crate) async fn explain(app: &App, caller: &Caller, job: JobId) -> Result<Response, ApiError> {
    let job = app.db.find_job(reach(caller), job).await?.ok_or_else(job_not_found)?;
    let row = app.db.find_file(&job.org_id, job.file_id).await?.ok_or_else(job_not_found)?;
    if caller.operator {
        tracing::info!(job.id = %job.id, job.org = %job.org_id, operator = %caller.user, "an operator looked at a job");
    } else {
        Grant::from(caller.clone()).owns(&row.file)?;
    }
    let attempts = app.db.attempts_of(job.id).await?;
    Ok(ok(&Explained::new(job, row.file.media, attempts, Timestamp::now())))
}

/// # Errors
/// 403 for a caller who is no admin, 404 for a job that is not the organisation's, 409 for one that is not over or that
/// would fail again.
pub(crate) async fn retry(app: &App, caller: &Caller, job: JobId) -> Result<Response, ApiError> {
    only_admins(caller)?;
    let job = app.db.find_job(Reach::Org(&caller.org), job).await?.ok_or_else(job_not_found)?;
    run_again(app, caller, &job).await
}

/// # Errors
/// 404, 403 for neither owner nor admin, 409 for a file that has not failed or would fail again.
pub(crate) async fn retry_file(app: &App, caller: &Caller, file: FileId) -> Result<Response, ApiError> {
    let row = app.db.find_file(&caller.org, file).await?.ok_or_else(ApiError::file_not_found)?;
    Grant::from(caller.clone()).owns(&row.file)?;
    match app.db.jobs_of(&caller.org, file).await?.into_iter().find(|job| job.generation == row.file.generation) {
        Some(job) => run_again(app, caller, &job).await,
        None => Err(not_retryable()),
    }
}

async fn run_again(app: &App, caller: &Caller, job: &JobRecord) -> Result<Response, ApiError> {
    let due = match app.db.retry_job(&caller.org, job.file_id).await? {
        Retried::Queued(due) => due,
        Retried::NotRetryable => return Err(not_retryable()),
        Retried::NoSuchFile => return Err(job_not_found()),
    };
    app.rows.forget(&caller.org, job.file_id);
    tracing::info!(job.id = %due.id, file.id = %job.file_id, org = %caller.org, user = %caller.user, "a job is run again");
    announce(app, &due).await;
    answer(app, caller, due.id).await
}

/// The dispatcher finds the row as well.
async fn announce(app: &App, due: &DueJob) {
    if let Err(error) = app.queue.enqueue(&[due.clone().into()]).await {
        tracing::warn!(job.id = %due.id, %error, "the queue did not take a job; the dispatcher will bring it");
    }
}

/// # Errors
/// 403 for a caller who is no admin, 404 for a job that is not the organisation's, 409 for one that is over.
pub(crate) async fn cancel(app: &App, caller: &Caller, job: JobId) -> Result<Response, ApiError> {
    only_admins(caller)?;
    let found = app.db.find_job(Reach::Org(&caller.org), job).await?.ok_or_else(job_not_found)?;
    match app.db.cancel_job(&caller.org, job).await? {
        Cancelled::Stopped => {}
        Cancelled::Over => return Err(conflict("job_over", "The job has ended")),
        Cancelled::NoSuchJob => return Err(job_not_found()),
    }
    app.rows.forget(&caller.org, found.file_id);
    tracing::info!(job.id = %job, file.id = %found.file_id, org = %caller.org, user = %caller.user, "a job was cancelled");
    if let Err(error) = app.queue.cancel(job).await {
        tracing::warn!(job.id = %job, %error, "a job was not cancelled in the queue; its worker hears of it from the database");
    }
    answer(app, caller, job).await
}

async fn answer(app: &App, caller: &Caller, job: JobId) -> Result<Response, ApiError> {
    let job = app.db.find_job(Reach::Org(&caller.org), job).await?.ok_or_else(job_not_found)?;
    Ok(ok(&JobJson::from(job)))
}

fn job_not_found() -> ApiError {
    ApiError::new(http::StatusCode::NOT_FOUND, "job_not_found", "Job not found")
}

fn not_retryable() -> ApiError {
    conflict("not_retryable", "The job is not over, or another run would end in the same way")
}

fn conflict(code: &'static str, detail: &'static str) -> ApiError {
    ApiError::new(http::StatusCode::CONFLICT, code, detail)
}

fn parse(query: &Query<'_>) -> Result<JobFilter, ApiError> {
    let mut read = Reader::new(query);
    let filter = JobFilter {
        state: read.parsed("state", "Input should be a job state", "enum"),
        kind: read.parsed("kind", "Input should be a job kind", "enum"),
        file: read.parsed("file_id", "Input should be a valid UUID in its hyphenated form", "uuid_parsing"),
        after: read.parsed("cursor", "Input should be the `next` of an earlier page", "value_error"),
        limit: read.limit(),
    };
    read.done(filter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Detail;

    #[test]
    fn each_wrong_filter_is_named() {
        let of = |text: &str| parse(&Query::parse(Some(text)));
        let id = JobId::new();
        let filter = of(&format!("state=dead&limit=200&cursor={id}&file_id=")).unwrap();
        assert_eq!(
            (filter.state, filter.limit, filter.after, filter.file),
            (Some(JobState::Dead), 200, Some(id), None)
        );
        let Detail::Invalid(wrong) = of("state=x&kind=k&file_id=y&cursor=z&limit=201").unwrap_err().detail else {
            panic!()
        };
        let names: Vec<_> = wrong.iter().map(|violation| serde_json::to_value(&violation.loc[1]).unwrap()).collect();
        assert_eq!(names, ["state", "kind", "file_id", "cursor", "limit"]);
    }
}
