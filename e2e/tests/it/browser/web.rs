//! The web page before a real browser: Playwright, run by Node's test runner, does what people do (`web/test`), and axe looks at each view.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use reelgate_e2e::{
    film::Film,
    process::{Folder, Launch},
    sign_in::SignIn,
    site::{Builder, Footing, Site},
};

/// For everything that one file of tests does, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(900);
const WEB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../web");

/// Large enough to be interrupted, and to have several rungs.
fn film(folder: &Folder) -> Result<std::path::PathBuf> {
    Film { seconds: 10, width: 854, height: 480, bitrate: 2_000_000, faststart: true }.make(folder.path())
}

/// Runs one file of tests against a site of its own.
async fn run(name: &str, builder: Builder) -> Result<()> {
    let page = Path::new(WEB).join("dist/index.html");
    ensure!(page.exists(), "the page is not built: run scripts/build-web, and build again");
    let site = builder.start().await?;
    let folder = Folder::new("web")?;
    let film = film(&folder)?;
    let mut process = Launch::new("node", folder.join("tests.log"))
        .args(["--test-reporter=spec".to_owned(), format!("{WEB}/test/{name}.mjs")])
        .env("BASE_URL", site.gateways[0].url())
        .env("JWT", SignIn::admin("alice", "acme").jwt())
        .env("MEMBER", SignIn::member("bob", "acme").jwt())
        .env("FILM", film.to_string_lossy())
        .env("TMPDIR", folder.path().to_string_lossy())
        .start()?;
    let status = tokio::task::block_in_place(|| process.wait(PATIENCE)).with_context(|| process.output())?;
    ensure!(status.success(), "{}\n{}", process.output(), site.output());
    Ok(())
}

#[test]
fn what_needs_no_browser_is_decided_right() -> Result<()> {
    let folder = Folder::new("web")?;
    let arguments = ["--test-reporter=spec".to_owned(), format!("{WEB}/test/units.mjs")];
    let mut process = Launch::new("node", folder.join("tests.log")).args(arguments).start()?;
    let status = process.wait(PATIENCE).with_context(|| process.output())?;
    ensure!(status.success(), "{}", process.output());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_film_is_dropped_interrupted_watched_shared_and_thrown_away_on_either_footing() -> Result<()> {
    for footing in Footing::ALL {
        run("journey", Site::builder(footing).env("REELGATE__TRASH__KEEP_MS", "86400000"))
            .await
            .with_context(|| format!("{footing:?}"))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_with_what_to_do_about_it() -> Result<()> {
    run("errors", Site::builder(Footing::Embedded).env("REELGATE__QUOTA__MAX_BYTES", "1000000")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_on_any_view_and_a_keyboard_is_enough() -> Result<()> {
    run("access", Site::builder(Footing::Embedded)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_search_for_quality_has_found_is_shown() -> Result<()> {
    let searching = [("QUALITY__ENABLED", "true"), ("QUALITY__MIN_SECONDS", "4"), ("LADDER__RUNGS", "360,240")];
    let set = |builder: Builder, (key, value)| builder.env(format!("REELGATE__{key}"), value);
    run("quality", searching.into_iter().fold(Site::builder(Footing::Embedded), set)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_load_is_light() -> Result<()> {
    run("weight", Site::builder(Footing::Embedded)).await
}
