//! The site, with a link of its own between each process and each service, and what it takes to break and mend everything.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::{
    audit::Stage,
    fault::{Dial, Fault, GATEWAYS, Service, Strike, Victim, WORKERS},
};
use crate::{
    clock::Clock,
    disk::Disk,
    proxy::{
        Link, LostReply, Proxy,
        store::{Rule, StoreProxy},
    },
    site::{Footing, Site},
};

/// Short waits and little work, so that a short run sees much. Retries of failed tasks are many, since tasks are killed at will.
const SETTINGS: &[(&str, &str)] = &[
    ("REELGATE__JOBS__MAX_FAILURES", "10"),
    ("REELGATE__JOBS__MAX_LOSSES", "50"),
    ("REELGATE__STORAGE__HEADER_TIMEOUT_MS", "5000"),
    ("REELGATE__STORAGE__IDLE_TIMEOUT_MS", "5000"),
    ("REELGATE__LADDER__RUNGS", "144"),
    ("REELGATE__LADDER__PRESET", "ultrafast"),
    ("REELGATE__LADDER__STORYBOARD", "false"),
    ("REELGATE__LADDER__PREVIEW", "false"),
    ("REELGATE__WORKER__THREADS", "1"),
    ("REELGATE__WORKER__MEMORY_BYTES", "2147483648"),
    ("REELGATE__CACHE__MEMORY_BYTES", "4194304"),
    ("REELGATE__CACHE__DISK_BYTES", "16777216"),
    ("REELGATE__DATABASE__MAX_CONNECTIONS", "8"),
    ("REELGATE__MAINTENANCE__RECONCILE_MS", "3000"),
    ("REELGATE__MAINTENANCE__ORPHAN_GRACE_MS", "20000"),
    ("REELGATE__MAINTENANCE__STOP_OBJECTS", "1000000"),
    ("REELGATE__MAINTENANCE__STOP_PERCENT", "100"),
    ("REELGATE__MAINTENANCE__STUCK_AFTER_MS", "10000"),
    ("REELGATE__MAINTENANCE__GAUGES_MS", "1000"),
];

/// What one process speaks over.
struct Links {
    database: Proxy,
    redis: Proxy,
    store: Proxy,
}

impl Links {
    fn of(&self, service: Service) -> &Proxy {
        match service {
            Service::Database => &self.database,
            Service::Redis => &self.redis,
            Service::Store => &self.store,
        }
    }
}

pub(super) struct Arena {
    pub(super) site: Site,
    store: StoreProxy,
    links: Vec<Links>,
    scratch: Option<Disk>,
    caches: Vec<Disk>,
    /// Of each process in turn, then that of Postgres, then that of Redis.
    clocks: Vec<Clock>,
}

impl Arena {
    pub(super) async fn start() -> Result<Self> {
        let builder = Site::builder(Footing::Production).gateways(0).workers(0).own_services().disk_cache();
        let builder = SETTINGS.iter().fold(builder, |builder, (key, value)| builder.env(*key, *value));
        let clocks: Vec<Clock> = (0..Victim::all().len() + 2).map(|_| Clock::new()).collect::<Result<_>>()?;
        let [.., database, redis] = clocks.as_slice() else { bail!("no clocks") };
        let builder = builder.database_env(database.environment()).queue_env(redis.environment());
        let mut site = builder.start().await?;
        let services = site.services()?;
        let (database, redis) = (services.postgres.as_ref().context("its own")?.port(), services.redis.port());
        let store = StoreProxy::start(services.garage.as_ref().context("its own")?.port()).await?;
        let mut links = Vec::new();
        for _ in Victim::all() {
            let (database, redis) = (Proxy::start(database).await?, Proxy::start(redis).await?);
            links.push(Links { database, redis, store: Proxy::start(store.port()).await? });
        }
        let scratch = Disk::mount(site.scratch().as_ref(), 64)?;
        let mut arena = Self { site, store, links, scratch, caches: Vec::new(), clocks };
        arena.people().await?;
        Ok(arena)
    }

    /// Starts the processes.
    async fn people(&mut self) -> Result<()> {
        for gateway in 0..GATEWAYS {
            self.point(Victim::Gateway(gateway))?;
            self.site.start_gateway().await?;
            // Its folder has a name now. It starts again on a disk of its own.
            if let Some(disk) = Disk::mount(&self.site.disk_cache(gateway), 24)? {
                self.caches.push(disk);
                self.site.restart_gateway(gateway).await?;
            }
        }
        for worker in 0..WORKERS {
            self.point(Victim::Worker(worker))?;
            self.site.start_worker()?;
        }
        Ok(())
    }

    pub(super) fn addresses(&self) -> Vec<String> {
        self.site.gateways.iter().map(crate::site::Gateway::url).collect()
    }

    fn links(&self, victim: Victim) -> &Links {
        &self.links[victim.place()]
    }

    fn clock(&self, dial: Dial) -> Result<&Clock> {
        let clock = match dial {
            Dial::Of(victim) => self.clocks.get(victim.place()),
            Dial::Database => self.clocks.get(Victim::all().len()),
            Dial::Redis => self.clocks.last(),
        };
        clock.context("a clock")
    }

    /// The process that starts next speaks over these links.
    fn point(&mut self, victim: Victim) -> Result<()> {
        let direct = self.site.services()?.database.clone();
        let (host, database) = direct.rsplit_once('/').context("an address with a database")?;
        let host = host.rsplit_once(':').context("an address with a port")?.0;
        let links = self.links(victim);
        let settings = [
            ("REELGATE__DATABASE__URL", format!("{host}:{}/{database}", links.database.port())),
            ("REELGATE__QUEUE__URL", format!("redis://127.0.0.1:{}", links.redis.port())),
            ("REELGATE__STORAGE__ENDPOINT", format!("http://127.0.0.1:{}", links.store.port())),
        ];
        settings.into_iter().for_each(|(key, value)| self.site.set_env(key, value));
        let clock = self.clock(Dial::Of(victim)).map(Clock::environment).unwrap_or_default();
        clock.into_iter().for_each(|(key, value)| self.site.set_env(key, value));
        Ok(())
    }

    /// Whether it can be done here at all: disks need the right to mount, tasks must be there to be killed.
    pub(super) fn can(&self, strike: &Strike) -> bool {
        match strike.fault {
            Fault::FullScratch => self.scratch.is_some(),
            Fault::FullCache(at) => at < self.caches.len(),
            _ => true,
        }
    }

    pub(super) fn pid(&self, victim: Victim) -> u32 {
        match victim {
            Victim::Gateway(at) => self.site.gateways[at].process.pid(),
            Victim::Worker(at) => self.site.workers[at].pid(),
        }
    }

    fn signal(&self, victim: Victim, signal: Signal) {
        if let Some(pid) = i32::try_from(self.pid(victim)).ok().and_then(Pid::from_raw) {
            // It may have ended by itself just now.
            let _ = kill_process(pid, signal);
        }
    }

    pub(super) fn tasks(&self, worker: usize) -> Vec<Pid> {
        self.site.workers[worker].children()
    }

    pub(super) async fn begin(&mut self, strike: &Strike) -> Result<()> {
        match strike.fault {
            Fault::Kill(victim) => self.signal(victim, Signal::KILL),
            Fault::Pause(victim) => self.signal(victim, Signal::STOP),
            Fault::KillTask(worker) => self.tasks(worker).into_iter().for_each(|task| {
                let _ = kill_process(task, Signal::KILL);
            }),
            Fault::Flush => drop(self.site.services()?.redis.command("FLUSHALL").await),
            Fault::Restart(service) => self.crash(service)?,
            Fault::Partition(victim, service, link) => self.links(victim).of(service).set(link),
            Fault::LostCommits(victim, every) => {
                let rule = LostReply { needle: b"COMMIT".to_vec(), every };
                self.links(victim).database.lose_replies(Some(rule));
            }
            Fault::Store(trouble) => {
                self.store.add(Rule { call: None, path: String::new(), skip: 0, times: 6, trouble });
            }
            Fault::FullScratch => self.scratch.as_ref().context("a disk")?.fill()?,
            Fault::FullCache(at) => self.caches[at].fill()?,
            Fault::Clock(dial, ahead) => self.clock(dial)?.set(ahead)?,
        }
        Ok(())
    }

    pub(super) async fn end(&mut self, strike: &Strike) -> Result<()> {
        match strike.fault {
            Fault::Pause(victim) => self.signal(victim, Signal::CONT),
            Fault::Restart(service) => self.restart(service).await?,
            Fault::Partition(victim, service, _) => self.links(victim).of(service).set(Link::Open),
            Fault::LostCommits(victim, _) => self.links(victim).database.lose_replies(None),
            Fault::Store(_) => {
                self.store.heal();
                self.store.forget();
            }
            Fault::FullScratch => self.scratch.as_ref().context("a disk")?.relieve()?,
            Fault::FullCache(at) => self.caches[at].relieve()?,
            Fault::Clock(dial, _) => self.clock(dial)?.set(0)?,
            Fault::Kill(_) | Fault::KillTask(_) | Fault::Flush => {}
        }
        Ok(())
    }

    fn crash(&mut self, service: Service) -> Result<()> {
        let services = self.site.services()?;
        match service {
            Service::Database => services.postgres.as_mut().context("its own")?.crash(),
            Service::Redis => services.redis.crash(),
            Service::Store => services.garage.as_mut().context("its own")?.crash(),
        }
    }

    async fn restart(&mut self, service: Service) -> Result<()> {
        let services = self.site.services()?;
        match service {
            Service::Database => services.postgres.as_mut().context("its own")?.restart().await,
            Service::Redis => services.redis.restart().await,
            Service::Store => services.garage.as_mut().context("its own")?.restart().await,
        }
    }

    /// Everything that was printed, where it outlives the run; says where.
    pub(super) fn keep_logs(&self, seed: u64) -> Result<PathBuf> {
        let folder = std::env::temp_dir().join(format!("reelgate-chaos-{seed}-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        for log in self.site.logs()? {
            fs::copy(&log, folder.join(log.file_name().context("a log has a name")?))?;
        }
        Ok(folder)
    }
}

impl Stage for Arena {
    fn site(&self) -> &Site {
        &self.site
    }

    /// As a supervisor would.
    fn supervise(&mut self) -> Result<()> {
        for at in 0..GATEWAYS {
            if !self.site.gateways[at].process.is_running() {
                self.point(Victim::Gateway(at))?;
                self.site.relaunch_gateway(at)?;
            }
        }
        for at in 0..WORKERS {
            if !self.site.workers[at].is_running() {
                self.point(Victim::Worker(at))?;
                self.site.relaunch_worker(at)?;
            }
        }
        Ok(())
    }
}
