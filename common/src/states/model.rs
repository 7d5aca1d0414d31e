//! Every interleaving of two workers, a reaper, a person and crashes around one job, walked through to the end, over the very
//! transitions that the database's helpers ask. There is no queue in it: any worker may try to begin at any time, which is
//! the worst that a wiped, stale or lying Redis can do. An own explorer of fifty lines and no library: states are few, and the
//! question "can every state still end" needs the whole graph anyway.

use std::collections::{BTreeMap, HashMap};

use super::{
    file::{self, FileEvent, FileView, Presence},
    job::{self, JobEvent, JobView, Token},
};
use crate::{
    file::FileState,
    job::{JobPolicy, JobState},
};

const LIMITS: JobPolicy =
    JobPolicy { max_failures: 2, max_losses: 2, backoff_base_ms: 0, backoff_max_ms: 0, lease_ms: 0, heartbeat_ms: 0 };
const WORKERS: usize = 2;

/// Under which a walk is made. Without a bound on what costs nothing, attempts would count for ever.
struct Rules {
    broken: Broken,
    interruptions: u8,
    retries: u8,
    /// How often it may come back from the trash.
    restores: u8,
    /// How often it may be left to jobs of its parts.
    splits: u8,
}

/// What the model knows of an attempt by watching, without asking the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Fate {
    Runs,
    Lost,
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct World {
    job: JobView,
    file: FileView,
    /// The heartbeat is fresh.
    alive: bool,
    /// The attempt that each worker believes to hold. A stopped or slow worker is one that takes no step for long.
    workers: [Option<Token>; WORKERS],
    /// What the reaper has read and not acted upon yet.
    reaper: Option<i64>,
    /// By attempt, from 1.
    fates: [Option<Fate>; 8],
    published: Option<i64>,
    /// The job was on its way when the file went to the trash.
    stopped: bool,
    interruptions: u8,
    retries: u8,
    restores: u8,
    splits: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Begin(usize),
    Beat(usize),
    Publish(usize),
    Finish(usize),
    Fail(usize, bool),
    Interrupt(usize),
    Split(usize),
    /// The last of its parts is over.
    Join,
    /// It dies, or it hears that it is not wanted; either way it forgets.
    Crash(usize),
    Silence,
    ReaperLooks,
    ReaperActs,
    Cancel,
    Retry,
    Discard,
    Restore,
    Delete,
}

/// A guard that is taken out, to see that the model misses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    Nothing,
    /// `attempt = ?` is missing.
    Attempt,
    /// `deleted_at IS NULL` and the generation are missing, and a deletion does not cancel the jobs: either alone keeps the
    /// promise, so only both together are missed.
    Deletion,
    /// The reaper does not say which attempt it saw.
    Reaper,
    /// A claim is confirmed although somebody holds the job.
    Held,
}

fn start() -> World {
    World {
        job: JobView {
            state: JobState::Queued,
            generation: 1,
            attempt: 0,
            failures: 0,
            losses: 0,
            file_generation: 1,
            file_deleted: false,
        },
        file: FileView { state: FileState::Staged, presence: Presence::Here },
        alive: false,
        workers: [None; WORKERS],
        reaper: None,
        fates: [None; 8],
        published: None,
        stopped: false,
        interruptions: 0,
        retries: 0,
        restores: 0,
        splits: 0,
    }
}

fn steps() -> Vec<Step> {
    let mut steps = vec![Step::Silence, Step::ReaperLooks, Step::ReaperActs, Step::Cancel, Step::Retry];
    steps.extend([Step::Discard, Step::Restore, Step::Delete, Step::Join]);
    for n in 0..WORKERS {
        steps.extend([Step::Begin(n), Step::Beat(n), Step::Publish(n), Step::Finish(n), Step::Interrupt(n)]);
        steps.extend([Step::Fail(n, true), Step::Fail(n, false), Step::Crash(n), Step::Split(n)]);
    }
    steps
}

/// One transaction, or one thing that happens. `None` when it cannot happen here; an error names what must never be.
type Outcome = Result<Option<World>, String>;

impl World {
    /// The transition as the database's helpers make it, with a guard left out if one is.
    fn ask(&self, event: JobEvent, rules: &Rules) -> Option<JobView> {
        let current = Token { generation: self.job.generation, attempt: self.job.attempt };
        let blind = |token| if rules.broken == Broken::Attempt { current } else { token };
        let event = match event {
            JobEvent::Write(token) => JobEvent::Write(blind(token)),
            JobEvent::Finish(token) => JobEvent::Finish(blind(token)),
            JobEvent::Split(token) => JobEvent::Split(blind(token)),
            JobEvent::Fail { token, retryable } => JobEvent::Fail { token: blind(token), retryable },
            JobEvent::Lose { .. } if rules.broken == Broken::Reaper => JobEvent::Lose { attempt: current.attempt },
            other => other,
        };
        let mut view = self.job;
        if rules.broken == Broken::Deletion {
            (view.file_deleted, view.file_generation) = (false, view.generation);
        }
        if rules.broken == Broken::Held && matches!(event, JobEvent::Begin { .. }) && view.state == JobState::Running {
            view.state = JobState::Queued;
        }
        let next = job::transition(view, event, &LIMITS).ok()?;
        Some(JobView { file_deleted: self.job.file_deleted, file_generation: self.job.file_generation, ..next })
    }

    fn fate(&mut self, attempt: i64) -> &mut Option<Fate> {
        &mut self.fates[usize::try_from(attempt).unwrap() - 1]
    }

    /// Written by an attempt that runs, of a file that is there: watched, not asked.
    fn must_run(&mut self, token: Token, what: &str) -> Result<(), String> {
        let runs = *self.fate(token.attempt) == Some(Fate::Runs);
        if runs && self.file.presence == Presence::Here {
            Ok(())
        } else {
            Err(format!("{what} of attempt {}, which does not run", token.attempt))
        }
    }

    fn file_event(&mut self, event: FileEvent) {
        if let Ok(next) = file::transition(self.file, event) {
            self.file = next;
        }
    }

    fn take(mut self, step: Step, rules: &Rules) -> Outcome {
        match step {
            Step::Begin(n) => return self.begin(n, rules),
            Step::Split(_) if self.splits == rules.splits => return Ok(None),
            Step::Beat(n)
            | Step::Publish(n)
            | Step::Finish(n)
            | Step::Fail(n, _)
            | Step::Interrupt(n)
            | Step::Split(n) => {
                let Some(token) = self.workers[n] else { return Ok(None) };
                return self.work(n, token, step, rules);
            }
            Step::Crash(n) => {
                if self.workers[n].take().is_none() {
                    return Ok(None);
                }
            }
            Step::Silence if self.alive => self.alive = false,
            Step::ReaperLooks if !self.alive && self.job.state == JobState::Running && self.reaper.is_none() => {
                self.reaper = Some(self.job.attempt);
            }
            Step::ReaperActs => {
                let Some(attempt) = self.reaper.take() else { return Ok(None) };
                return self.lose(attempt, rules).map(Some);
            }
            Step::Join => {
                let Some(next) = self.ask(JobEvent::Join, rules) else { return Ok(None) };
                self.job = next;
            }
            Step::Cancel | Step::Discard | Step::Delete => return Ok(self.end(step, rules)),
            Step::Retry if self.retries < rules.retries => return Ok(self.retry()),
            Step::Restore if self.restores < rules.restores => return Ok(self.restore()),
            Step::Silence | Step::ReaperLooks | Step::Retry | Step::Restore => return Ok(None),
        }
        Ok(Some(self))
    }

    fn begin(mut self, n: usize, rules: &Rules) -> Outcome {
        if self.workers[n].is_some() {
            return Ok(None);
        }
        let (due, readable) = (true, true);
        let Some(next) = self.ask(JobEvent::Begin { due, alive: self.alive, readable }, rules) else {
            let silent = job::transition(self.job, JobEvent::Begin { due, alive: self.alive, readable }, &LIMITS);
            let silent = silent == Err(job::Refused::Silent);
            return if silent { self.lose(self.job.attempt, rules).map(Some) } else { Ok(None) };
        };
        if self.fates.contains(&Some(Fate::Runs)) {
            return Err(format!("attempt {} begins while another runs", next.attempt));
        }
        self.job = next;
        *self.fate(next.attempt) = Some(Fate::Runs);
        self.alive = true;
        self.workers[n] = Some(Token { generation: next.generation, attempt: next.attempt });
        self.file_event(FileEvent::Begin);
        Ok(Some(self))
    }

    fn work(mut self, n: usize, token: Token, step: Step, rules: &Rules) -> Outcome {
        let (event, ends) = match step {
            Step::Finish(_) => (JobEvent::Finish(token), true),
            Step::Split(_) => (JobEvent::Split(token), true),
            Step::Fail(_, retryable) => (JobEvent::Fail { token, retryable }, true),
            Step::Interrupt(_) if self.interruptions == rules.interruptions => return Ok(None),
            Step::Interrupt(_) => (JobEvent::Interrupt(token), true),
            _ => (JobEvent::Write(token), false),
        };
        let Some(next) = self.ask(event, rules) else {
            // Refused: the worker stops, and has changed nothing.
            self.workers[n] = None;
            return Ok(Some(self));
        };
        self.must_run(token, &format!("{step:?}"))?;
        self.job = next;
        if step == Step::Publish(n) {
            if self.published.is_some_and(|first| first != token.attempt) {
                return Ok(Some(self));
            }
            self.published = Some(token.attempt);
            self.file_event(FileEvent::Publish { playable: true });
        }
        self.alive |= step == Step::Beat(n);
        if ends {
            *self.fate(token.attempt) = Some(Fate::Ended);
            self.workers[n] = None;
            self.interruptions += u8::from(matches!(step, Step::Interrupt(_)));
            self.splits += u8::from(matches!(step, Step::Split(_)));
            self.over();
        }
        Ok(Some(self))
    }

    fn over(&mut self) {
        if !job::is_open(self.job.state) {
            self.file_event(FileEvent::GiveUp);
        }
    }

    fn lose(mut self, attempt: i64, rules: &Rules) -> Result<Self, String> {
        if let Some(next) = self.ask(JobEvent::Lose { attempt }, rules) {
            if *self.fate(attempt) != Some(Fate::Runs) {
                return Err(format!("a second loss of attempt {attempt}"));
            }
            self.job = next;
            *self.fate(attempt) = Some(Fate::Lost);
            self.over();
        }
        Ok(self)
    }

    fn end(mut self, step: Step, rules: &Rules) -> Option<Self> {
        let open = job::transition(self.job, JobEvent::Cancel, &LIMITS).ok();
        let cancels = step == Step::Cancel || (open.is_some() && rules.broken != Broken::Deletion);
        if step == Step::Delete {
            self.file = file::transition(self.file, FileEvent::Delete).ok()?;
            (self.job.file_deleted, self.job.file_generation) = (true, self.job.generation + 1);
        }
        if step == Step::Discard {
            self.file = file::transition(self.file, FileEvent::Discard).ok()?;
            (self.job.file_deleted, self.stopped) = (true, open.is_some());
        }
        if cancels {
            self.job.state = open?.state;
            if let Some(fate) = self.fates.iter_mut().find(|fate| **fate == Some(Fate::Runs)) {
                *fate = Some(Fate::Ended);
            }
        }
        if step == Step::Cancel {
            self.file_event(FileEvent::GiveUp);
        }
        Some(self)
    }

    /// As it was: a job that had been cancelled before, or was dead, stays so.
    fn restore(mut self) -> Option<Self> {
        self.file = file::transition(self.file, FileEvent::Restore).ok()?;
        self.job.file_deleted = false;
        if std::mem::take(&mut self.stopped) {
            self.job = job::transition(self.job, JobEvent::Retry, &LIMITS).ok()?;
        }
        self.restores += 1;
        Some(self)
    }

    fn retry(mut self) -> Option<Self> {
        self.job = job::transition(self.job, JobEvent::Retry, &LIMITS).ok()?;
        self.file = file::transition(self.file, FileEvent::Retry { retryable: true }).ok()?;
        self.retries += 1;
        Some(self)
    }

    /// What must hold between any two states.
    fn moved_well(&self, next: &Self, step: Step) -> Result<(), String> {
        let person = matches!(step, Step::Retry | Step::Restore);
        if !job::is_open(self.job.state) && self.job.state != next.job.state && !person {
            return Err(format!("a job went from {} to {}", self.job.state, next.job.state));
        }
        if self.file.presence != Presence::Here && self.file.state != next.file.state {
            return Err(format!("a file that is away went from {} to {}", self.file.state, next.file.state));
        }
        let settled = matches!(self.file.state, FileState::Ready | FileState::Failed);
        if settled && self.file.state != next.file.state && step != Step::Retry {
            return Err(format!("a file went from {} to {}", self.file.state, next.file.state));
        }
        if self.published.is_some() && self.published != next.published {
            return Err("a second result was published".to_owned());
        }
        let here = next.file.presence == Presence::Here;
        let transient = here && matches!(next.file.state, FileState::Staged | FileState::Processing);
        if transient && !job::is_open(next.job.state) {
            return Err(format!("the job is {}, and its file stays {}", next.job.state, next.file.state));
        }
        let lost = next.fates.iter().filter(|fate| **fate == Some(Fate::Lost)).count();
        if next.retries + next.restores == 0 && usize::try_from(next.job.losses) != Ok(lost) {
            return Err(format!("{} losses were counted, and {lost} happened", next.job.losses));
        }
        Ok(())
    }

    /// Workers have no names: worlds that differ only in who is who are one.
    fn in_order(mut self) -> Self {
        self.workers.sort_unstable_by_key(|worker| worker.map(|token| token.attempt));
        self
    }

    fn has_ended(&self) -> bool {
        !job::is_open(self.job.state) || self.file.presence == Presence::Deleted
    }
}

/// Every state that can be reached, with those before it; or the steps that lead to what must never be.
fn explore(rules: &Rules) -> Result<BTreeMap<usize, Vec<usize>>, String> {
    let (all, mut known, mut worlds) = (steps(), HashMap::from([(start(), 0)]), vec![start()]);
    let (mut before, mut next) = (BTreeMap::<usize, Vec<usize>>::new(), 0);
    while next < worlds.len() {
        let world = worlds[next];
        for &step in &all {
            let taken = world.take(step, rules).map_err(|why| format!("{why}, by {step:?} in {world:?}"))?;
            let Some(after) = taken.map(World::in_order) else { continue };
            world.moved_well(&after, step).map_err(|why| format!("{why}, by {step:?} in {world:?}"))?;
            let id = *known.entry(after).or_insert_with(|| {
                worlds.push(after);
                worlds.len() - 1
            });
            before.entry(id).or_default().push(next);
        }
        next += 1;
    }
    can_end(&worlds, &before)?;
    Ok(before)
}

/// Backwards from the ends: whatever is not met on the way can never end.
fn can_end(worlds: &[World], before: &BTreeMap<usize, Vec<usize>>) -> Result<(), String> {
    let mut ends: Vec<usize> = (0..worlds.len()).filter(|id| worlds[*id].has_ended()).collect();
    let mut met: Vec<bool> = worlds.iter().map(World::has_ended).collect();
    while let Some(id) = ends.pop() {
        for &earlier in before.get(&id).into_iter().flatten() {
            if !std::mem::replace(&mut met[earlier], true) {
                ends.push(earlier);
            }
        }
    }
    match met.iter().position(|met| !met) {
        Some(id) => Err(format!("a job that can never end: {:?}", worlds[id])),
        None => Ok(()),
    }
}

#[test]
fn in_no_interleaving_is_anything_decided_twice_lost_or_left_for_ever() {
    for (interruptions, retries, restores, splits) in [(1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)] {
        let graph = explore(&Rules { broken: Broken::Nothing, interruptions, retries, restores, splits }).unwrap();
        assert!(graph.len() > 500, "the model hardly moves: {} states", graph.len());
    }
}

#[test]
fn the_model_misses_every_guard_that_is_taken_out() {
    for (broken, expected) in [
        (Broken::Attempt, "which does not run"),
        (Broken::Deletion, "which does not run"),
        (Broken::Reaper, "a second loss"),
        (Broken::Held, "begins while another runs"),
    ] {
        let found =
            explore(&Rules { broken, interruptions: 1, retries: 0, restores: 0, splits: 0 }).expect_err("unnoticed");
        assert!(found.contains(expected), "{broken:?}: {found}");
    }
}
