//! How far an attempt is, told to those who look on while it works: by the rung, with the speed and the time that is left. It is told by
//! way of the queue's signals and kept nowhere; the heartbeat says in the database how far the whole is.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reelgate_common::{
    event::{
        LiveEvent, SharedSignals, Signal,
        data::{JobProgress, RungProgress},
    },
    ids::{FileId, OrgId},
};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::heartbeat::Progress;

const EVERY: Duration = Duration::from_millis(500);
/// What has not changed is said again after so long, for those who have come meanwhile.
const AGAIN: Duration = Duration::from_secs(2);
/// Speed is that of so much time.
const WINDOW: Duration = Duration::from_secs(10);

/// What an attempt makes, and when.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rungs(Arc<Mutex<Vec<Rung>>>);

/// Made while the whole goes from one fraction to the other.
#[derive(Debug)]
struct Rung {
    name: String,
    from: f64,
    to: f64,
    duration_ms: u64,
    done: bool,
}

impl Rungs {
    /// These are made while the whole goes on `from` one fraction `to` another.
    pub(crate) fn expect(&self, names: impl Iterator<Item = String>, (from, to): (f64, f64), duration_ms: u64) {
        let mut rungs = self.lock();
        for name in names {
            rungs.retain(|rung| rung.name != name);
            rungs.push(Rung { name, from, to, duration_ms, done: false });
        }
    }

    /// Published.
    pub(crate) fn done(&self, name: &str) {
        self.lock().iter_mut().filter(|rung| rung.name == name).for_each(|rung| rung.done = true);
    }

    /// It will not be.
    pub(crate) fn refused(&self, name: &str) {
        self.lock().retain(|rung| rung.name != name);
    }

    fn pictures(&self, whole: f64) -> Vec<RungProgress> {
        let picture = |rung: &Rung| RungProgress { name: rung.name.clone(), progress: rung.progress(whole) };
        self.lock().iter().map(picture).collect()
    }

    /// Of the film that is worked on, how many milliseconds are as long as the whole.
    fn length_ms(&self, whole: f64) -> Option<f64> {
        let rungs = self.lock();
        let now = rungs.iter().find(|rung| rung.from <= whole && whole < rung.to)?;
        Some(now.duration_ms as f64 / (now.to - now.from))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Rung>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rung {
    /// What is encoded is not published yet.
    fn progress(&self, whole: f64) -> f64 {
        if self.done {
            return 1.0;
        }
        rounded(((whole - self.from) / (self.to - self.from)).clamp(0.0, 0.99))
    }
}

/// Nobody sees more.
fn rounded(fraction: f64) -> f64 {
    (fraction * 1_000.0).round() / 1_000.0
}

/// Whose progress it is.
pub(crate) struct Subject {
    pub(crate) org_id: OrgId,
    pub(crate) file_id: FileId,
    pub(crate) progress: Progress,
    pub(crate) rungs: Rungs,
}

/// Tells it until it is dropped.
pub(crate) fn tell(subject: Subject, signals: SharedSignals) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut turns = interval(EVERY);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut pace, mut told, mut told_at) = (Pace::default(), None, Instant::now());
        loop {
            turns.tick().await;
            let whole = subject.progress.fraction();
            pace.add(Instant::now(), whole);
            let rungs = subject.rungs.pictures(whole);
            let news = (whole.to_bits(), rungs);
            if told.as_ref() == Some(&news) && told_at.elapsed() < AGAIN {
                continue;
            }
            let event = event(&subject, &pace, whole, &news.1);
            (told, told_at) = (Some(news), Instant::now());
            // Nobody waits for it, and the next one says more.
            _ = timeout(EVERY, signals.send(&[Signal::Live(event)])).await;
        }
    }))
}

/// Says once how far a file is, for an attempt that makes a part of it.
pub(crate) async fn tell_once(org_id: OrgId, file_id: FileId, progress: f64, signals: SharedSignals) {
    let data = JobProgress { progress: rounded(progress), speed: None, time_left_ms: None, rungs: &[] };
    let event = LiveEvent::of(org_id, file_id, &data);
    _ = timeout(EVERY, signals.send(&[Signal::Live(event)])).await;
}

fn event(subject: &Subject, pace: &Pace, whole: f64, rungs: &[RungProgress]) -> LiveEvent {
    let rate = pace.per_ms();
    let speed = rate.zip(subject.rungs.length_ms(whole)).map(|(rate, length)| rounded(rate * length));
    let left = rate.map(|rate| ((1.0 - whole) / rate).round()).filter(|left| *left < 1e12).map(|left| left as u64);
    let data = JobProgress { progress: rounded(whole), speed, time_left_ms: left, rungs };
    LiveEvent::of(subject.org_id.clone(), subject.file_id, &data)
}

/// How fast it goes.
#[derive(Debug, Default)]
struct Pace(VecDeque<(Instant, f64)>);

impl Pace {
    fn add(&mut self, at: Instant, whole: f64) {
        self.0.push_back((at, whole));
        while self.0.len() > 2 && self.0.front().is_some_and(|(first, _)| at - *first > WINDOW) {
            self.0.pop_front();
        }
    }

    /// The part of the whole that is done in a millisecond; `None` when it stands still, or nobody knows yet.
    fn per_ms(&self) -> Option<f64> {
        let ((begun, from), (now, to)) = (self.0.front()?, self.0.back()?);
        let elapsed = (*now - *begun).as_millis();
        (elapsed > 0 && to > from).then(|| (to - from) / elapsed as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rung_has_its_part_of_the_whole_and_is_done_when_it_is_published() {
        let rungs = Rungs::default();
        rungs.expect(["480p".to_owned()].into_iter(), (0.0, 0.5), 10_000);
        rungs.expect(["1080p".to_owned(), "720p".to_owned()].into_iter(), (0.5, 1.0), 10_000);
        rungs.refused("720p");
        let seen = |whole| rungs.pictures(whole).into_iter().map(|rung| (rung.name, rung.progress)).collect::<Vec<_>>();
        assert_eq!(seen(0.25), [("480p".to_owned(), 0.5), ("1080p".to_owned(), 0.0)]);
        assert_eq!(seen(0.6), [("480p".to_owned(), 0.99), ("1080p".to_owned(), 0.2)]);
        rungs.done("480p");
        assert_eq!(seen(0.6)[0].1, 1.0);
    }

    #[test]
    fn speed_and_time_left_are_those_of_the_last_seconds() {
        let (start, mut pace) = (Instant::now(), Pace::default());
        pace.add(start, 0.1);
        assert_eq!(pace.per_ms(), None);
        pace.add(start + Duration::from_secs(20), 0.1);
        assert_eq!(pace.per_ms(), None, "it stands still");
        pace.add(start + Duration::from_secs(25), 0.2);
        assert!((pace.per_ms().unwrap() - 0.1 / 5_000.0).abs() < 1e-9, "what was before counts for nothing");
    }
}
