//! What dispatcher, reaper and metrics read.

use std::time::Duration;

use anyhow::Result;
use reelgate_common::{
    db::{Backlog, Census, Db, DueJob, SilentJob},
    job::{JobKind, JobPolicy},
    lane::{Lane, Lanes},
    queue::{Entry, Queue, memory::MemoryQueue},
};

use super::{on_both, setup::*};

on_both!(
    due_jobs_come_by_urgency,
    no_organisation_takes_more_than_its_share,
    ten_thousand_jobs_of_one_do_not_delay_another,
    what_a_newer_build_put_into_a_lane_of_its_own_is_served_as_small,
    what_waits_for_long_comes_before_what_is_more_urgent,
    silent_jobs_are_running_ones_without_a_heartbeat,
    the_census_counts,
    the_backlog_is_what_waits_and_what_runs,
);

async fn due_jobs_come_by_urgency(place: Place) -> Result<()> {
    let (db, acme, other) = (&place.db, org("acme"), org("other"));
    let (_, low) = waiting_at(db, &acme, 10).await?;
    let (_, high) = waiting_at(db, &other, 90).await?;
    let (_, middle) = waiting_at(db, &acme, 50).await?;
    let (_, later) = waiting_at(db, &other, 50).await?;
    running(db, &acme).await?;
    let due = db.due_jobs(Duration::ZERO, &JobPolicy::default(), 10, 10).await?;
    assert_eq!(due.iter().map(|due| due.id).collect::<Vec<_>>(), [high, middle, later, low]);
    assert_eq!((due[0].priority, &due[0].org_id), (90, &other));
    let first = db.due_jobs(Duration::ZERO, &JobPolicy::default(), 2, 10).await?;
    assert_eq!(first.iter().map(|due| due.id).collect::<Vec<_>>(), [high, middle]);
    Ok(())
}

async fn no_organisation_takes_more_than_its_share(place: Place) -> Result<()> {
    let (db, greedy, modest) = (&place.db, org("greedy"), org("modest"));
    for _ in 0..5 {
        waiting_at(db, &greedy, 90).await?;
    }
    let (_, only) = waiting_at(db, &modest, 10).await?;
    let due = db.due_jobs(Duration::ZERO, &JobPolicy::default(), 10, 2).await?;
    assert_eq!(due.iter().map(|due| due.org_id.as_str()).collect::<Vec<_>>(), ["greedy", "modest", "greedy"]);
    assert_eq!(due[1].id, only);
    Ok(())
}

async fn ten_thousand_jobs_of_one_do_not_delay_another(place: Place) -> Result<()> {
    let (db, greedy, modest) = (&place.db, org("greedy"), org("modest"));
    let (file, _) = waiting(db, &greedy).await?;
    place.multiply_job(file, 10_000).await?;
    let queue = MemoryQueue::new(100);
    dispatch(db, &queue).await?;
    let (_, only) = waiting(db, &modest).await?;
    dispatch(db, &queue).await?;
    assert_eq!(queue.depth().await?.ready, 101, "the rest waits in the database");
    let mut claimed = Vec::new();
    while let Some(claim) = queue.claim(&worker("w"), Lanes::ALL, Duration::from_secs(60)).await? {
        claimed.push(claim.job_id);
    }
    let turn = claimed.iter().position(|job| *job == only);
    assert!(turn.is_some_and(|turn| turn < 3), "{turn:?}");
    Ok(())
}

async fn what_a_newer_build_put_into_a_lane_of_its_own_is_served_as_small(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (_, theirs) = waiting(db, &acme).await?;
    place.tamper("UPDATE jobs SET lane = 'huge'").await?;
    let (_, ours) = waiting(db, &acme).await?;
    place.tamper("UPDATE jobs SET lane = 'small' WHERE lane <> 'huge'").await?;
    // By the size that it was staged with.
    let (_, large) = waiting(db, &acme).await?;
    let due = db.due_jobs(Duration::ZERO, &JobPolicy::default(), 10, 10).await?;
    let mut lanes: Vec<_> = due.iter().map(|due| (due.lane, due.id)).collect();
    lanes.sort_unstable();
    assert_eq!(lanes, [(Lane::Small, theirs), (Lane::Small, ours), (Lane::Large, large)]);
    let waiting = db.backlog(JobPolicy::default().longest_wait()).await?;
    let of = |lane| waiting.iter().filter(|row| row.lane == lane).map(|row| row.waiting).sum::<u64>();
    assert_eq!((of(Lane::Small), of(Lane::Large)), (2, 1), "and counted so");
    Ok(())
}

/// As the dispatcher does it.
async fn dispatch(db: &Db, queue: &MemoryQueue) -> Result<()> {
    let due = db.due_jobs(Duration::ZERO, &JobPolicy::default(), 1_000, queue.per_org() as u64).await?;
    queue.enqueue(&due.into_iter().map(Entry::from).collect::<Vec<_>>()).await?;
    Ok(())
}

async fn what_waits_for_long_comes_before_what_is_more_urgent(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let (file, _) = waiting_at(db, &acme, 10).await?;
    let (_, urgent) = waiting_at(db, &acme, 50).await?;
    let first = |due: Vec<DueJob>| due.first().map(|due| due.id);
    assert_eq!(first(db.due_jobs(Duration::ZERO, &JobPolicy::default(), 9, 9).await?), Some(urgent));
    place.age_job(file, Duration::from_secs(41 * 60)).await?;
    assert_ne!(
        first(db.due_jobs(Duration::ZERO, &JobPolicy::default(), 9, 9).await?),
        Some(urgent),
        "a point is worth a minute"
    );
    Ok(())
}

async fn silent_jobs_are_running_ones_without_a_heartbeat(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    waiting(db, &acme).await?;
    let (_, fence) = running(db, &acme).await?;
    let silent = db.silent_jobs(Duration::ZERO, 10).await?;
    assert_eq!(silent, [SilentJob { id: fence.job_id, attempt: 1 }]);
    assert!(db.silent_jobs(Duration::from_secs(3_600), 10).await?.is_empty());
    Ok(())
}

async fn the_census_counts(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    assert_eq!(db.census(Duration::ZERO).await?, Census::default());
    uploading(db, &acme).await?;
    waiting(db, &acme).await?;
    running(db, &acme).await?;
    let (_, fence) = running(db, &acme).await?;
    db.fail_attempt(&fence, &failure(false), &AT_ONCE, 0.5).await?;
    let census = db.census(Duration::ZERO).await?;
    assert_eq!((census.dead_jobs, census.stuck_files), (1, 0));
    Ok(())
}

/// Of all organisations, by kind and priority.
async fn the_backlog_is_what_waits_and_what_runs(place: Place) -> Result<()> {
    let (db, acme, longest) = (&place.db, org("acme"), JobPolicy::default().longest_wait());
    assert_eq!(db.backlog(longest).await?, []);
    waiting_at(db, &acme, 50).await?;
    waiting_at(db, &org("other"), 50).await?;
    waiting_at(db, &acme, 90).await?;
    // The three above are due before it, so it begins one of them; which one is the helper's matter.
    running(db, &acme).await?;
    let (_, fence) = running(db, &acme).await?;
    let later = JobPolicy { backoff_base_ms: 60_000, backoff_max_ms: 60_000, ..JobPolicy::default() };
    db.fail_attempt(&fence, &failure(true), &later, 0.5).await?;
    let backlog = db.backlog(longest).await?;
    let sum = |figure: fn(&Backlog) -> u64| backlog.iter().map(figure).sum::<u64>();
    assert_eq!((sum(|it| it.waiting), sum(|it| it.delayed), sum(|it| it.running)), (3, 1, 1), "{backlog:?}");
    assert!(backlog.iter().any(|it| (it.priority, it.waiting) == (90, 1)), "{backlog:?}");
    assert!(backlog.iter().all(|it| it.kind == JobKind::Process && it.oldest_wait_ms < 600_000), "{backlog:?}");
    assert!(backlog.is_sorted_by_key(|it| std::cmp::Reverse(it.priority)), "{backlog:?}");
    // What is put off for longer than anything ever is, is due.
    let all = db.backlog(Duration::ZERO).await?;
    assert_eq!(all.iter().map(|it| it.waiting).sum::<u64>(), 4, "{all:?}");
    Ok(())
}
