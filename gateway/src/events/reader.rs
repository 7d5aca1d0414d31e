//! The one reader of the log in this gateway: it fills the feeds of those organisations whose people listen here, however many of them
//! there are. Bell and signals say when to look; that it looks every second all the same is what makes it certain.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use reelgate_common::{
    db::{Db, DbError},
    event::{Bell, Signal},
    ids::OrgId,
};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{frame::Line, hub::Hub};

/// Read at a time; the next organisation comes first, then the next page.
const PAGE: u64 = 500;

pub(super) struct Reader {
    pub(super) db: Db,
    pub(super) hub: Arc<Hub>,
    pub(super) poll: Duration,
    pub(super) touch: Duration,
}

impl Reader {
    /// Runs until `stop`.
    pub(super) async fn run(self, bell: Bell, mut signals: Receiver<Signal>, stop: CancellationToken) {
        let mut rings = bell.listen();
        let (mut polls, mut touches) = (interval(self.poll), interval(self.touch));
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        touches.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            let mut due = BTreeSet::new();
            let outcome = tokio::select! {
                () = stop.cancelled() => return,
                ring = rings.recv() => { due.extend(ring.ok()); Ok(()) }
                signal = signals.recv() => { self.hear(signal, &mut due); Ok(()) }
                _ = polls.tick() => self.look(&mut due).await,
                _ = touches.tick() => self.db.touch_listeners(&self.hub.present()).await,
            };
            while let Ok(org) = rings.try_recv() {
                due.insert(org);
            }
            while let Ok(signal) = signals.try_recv() {
                self.hear(Ok(signal), &mut due);
            }
            let outcome = match outcome {
                Ok(()) => self.read_all(due).await,
                Err(error) => Err(error),
            };
            note(&mut failing, &outcome);
        }
    }

    fn hear(&self, signal: Result<Signal, RecvError>, due: &mut BTreeSet<OrgId>) {
        match signal {
            Ok(Signal::Grown { org }) => _ = due.insert(org),
            Ok(Signal::Live(event)) => self.hub.tell_live(&event.org_id, || Line::from(&event)),
            // What was missed of the log the next poll brings; the rest was transient.
            Err(_) => {}
        }
    }

    /// Whose log is longer than what was told of it.
    async fn look(&self, due: &mut BTreeSet<OrgId>) -> Result<(), DbError> {
        let orgs = self.hub.orgs();
        if orgs.is_empty() {
            return Ok(());
        }
        let heads = self.db.event_heads(&orgs).await?;
        due.extend(
            heads.into_iter().filter(|(org, head)| self.position(org).is_some_and(|at| at < *head)).map(|it| it.0),
        );
        Ok(())
    }

    fn position(&self, org: &OrgId) -> Option<i64> {
        self.hub.feed(org)?.position()
    }

    /// One page of each in turns, until nothing is left.
    async fn read_all(&self, mut due: BTreeSet<OrgId>) -> Result<(), DbError> {
        while let Some(org) = due.pop_first() {
            let (Some(feed), Some(at)) = (self.hub.feed(&org), self.position(&org)) else { continue };
            let page = self.db.events_after(&org, at, None, PAGE).await?;
            page.iter().for_each(|event| feed.tell(Line::from(event)));
            if page.len() as u64 == PAGE {
                due.insert(org);
            }
        }
        Ok(())
    }
}

fn note(failing: &mut bool, outcome: &Result<(), DbError>) {
    match outcome {
        Ok(()) if *failing => tracing::info!("events are read from the database again"),
        Err(error) if !*failing => {
            tracing::warn!(error = error as &dyn std::error::Error, "events cannot be read; listeners wait");
        }
        _ => {}
    }
    *failing = outcome.is_err();
}
