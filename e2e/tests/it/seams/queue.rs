//! What every queue does, whichever it is: each rule is a function over `&dyn Queue`, run on the in-process queue and on a
//! real Redis. Below them: what only Redis can suffer.

use std::{
    collections::{BTreeMap, HashSet},
    slice::from_ref,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use futures_util::future::{join_all, try_join_all};
use reelgate_common::{
    config::Secret,
    ids::{JobId, OrgId, ProcessId},
    lane::{Lane, Lanes},
    queue::{
        self, Beat, Claim, Depth, Entry, LeaseToken, Queue, QueueError, Settled, SharedQueue, config::QueueConfig,
        memory::MemoryQueue,
    },
    timestamp::Timestamp,
};
use reelgate_e2e::{clock::Clock, process::eventually, services::Redis};

const LONG: Duration = Duration::from_secs(60);
/// A lease that is over by the time anybody looks.
const SHORT: Duration = Duration::from_millis(1);
/// How long a rule may take to come true; never waited out by a working queue.
const PATIENCE: Duration = Duration::from_secs(10);

fn entry(priority: u8, run_at: Timestamp) -> Entry {
    Entry { job_id: JobId::new(), org_id: OrgId::new("acme|{x}"), lane: Lane::Small, priority, run_at, due: false }
}

fn due() -> Entry {
    entry(50, Timestamp::now())
}

fn in_an_hour() -> Timestamp {
    Timestamp::now().plus(Duration::from_secs(3600))
}

fn worker() -> ProcessId {
    ProcessId::new("worker|1")
}

async fn claim(queue: &dyn Queue) -> Result<Claim> {
    queue.claim(&worker(), Lanes::ALL, LONG).await?.context("nothing to claim")
}

async fn assert_empty(queue: &dyn Queue) -> Result<()> {
    ensure!(queue.claim(&worker(), Lanes::ALL, LONG).await?.is_none(), "there was something to claim");
    Ok(())
}

async fn jobs_in_order(queue: &dyn Queue) -> Result<Vec<JobId>> {
    let mut jobs = Vec::new();
    while let Some(claim) = queue.claim(&worker(), Lanes::ALL, LONG).await? {
        jobs.push(claim.job_id);
    }
    Ok(jobs)
}

/// Claims as an idle worker does.
async fn await_claim(queue: &dyn Queue, lease: Duration) -> Result<Claim> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(claim) = queue.claim(&worker(), Lanes::ALL, lease).await? {
            return Ok(claim);
        }
        ensure!(Instant::now() < deadline, "nothing came to claim");
        queue.wait(Lanes::ALL, Duration::from_millis(100)).await?;
    }
}

async fn await_reaped(queue: &dyn Queue, job: JobId) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !queue.reap(10, LONG).await?.contains(&job) {
        ensure!(Instant::now() < deadline, "the lease does not end");
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Each rule, run on a fresh in-process queue and on a fresh prefix of a real Redis.
macro_rules! rules {
    ($($(#[$doc:meta])* async fn $name:ident($queue:ident: $kind:ty) -> Result<()> $body:block)+) => {
        mod rule {
            use super::*;
            $($(#[$doc])* pub(super) async fn $name($queue: $kind) -> Result<()> $body)+
        }
        mod memory {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() -> Result<()> {
                let queue: SharedQueue = Arc::new(MemoryQueue::default());
                rule::$name(queue.as_ref()).await
            })+
        }
        mod redis {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() -> Result<()> {
                let server = Redis::start().await?;
                let queue = open(&server).await?;
                rule::$name(queue.as_ref()).await
            })+
        }
    };
}

async fn open(server: &Redis) -> Result<SharedQueue> {
    let url = Secret::new(server.url());
    let config = QueueConfig { url, timeout_ms: 5_000, per_org: 1_000_000, ..QueueConfig::default() };
    Ok(queue::open(&config).await?)
}

rules! {
    /// Whoever sends it may have a clock that is ahead of the queue's.
    async fn what_is_due_waits_for_no_clock(queue: &dyn Queue) -> Result<()> {
        let ahead = entry(50, in_an_hour());
        queue.enqueue(from_ref(&ahead)).await?;
        assert_empty(queue).await?;
        queue.enqueue(&[Entry { due: true, ..ahead.clone() }]).await?;
        let claimed = claim(queue).await?;
        assert_eq!(claimed.job_id, ahead.job_id);
        queue.release(&claimed).await?;
        assert_eq!(claim(queue).await?.job_id, ahead.job_id, "nor when it is handed back");
        Ok(())
    }

    async fn the_highest_priority_comes_first_then_the_earliest(queue: &dyn Queue) -> Result<()> {
        let now = Timestamp::now();
        let before = |seconds| now.minus(Duration::from_secs(seconds));
        let wanted = [
            entry(100, now), entry(51, before(1)), entry(50, before(9)), entry(50, before(5)),
            entry(50, now), entry(1, before(1)), entry(0, before(50)),
        ];
        for index in [3, 0, 6, 2, 5, 1, 4] {
            queue.enqueue(&[wanted[index].clone()]).await?;
        }
        assert_eq!(jobs_in_order(queue).await?, wanted.map(|entry| entry.job_id));
        Ok(())
    }

    async fn equals_come_in_the_order_of_their_creation(queue: &dyn Queue) -> Result<()> {
        let now = Timestamp::now();
        let entries: Vec<_> = (0..1_200).map(|_| entry(7, now)).collect();
        assert_eq!(queue.enqueue(&entries).await?, 1_200);
        let wanted: Vec<_> = entries.iter().map(|entry| entry.job_id).collect();
        assert_eq!(jobs_in_order(queue).await?, wanted);
        Ok(())
    }

    async fn a_delayed_entry_waits_for_its_time(queue: &dyn Queue) -> Result<()> {
        let run_at = Timestamp::now().plus(Duration::from_millis(300));
        let (soon, late) = (entry(50, run_at), entry(100, in_an_hour()));
        queue.enqueue(&[soon.clone(), late]).await?;
        let claim = await_claim(queue, LONG).await?;
        assert_eq!(claim.job_id, soon.job_id);
        assert!(Timestamp::now() >= run_at);
        assert_eq!(queue.depth().await?, Depth { delayed: 1, leased: 1, ..Depth::default() });
        assert_empty(queue).await
    }

    async fn a_known_entry_is_not_added_again(queue: &dyn Queue) -> Result<()> {
        let (first, second) = (due(), due());
        assert_eq!(queue.enqueue(&[first.clone(), first.clone()]).await?, 1);
        assert_eq!(queue.enqueue(&[first.clone(), second.clone()]).await?, 1);
        let held = claim(queue).await?;
        assert_eq!(queue.enqueue(from_ref(&first)).await?, 0, "leased");
        assert_eq!(claim(queue).await?.job_id, second.job_id);
        assert_empty(queue).await?;
        assert_eq!(queue.complete(&held).await?, Settled::Done);
        assert_eq!(queue.enqueue(&[first]).await?, 1, "done and wanted again");
        Ok(())
    }

    async fn a_waiting_entry_takes_over_what_makes_it_earlier(queue: &dyn Queue) -> Result<()> {
        let (a, b) = (entry(10, Timestamp::now()), entry(20, Timestamp::now()));
        let delayed = entry(30, in_an_hour());
        queue.enqueue(&[a.clone(), b.clone(), delayed.clone()]).await?;
        queue.enqueue(&[Entry { priority: 60, run_at: in_an_hour(), ..a.clone() }]).await?;
        queue.enqueue(&[Entry { priority: 0, ..b.clone() }]).await?;
        queue.enqueue(&[Entry { priority: 5, run_at: Timestamp::now(), ..delayed.clone() }]).await?;
        assert_eq!(jobs_in_order(queue).await?, [a.job_id, delayed.job_id, b.job_id]);
        Ok(())
    }

    async fn nothing_starves_behind_what_is_more_urgent(queue: &dyn Queue) -> Result<()> {
        let old = entry(10, Timestamp::now().minus(Duration::from_secs(41 * 60)));
        let young = entry(10, Timestamp::now().minus(Duration::from_secs(39 * 60)));
        let urgent = entry(50, Timestamp::now());
        queue.enqueue(&[urgent.clone(), young.clone(), old.clone()]).await?;
        assert_eq!(jobs_in_order(queue).await?, [old.job_id, urgent.job_id, young.job_id]);
        Ok(())
    }

    async fn organisations_take_turns_whatever_each_has_waiting(queue: &dyn Queue) -> Result<()> {
        let of = |name: &str, priority, run_at| Entry { org_id: OrgId::new(name), ..entry(priority, run_at) };
        let hours_ago = Timestamp::now().minus(Duration::from_secs(7_200));
        let greedy: Vec<_> = (0..2_000).map(|_| of("greedy", 50, hours_ago)).collect();
        queue.enqueue(&greedy).await?;
        for _ in 0..20 {
            claim(queue).await?;
        }
        let modest: Vec<_> = (0..3).map(|_| of("modest", 50, Timestamp::now())).collect();
        queue.enqueue(&modest).await?;
        let mut orgs = Vec::new();
        for _ in 0..7 {
            let job = claim(queue).await?.job_id;
            orgs.push(if modest.iter().any(|entry| entry.job_id == job) { 'm' } else { 'g' });
        }
        assert_eq!(orgs.iter().filter(|org| **org == 'm').count(), 3, "{orgs:?}");
        assert!(orgs[..2].contains(&'m') && orgs[..4].iter().filter(|org| **org == 'm').count() == 2, "{orgs:?}");
        // Somebody waits for this one: it is brought forward among organisations, too, but for a thousand turns at most.
        let (waited_for, least) = (of("hasty", 90, Timestamp::now()), of("patient", 0, Timestamp::now()));
        queue.enqueue(&[least.clone(), waited_for.clone()]).await?;
        assert_eq!(claim(queue).await?.job_id, waited_for.job_id);
        let rest = jobs_in_order(queue).await?;
        let turn = rest.iter().position(|job| *job == least.job_id).context("forgotten")?;
        assert!((400..=1_000).contains(&turn), "{turn}");
        Ok(())
    }

    /// As a gateway brings what waits, every second.
    async fn what_is_brought_again_keeps_its_turn(queue: &dyn Queue) -> Result<()> {
        let of = |name: &str| Entry { org_id: OrgId::new(name), ..due() };
        let mut waiting: Vec<_> = (0..10).map(|_| of("first by name")).collect();
        queue.enqueue(&waiting).await?;
        claim(queue).await?;
        let lone = of("later by name");
        waiting.push(lone.clone());
        let mut claimed = Vec::new();
        for _ in 0..2 {
            queue.enqueue(&waiting).await?;
            // Earlier than it was known to be, which is taken over, too.
            queue.enqueue(&[Entry { run_at: lone.run_at.minus(Duration::from_secs(claimed.len() as u64)), ..lone.clone() }]).await?;
            claimed.push(claim(queue).await?.job_id);
        }
        assert!(claimed.contains(&lone.job_id), "its turn comes after one of the other's");
        Ok(())
    }

    async fn who_serves_some_lanes_gets_nothing_of_others(queue: &dyn Queue) -> Result<()> {
        let of = |lane, age| Entry { lane, ..entry(50, Timestamp::now().minus(Duration::from_secs(age))) };
        let all = [of(Lane::Small, 0), of(Lane::Large, 1), of(Lane::Gpu, 2)];
        queue.enqueue(&all[1..]).await?;
        let claim = async |lanes| queue.claim(&worker(), lanes, LONG).await;
        assert_eq!(claim(Lane::Small.into()).await?, None);
        // Nothing that it could claim, so it waits in vain and does not spin. To the millisecond, as clocks of waiting are.
        let begun = Instant::now();
        queue.wait(Lane::Small.into(), Duration::from_millis(20)).await?;
        assert!(begun.elapsed() >= Duration::from_millis(19), "it waited for its time");
        queue.enqueue(&all[..1]).await?;
        let large = claim(Lanes::of(&[Lane::Small, Lane::Large])).await?.context("nothing to claim")?;
        assert_eq!((large.job_id, large.lane), (all[1].job_id, Lane::Large), "in the one order of all that it serves");
        assert_eq!(queue.release(&large).await?, Settled::Done);
        assert_eq!(claim(Lane::Gpu.into()).await?.context("nothing to claim")?.job_id, all[2].job_id);
        assert_eq!(claim(Lane::Large.into()).await?.context("nothing to claim")?.job_id, all[1].job_id, "back in its lane");
        assert_eq!(claim(Lane::Large.into()).await?, None);
        assert_eq!(queue.depth().await?, Depth { ready: 1, leased: 2, ..Depth::default() });
        Ok(())
    }

    async fn every_verb_finds_its_job_in_whatever_lane(queue: &dyn Queue) -> Result<()> {
        for lane in Lane::ALL.iter().copied() {
            let entries: Vec<_> = (0..5).map(|_| Entry { lane, ..due() }).collect();
            queue.enqueue(&entries).await?;
            assert!(queue.cancel(entries[4].job_id).await?);
            let held: Vec<_> = try_join_all((0..4).map(async |_| claim(queue).await)).await?;
            assert!(held.iter().all(|claim| claim.lane == lane));
            assert_eq!(queue.heartbeat(&held[0], LONG).await?, Beat::Held);
            assert_eq!(queue.complete(&held[0]).await?, Settled::Done);
            assert_eq!(queue.bury(&held[1], "no").await?, Settled::Done);
            assert_eq!(queue.retry(&held[2], in_an_hour()).await?, Settled::Done);
            assert_eq!(queue.heartbeat(&held[3], SHORT).await?, Beat::Held);
            await_reaped(queue, held[3].job_id).await?;
            assert_eq!(queue.restore(&held[3], &entries[3], LONG).await?, Settled::Done);
            assert_eq!(queue.complete(&held[3]).await?, Settled::Done);
        }
        assert_eq!(queue.depth().await?, Depth { delayed: 3, dead: 3, ..Depth::default() });
        Ok(())
    }

    async fn eight_claimers_share_500_jobs_without_an_overlap(queue: &dyn Queue) -> Result<()> {
        let entries: Vec<_> = (0..500).map(|_| due()).collect();
        queue.enqueue(&entries).await?;
        let claimed: Vec<_> = try_join_all((0..8).map(|_| jobs_in_order(queue))).await?.concat();
        assert_eq!(claimed.len(), 500);
        assert_eq!(claimed.into_iter().collect::<HashSet<_>>(), entries.iter().map(|entry| entry.job_id).collect());
        Ok(())
    }

    async fn a_heartbeat_keeps_a_lease(queue: &dyn Queue) -> Result<()> {
        let entries = [due(), due()];
        queue.enqueue(&entries).await?;
        let kept = queue.claim(&worker(), Lanes::ALL, SHORT).await?.context("nothing to claim")?;
        let left = queue.claim(&worker(), Lanes::ALL, Duration::from_millis(100)).await?.context("nothing to claim")?;
        assert_eq!(queue.heartbeat(&kept, LONG).await?, Beat::Held);
        // The other lease began later and was longer: when it has ended, the first would have too.
        await_reaped(queue, left.job_id).await?;
        assert!(queue.reap(10, LONG).await?.is_empty());
        assert_eq!(queue.complete(&kept).await?, Settled::Done);
        Ok(())
    }

    async fn a_lost_lease_settles_nothing(queue: &dyn Queue) -> Result<()> {
        let entry = due();
        queue.enqueue(from_ref(&entry)).await?;
        let lost = queue.claim(&worker(), Lanes::ALL, SHORT).await?.context("nothing to claim")?;
        await_reaped(queue, entry.job_id).await?;
        assert_eq!(queue.enqueue(&[entry]).await?, 1, "a reaped job is forgotten");
        let held = claim(queue).await?;
        refuses(queue, &lost).await?;
        assert_eq!(queue.complete(&held).await?, Settled::Done);
        refuses(queue, &held).await
    }

    async fn another_token_settles_nothing(queue: &dyn Queue) -> Result<()> {
        let entry = due();
        queue.enqueue(from_ref(&entry)).await?;
        let held = claim(queue).await?;
        for token in ["", "0", "|", "%", &held.lease.0[..21], &format!("{}|0", held.lease.0)] {
            refuses(queue, &Claim { lease: LeaseToken(token.to_owned()), ..held.clone() }).await?;
        }
        let forged = Claim { lease: LeaseToken::random(), ..held.clone() };
        refuses(queue, &forged).await?;
        assert_eq!(queue.restore(&forged, &entry, LONG).await?, Settled::Lost);
        assert_eq!(queue.heartbeat(&held, LONG).await?, Beat::Held);
        assert_eq!(queue.depth().await?, Depth { leased: 1, ..Depth::default() });
        Ok(())
    }

    async fn what_comes_and_ends_at_once_is_told_apart(queue: &dyn Queue) -> Result<()> {
        let entries: Vec<_> = (0..60).map(|_| due()).collect();
        let thrice = try_join_all(entries.iter().cycle().take(180).map(|entry| queue.enqueue(from_ref(entry)))).await?;
        assert_eq!(thrice.iter().sum::<u64>(), 60);
        assert_eq!(thrice.len(), 180);
        let claims = try_join_all((0..70).map(async |_| queue.claim(&worker(), Lanes::ALL, LONG).await)).await?;
        let claims: Vec<_> = claims.into_iter().flatten().collect();
        assert_eq!(claims.iter().map(|claim| claim.job_id).collect::<HashSet<_>>().len(), 60);
        let forged: Vec<_> = claims.iter().map(|claim| Claim { lease: LeaseToken::random(), ..claim.clone() }).collect();
        let each: Vec<_> = claims.iter().zip(&forged).flat_map(|(claim, forged)| [forged, claim, forged]).collect();
        let beats = try_join_all(each.iter().map(|claim| queue.heartbeat(claim, LONG))).await?;
        assert!(beats.chunks(3).all(|beats| beats == [Beat::Lost, Beat::Held, Beat::Lost]), "{beats:?}");
        let ends = try_join_all(each.iter().map(|claim| queue.complete(claim))).await?;
        assert!(ends.chunks(3).all(|ends| ends == [Settled::Lost, Settled::Done, Settled::Lost]), "{ends:?}");
        let again = try_join_all(claims.iter().map(|claim| queue.complete(claim))).await?;
        assert!(again.iter().all(|end| *end == Settled::Lost));
        assert_eq!(queue.depth().await?, Depth::default());
        Ok(())
    }

    async fn one_claim_ends_once_also_when_it_is_said_twice_at_once(queue: &dyn Queue) -> Result<()> {
        queue.enqueue(&[due(), due()]).await?;
        let held = [claim(queue).await?, claim(queue).await?];
        let ends = try_join_all(held.iter().cycle().take(20).map(|claim| queue.complete(claim))).await?;
        assert_eq!(ends.iter().filter(|end| **end == Settled::Done).count(), 2, "{ends:?}");
        Ok(())
    }

    async fn a_released_job_goes_before_its_equals(queue: &dyn Queue) -> Result<()> {
        let (first, second, urgent) = (due(), due(), entry(90, Timestamp::now()));
        queue.enqueue(&[first.clone(), second.clone()]).await?;
        let _first = claim(queue).await?;
        let held = claim(queue).await?;
        queue.enqueue(&[due(), entry(50, Timestamp::now().minus(Duration::from_secs(30))), urgent.clone()]).await?;
        assert_eq!(queue.release(&held).await?, Settled::Done);
        assert_eq!(jobs_in_order(queue).await?[..2], [urgent.job_id, second.job_id]);
        Ok(())
    }

    async fn a_retried_job_comes_back_at_its_time(queue: &dyn Queue) -> Result<()> {
        queue.enqueue(&[due(), entry(10, Timestamp::now())]).await?;
        let (now, later) = (claim(queue).await?, claim(queue).await?);
        assert_eq!(queue.retry(&later, in_an_hour()).await?, Settled::Done);
        assert_eq!(queue.depth().await?, Depth { delayed: 1, leased: 1, ..Depth::default() });
        assert_eq!(queue.retry(&now, Timestamp::now()).await?, Settled::Done);
        let again = await_claim(queue, LONG).await?;
        assert_eq!(again.job_id, now.job_id);
        assert_ne!(again.lease, now.lease);
        refuses(queue, &now).await?;
        assert_empty(queue).await
    }

    async fn a_cancelled_job_is_taken_out_or_told(queue: &dyn Queue) -> Result<()> {
        let (waiting, delayed, leased) = (entry(10, Timestamp::now()), entry(50, in_an_hour()), due());
        queue.enqueue(&[waiting.clone(), delayed.clone(), leased.clone()]).await?;
        let held = claim(queue).await?;
        assert_eq!(held.job_id, leased.job_id);
        for entry in [&waiting, &delayed, &leased, &leased] {
            assert!(queue.cancel(entry.job_id).await?);
        }
        assert!(!queue.cancel(waiting.job_id).await?);
        assert!(!queue.cancel(JobId::new()).await?);
        assert_empty(queue).await?;
        assert_eq!(queue.heartbeat(&held, LONG).await?, Beat::Cancelled);
        assert_eq!(queue.heartbeat(&held, LONG).await?, Beat::Cancelled);
        assert_eq!(queue.release(&held).await?, Settled::Done);
        assert_eq!(queue.depth().await?, Depth::default());
        Ok(())
    }

    async fn concurrent_reapers_return_each_job_once(queue: &dyn Queue) -> Result<()> {
        let entries: Vec<_> = (0..100).map(|_| due()).collect();
        queue.enqueue(&entries).await?;
        for _ in 0..100 {
            queue.claim(&worker(), Lanes::ALL, SHORT).await?.context("nothing to claim")?;
        }
        let mut times = BTreeMap::new();
        let deadline = Instant::now() + PATIENCE;
        while times.len() < 100 && Instant::now() < deadline {
            for reaped in try_join_all((0..6).map(|_| queue.reap(7, LONG))).await? {
                assert!(reaped.len() <= 7);
                reaped.into_iter().for_each(|job| *times.entry(job).or_insert(0) += 1);
            }
        }
        assert_eq!(times.len(), 100);
        assert!(times.values().all(|count| *count == 1), "{times:?}");
        assert_eq!(queue.depth().await?, Depth::default());
        Ok(())
    }

    async fn a_forgotten_or_waiting_job_can_be_restored(queue: &dyn Queue) -> Result<()> {
        let (forgotten, refilled) = (due(), due());
        let claim_of = |entry: &Entry| Claim { job_id: entry.job_id, lane: entry.lane, lease: LeaseToken::random() };
        queue.enqueue(from_ref(&refilled)).await?;
        for entry in [&forgotten, &refilled] {
            let claim = claim_of(entry);
            assert_eq!(queue.heartbeat(&claim, LONG).await?, Beat::Lost);
            assert_eq!(queue.restore(&claim, entry, LONG).await?, Settled::Done);
            assert_eq!(queue.restore(&claim, entry, LONG).await?, Settled::Done, "again");
            assert_eq!(queue.restore(&claim_of(entry), entry, LONG).await?, Settled::Lost, "by somebody else");
            assert_eq!(queue.heartbeat(&claim, LONG).await?, Beat::Held);
            assert_eq!(queue.enqueue(from_ref(entry)).await?, 0);
            assert_eq!(queue.release(&claim).await?, Settled::Done);
        }
        assert_eq!(jobs_in_order(queue).await?, [forgotten.job_id, refilled.job_id]);
        Ok(())
    }

    async fn a_buried_job_is_dead_until_it_is_wanted_again(queue: &dyn Queue) -> Result<()> {
        let entry = due();
        queue.enqueue(from_ref(&entry)).await?;
        let held = claim(queue).await?;
        assert_eq!(queue.bury(&held, &"ä".repeat(4_000)).await?, Settled::Done);
        assert_eq!(queue.depth().await?, Depth { dead: 1, ..Depth::default() });
        assert_empty(queue).await?;
        refuses(queue, &held).await?;
        assert_eq!(queue.enqueue(&[entry]).await?, 1);
        assert_eq!(queue.depth().await?, Depth { ready: 1, ..Depth::default() });
        Ok(())
    }

    async fn waiting_ends_when_work_comes(queue: &dyn Queue) -> Result<()> {
        // Each way by which work comes, against waits that would otherwise outlast the test's patience.
        let wait = || tokio::time::timeout(PATIENCE, queue.wait(Lanes::ALL, LONG));
        let (first, _) = tokio::join!(wait(), async { queue.enqueue(&[due()]).await });
        first.context("an entry wakes")??;
        let held = claim(queue).await?;
        let (second, _) = tokio::join!(wait(), queue.release(&held));
        second.context("a release wakes")??;
        let held = claim(queue).await?;
        let soon = Timestamp::now().plus(Duration::from_millis(200));
        let (third, _) = tokio::join!(wait(), queue.retry(&held, soon));
        third.context("a due retry wakes")??;
        let held = await_claim(queue, LONG).await?;
        assert_eq!(queue.complete(&held).await?, Settled::Done);
        Ok(())
    }

    async fn eight_idle_workers_take_eight_jobs(queue: &dyn Queue) -> Result<()> {
        let entries: Vec<_> = (0..8).map(|_| due()).collect();
        let workers = join_all((0..8).map(|_| await_claim(queue, LONG)));
        let (claims, added) = tokio::join!(workers, queue.enqueue(&entries));
        assert_eq!(added?, 8);
        let jobs: HashSet<_> = claims.into_iter().collect::<Result<Vec<_>>>()?.iter().map(|claim| claim.job_id).collect();
        assert_eq!(jobs.len(), 8);
        Ok(())
    }

    async fn waiting_on_an_empty_queue_ends_by_its_timeout(queue: &dyn Queue) -> Result<()> {
        queue.enqueue(&[entry(50, in_an_hour())]).await?;
        // Longer than the client's own default timeout, which must not hit it; the first may take up an old wake-up.
        for _ in 0..2 {
            tokio::time::timeout(PATIENCE, queue.wait(Lanes::ALL, Duration::from_millis(700))).await??;
        }
        assert_empty(queue).await
    }
}

/// Each verb that needs a lease turns this claim down.
async fn refuses(queue: &dyn Queue, claim: &Claim) -> Result<()> {
    assert_eq!(queue.heartbeat(claim, LONG).await?, Beat::Lost);
    assert_eq!(queue.complete(claim).await?, Settled::Lost);
    assert_eq!(queue.retry(claim, Timestamp::now()).await?, Settled::Lost);
    assert_eq!(queue.bury(claim, "why").await?, Settled::Lost);
    assert_eq!(queue.release(claim).await?, Settled::Lost);
    Ok(())
}

/// Commands the server has run since its statistics were reset, those inside scripts included.
async fn commands(server: &Redis) -> Result<u64> {
    let info = server.command("INFO commandstats").await?;
    let calls = info.lines().filter_map(|line| line.split_once("calls=")?.1.split(',').next()?.parse::<u64>().ok());
    Ok(calls.sum())
}

#[tokio::test]
async fn of_one_organisation_only_so_many_wait_in_the_queue() -> Result<()> {
    let server = Redis::start().await?;
    let url = Secret::new(server.url());
    let config = QueueConfig { url, timeout_ms: 5_000, per_org: 3, ..QueueConfig::default() };
    for queue in [queue::open(&config).await?, Arc::new(MemoryQueue::new(3))] {
        let entries: Vec<_> = (0..10).map(|_| due()).collect();
        assert_eq!(queue.enqueue(&entries).await?, 3);
        assert_eq!(queue.enqueue(&entries).await?, 0);
        let other = Entry { org_id: OrgId::new("other"), ..due() };
        assert_eq!(queue.enqueue(&[other]).await?, 1, "another has its own room");
        let held = claim(queue.as_ref()).await?;
        assert_eq!(queue.enqueue(&entries).await?, 1, "what is claimed makes room");
        assert_eq!(queue.release(&held).await?, Settled::Done, "what comes back always has room");
        assert_eq!(queue.depth().await?, Depth { ready: 5, ..Depth::default() });
    }
    Ok(())
}

#[tokio::test]
async fn an_entry_of_a_newer_build_is_left_as_it_is() -> Result<()> {
    let server = Redis::start().await?;
    let queue = open(&server).await?;
    let (newer, known) = (due(), due());
    queue.enqueue(&[newer.clone(), known.clone()]).await?;
    let text = format!("HSET {{reelgate}}:jobs {} v2|whatever|that|means", newer.job_id);
    server.command(&text).await?;
    assert_eq!(jobs_in_order(queue.as_ref()).await?, [known.job_id]);
    assert_eq!(queue.enqueue(from_ref(&newer)).await?, 0);
    let kept = server.command(&format!("HGET {{reelgate}}:jobs {}", newer.job_id)).await?;
    assert!(kept.contains("v2|whatever|that|means"), "{kept}");
    assert_eq!(queue.depth().await?, Depth { delayed: 1, leased: 1, ..Depth::default() });
    Ok(())
}

/// What gateways and workers before there were turns do: they know what is ready, and no lines.
#[tokio::test]
async fn a_build_that_knows_no_turns_shares_the_queue() -> Result<()> {
    let server = Redis::start().await?;
    let url = Secret::new(server.url());
    let config = QueueConfig { url, timeout_ms: 5_000, per_org: 3, ..QueueConfig::default() };
    let queue = queue::open(&config).await?;

    // It claims and completes what a newer gateway brings, by priority, and its claims take no room.
    for _ in 0..4 {
        let entries: Vec<_> = (0..3).map(|n| entry(50 + n, Timestamp::now())).collect();
        assert_eq!(queue.enqueue(&entries).await?, 3);
        for entry in entries.iter().rev() {
            let popped = server.command("ZPOPMIN {reelgate}:ready").await?;
            assert!(popped.contains(&entry.job_id.to_string()), "{popped}");
            server.command(&format!("HDEL {{reelgate}}:jobs {}", entry.job_id)).await?;
        }
    }
    assert_empty(queue.as_ref()).await?;
    assert_eq!(queue.depth().await?, Depth::default(), "nothing of theirs is buried");

    // What it brings is claimed, also when a newer gateway says it again.
    let brought: Vec<_> = (0..3).map(|_| due()).collect();
    for entry in &brought {
        let text = format!("{}|{}|{}", entry.priority, entry.run_at.0, entry.org_id.as_str());
        server.command(&format!("HSET {{reelgate}}:jobs {} {text}", entry.job_id)).await?;
        server.command(&format!("ZADD {{reelgate}}:ready 219902325555200 {}", entry.job_id)).await?;
    }
    assert_eq!(queue.enqueue(&brought[..2]).await?, 0, "they are known");
    let mut claimed = jobs_in_order(queue.as_ref()).await?;
    claimed.sort_unstable();
    let mut wanted: Vec<_> = brought.iter().map(|entry| entry.job_id).collect();
    wanted.sort_unstable();
    assert_eq!(claimed, wanted);
    Ok(())
}

/// Scripts the server has run since its statistics were reset.
async fn scripts(server: &Redis) -> Result<u64> {
    let info = server.command("INFO commandstats").await?;
    let calls =
        info.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls=")?.split(',').next()?.parse().ok());
    calls.context("no script was run")
}

/// Many jobs of six organisations, some of which have many, of all lanes, priorities and ages.
fn medley(mut chance: u64) -> Vec<Entry> {
    let mut draw = move |below: u64| {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (chance >> 33) % below
    };
    let long_ago = Timestamp::now().minus(Duration::from_secs(10_000));
    let entry = |_| {
        let org_id = OrgId::new(format!("org {}", draw(6) * draw(6) / 5));
        let run_at = long_ago.plus(Duration::from_secs(draw(5_000)));
        let lane = Lane::ALL[draw(3) as usize];
        Entry { org_id, lane, ..entry(draw(101) as u8, run_at) }
    };
    (0..400).map(entry).collect()
}

/// One thread, so that those who ask at once ask in their order.
#[tokio::test]
async fn jobs_claimed_at_once_are_those_that_would_have_come_one_by_one() -> Result<()> {
    let server = Redis::start().await?;
    let queue = open(&server).await?;
    for seed in 0..5 {
        let (entries, one_by_one) = (medley(seed), MemoryQueue::default());
        for chunk in entries.chunks(90) {
            one_by_one.enqueue(chunk).await?;
            assert_eq!(queue.enqueue(chunk).await?, chunk.len() as u64);
        }
        // Of some lanes, then of others; of all at least each fourth time.
        let some = [Lanes::ALL, Lane::Large.into(), Lanes::of(&[Lane::Small, Lane::Gpu]), Lane::Small.into()];
        for (many, lanes) in (0..).map(|n| (n * 7 % 40 + 1, some[(n + seed) as usize % some.len()])) {
            let claimed = try_join_all((0..many).map(async |_| queue.claim(&worker(), lanes, LONG).await)).await?;
            let mut wanted = Vec::new();
            for _ in 0..many {
                wanted.push(one_by_one.claim(&worker(), lanes, LONG).await?.map(|claim| claim.job_id));
            }
            let claimed: Vec<_> = claimed.into_iter().flatten().collect();
            let wanted: Vec<_> = wanted.into_iter().flatten().collect();
            assert_eq!(
                claimed.iter().map(|claim| claim.job_id).collect::<Vec<_>>(),
                wanted,
                "{many} of {lanes}, seed {seed}"
            );
            try_join_all(claimed.iter().map(|claim| queue.complete(claim))).await?;
            if lanes == Lanes::ALL && wanted.len() < many as usize {
                break;
            }
        }
        assert_eq!(queue.depth().await?, Depth::default());
        server.command("FLUSHALL").await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_is_asked_at_once_costs_few_scripts_none_of_them_long() -> Result<()> {
    let server = Redis::start().await?;
    let queue = open(&server).await?;
    let entries: Vec<_> = (0..400).map(|_| due()).collect();
    // What the scripts are is told once.
    queue.enqueue(&entries[..1]).await?;
    queue.complete(&claim(queue.as_ref()).await?).await?;
    server.command("CONFIG RESETSTAT").await?;
    try_join_all(entries.iter().map(|entry| queue.enqueue(from_ref(entry)))).await?;
    let claims = try_join_all(entries.iter().map(async |_| queue.claim(&worker(), Lanes::ALL, LONG).await)).await?;
    let claims: Vec<_> = claims.into_iter().flatten().collect();
    let beats = try_join_all(claims.iter().map(|claim| queue.heartbeat(claim, LONG))).await?;
    assert_eq!(beats, vec![Beat::Held; 400]);
    try_join_all(claims.iter().map(|claim| queue.complete(claim))).await?;
    let (scripts, most) = (scripts(&server).await?, 400 / 50 + 400 / 25 + 400 / 100 + 400 / 100);
    assert!((most..most + 8).contains(&scripts), "{scripts} scripts for 1,600 calls, {most} expected");
    Ok(())
}

#[tokio::test]
async fn a_claim_costs_no_more_with_100_000_entries_than_with_100() -> Result<()> {
    let server = Redis::start().await?;
    let queue = open(&server).await?;
    let mut costs = Vec::new();
    for count in [100_u32, 100_000] {
        let entries: Vec<_> = (0..count).map(|n| entry((n % 101) as u8, Timestamp::now())).collect();
        queue.enqueue(&entries).await?;
        server.command("CONFIG RESETSTAT").await?;
        for _ in 0..50 {
            queue.complete(&claim(queue.as_ref()).await?).await?;
        }
        costs.push(commands(&server).await?);
    }
    assert!(costs[1] <= costs[0] + 5, "{costs:?}");
    Ok(())
}

#[tokio::test]
async fn a_wiped_redis_takes_claims_back_and_entries_again() -> Result<()> {
    let server = Redis::start().await?;
    let queue = open(&server).await?;
    let (leased, waiting) = (entry(60, Timestamp::now()), due());
    queue.enqueue(&[leased.clone(), waiting.clone()]).await?;
    let held = claim(queue.as_ref()).await?;
    server.command("FLUSHALL").await?;
    server.command("SCRIPT FLUSH").await?;
    assert_eq!(queue.heartbeat(&held, LONG).await?, Beat::Lost);
    assert_eq!(queue.restore(&held, &leased, LONG).await?, Settled::Done);
    assert_eq!(queue.enqueue(&[leased, waiting.clone()]).await?, 1);
    assert_eq!(jobs_in_order(queue.as_ref()).await?, [waiting.job_id]);
    assert_eq!(queue.complete(&held).await?, Settled::Done);
    Ok(())
}

#[tokio::test]
async fn garbage_among_the_entries_is_buried_and_the_rest_goes_on() -> Result<()> {
    let server = Redis::start().await?;
    let queue = open(&server).await?;
    let (good, robbed) = (due(), entry(80, Timestamp::now()));
    queue.enqueue(&[good.clone(), robbed.clone()]).await?;
    server.command("ZADD {reelgate}:ready -5 rubbish").await?;
    server.command("ZADD {reelgate}:ready:acme|{x} -5 nothing").await?;
    server.command("ZADD {reelgate}:orgs -5 nobody").await?;
    server.command("ZADD {reelgate}:delayed 1 more-rubbish").await?;
    server.command("ZADD {reelgate}:leases 1 old-rubbish").await?;
    server.command(&format!("HSET {{reelgate}}:jobs {} nonsense", robbed.job_id)).await?;
    assert_eq!(jobs_in_order(queue.as_ref()).await?, [good.job_id]);
    assert!(queue.reap(10, LONG).await?.is_empty());
    assert_eq!(queue.depth().await?, Depth { leased: 1, dead: 4, ..Depth::default() });
    assert!(server.command("HGET {reelgate}:reasons rubbish").await?.contains("malformed"));
    assert_eq!(queue.enqueue(from_ref(&robbed)).await?, 1);
    assert_eq!(claim(queue.as_ref()).await?.job_id, robbed.job_id);
    Ok(())
}

/// The database gives the job to another; as long as the queue believes in the lease, it takes no second entry.
#[tokio::test]
async fn after_a_step_back_the_lease_of_who_died_ends_like_any_other() -> Result<()> {
    let clock = Clock::new()?;
    clock.set(3_600)?;
    let server = Redis::start_with(clock.environment()).await?;
    let queue = open(&server).await?;
    let job = due();
    queue.enqueue(from_ref(&job)).await?;
    claim(queue.as_ref()).await?;
    clock.set(0)?;
    assert_eq!(queue.enqueue(from_ref(&job)).await?, 0, "it is leased");
    let score = server.command(&format!("ZSCORE {{reelgate}}:leases {}", job.job_id)).await?;
    let until = score.lines().nth(1).context("a score")?.parse::<i64>()?;
    ensure!(until > in_an_hour().0, "the lease was given by the clock that was ahead");
    let deadline = Instant::now() + PATIENCE;
    while !queue.reap(10, SHORT).await?.contains(&job.job_id) {
        ensure!(Instant::now() < deadline, "the lease does not end");
    }
    assert_eq!(queue.enqueue(from_ref(&job)).await?, 1);
    assert_eq!(claim(queue.as_ref()).await?.job_id, job.job_id);
    Ok(())
}

#[tokio::test]
async fn keys_of_a_foreign_type_are_moved_aside() -> Result<()> {
    let server = Redis::start().await?;
    let queue = open(&server).await?;
    let of_a_lane = ["ready", "delayed", "leases", "jobs", "held", "dead", "reasons", "wake", "orgs"];
    let names = of_a_lane.iter().flat_map(|name| [(*name).to_owned(), format!("large:{name}")]);
    for name in names.chain(["turns".to_owned()]) {
        server.command("FLUSHALL").await?;
        server.command(&format!("SET {{reelgate}}:{name} mine")).await?;
        queue.wait(Lanes::ALL, Duration::from_millis(20)).await?;
        queue.enqueue(&[due(), Entry { lane: Lane::Large, ..due() }]).await?;
        let held = [claim(queue.as_ref()).await?, claim(queue.as_ref()).await?];
        for held in &held {
            assert_eq!(queue.bury(held, "why").await?, Settled::Done, "{name}");
        }
        let aside = server.command(&format!("GET {{reelgate}}:foreign:{name}")).await?;
        assert!(aside.contains("mine"), "{name}: {aside}");
        assert_eq!(queue.depth().await?, Depth { dead: 2, ..Depth::default() }, "{name}");
    }
    Ok(())
}

/// Who serves two lanes is woken for one of them and takes what has waited for longer in the other.
#[tokio::test]
async fn a_wake_that_was_taken_for_another_lane_is_passed_on() -> Result<()> {
    let server = Redis::start().await?;
    let queue = open(&server).await?;
    let both = Lanes::of(&[Lane::Small, Lane::Large]);
    let idle = async |lanes: Lanes, waiters: u8| {
        let waiter = queue.clone();
        let waiter = tokio::spawn(async move { tokio::time::timeout(PATIENCE, waiter.wait(lanes, LONG)).await });
        let wanted = format!("blocked_clients:{waiters}\r");
        let blocked = async || server.command("INFO clients").await.is_ok_and(|info| info.contains(&wanted));
        eventually("it waits", PATIENCE, blocked).await?;
        anyhow::Ok(waiter)
    };
    let first = idle(both, 1).await?;
    let second = idle(Lane::Large.into(), 2).await?;
    let large = Entry { lane: Lane::Large, ..due() };
    queue.enqueue(from_ref(&large)).await?;
    first.await?.context("who waits for longest is woken")??;
    let small = entry(50, large.run_at.minus(Duration::from_secs(1)));
    queue.enqueue(from_ref(&small)).await?;
    assert_eq!(queue.claim(&worker(), both, LONG).await?.map(|claim| claim.job_id), Some(small.job_id));
    second.await?.context("the other is woken then")??;
    let claimed = queue.claim(&worker(), Lane::Large.into(), LONG).await?;
    assert_eq!(claimed.map(|claim| claim.job_id), Some(large.job_id));
    Ok(())
}

/// What is found while claims are under way is found before anything has changed.
#[tokio::test]
async fn a_claim_that_meets_a_foreign_key_in_any_lane_takes_nothing_for_nobody() -> Result<()> {
    let server = Redis::start().await?;
    let queue = open(&server).await?;
    for name in ["ready", "leases", "jobs", "held", "wake", "orgs"] {
        server.command("FLUSHALL").await?;
        let entries = [due(), Entry { lane: Lane::Large, ..due() }];
        queue.enqueue(&entries).await?;
        // The lane is not empty, or it would be left alone.
        server.command("ZADD {reelgate}:large:delayed 9999999999999 somebody").await?;
        // And nobody has been woken for it yet.
        server.command(&format!("DEL {{reelgate}}:large:wake {{reelgate}}:large:{name}")).await?;
        server.command(&format!("SET {{reelgate}}:large:{name} mine")).await?;
        let held = claim(queue.as_ref()).await?;
        assert_eq!(held.job_id, entries[0].job_id, "{name}");
        let leased = server.command("ZCARD {reelgate}:leases").await?;
        assert!(
            leased.contains('1') && server.command("ZCARD {reelgate}:ready").await?.contains('0'),
            "{name}: {leased}"
        );
        assert_eq!(queue.complete(&held).await?, Settled::Done, "{name}");
        assert!(server.command("ZCARD {reelgate}:leases").await?.contains('0'), "{name}: a lease that nobody holds");
    }
    Ok(())
}

#[tokio::test]
async fn a_silent_redis_delays_a_call_by_its_timeout_and_the_next_ones_not_at_all() -> Result<()> {
    let server = Redis::start().await?;
    let config = QueueConfig { url: Secret::new(server.url()), timeout_ms: 200, ..QueueConfig::default() };
    let queue = queue::open(&config).await?;
    queue.enqueue(&[due()]).await?;
    server.freeze()?;
    let answer = tokio::time::timeout(PATIENCE, queue.enqueue(&[due()])).await?;
    assert!(matches!(answer, Err(QueueError::Timeout(_))), "{answer:?}");
    let answer = tokio::time::timeout(PATIENCE, queue.enqueue(&[due()])).await?;
    assert!(matches!(answer, Err(QueueError::Away(_))), "{answer:?}");
    server.thaw()?;
    await_answer(queue.as_ref()).await
}

#[tokio::test]
async fn the_queue_comes_back_with_redis() -> Result<()> {
    let mut server = Redis::start().await?;
    let config = QueueConfig { url: Secret::new(server.url()), timeout_ms: 500, ..QueueConfig::default() };
    let queue = queue::open(&config).await?;
    let idle = {
        let queue = Arc::clone(&queue);
        tokio::spawn(async move { queue.wait(Lanes::ALL, LONG).await })
    };
    queue.enqueue(&[entry(50, in_an_hour())]).await?;
    server.crash()?;
    ensure!(tokio::time::timeout(PATIENCE, queue.enqueue(&[due()])).await?.is_err());
    // Either woken by the entry before the crash, or told of it; never left waiting.
    let _ = tokio::time::timeout(PATIENCE, idle).await??;
    let late = queue::open(&config).await?;
    ensure!(tokio::time::timeout(PATIENCE, late.ping()).await?.is_err());
    server.restart().await?;
    for queue in [queue, late] {
        await_answer(queue.as_ref()).await?;
        queue.enqueue(&[due()]).await?;
        queue.complete(&claim(queue.as_ref()).await?).await?;
    }
    Ok(())
}

/// A claim-free probe until it is answered, as readiness does.
async fn await_answer(queue: &dyn Queue) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while queue.ping().await.is_err() {
        ensure!(Instant::now() < deadline, "Redis does not come back");
    }
    Ok(())
}

#[tokio::test]
async fn a_configuration_that_cannot_work_is_refused_without_showing_it() {
    for (url, prefix, timeout_ms) in
        [("rabbit://user:hunter2@x", "p", 1), ("redis://x", "", 1), ("redis://x", "a{b", 1), ("redis://x", "p", 0)]
    {
        let config =
            QueueConfig { url: Secret::new(url), prefix: prefix.to_owned(), timeout_ms, ..QueueConfig::default() };
        let error = queue::open(&config).await.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("queue.") && !error.contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn every_kind_of_address_is_taken_while_redis_is_away() -> Result<()> {
    for url in ["redis://127.0.0.1:1", "rediss://127.0.0.1:1", "redis+unix:///nonexistent/redis.sock"] {
        let config = QueueConfig { url: Secret::new(url), timeout_ms: 200, ..QueueConfig::default() };
        let queue = tokio::time::timeout(PATIENCE, queue::open(&config)).await??;
        let answer = tokio::time::timeout(PATIENCE, queue.ping()).await?;
        assert!(matches!(answer, Err(QueueError::Away(_) | QueueError::Timeout(_))), "{url}: {answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_idle_connection_that_the_server_closed_fails_no_call() -> Result<()> {
    let server = Redis::start().await?;
    let queue = open(&server).await?;
    // Leaves a connection lying for the next wait.
    queue.wait(Lanes::ALL, Duration::from_millis(20)).await?;
    server.command("CLIENT KILL TYPE normal").await?;
    queue.ping().await.ok();
    await_answer(queue.as_ref()).await?;
    queue.wait(Lanes::ALL, Duration::from_millis(20)).await?;
    queue.enqueue(&[due()]).await?;
    Ok(())
}
