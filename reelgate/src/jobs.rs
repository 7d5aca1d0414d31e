//! `reelgate jobs`: what waits, runs or was given up, as the API's JSON, straight from the database. What it queues the dispatcher
//! brings; what it cancels its worker hears of within a second, also while Redis is away.

use std::{path::Path, process::ExitCode};

use anyhow::Context;
use reelgate_common::{
    config::RawConfig,
    db::{Cancelled, Db, JobFilter, Reach, Retried},
    ids::{JobId, OrgId},
    job::{JobRecord, JobState},
    timestamp::Timestamp,
};
use reelgate_gateway::job_json::{Explained, JobJson};
use serde::Serialize;

use crate::{
    cli::{self, JobsCommand},
    data_dir::DataDir,
    settings::Settings,
};

const PAGE: u64 = 200;

/// What became of each job that was named.
#[derive(Default, Serialize)]
struct Answer {
    jobs: Vec<JobJson>,
    refused: Vec<RefusedJson>,
}

#[derive(Serialize)]
struct RefusedJson {
    id: JobId,
    code: &'static str,
}

/// Prints JSON; fails when a job that was named could not be changed.
pub(crate) async fn run(arguments: &cli::Jobs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let org = arguments.org.as_deref().map(OrgId::new);
    let command = Jobs { db: open(arguments, config).await?, org };
    let (answer, named) = match &arguments.what {
        JobsCommand::Ls { state, kind, file, limit } => {
            let filter =
                JobFilter { state: *state, kind: *kind, file: *file, after: None, limit: (*limit).clamp(1, PAGE) };
            let jobs = command.db.list_jobs(command.reach(), &filter).await?;
            (Answer { jobs: jobs.into_iter().map(JobJson::from).collect(), ..Answer::default() }, false)
        }
        JobsCommand::Explain { job } => return command.explain(*job).await,
        JobsCommand::Retry { dead: true, .. } => (command.retry_dead().await?, false),
        JobsCommand::Retry { jobs, .. } => (command.retry(jobs).await?, true),
        JobsCommand::Cancel { jobs } => (command.cancel(jobs).await?, true),
    };
    print(&answer)?;
    Ok(if named && !answer.refused.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A running embedded server may have its database open as well: SQLite lets one write at a time.
async fn open(arguments: &cli::Jobs, config: Option<&Path>) -> anyhow::Result<Db> {
    let mut settings = Settings::load(&RawConfig::load(config)?)?;
    if let Some(dir) = &arguments.data_dir {
        anyhow::ensure!(dir.is_dir(), "{} is no folder; `reelgate all` makes it at its first start", dir.display());
        DataDir::at(dir).fill_backends(&mut settings)?;
    }
    Db::connect(&settings.database).await.context("cannot ask the database")
}

#[expect(clippy::print_stdout, reason = "this is the command's output")]
fn print(answer: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(answer)?);
    Ok(())
}

struct Jobs {
    db: Db,
    org: Option<OrgId>,
}

impl Jobs {
    fn reach(&self) -> Reach<'_> {
        self.org.as_ref().map_or(Reach::All, Reach::Org)
    }

    async fn explain(&self, job: JobId) -> anyhow::Result<ExitCode> {
        let job = self.db.find_job(self.reach(), job).await?.context("job_not_found")?;
        let file = self.db.find_file(&job.org_id, job.file_id).await?.context("file_not_found")?;
        let attempts = self.db.attempts_of(job.id).await?;
        print(&Explained::new(job, file.file.media, attempts, Timestamp::now()))?;
        Ok(ExitCode::SUCCESS)
    }

    async fn retry(&self, jobs: &[JobId]) -> anyhow::Result<Answer> {
        let mut answer = Answer::default();
        for &id in jobs {
            match self.db.find_job(self.reach(), id).await? {
                Some(job) => self.retry_one(&job, &mut answer).await?,
                None => answer.refused.push(RefusedJson { id, code: "job_not_found" }),
            }
        }
        Ok(answer)
    }

    async fn retry_dead(&self) -> anyhow::Result<Answer> {
        let mut answer = Answer::default();
        let mut filter = JobFilter { state: Some(JobState::Dead), limit: PAGE, ..JobFilter::default() };
        loop {
            let page = self.db.list_jobs(self.reach(), &filter).await?;
            for job in &page {
                self.retry_one(job, &mut answer).await?;
            }
            match page.last() {
                Some(last) => filter.after = Some(last.id),
                None => return Ok(answer),
            }
        }
    }

    async fn retry_one(&self, job: &JobRecord, answer: &mut Answer) -> anyhow::Result<()> {
        match self.db.retry_job(&job.org_id, job.file_id).await? {
            Retried::Queued(due) => self.show(due.id, answer).await?,
            Retried::NotRetryable => answer.refused.push(RefusedJson { id: job.id, code: "not_retryable" }),
            Retried::NoSuchFile => answer.refused.push(RefusedJson { id: job.id, code: "job_not_found" }),
        }
        Ok(())
    }

    async fn cancel(&self, jobs: &[JobId]) -> anyhow::Result<Answer> {
        let mut answer = Answer::default();
        for &id in jobs {
            let outcome = match self.db.find_job(self.reach(), id).await? {
                Some(job) => self.db.cancel_job(&job.org_id, id).await?,
                None => Cancelled::NoSuchJob,
            };
            match outcome {
                Cancelled::Stopped => self.show(id, &mut answer).await?,
                Cancelled::Over => answer.refused.push(RefusedJson { id, code: "job_over" }),
                Cancelled::NoSuchJob => answer.refused.push(RefusedJson { id, code: "job_not_found" }),
            }
        }
        Ok(answer)
    }

    async fn show(&self, job: JobId, answer: &mut Answer) -> anyhow::Result<()> {
        answer.jobs.extend(self.db.find_job(self.reach(), job).await?.map(JobJson::from));
        Ok(())
    }
}
