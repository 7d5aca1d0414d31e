//! Places in the queue, and the progress of jobs that no worker tells of while Redis is away: read from the database for those whose
//! people listen here, some rows for each organisation however many of them there are.

use std::{collections::HashMap, sync::Arc, time::Duration};

use reelgate_common::{
    db::{Db, DbError, Standing},
    event::{
        LiveEvent, LiveKind, Signal,
        data::{JobProgress, JobQueued},
    },
    ids::{FileId, OrgId},
};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{frame::Line, hub::Hub};

/// Of one organisation.
const MOST: u64 = 100;
/// A worker that has said more exactly how far it is within so long need not be spoken for.
const SPOKEN_FOR: Duration = Duration::from_secs(4);
/// Turns after which all is told again, for those who have come meanwhile.
const AGAIN: u32 = 5;

pub(super) struct Standings {
    db: Db,
    hub: Arc<Hub>,
    every: Duration,
    /// What was told of a file last.
    told: HashMap<FileId, Standing>,
    /// When its worker was heard last.
    heard: HashMap<FileId, Instant>,
}

impl Standings {
    pub(super) fn new(db: Db, hub: Arc<Hub>, every: Duration) -> Self {
        Self { db, hub, every, told: HashMap::new(), heard: HashMap::new() }
    }

    /// Runs until `stop`.
    pub(super) async fn run(mut self, mut signals: Receiver<Signal>, stop: CancellationToken) {
        let mut turns = interval(self.every);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut count = 0u32;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                signal = signals.recv() => self.hear(signal),
                _ = turns.tick() => {
                    count = count.wrapping_add(1);
                    if let Err(error) = self.look(count.is_multiple_of(AGAIN)).await {
                        tracing::debug!(error = &error as &dyn std::error::Error, "nobody hears how jobs stand");
                    }
                }
            }
        }
    }

    fn hear(&mut self, signal: Result<Signal, RecvError>) {
        if let Ok(Signal::Live(event)) = signal
            && event.kind == LiveKind::JobProgress
        {
            self.heard.insert(event.file_id, Instant::now());
        }
    }

    async fn look(&mut self, again: bool) -> Result<(), DbError> {
        self.heard.retain(|_, at| at.elapsed() < SPOKEN_FOR);
        let mut now = HashMap::new();
        for org in self.hub.orgs() {
            for standing in self.db.standings(&org, MOST).await? {
                self.tell(&org, standing, again);
                now.insert(file_of(standing), standing);
            }
        }
        self.told = now;
        Ok(())
    }

    fn tell(&self, org: &OrgId, standing: Standing, again: bool) {
        let file = file_of(standing);
        if (self.told.get(&file) == Some(&standing) && !again) || self.heard.contains_key(&file) {
            return;
        }
        self.hub.tell_live(org, || Line::from(&event(org, standing)));
    }
}

fn file_of(standing: Standing) -> FileId {
    match standing {
        Standing::Waiting { file, .. } | Standing::Running { file, .. } => file,
    }
}

fn event(org: &OrgId, standing: Standing) -> LiveEvent {
    let (org, file) = (org.clone(), file_of(standing));
    match standing {
        Standing::Waiting { position, .. } => LiveEvent::of(org, file, &JobQueued { position }),
        Standing::Running { progress, .. } => {
            LiveEvent::of(org, file, &JobProgress { progress, speed: None, time_left_ms: None, rungs: &[] })
        }
    }
}
