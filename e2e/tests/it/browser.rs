//! What a person sees: a real browser opens Reelgate's own page and plays films from it, the way that products will.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::print_stdout, reason = "what was not looked at is said")]

mod captions;
mod documents;
mod leases;
mod page;
mod pictures;
mod players;
mod progressive;
mod voices;
mod web;

use std::path::Path;

use anyhow::{Result, ensure};
use reelgate_e2e::{
    browser::Stage,
    client::{Client, Upload},
    film::RATE,
    sign_in::SignIn,
    site::Site,
};

/// Forth and back, on key frames and between them, in seconds; the films are longer.
const PLACES: [f64; 10] = [12.0, 3.3, 21.7, 8.05, 16.0, 0.5, 19.9, 5.55, 14.2, 10.0];

fn alice(site: &Site) -> Client {
    site.client().signed_in(SignIn::member("alice", "acme").jwt())
}

/// When it can be played, in whatever quality is there by then.
async fn uploaded(client: &Client, film: &Path) -> Result<String> {
    let id = client.upload_one(Upload::file("film.mp4", "video/mp4", film)).await?;
    client.wait_ready(&id).await?;
    Ok(id)
}

/// Some of the beginning, ten places, and the end.
async fn watch(stage: &Stage) -> Result<()> {
    stage.play_to(4.0).await?;
    for place in PLACES {
        stage.seek(place).await?;
    }
    stage.seek(20.5).await?;
    stage.play_to_end().await?;
    stage.look_again().await
}

/// Nothing to complain of, and that much was looked at.
async fn all_was_well(stage: &Stage) -> Result<()> {
    let report = stage.report().await?;
    let complaints = report.complaints(f64::from(RATE));
    ensure!(complaints.is_empty(), "{complaints:#?}\n{report:?}\n{}", stage.page.log());
    ensure!(report.ended && report.pictures.len() >= 11 && report.seeks.len() >= 11, "too little was seen: {report:?}");
    Ok(())
}
