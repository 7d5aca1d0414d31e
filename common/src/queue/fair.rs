//! The order of the queue of one process, the same as in Redis (`redis/shared.lua`): organisations take turns, and within one a
//! job comes earlier by its priority and by its age.
//!
//! Aging needs no clock and no pass over what waits: if a point of priority is worth a minute, then of two jobs the same one is
//! ahead at all times, and the order is a number that never changes. Turns age alike, counted in claims.

use std::collections::{BTreeSet, HashMap};

use super::Entry;
use crate::ids::{JobId, OrgId};

/// What a point of priority is worth among the jobs of one organisation. Also in the index `jobs_aged` of the database.
pub(super) const AGING_MS: i64 = 60_000;
/// What a point of priority is worth among organisations.
const TURNS_AHEAD: i64 = 10;

#[derive(Debug, Default)]
pub(super) struct Fair {
    lines: HashMap<OrgId, Line>,
    turns: BTreeSet<(i64, OrgId)>,
    /// How many claims there were.
    last: i64,
}

#[derive(Debug, Default)]
struct Line {
    jobs: BTreeSet<(i64, JobId, u8)>,
    turn: Option<i64>,
}

fn aged(entry: &Entry) -> (i64, JobId, u8) {
    let behind = i64::from(100 - entry.priority.min(100));
    (entry.run_at.0.saturating_add(behind * AGING_MS), entry.job_id, entry.priority)
}

impl Fair {
    pub(super) fn insert(&mut self, entry: &Entry) {
        self.lines.entry(entry.org_id.clone()).or_default().jobs.insert(aged(entry));
        self.take_turn(&entry.org_id, entry.priority);
    }

    pub(super) fn remove(&mut self, entry: &Entry) {
        let Some(line) = self.lines.get_mut(&entry.org_id) else { return };
        line.jobs.remove(&aged(entry));
        if line.jobs.is_empty() {
            self.turns.remove(&(line.turn.unwrap_or_default(), entry.org_id.clone()));
            self.lines.remove(&entry.org_id);
        }
    }

    /// What has waited for longest of the organisation whose turn it is.
    pub(super) fn pop(&mut self) -> Option<JobId> {
        let (_, org) = self.turns.pop_first()?;
        self.last += 1;
        let line = self.lines.get_mut(&org)?;
        line.turn = None;
        let (_, job, _) = line.jobs.pop_first()?;
        match line.jobs.first() {
            Some(&(_, _, priority)) => self.take_turn(&org, priority),
            None => drop(self.lines.remove(&org)),
        }
        Some(job)
    }

    /// Brings the organisation's turn forward, never back.
    fn take_turn(&mut self, org: &OrgId, priority: u8) {
        let turn = self.last + i64::from(100 - priority.min(100)) * TURNS_AHEAD;
        let Some(line) = self.lines.get_mut(org).filter(|line| line.turn.is_none_or(|at| turn < at)) else { return };
        if let Some(before) = line.turn.replace(turn) {
            self.turns.remove(&(before, org.clone()));
        }
        self.turns.insert((turn, org.clone()));
    }

    pub(super) fn of(&self, org: &OrgId) -> usize {
        self.lines.get(org).map_or(0, |line| line.jobs.len())
    }

    pub(super) fn len(&self) -> usize {
        self.lines.values().map(|line| line.jobs.len()).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }
}
