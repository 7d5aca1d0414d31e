//! Everything goes wrong at random, from a seed, for a while (`make chaos` does it for longer); and one thing after the other goes
//! wrong in a place of its own, in the files below.

mod clocks;
mod crash;
mod database;
mod many;
mod power;
mod repeats;
mod starved;
mod store;

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use reelgate_e2e::{
    chaos::{self, Plan},
    process::Folder,
};

/// Two seconds that must be encoded before a browser plays them; `foreign.mkv` in the folder.
fn foreign_clip(folder: &Folder) -> Result<PathBuf> {
    let path = folder.path().join("foreign.mkv");
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y"])
        .args(["-f", "lavfi", "-i", "testsrc2=size=256x144:rate=15:duration=2"])
        .args(["-c:v", "mpeg4"])
        .arg(&path)
        .status()
        .context("ffmpeg is missing: run make test")?;
    ensure!(status.success(), "ffmpeg could not make a clip");
    Ok(path)
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// `CHAOS_SEED`, `CHAOS_FAULTS` and `CHAOS_MINUTES` make it another or a longer one.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_every_answered_upload_is_kept_once_and_whole() -> Result<()> {
    let plan = Plan {
        seed: number("CHAOS_SEED", 20_261_123),
        faults: usize::try_from(number("CHAOS_FAULTS", 100))?,
        time: Duration::from_secs(60 * number("CHAOS_MINUTES", 2)),
        clients: number("CHAOS_CLIENTS", 4),
    };
    let report = chaos::run(plan).await?;
    println!("{report}");
    assert!(report.broken.is_empty(), "{report}");
    assert!(report.percent_in_flight() >= 30, "the faults missed the work: {report}");
    Ok(())
}
