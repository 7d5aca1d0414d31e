//! What a site is to be made of.

use std::path::PathBuf;

use anyhow::Result;

use super::{Footing, Site};
use crate::{host::Hosts, process::Folder, services::Services};

/// What to start.
#[derive(Debug, Clone)]
pub struct Builder {
    footing: Footing,
    gateways: usize,
    workers: usize,
    own_services: bool,
    demo: bool,
    disk_cache: bool,
    database_env: Vec<(String, String)>,
    queue_env: Vec<(String, String)>,
    env: Vec<(String, String)>,
    programs: Option<PathBuf>,
    by_command: bool,
    hosts: Hosts,
}

impl Builder {
    pub(super) fn new(footing: Footing) -> Self {
        let (gateways, workers, env) = (1, 1, Vec::new());
        let (own_services, demo, disk_cache, by_command) = (false, false, false, false);
        let (database_env, queue_env, programs, hosts) = (Vec::new(), Vec::new(), None, Hosts::default());
        Self {
            footing,
            gateways,
            workers,
            own_services,
            demo,
            disk_cache,
            database_env,
            queue_env,
            env,
            programs,
            by_command,
            hosts,
        }
    }

    /// How many gateways; the embedded footing always has its one process.
    #[must_use]
    pub fn gateways(self, gateways: usize) -> Self {
        Self { gateways, ..self }
    }

    #[must_use]
    pub fn workers(self, workers: usize) -> Self {
        Self { workers, ..self }
    }

    /// A Postgres and a Garage that no other test uses, to be killed and restarted.
    #[must_use]
    pub fn own_services(self) -> Self {
        Self { own_services: true, ..self }
    }

    /// What the Postgres gets into its environment: it, too, is no other test's.
    #[must_use]
    pub fn database_env(self, database_env: Vec<(String, String)>) -> Self {
        Self { database_env, ..self }.own_services()
    }

    /// What the Redis gets into its environment.
    #[must_use]
    pub fn queue_env(self, queue_env: Vec<(String, String)>) -> Self {
        Self { queue_env, ..self }
    }

    /// With `--demo`, which the embedded footing alone has.
    #[must_use]
    pub fn demo(self) -> Self {
        Self { demo: true, ..self }
    }

    /// A disk tier for each gateway's cache.
    #[must_use]
    pub fn disk_cache(self) -> Self {
        Self { disk_cache: true, ..self }
    }

    /// A folder with programs of another build, which it starts with.
    #[must_use]
    pub fn programs(self, folder: impl Into<PathBuf>) -> Self {
        Self { programs: Some(folder.into()), ..self }
    }

    /// `reelgate gateway` and `reelgate worker` instead of the small programs of the images.
    #[must_use]
    pub fn by_command(self) -> Self {
        Self { by_command: true, ..self }
    }

    /// Each part on a host of its own; as many gateways and workers as there are hosts for, on services that no other test uses.
    #[must_use]
    pub fn on(self, hosts: Hosts) -> Self {
        let (gateways, workers) = (hosts.gateways.len(), hosts.workers.len());
        Self { gateways, workers, hosts, ..self }.own_services()
    }

    /// Wins over what a site sets by itself.
    #[must_use]
    pub fn env(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((key.into(), value.into()));
        self
    }

    /// # Errors
    /// Something does not start; the error carries its output.
    pub async fn start(self) -> Result<Site> {
        let folder = Folder::new("site")?;
        let services = match self.footing {
            Footing::Embedded => None,
            Footing::Production => {
                Some(Services::start(self.own_services, &self.database_env, &self.queue_env, &self.hosts).await?)
            }
        };
        let Self { footing, demo, disk_cache, env, programs, by_command, hosts, .. } = self;
        let (gateways, workers) = (Vec::new(), Vec::new());
        let mut site =
            Site { footing, demo, disk_cache, env, programs, by_command, hosts, gateways, workers, services, folder };
        match self.footing {
            Footing::Embedded => site.start_gateway().await?,
            Footing::Production => {
                site.migrate()?;
                for _ in 0..self.gateways {
                    site.start_gateway().await?;
                }
                for _ in 0..self.workers {
                    site.start_worker()?;
                }
            }
        }
        Ok(site)
    }
}
