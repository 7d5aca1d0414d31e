//! Listeners to events: each connects again with the last number it was told, and must be told everything that follows, once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Result, ensure};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    scene::{Scene, Way},
    tally::Doing,
};
use crate::{
    listener::{Heard, Listener},
    process::eventually,
};

const AGAIN: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_millis(250);
/// For the head of an answer.
const SILENCE: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(120);

/// What one listener was told.
#[derive(Debug, Default)]
struct Told {
    last: Option<i64>,
    /// How often of each file that it is ready.
    ready: HashMap<String, usize>,
}

/// All of them.
pub(super) struct Audience {
    told: Vec<Arc<Mutex<Told>>>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Audience {
    /// One for each way, all of which listen when this returns.
    ///
    /// # Errors
    /// One cannot.
    pub(super) async fn new(scene: &Arc<Scene>, ways: &[Way]) -> Result<Self> {
        let mut audience = Self { told: Vec::new(), stop: CancellationToken::new(), tasks: JoinSet::new() };
        for way in ways {
            let told = Arc::<Mutex<Told>>::default();
            audience.told.push(told.clone());
            let (scene, way, stop) = (scene.clone(), *way, audience.stop.clone());
            audience.tasks.spawn(async move {
                let _stopped = stop.run_until_cancelled(listen(&scene, way, &told)).await;
            });
        }
        let listens = |told: &Arc<Mutex<Told>>| lock(told).last.is_some();
        eventually("all listen", PATIENCE, async || audience.told.iter().all(listens)).await?;
        Ok(audience)
    }

    /// Waits until each has been told of all these files that they are ready, and sends them home. What is wrong.
    pub(super) async fn ask(mut self, files: &[String]) -> Vec<String> {
        let has_all = |told: &Arc<Mutex<Told>>| files.iter().all(|file| lock(told).ready.contains_key(file));
        drop(eventually("all was told", PATIENCE, async || self.told.iter().all(has_all)).await);
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
        let mut wrong = Vec::new();
        for (at, told) in self.told.iter().enumerate() {
            let ready = &lock(told).ready;
            let times = files.iter().map(|file| (file, ready.get(file).copied().unwrap_or(0)));
            let other = times.filter(|(_, times)| *times != 1);
            wrong.extend(other.map(|(file, times)| format!("listener {at} heard {times} times that {file} is ready")));
        }
        wrong
    }
}

async fn listen(scene: &Scene, way: Way, told: &Mutex<Told>) {
    for turn in 0.. {
        let before = scene.trouble();
        for (at, client) in scene.gateways(way, turn) {
            let last = lock(told).last;
            let opened = timeout(SILENCE, Listener::open(&client, "/v1/events", last)).await;
            let outcome = match opened.map_err(anyhow::Error::from).flatten() {
                Ok(listener) => hear(listener, told).await,
                Err(_) if matches!(way, Way::Balanced) => continue,
                Err(_) if before.explains_silence(Doing::Listen, at) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                scene.tally().wrong(Doing::Listen, format!("events of gateway {}: {error:#}", at + 1));
            }
            break;
        }
        sleep(AGAIN).await;
    }
}

/// Until the answer ends, which is no fault: a gateway that stops ends it, and who listens comes back.
async fn hear(mut listener: Listener, told: &Mutex<Told>) -> Result<()> {
    loop {
        match timeout(LOOK, listener.next()).await {
            // How far the log is, a gateway tells also without an event.
            Err(_) => {
                let mut told = lock(told);
                told.last = told.last.or(listener.last_id);
            }
            Ok(Ok(Some(Heard { id: None, .. }))) => {}
            Ok(Ok(Some(Heard { id: Some(id), kind, data }))) => {
                let before = lock(told).last;
                ensure!(before.is_none_or(|before| id == before + 1), "{id} came after {before:?}: {kind}");
                take(&mut lock(told), id, &Heard { id: Some(id), kind, data });
            }
            Ok(_) => return Ok(()),
        }
    }
}

fn take(told: &mut Told, id: i64, heard: &Heard) {
    told.last = Some(id);
    if heard.kind == "file.ready" {
        *told.ready.entry(heard.file().to_owned()).or_default() += 1;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
