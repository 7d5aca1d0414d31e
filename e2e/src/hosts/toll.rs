//! What a round has cost: attempts that were lost, and whether their jobs were done all the same.

use anyhow::{Context, Result};
use reelgate_common::{
    ids::{FileId, OrgId},
    job::{AttemptOutcome, JobState},
};

use super::scene::ORG;
use crate::{chaos::ledger::Ledger, site::Site};

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Toll {
    pub(super) jobs: usize,
    pub(super) attempts: usize,
    /// Attempts whose worker was not heard of any more.
    pub(super) lost: usize,
    /// Attempts that were given back because a service was away, or the worker was told to end.
    pub(super) given_back: usize,
    /// Jobs with an attempt of either kind that another attempt has done.
    pub(super) recovered: usize,
}

/// Of all that was promised, and what is wrong: failures, files that are not ready, jobs that were not done.
pub(super) async fn of(site: &Site, ledger: &Ledger) -> Result<(Toll, Vec<String>)> {
    let (db, org) = (site.database().await?, OrgId::new(ORG));
    let (mut toll, mut wrong) = (Toll::default(), Vec::new());
    for file in ledger.promises().into_keys() {
        let id: FileId = file.parse().ok().with_context(|| format!("{file} is no id"))?;
        for job in db.jobs_of(&org, id).await? {
            let attempts = db.attempts_of(job.id).await?;
            let count = |outcomes: &[AttemptOutcome]| {
                attempts.iter().filter(|it| it.outcome.is_some_and(|outcome| outcomes.contains(&outcome))).count()
            };
            let lost = count(&[AttemptOutcome::Lost]);
            let given_back = count(&[AttemptOutcome::Away, AttemptOutcome::Interrupted]);
            let is_done = job.state == JobState::Done && job.failures == 0;
            toll.jobs += 1;
            toll.attempts += attempts.len();
            toll.lost += lost;
            toll.given_back += given_back;
            toll.recovered += usize::from(is_done && lost + given_back > 0);
            if !is_done {
                let (code, error) = (job.last_error_code, job.last_error);
                wrong.push(format!("job of {file}: {:?}, {} failures, {code:?} {error:?}", job.state, job.failures));
            }
        }
    }
    db.close().await;
    Ok((toll, wrong))
}
