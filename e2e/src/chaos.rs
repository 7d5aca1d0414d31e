//! A run in which everything goes wrong at random, from a seed: a production site whose services lie behind proxies, clients
//! that write down what they were promised, faults that strike meanwhile, and after a quiet time the promises held against
//! what there is.
//!
//! The seed decides what strikes whom, for how long, and what the clients want to do. When which thread runs it does not decide,
//! so a failure comes again with its seed often, not always.

mod arena;
pub(crate) mod audit;
mod clients;
pub mod dice;
mod fault;
pub(crate) mod ledger;
pub(crate) mod media;
mod phase;
mod report;
mod toll;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use tokio::{task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

use self::{arena::Arena, audit::Stage, clients::Caller, dice::Dice, fault::Strike, ledger::Ledger, media::Media};
pub use self::{phase::Phase, report::Report};
use crate::process::Folder;

/// How often the supervisor looks whether somebody has died.
const TICK: Duration = Duration::from_millis(50);

/// What is to be run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub seed: u64,
    /// It ends after so many faults,
    pub faults: usize,
    /// or after this time, whichever comes first; the faults are spread over it.
    pub time: Duration,
    pub clients: u64,
}

/// Runs it and looks at what is left.
///
/// # Errors
/// The site could not be started or kept up. A broken promise is no error here, but in the report.
pub async fn run(plan: Plan) -> Result<Report> {
    let folder = Folder::new("chaos")?;
    let media = Arc::new(Media::make(&folder)?);
    let mut arena = Arena::start().await?;
    let ledger = Arc::new(Ledger::default());
    let stop = CancellationToken::new();
    let mut callers = JoinSet::new();
    for number in 0..plan.clients {
        let dice = Dice::new(plan.seed ^ (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let caller = Caller::new(number, &arena.addresses(), dice, Arc::clone(&media), Arc::clone(&ledger));
        callers.spawn(caller.live(stop.clone()));
    }
    let begun = Instant::now();
    let mut report = Report::new(plan);
    let struck = strike(&plan, &mut arena, &ledger, &mut report).await;
    stop.cancel();
    callers.join_all().await;
    report.lasted = begun.elapsed();
    struck.with_context(|| format!("seed {}", plan.seed))?;
    report.add(audit::settled(&mut arena, &ledger).await?);
    report.add(audit::ended(&mut arena.site).await?);
    report.broken.extend(ledger.broken());
    report.answers = ledger.answers();
    if !report.broken.is_empty() {
        report.logs = Some(arena.keep_logs(plan.seed)?);
    }
    Ok(report)
}

/// Strikes until there were enough, then heals everything.
async fn strike(plan: &Plan, arena: &mut Arena, ledger: &Ledger, report: &mut Report) -> Result<()> {
    let mut dice = Dice::new(plan.seed);
    let begun = Instant::now();
    let pace = plan.time / u32::try_from(plan.faults.max(1)).unwrap_or(u32::MAX);
    let mut active: Vec<(Strike, Instant)> = Vec::new();
    for number in (0..u32::MAX).take(plan.faults) {
        if begun.elapsed() > plan.time {
            break;
        }
        let strike = Strike::choose(&mut dice, |strike| {
            arena.can(strike) && !active.iter().any(|(other, _)| other.clashes(strike))
        });
        let phase = phase::of(arena, ledger, &strike).await;
        arena.begin(&strike).await.with_context(|| format!("fault {number}, {strike}"))?;
        report.strike(&strike, phase);
        active.push((strike, Instant::now() + strike.lasts));
        // By the clock, not after the last one: a restart that takes its time costs no fault.
        let next = begun + pace * number + pace.mul_f64(dice.fraction() + 0.5);
        while Instant::now() < next {
            heal(arena, &mut active, false).await?;
            arena.supervise()?;
            sleep(TICK).await;
        }
    }
    heal(arena, &mut active, true).await
}

/// Ends what has lasted long enough.
async fn heal(arena: &mut Arena, active: &mut Vec<(Strike, Instant)>, all: bool) -> Result<()> {
    let now = Instant::now();
    for (strike, _) in active.extract_if(.., |(_, end)| all || *end <= now) {
        arena.end(&strike).await.with_context(|| format!("the end of {strike}"))?;
    }
    Ok(())
}
