//! The site on its hosts, what it takes to cut lines and to ask everybody how he is, and what is promised while clients come and go.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use reelgate_common::{
    db::{JobFilter, Reach},
    job::JobState,
};
use serde_json::Value;
use tokio::time::timeout;

use super::{
    Loses,
    cast::{Cast, Pair, Process, Service, ends},
    listen::Audience,
    load,
    network::{Cut, Network},
    scene::{Film, Scene, Way},
    table::{Report, Row},
    toll::{self, Toll},
};
use crate::{
    chaos::{
        audit,
        dice::Dice,
        media::{Media, with_free_box},
    },
    client::{Client, Upload},
    film,
    generated::generated,
    process::{Folder, eventually},
    sign_in::SignIn,
    site::{Footing, Site},
};

/// Little work for each upload, and what is left over is found soon. Everything that waits for something that is away waits as long as it
/// does without settings.
const SETTINGS: &[(&str, &str)] = &[
    ("REELGATE__LADDER__RUNGS", "144"),
    ("REELGATE__LADDER__PRESET", "ultrafast"),
    ("REELGATE__LADDER__STORYBOARD", "false"),
    ("REELGATE__LADDER__PREVIEW", "false"),
    ("REELGATE__WORKER__THREADS", "1"),
    ("REELGATE__WORKER__CONCURRENCY", "2"),
    ("REELGATE__WORKER__MEMORY_BYTES", "2147483648"),
    ("REELGATE__HTTP__DRAIN_SECONDS", "120"),
    ("REELGATE__DATABASE__MAX_CONNECTIONS", "8"),
    // On a machine that does other things, too, a query may take longer than the usual two seconds.
    ("REELGATE__DATABASE__TIMEOUT_MS", "5000"),
    ("REELGATE__MAINTENANCE__RECONCILE_MS", "3000"),
    ("REELGATE__MAINTENANCE__ORPHAN_GRACE_MS", "10000"),
    ("REELGATE__MAINTENANCE__STOP_OBJECTS", "1000000"),
    ("REELGATE__MAINTENANCE__STOP_PERCENT", "100"),
    ("REELGATE__MAINTENANCE__STUCK_AFTER_MS", "10000"),
    ("REELGATE__MAINTENANCE__GAUGES_MS", "1000"),
];

/// How long whoever is well again may take to say so.
const PATIENCE: Duration = Duration::from_secs(120);
/// Longer than a probe takes to be sure that something is away.
const PROBE: Duration = Duration::from_secs(10);
const FILM: usize = 6 << 20;

pub(super) struct Arena {
    pub(super) site: Site,
    network: Network,
    film: Film,
    media: Arc<Media>,
    /// Takes a worker some seconds.
    long: Vec<u8>,
    rounds: u64,
}

impl Arena {
    pub(super) async fn start(cast: Cast) -> Result<Self> {
        let Cast { network, hosts } = cast;
        let builder = Site::builder(Footing::Production).on(hosts);
        let site = SETTINGS.iter().fold(builder, |builder, (key, value)| builder.env(*key, *value)).start().await?;
        let folder = Folder::new("hosts")?;
        let media = Arc::new(Media::make(&folder)?);
        let long = film::Film { seconds: 40, width: 854, height: 480, ..film::Film::default() }.make(folder.path())?;
        let bytes = generated(0, FILM);
        let upload = Upload::bytes("film.bin", "application/octet-stream", bytes.clone());
        let id = member(&site.client()).upload_one(upload).await?;
        let film = Film { id, bytes };
        Ok(Self { site, network, film, media, long: std::fs::read(long)?, rounds: 0 })
    }

    pub(super) fn cut(&self, pair: Pair, loses: Loses) -> Result<Cut> {
        let (one, other) = ends(self.site.hosts(), pair);
        match loses {
            Loses::Everything => self.network.cut(one, other),
            Loses::Questions => self.network.cut_one_way(one, other),
            Loses::Answers => self.network.cut_one_way(other, one),
        }
    }

    fn ops(&self, process: Process) -> Result<Client> {
        Ok(match process {
            Process::Gateway(at) => Client::new(self.site.gateways[at].ops_url()),
            Process::Worker(at) => Client::new(format!("http://{}", self.site.worker_ops(at).context("its port")?)),
        })
    }

    async fn readiness(&self, process: Process) -> Result<Value> {
        timeout(PROBE, self.ops(process)?.get("/readyz")).await??.json()
    }

    /// Waits until a process says of a service, and of no other, that it is away.
    pub(super) async fn misses(&self, process: Process, service: Service) -> Result<()> {
        let says = |said: &Value, of: Service| said["checks"][of.check()]["ok"] == true;
        let mut last = Value::Null;
        let named = eventually("what is away is named", PATIENCE, async || {
            last = self.readiness(process).await.unwrap_or_default();
            last.is_object() && Service::ALL.iter().all(|of| says(&last, *of) == (*of != service))
        });
        named.await.with_context(|| format!("{process} without {service:?} says {last}"))?;
        // Gateways do without the queue.
        let is_needed = service != Service::Redis || matches!(process, Process::Worker(_));
        ensure!(last["ready"] == !is_needed, "{process} without {service:?} says {last}");
        Ok(())
    }

    /// Waits until everybody reaches everything.
    pub(super) async fn all_well(&self) -> Result<()> {
        for process in Process::all() {
            let mut last = Value::Null;
            let well = eventually("all is well", PATIENCE, async || {
                last = self.readiness(process).await.unwrap_or_default();
                Service::ALL.iter().all(|service| last["checks"][service.check()]["ok"] == true)
                    && last["ready"] == true
            });
            well.await.with_context(|| format!("{process} says {last}"))?;
        }
        Ok(())
    }

    /// Whether a worker has a job in hand.
    pub(super) async fn works(&self, worker: usize) -> Result<bool> {
        let name = format!("worker-{}-", self.site.workers[worker].pid());
        let db = self.site.database().await?;
        let filter = JobFilter { state: Some(JobState::Running), limit: 200, ..JobFilter::default() };
        let jobs = db.list_jobs(Reach::All, &filter).await?;
        db.close().await;
        Ok(jobs.iter().any(|job| job.worker.as_ref().is_some_and(|worker| worker.starts_with(&name))))
    }

    /// As many films as keep all workers busy.
    pub(super) async fn long_films(&self, scene: &Scene, count: u64) {
        let mut dice = Dice::new(self.rounds.wrapping_mul(0x9e37_79b9));
        for turn in 0..usize::try_from(count).unwrap_or(0) {
            let bytes = with_free_box(&self.long, &mut dice);
            scene.upload(Way::At(turn % 2), turn, crate::chaos::media::Kind::Long, "long.mp4", bytes).await;
        }
    }

    /// The clients of a round, none of whom has come yet.
    pub(super) fn scene(&mut self) -> Arc<Scene> {
        self.rounds += 1;
        let gateways = self.site.gateways.iter().map(|gateway| member(&gateway.client())).collect();
        Arc::new(Scene::new(gateways, self.film.clone()))
    }

    pub(super) fn gateways_ops(&self) -> Result<Vec<Client>> {
        (0..self.site.gateways.len()).map(|at| self.ops(Process::Gateway(at))).collect()
    }

    pub(super) fn media(&self) -> &Arc<Media> {
        &self.media
    }

    pub(super) fn seed(&self) -> u64 {
        self.rounds
    }

    /// When all clients have stopped: waits until nothing moves, and holds what was promised against what there is.
    pub(super) async fn hold(&mut self, scene: &Scene, audience: Audience) -> Result<(Toll, Vec<String>)> {
        let found = audit::settled(&mut self.site, &scene.ledger).await?;
        let (toll, mut wrong) = toll::of(&self.site, &scene.ledger).await?;
        // Clients repeat under one key until they are answered: what was stored without an answer is what they were answered later.
        let unanswered = found.figures.iter().find(|(what, _)| *what == audit::UNANSWERED);
        wrong.extend(unanswered.filter(|(_, count)| count != "0").map(|(what, count)| format!("{what}: {count}")));
        wrong.extend(found.broken);
        wrong.extend(audience.ask(&uploads(scene)).await);
        load::tidy(scene).await;
        wrong.extend(scene.ledger.broken());
        Ok((toll, wrong))
    }

    /// Has everything end, and looks at what is left then.
    pub(super) async fn end(&mut self, report: &mut Report) -> Result<()> {
        let found = audit::ended(&mut self.site).await?;
        report.wrong.extend(found.broken);
        if !report.is_whole() {
            report.logs = Some(self.keep_logs()?);
        }
        Ok(())
    }

    /// Everything that was printed, where it outlives the run.
    fn keep_logs(&self) -> Result<std::path::PathBuf> {
        let folder = std::env::temp_dir().join(format!("reelgate-hosts-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        for log in self.site.logs()? {
            std::fs::copy(&log, folder.join(log.file_name().context("a log has a name")?))?;
        }
        Ok(folder)
    }
}

/// What was uploaded in a round.
pub(super) fn uploads(scene: &Scene) -> Vec<String> {
    let files = scene.ledger.promises().into_keys();
    files.filter(|file| *file != scene.film.id).collect()
}

/// The row of a round that is over.
pub(super) fn row(what: String, seconds: u64, scene: &Scene, (toll, wrong): (Toll, Vec<String>)) -> Row {
    let mut tally = scene.take_tally();
    tally.wrong.extend(wrong);
    Row { what, seconds, uploads: uploads(scene).len(), tally, toll }
}

fn member(client: &Client) -> Client {
    client.signed_in(SignIn::member("alice", super::scene::ORG).ttl(86_400).jwt())
}
