//! The metrics recorder of the process, kept small while nobody asks for it.

use std::{sync::Arc, time::Duration};

use reelgate_common::telemetry::init_metrics;
use reelgate_gateway::RenderMetrics;

/// How often samples are folded into their histograms; without it they pile up between scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

/// # Errors
/// A recorder is installed already.
pub(crate) fn install() -> anyhow::Result<RenderMetrics> {
    let handle = init_metrics()?;
    let kept = handle.clone();
    tokio::spawn(async move {
        let mut turns = tokio::time::interval(UPKEEP);
        loop {
            turns.tick().await;
            kept.run_upkeep();
        }
    });
    Ok(Arc::new(move || handle.render()))
}
