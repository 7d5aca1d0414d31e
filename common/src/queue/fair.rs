//! The order of the queue of one process, the same as in Redis (`redis/claim.lua`): organisations take turns, and within one a
//! job comes earlier by its priority and by its age.
//!
//! Aging needs no clock and no pass over what waits: if a point of priority is worth a minute, then of two jobs the same one is
//! ahead at all times, and the order is a number that never changes. Turns age alike, counted in claims.
//!
//! An organisation has a line, and a turn, in each lane. Who serves several takes of an organisation what has waited for longest in any
//! of them, and by that its next turn is the same in all: as if they were one lane.

use std::collections::{BTreeMap, BTreeSet};

use super::Entry;
use crate::{
    ids::{JobId, OrgId},
    lane::{Lane, Lanes},
};

/// What a point of priority is worth among the jobs of one organisation. Also in the index `jobs_laned` of the database.
pub(super) const AGING_MS: i64 = 60_000;
/// What a point of priority is worth among organisations.
const TURNS_AHEAD: i64 = 10;

#[derive(Debug, Default)]
pub(super) struct Fair {
    lanes: BTreeMap<Lane, Waiting>,
    /// How many claims there were.
    last: i64,
}

/// One lane.
#[derive(Debug, Default)]
struct Waiting {
    lines: BTreeMap<OrgId, Line>,
    turns: BTreeSet<(i64, OrgId)>,
}

#[derive(Debug, Default)]
struct Line {
    jobs: BTreeSet<Aged>,
    turn: Option<i64>,
}

type Aged = (i64, JobId, u8);

fn aged(entry: &Entry) -> Aged {
    let behind = i64::from(100 - entry.priority.min(100));
    (entry.run_at.0.saturating_add(behind * AGING_MS), entry.job_id, entry.priority)
}

impl Fair {
    pub(super) fn insert(&mut self, entry: &Entry) {
        let turn = self.turn_of(entry.priority);
        self.lanes.entry(entry.lane).or_default().insert(entry, turn);
    }

    pub(super) fn remove(&mut self, entry: &Entry) {
        if let Some(lane) = self.lanes.get_mut(&entry.lane) {
            lane.remove(&entry.org_id, &aged(entry));
        }
    }

    /// What has waited for longest in these lanes of the organisation whose turn it is.
    pub(super) fn pop(&mut self, lanes: Lanes) -> Option<(Lane, JobId)> {
        let (_, org) = self.serving(lanes).filter_map(|(_, waiting)| waiting.turns.first()).min()?.clone();
        let (first, lane) = self.first_of(&org, lanes)?;
        self.last += 1;
        self.lanes.get_mut(&lane)?.remove(&org, &first);
        if let Some(((_, _, priority), _)) = self.first_of(&org, lanes) {
            let turn = self.turn_of(priority);
            for lane in lanes.iter() {
                if let Some(waiting) = self.lanes.get_mut(&lane) {
                    waiting.line_up(&org, turn);
                }
            }
        }
        Some((lane, first.1))
    }

    /// How many of the organisation are ready in a lane.
    pub(super) fn of(&self, lane: Lane, org: &OrgId) -> usize {
        let line = self.lanes.get(&lane).and_then(|waiting| waiting.lines.get(org));
        line.map_or(0, |line| line.jobs.len())
    }

    pub(super) fn len(&self) -> usize {
        self.lanes.values().flat_map(|waiting| waiting.lines.values()).map(|line| line.jobs.len()).sum()
    }

    pub(super) fn is_empty(&self, lanes: Lanes) -> bool {
        self.serving(lanes).all(|(_, waiting)| waiting.turns.is_empty())
    }

    fn serving(&self, lanes: Lanes) -> impl Iterator<Item = (Lane, &Waiting)> {
        self.lanes.iter().map(|(lane, waiting)| (*lane, waiting)).filter(move |(lane, _)| lanes.contains(*lane))
    }

    fn first_of(&self, org: &OrgId, lanes: Lanes) -> Option<(Aged, Lane)> {
        self.serving(lanes).filter_map(|(lane, waiting)| Some((*waiting.lines.get(org)?.jobs.first()?, lane))).min()
    }

    /// When a turn comes that begins to wait now.
    fn turn_of(&self, priority: u8) -> i64 {
        self.last + i64::from(100 - priority.min(100)) * TURNS_AHEAD
    }
}

impl Waiting {
    /// Brings the organisation's turn forward, never back.
    fn insert(&mut self, entry: &Entry, turn: i64) {
        let line = self.lines.entry(entry.org_id.clone()).or_default();
        line.jobs.insert(aged(entry));
        if line.turn.is_none_or(|at| turn < at) {
            self.line_up(&entry.org_id, turn);
        }
    }

    fn remove(&mut self, org: &OrgId, job: &Aged) {
        let Some(line) = self.lines.get_mut(org) else { return };
        line.jobs.remove(job);
        if line.jobs.is_empty() {
            self.turns.remove(&(line.turn.unwrap_or_default(), org.clone()));
            self.lines.remove(org);
        }
    }

    fn line_up(&mut self, org: &OrgId, turn: i64) {
        let Some(line) = self.lines.get_mut(org) else { return };
        if let Some(before) = line.turn.replace(turn) {
            self.turns.remove(&(before, org.clone()));
        }
        self.turns.insert((turn, org.clone()));
    }
}
