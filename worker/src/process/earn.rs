//! The job that makes what a file has been watched for. The file plays all the while, so nothing that goes wrong here changes it. It
//! takes the file's stored plan, so that what is made is what was promised; it is made by one task, never in parts: the parts of a
//! generation are those of its film's own job.

use std::collections::HashSet;

use reelgate_common::{db::Refusal, metric::WORKER_EARNED};

use super::{PROBED, Work, encode, finish, inspect::Inspected, promoted, quarantine, record, remux, source::Source};
use crate::{halt::Halt, plan::Plan};

/// # Errors
/// Why it ended early.
pub(super) async fn run(work: &Work) -> Result<(), Halt> {
    let earlier = refused_before(work);
    if let Some(inspected) = remembered(work) {
        let plan = planned(work, &inspected)?;
        record(work, &inspected, &plan).await?;
        if !earlier.is_empty() {
            quarantine(work, &earlier).await?;
        }
        if !plan.rungs.is_empty() {
            make(work, &inspected, plan, earlier).await?;
        }
    }
    finish(work).await
}

async fn make(work: &Work, inspected: &Inspected, plan: Plan, earlier: Vec<Refusal>) -> Result<(), Halt> {
    let source = Source::pin(work, &work.attempt.file.source_key).await?;
    let source = promoted(work, source).await?;
    work.progress.advance(PROBED);
    let names: Vec<String> = plan.rungs.iter().map(|rung| rung.name.clone()).collect();
    let made = encode::encode(work, &source, &inspected.media, plan, false).await?;
    let kept_back: HashSet<&str> = made.refusals.iter().map(|refusal| refusal.name.as_str()).collect();
    let published = names.iter().filter(|name| !kept_back.contains(name.as_str())).count();
    if made.lack.is_none() {
        WORKER_EARNED.counter().increment(published as u64);
    }
    if !made.refusals.is_empty() {
        let all: Vec<Refusal> = earlier.into_iter().chain(made.refusals).collect();
        quarantine(work, &all).await?;
    }
    made.lack.map_or(Ok(()), |lack| Err(Halt::Failed(lack)))
}

/// What the film's own job has found and written down. A file without it was never planned, and nothing of it is held back.
fn remembered(work: &Work) -> Option<Inspected> {
    let file = &work.attempt.file;
    Some(Inspected {
        media: file.media.clone()?,
        kind: file.kind,
        content_type: file.content_type.clone(),
        grid: file.grid.clone()?,
        index: None,
    })
}

fn planned(work: &Work, inspected: &Inspected) -> Result<Plan, Halt> {
    let unreadable = || Halt::failed("plan_unreadable", "The plan of the file is of another version.", false);
    let errand = work.attempt.errand.as_ref().ok_or_else(unreadable)?;
    let mut plan: Plan = serde_json::from_value(errand.plan.clone()).map_err(|_| unreadable())?;
    remux::resume(work, &inspected.media, &mut plan);
    let mut plan = plan.earned_now(&errand.wanted);
    plan.grid = inspected.grid.clone();
    plan.rungs.retain(|rung| !work.has(&rung.name));
    Ok(plan)
}

/// What earlier runs have kept back: nobody asks for it again, so it must not be forgotten.
fn refused_before(work: &Work) -> Vec<Refusal> {
    let refused = work.attempt.job.plan.as_ref().and_then(|plan| plan.get("refused")).cloned();
    refused.and_then(|refused| serde_json::from_value(refused).ok()).unwrap_or_default()
}
