//! `/scaling`: how much work there is, for whoever decides how many workers there should be (KEDA's `metrics-api`). Read from the
//! database at each call, so any gateway says the same, also while the queue is away. A pool of workers asks for its lanes alone.

use std::collections::BTreeMap;

use http::Uri;
use reelgate_common::{
    db::{Backlog, presence::Slots},
    job::JobKind,
    lane::{Lane, Lanes},
    metric::{JOBS_DELAYED, JOBS_OLDEST_WAIT, JOBS_RUNNING, JOBS_WAITING, LANE_SLOTS},
};
use serde::Serialize;

use crate::{
    app::App,
    error::ApiError,
    query::{Query, Reader},
};

/// Jobs of all organisations, in the lanes that were asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Scaling {
    #[serde(flatten)]
    all: Load,
    /// By kind, those of which there are none included.
    kinds: BTreeMap<&'static str, Load>,
    lanes: BTreeMap<Lane, OfLane>,
    /// Lanes in which jobs wait and that no worker serves who was heard of lately.
    unserved: Vec<Lane>,
    /// The highest first; only those of which there are jobs.
    priorities: Vec<OfPriority>,
    #[serde(skip)]
    series: BTreeMap<(JobKind, Lane), Load>,
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
struct OfLane {
    #[serde(flatten)]
    load: Load,
    /// Jobs that the workers who live can run at once.
    slots: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct OfPriority {
    priority: u8,
    #[serde(flatten)]
    load: Load,
}

/// What `?lane=` asks for: words with commas between, or several of it; without it all.
///
/// # Errors
/// 422 for what is no lane.
pub(crate) fn asked(uri: &Uri) -> Result<Lanes, ApiError> {
    let query = Query::parse(uri.query());
    let mut reader = Reader::new(&query);
    let words: Vec<&str> = query.all("lane").collect();
    let lanes = words.join(",").parse().unwrap_or_else(|_| {
        reader.refuse("lane", "Lanes are small, large and gpu", "enum");
        Lanes::NONE
    });
    reader.done(if lanes.is_empty() { Lanes::ALL } else { lanes })
}

/// # Errors
/// The database is away.
pub(crate) async fn read(app: &App, lanes: Lanes) -> Result<Scaling, ApiError> {
    let backlog = app.db.backlog(app.config.jobs.longest_wait()).await?;
    Ok(Scaling::of(&backlog, &app.db.worker_slots().await?, lanes))
}

impl Scaling {
    pub(crate) fn of(backlog: &[Backlog], slots: &Slots, lanes: Lanes) -> Self {
        let mut scaling = Self::default();
        scaling.kinds.extend(JobKind::ALL.iter().map(|kind| (kind.as_str(), Load::default())));
        for lane in lanes.iter() {
            scaling.lanes.insert(lane, OfLane { load: Load::default(), slots: slots.of(lane) });
            scaling.series.extend(JobKind::ALL.iter().map(|kind| ((*kind, lane), Load::default())));
        }
        backlog.iter().filter(|part| lanes.contains(part.lane)).for_each(|part| scaling.add(part));
        let waits = |of: &OfLane| of.load.waiting > 0 && of.slots == 0;
        scaling.unserved = scaling.lanes.iter().filter(|(_, of)| waits(of)).map(|(lane, _)| *lane).collect();
        scaling
    }

    fn add(&mut self, part: &Backlog) {
        self.all.add(part);
        self.kinds.entry(part.kind.as_str()).or_default().add(part);
        self.series.entry((part.kind, part.lane)).or_default().add(part);
        if let Some(lane) = self.lanes.get_mut(&part.lane) {
            lane.load.add(part);
        }
        let known = self.priorities.iter().position(|of| of.priority == part.priority);
        let at = known.unwrap_or_else(|| {
            self.priorities.push(OfPriority { priority: part.priority, load: Load::default() });
            self.priorities.len() - 1
        });
        self.priorities[at].load.add(part);
    }

    /// The same as gauges, by kind and lane.
    pub(crate) fn tell(&self) {
        for ((kind, lane), load) in &self.series {
            let labels = [("kind", kind.as_str()), ("lane", lane.as_str())];
            JOBS_WAITING.set_of(labels, load.waiting);
            JOBS_DELAYED.set_of(labels, load.delayed);
            JOBS_RUNNING.set_of(labels, load.running);
            let oldest = std::time::Duration::from_millis(load.oldest_wait_ms);
            JOBS_OLDEST_WAIT.gauge_of(labels).set(oldest.as_secs_f64());
        }
        for (lane, of) in &self.lanes {
            LANE_SLOTS.set_of([("lane", lane.as_str())], of.slots);
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
        Backlog { lane: Lane::Small, kind, priority, waiting, delayed, running, oldest_wait_ms }
    }

    fn of_all(backlog: &[Backlog]) -> Scaling {
        Scaling::of(backlog, &Slots::default(), Lanes::ALL)
    }

    #[test]
    fn parts_are_added_up_and_the_oldest_wait_is_the_longest() {
        let scaling = of_all(&[
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
        let said = serde_json::to_value(of_all(&[])).unwrap();
        assert_eq!((&said["load"], &said["kinds"]["process"]["waiting"]), (&json!(0), &json!(0)));
        assert_eq!((&said["lanes"]["gpu"]["load"], &said["unserved"]), (&json!(0), &json!([])));
    }

    #[test]
    fn who_asks_for_lanes_hears_of_no_others() {
        let backlog = [
            part(JobKind::Process, 50, [1, 0, 0], 0),
            Backlog { lane: Lane::Large, ..part(JobKind::Process, 50, [3, 0, 2], 9_000) },
            Backlog { lane: Lane::Gpu, ..part(JobKind::Chunk, 10, [0, 4, 1], 0) },
        ];
        let slots = Slots::default().and(Lane::Small.into(), 2);
        let said = |lanes| serde_json::to_value(Scaling::of(&backlog, &slots, lanes)).unwrap();
        let large = said(Lane::Large.into());
        assert_eq!(
            (&large["load"], &large["waiting"], &large["oldest_wait_seconds"]),
            (&json!(5), &json!(3), &json!(9))
        );
        assert_eq!((&large["kinds"]["chunk"]["load"], large["lanes"].as_object().unwrap().len()), (&json!(0), 1));
        let all = said(Lanes::ALL);
        assert_eq!((&all["load"], &all["lanes"]["small"]["slots"]), (&json!(7), &json!(2)));
        assert_eq!(all["unserved"], json!(["large"]), "where nothing waits nobody is missed");
        assert_eq!(said(Lane::Small.into())["unserved"], json!([]));
    }

    #[test]
    fn lanes_are_asked_for_in_one_word_or_in_several() {
        let lanes = |address: &str| asked(&address.parse().unwrap()).ok();
        let two = Lanes::of(&[Lane::Small, Lane::Gpu]);
        for address in ["/scaling?lane=small,gpu", "/scaling?lane=gpu&lane=small", "/scaling?lane=small%2Cgpu"] {
            assert_eq!(lanes(address), Some(two), "{address}");
        }
        assert_eq!((lanes("/scaling"), lanes("/scaling?lane=")), (Some(Lanes::ALL), Some(Lanes::ALL)));
        assert_eq!(lanes("/scaling?lane=huge"), None);
    }
}
