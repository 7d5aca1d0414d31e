//! Everything goes wrong at random, from a seed, for a while; `make chaos` does it for longer.

use std::time::Duration;

use anyhow::Result;
use reelgate_e2e::chaos::{self, Plan};

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// `CHAOS_SEED`, `CHAOS_FAULTS` and `CHAOS_MINUTES` make it another or a longer one.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_every_answered_upload_is_kept_once_and_whole() -> Result<()> {
    let plan = Plan {
        seed: number("CHAOS_SEED", 20_261_123),
        faults: usize::try_from(number("CHAOS_FAULTS", 50))?,
        time: Duration::from_secs(60 * number("CHAOS_MINUTES", 1)),
        clients: number("CHAOS_CLIENTS", 4),
    };
    let report = chaos::run(plan).await?;
    println!("{report}");
    assert!(report.broken.is_empty(), "{report}");
    assert!(report.percent_in_flight() >= 30, "the faults missed the work: {report}");
    Ok(())
}
