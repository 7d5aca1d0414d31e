//! The loops that keep database, queue and object store in step, so that nobody has to.
//!
//! Every gateway starts them; the database elects the one that acts (`leader`). Each duty is harmless when two gateways
//! do it at once or when one dies in the middle: it looks, decides, and changes rows only under the conditions that it
//! saw. What a duty does not finish it finds again at its next turn.

mod clock;
pub mod config;
mod cool;
mod dispatch;
mod duty;
mod earn;
mod events;
mod expire;
mod gauges;
mod leader;
mod leases;
mod promote;
pub mod purge;
mod reap;
mod sweep;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use reelgate_common::{backends::Backends, earned::EarnedPolicy, job::JobPolicy, lease::LeasesConfig};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    config::MaintenanceConfig,
    duty::{Duty, DutyError},
    leader::Leader,
};
use crate::{
    app::App,
    reconcile::{Reconciler, Scope},
    webhooks::Courier,
};

/// What every duty is given.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) backends: Backends,
    pub(crate) config: MaintenanceConfig,
    pub(crate) policy: JobPolicy,
    pub(crate) leases: LeasesConfig,
    pub(crate) earned: EarnedPolicy,
    pub(crate) keep_events: Duration,
}

impl Ground {
    fn reconciler(&self) -> Reconciler {
        let Backends { db, storage, .. } = self.backends.clone();
        Reconciler::new(db, storage, self.config.clone(), self.leases.clone())
    }
}

/// Starts the loops; each ends when `stop` is cancelled, and gives up its office first.
pub fn spawn(app: &Arc<App>, tasks: &TaskTracker, stop: &CancellationToken) {
    let backends = app.backends();
    tasks.spawn(app.uploads.keep_alive(backends.db.clone(), stop.clone()));
    tasks.spawn(app.uploads.heed(backends.db.clone(), stop.clone()));
    let (gateway, until) = (app.clone(), stop.clone());
    tasks.spawn(async move { gateway.leases.keep(until).await });
    if app.config.earned.enabled {
        let (gateway, until) = (app.clone(), stop.clone());
        tasks.spawn(async move { gateway.demand.keep(&gateway.db, until).await });
    }
    let config = app.config.maintenance.clone();
    let leader = Leader::new(backends.db.clone(), app.process.clone(), config.term());
    let keep_events = app.config.events.keep();
    let (leases, earned) = (app.config.leases.clone(), app.config.earned.clone());
    let ground = Ground { backends, policy: app.config.jobs, leases, earned, keep_events, config };
    spawn_duties(&ground, &leader, tasks, stop);
    spawn_courier(app, &leader, tasks, stop);
    tasks.spawn(leader.campaign(stop.clone()));
}

/// The duties as a table: name, interval, what is done.
fn spawn_duties(ground: &Ground, leader: &Leader, tasks: &TaskTracker, stop: &CancellationToken) {
    let every = ground.config.intervals();
    let start = |name, every| Duty::new(name, every, leader.clone(), stop.clone());
    tasks.spawn(start("dispatch", every.dispatch).repeat(ground.clone(), async |ground| dispatch::run(ground).await));
    let (lease, silence) = (Duration::from_millis(ground.policy.lease_ms), ground.config.upload_silence());
    let (reap, sweep) = (start("reap", every.reap), start("sweep", every.sweep));
    tasks.spawn(reap.after_listening(lease).repeat(ground.clone(), async |ground| reap::run(ground).await));
    tasks.spawn(sweep.after_listening(silence).repeat(ground.clone(), async |ground| sweep::run(ground).await));
    tasks.spawn(start("leases", every.sweep).repeat(ground.clone(), async |ground| leases::run(ground).await));
    tasks.spawn(start("events", every.sweep).repeat(ground.clone(), async |ground| events::run(ground).await));
    tasks.spawn(start("purge", every.purge).repeat(ground.clone(), async |ground| purge::run(ground).await));
    tasks.spawn(start("expire", every.purge).repeat(ground.clone(), async |ground| expire::run(ground).await));
    tasks.spawn(start("promote", every.promote).repeat(ground.clone(), async |ground| promote::run(ground).await));
    let look = ground.earned.look();
    if ground.earned.enabled {
        tasks.spawn(start("earn", look).repeat(ground.clone(), async |ground| earn::run(ground).await));
    }
    tasks.spawn(start("cool", look).repeat(ground.clone(), async |ground| cool::run(ground).await));
    let reconciler = ground.reconciler();
    tasks.spawn(start("reconcile", every.reconcile).repeat(ground.clone(), move |_| reconcile(reconciler.clone())));
    let (gauges, office) = (start("gauges", every.gauges).everywhere(), leader.clone());
    gauges::tell_office(&office);
    tasks.spawn(gauges.repeat(ground.clone(), move |ground| gauges::run(ground, office.clone())));
}

/// Webhooks are told by the elected gateway.
fn spawn_courier(app: &Arc<App>, leader: &Leader, tasks: &TaskTracker, stop: &CancellationToken) {
    let courier = Courier::new(app.webhooks.clone(), app.db.clone(), app.process.clone(), tasks.clone(), stop.clone());
    let start = |name, every| Duty::new(name, every, leader.clone(), stop.clone());
    tasks.spawn(courier.clone().listen());
    let telling = start("webhooks", app.config.webhooks.poll()).woken_by(courier.wake());
    let tidying = start("webhook_log", app.config.maintenance.intervals().sweep);
    tasks.spawn(telling.repeat(courier.clone(), async |courier| Ok(courier.turn().await?)));
    tasks.spawn(tidying.repeat(courier, async |courier| Ok(courier.tidy().await?)));
}

/// A brake that holds is a failure of the duty, so that it is counted and told.
async fn reconcile(reconciler: Reconciler) -> Result<u64, DutyError> {
    let report = reconciler.turn(Scope::Next).await?;
    match report.stopped() {
        Some(stopped) => Err(stopped.clone().into()),
        None => Ok(report.changes()),
    }
}
