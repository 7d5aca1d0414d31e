//! What goes on beside the requests: every second each gateway hears what was revoked and moved, and tells the cache who
//! is here; the database is told once a minute. Each step may fail and comes again.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use reelgate_common::{
    db::DbError,
    lease::{Admit, Epoch, Epochs, PlaybackLease, admit},
    timestamp::Timestamp,
};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{Leases, held::Held};

/// Revocation is at most two of these old.
pub(super) const EVERY: Duration = Duration::from_secs(1);
/// How far back each look at the news goes: a change is dated when its transaction began.
const OVERLAP: Duration = Duration::from_secs(60);
/// Turns after which everything is read anew and what has ended is forgotten.
const THOROUGH: u64 = 300;
/// Leases told to the cache in one call.
const BATCH: usize = 200;

impl Leases {
    /// Runs until `stop`; then says once more who was here, for the next gateway.
    pub(crate) async fn keep(&self, stop: CancellationToken) {
        let mut turns = interval(EVERY);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut since, mut failing) = (Some(self.now()), false);
        for turn in 1.. {
            if stop.run_until_cancelled(turns.tick()).await.is_none() {
                break;
            }
            let thorough = turn % THOROUGH == 0;
            let outcome = self.take_turn(since.filter(|_| !thorough)).await;
            note(&mut failing, &outcome);
            since = outcome.ok().or(since);
            if thorough {
                self.forget_ended();
            }
        }
        drop(self.touch(Duration::ZERO).await);
    }

    async fn take_turn(&self, since: Option<Timestamp>) -> Result<Timestamp, DbError> {
        self.tell_cache().await;
        let now = self.learn(since).await?;
        for held in self.shelf.all().into_iter().filter(|held| held.unsaved.load(Ordering::Relaxed)) {
            self.save(&held).await?;
        }
        self.touch(self.policy.touch()).await?;
        Ok(now)
    }

    /// Hears now what each turn hears: before something is permitted anew that was taken back a moment ago, here or elsewhere.
    pub(crate) async fn catch_up(&self) {
        if let Err(error) = self.learn(Some(self.now())).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "what was revoked is heard with the next turn");
        }
    }

    /// Hears what was revoked and moved. Returns the database's time. Everything is read when `since` is `None`.
    pub(super) async fn learn(&self, since: Option<Timestamp>) -> Result<Timestamp, DbError> {
        let news = self.db.lease_news(since.map(|since| since.minus(OVERLAP))).await?;
        self.ahead.store(news.now.0.saturating_sub(Timestamp::now().0), Ordering::Relaxed);
        if self.hear_all(news.epochs, since.is_none()) {
            self.check_all();
        }
        for moved in news.moved {
            if let Some(held) = self.shelf.get(moved.id) {
                held.merge(&moved);
            }
        }
        Ok(news.now)
    }

    /// Whether anything new was among them. What is read anew takes the place of what was known, in one step.
    fn hear_all(&self, heard: Vec<Epoch>, anew: bool) -> bool {
        let mut known = self.epochs_mut();
        let mut epochs = if anew { Epochs::default() } else { std::mem::take(&mut *known) };
        let new = heard.into_iter().filter(|epoch| epochs.apply(epoch.clone())).count();
        *known = epochs;
        new > 0
    }

    /// Those whose client was here since the cache was told.
    async fn tell_cache(&self) {
        let Some(cache) = &self.cache else { return };
        let (fresh, leases): (Vec<Arc<Held>>, Vec<PlaybackLease>) = self
            .shelf
            .all()
            .into_iter()
            .filter(|held| held.seen_at().0 > held.cached_at.load(Ordering::Relaxed) && !held.is_revoked())
            .map(|held| (held.clone(), held.lease()))
            .unzip();
        for (fresh, leases) in fresh.chunks(BATCH).zip(leases.chunks(BATCH)) {
            if let Err(error) = cache.put(leases, self.policy.idle()).await {
                tracing::debug!(error = &error as &dyn std::error::Error, "the cache of leases was not told");
                return;
            }
            for (held, lease) in fresh.iter().zip(leases) {
                held.cached_at.store(lease.seen_at.0, Ordering::Relaxed);
            }
        }
    }

    /// Tells the database of those whose client was here `after` the last time it was told.
    async fn touch(&self, after: Duration) -> Result<(), DbError> {
        let last = |held: &Held| Timestamp(held.touched_at.load(Ordering::Relaxed));
        let due = |held: &Arc<Held>| held.seen_at() > last(held) && held.seen_at().since(last(held)) >= after;
        let due: Vec<_> = self.shelf.all().into_iter().filter(due).map(|held| (held.seen_at(), held)).collect();
        if due.is_empty() {
            return Ok(());
        }
        let seen: Vec<_> = due.iter().map(|(at, held)| (held.id(), *at)).collect();
        self.db.touch_leases(&seen).await?;
        for (at, held) in due {
            held.touched_at.store(at.0, Ordering::Relaxed);
        }
        Ok(())
    }

    fn forget_ended(&self) {
        let now = self.now();
        self.shelf.remove_all(|held| {
            let lease = held.to_judge();
            !held.is_in_use() && matches!(admit(&lease, &lease.client, now, &self.policy), Admit::Refuse(_))
        });
    }
}

fn note(failing: &mut bool, outcome: &Result<Timestamp, DbError>) {
    match outcome {
        Ok(_) if *failing => tracing::info!("playback leases are kept in the database again"),
        Err(error) if !*failing => {
            let error: &dyn std::error::Error = error;
            tracing::warn!(error, "the database is not to be asked; playback goes on by what is held in memory");
        }
        _ => {}
    }
    *failing = outcome.is_err();
}
