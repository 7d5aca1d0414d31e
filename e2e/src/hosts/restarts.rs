//! Everything is restarted, one after the other, as an upgrade of all machines does it, while clients come through a load balancer.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use rustix::process::Signal;
use tokio::{task::JoinSet, time::sleep};

use super::{
    Plan,
    arena::{Arena, row},
    cast::{GATEWAYS, Service, WORKERS},
    listen::Audience,
    load,
    scene::{Scene, Way},
    table::{Report, Row},
    tally::Trouble,
    toll::Toll,
};

const CLIENTS: u64 = 2;
/// How long one answer under way takes: less than a gateway's time to drain.
const WATCH: Duration = Duration::from_secs(20);
const ENDING: Duration = Duration::from_secs(180);
/// A machine that restarts is away for longer than its server needs to start.
const AWAY: Duration = Duration::from_secs(5);
/// How often the balancer asks who is ready.
const FOLLOW: Duration = Duration::from_millis(200);

/// What is restarted.
#[derive(Debug, Clone, Copy)]
enum Step {
    Gateway(usize),
    Worker(usize),
    Service(Service),
}

impl Step {
    fn all() -> Vec<Self> {
        let processes = (0..GATEWAYS).map(Self::Gateway).chain((0..WORKERS).map(Self::Worker));
        processes.chain(Service::ALL.map(Self::Service)).collect()
    }

    fn name(self) -> String {
        match self {
            Self::Gateway(at) => format!("gateway {}", at + 1),
            Self::Worker(at) => format!("worker {}", at + 1),
            Self::Service(service) => format!("{service:?}"),
        }
    }
}

pub(super) async fn run(arena: &mut Arena, plan: Plan) -> Result<Report> {
    let mut report = Report::default();
    let scene = arena.scene();
    let ways = [Way::Balanced; CLIENTS as usize];
    let audience = Audience::new(&scene, &ways).await?;
    let mut clients = JoinSet::new();
    let (follower, ops) = (scene.clone(), arena.gateways_ops()?);
    clients.spawn(async move { follower.follow(ops, FOLLOW).await });
    for seed in 0..CLIENTS {
        load::one_of_each(&mut clients, &scene, arena.media(), Way::Balanced, seed + 10_000, WATCH);
    }
    let stepped = steps(arena, &scene, plan.time, &mut report).await;
    scene.stop.cancel();
    stepped?;
    clients.join_all().await;
    let held = arena.hold(&scene, audience).await?;
    report.add(row("all of them together".to_owned(), 0, &scene, held));
    Ok(report)
}

async fn steps(arena: &mut Arena, scene: &Arc<Scene>, time: Duration, report: &mut Report) -> Result<()> {
    sleep(time).await;
    report.add(so_far("before", time, scene));
    for step in Step::all() {
        arena.long_films(scene, 1).await;
        restart(arena, scene, step).await.with_context(|| step.name())?;
        arena.all_well().await?;
        scene.suffer(Trouble::default());
        sleep(time).await;
        report.add(so_far(&step.name(), time, scene));
    }
    Ok(())
}

async fn restart(arena: &mut Arena, scene: &Scene, step: Step) -> Result<()> {
    match step {
        Step::Gateway(at) => {
            let process = &mut arena.site.gateways[at].process;
            process.signal(Signal::TERM)?;
            let status = process.wait(ENDING)?;
            anyhow::ensure!(status.success(), "{status}: {}", process.output());
            arena.site.start_gateway_again(at).await
        }
        Step::Worker(at) => {
            let process = &mut arena.site.workers[at];
            process.signal(Signal::TERM)?;
            let status = process.wait(ENDING)?;
            anyhow::ensure!(status.success(), "{status}: {}", process.output());
            arena.site.relaunch_worker(at)
        }
        Step::Service(service) => {
            scene.suffer(Trouble(vec![(None, service)]));
            restart_service(arena, service).await
        }
    }
}

async fn restart_service(arena: &mut Arena, service: Service) -> Result<()> {
    let services = arena.site.services()?;
    match service {
        Service::Redis => {
            services.redis.stop()?;
            sleep(AWAY).await;
            services.redis.restart().await
        }
        Service::Postgres => {
            let postgres = services.postgres.as_mut().context("its own")?;
            postgres.stop()?;
            sleep(AWAY).await;
            postgres.restart().await
        }
        Service::Garage => {
            let garage = services.garage.as_mut().context("its own")?;
            garage.stop()?;
            sleep(AWAY).await;
            garage.restart().await
        }
    }
}

/// Jobs and uploads are told at the end, for they are of all steps.
fn so_far(what: &str, time: Duration, scene: &Scene) -> Row {
    let tally = scene.take_tally();
    Row {
        what: what.to_owned(),
        seconds: time.as_secs(),
        uploads: super::arena::uploads(scene).len(),
        tally,
        toll: Toll::default(),
    }
}
