//! `/scaling`: how much work there is, for whoever decides how many workers there should be (KEDA's `metrics-api`). Read from the
//! database at each call, so any gateway says the same, also while the queue is away.

use std::collections::BTreeMap;

use reelgate_common::{
    db::Backlog,
    job::JobKind,
    metric::{JOBS_DELAYED, JOBS_OLDEST_WAIT, JOBS_RUNNING, JOBS_WAITING},
};
use serde::Serialize;

/// Jobs of all organisations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Scaling {
    #[serde(flatten)]
    all: Load,
    /// By kind, those of which there are none included.
    kinds: BTreeMap<&'static str, Load>,
    /// The highest first; only those of which there are jobs.
    priorities: Vec<OfPriority>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
struct Load {
    /// What workers are needed for: jobs that wait and jobs that run. Whoever counts only those that wait takes workers away from
    /// those that run.
    load: u64,
    waiting: u64,
    /// Not due yet.
    delayed: u64,
    running: u64,
    oldest_wait_seconds: u64,
    #[serde(skip)]
    oldest_wait_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct OfPriority {
    priority: u8,
    #[serde(flatten)]
    load: Load,
}

impl Scaling {
    pub(crate) fn of(backlog: &[Backlog]) -> Self {
        let mut scaling = Self::default();
        scaling.kinds.extend(JobKind::ALL.iter().map(|kind| (kind.as_str(), Load::default())));
        for part in backlog {
            scaling.all.add(part);
            scaling.kinds.entry(part.kind.as_str()).or_default().add(part);
            let known = scaling.priorities.iter().position(|of| of.priority == part.priority);
            let at = known.unwrap_or_else(|| {
                scaling.priorities.push(OfPriority { priority: part.priority, load: Load::default() });
                scaling.priorities.len() - 1
            });
            scaling.priorities[at].load.add(part);
        }
        scaling
    }

    /// The same as gauges, by kind.
    pub(crate) fn tell(&self) {
        for (kind, load) in &self.kinds {
            let labels = [("kind", *kind)];
            JOBS_WAITING.set_of(labels, load.waiting);
            JOBS_DELAYED.set_of(labels, load.delayed);
            JOBS_RUNNING.set_of(labels, load.running);
            let oldest = std::time::Duration::from_millis(load.oldest_wait_ms);
            JOBS_OLDEST_WAIT.gauge_of(labels).set(oldest.as_secs_f64());
        }
    }
}

impl Load {
    fn add(&mut self, part: &Backlog) {
        self.waiting += part.waiting;
        self.delayed += part.delayed;
        self.running += part.running;
        self.load = self.waiting + self.running;
        self.oldest_wait_ms = self.oldest_wait_ms.max(part.oldest_wait_ms);
        self.oldest_wait_seconds = self.oldest_wait_ms / 1_000;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn part(kind: JobKind, priority: u8, [waiting, delayed, running]: [u64; 3], oldest_wait_ms: u64) -> Backlog {
        Backlog { kind, priority, waiting, delayed, running, oldest_wait_ms }
    }

    #[test]
    fn parts_are_added_up_and_the_oldest_wait_is_the_longest() {
        let scaling = Scaling::of(&[
            part(JobKind::Thumbnail, 90, [1, 0, 1], 900),
            part(JobKind::Process, 90, [1, 0, 0], 61_500),
            part(JobKind::Process, 50, [2, 3, 4], 5_000),
        ]);
        let said = serde_json::to_value(&scaling).unwrap();
        let load = |load, waiting, delayed, running, oldest| json!({ "load": load, "waiting": waiting, "delayed": delayed, "running": running, "oldest_wait_seconds": oldest });
        assert_eq!(
            said["kinds"],
            json!({ "process": load(7, 3, 3, 4, 61), "thumbnail": load(2, 1, 0, 1, 0), "chunk": load(0, 0, 0, 0, 0), "earn": load(0, 0, 0, 0, 0) })
        );
        assert_eq!((&said["load"], &said["waiting"], &said["oldest_wait_seconds"]), (&json!(9), &json!(4), &json!(61)));
        let priorities: Vec<_> = scaling.priorities.iter().map(|of| (of.priority, of.load.load)).collect();
        assert_eq!(priorities, [(90, 3), (50, 6)]);
    }

    #[test]
    fn nothing_to_do_is_zero_and_not_missing() {
        let said = serde_json::to_value(Scaling::of(&[])).unwrap();
        assert_eq!((&said["load"], &said["kinds"]["process"]["waiting"]), (&json!(0), &json!(0)));
    }
}
