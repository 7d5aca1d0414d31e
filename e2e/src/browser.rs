//! A real browser: Chromium without a window, driven through a pair of pipes, so that nothing has to be installed beside it.
//! What it plays with (the browser itself, hls.js, Shaka Player) stands on a page of another origin than the gateway's.

mod cdp;
mod page;
pub mod report;
mod shelf;

pub use page::Page;

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::process::{Folder, Launch, Process};
use cdp::Cdp;
use report::Report;
use shelf::Shelf;

/// Chromium reads its orders from descriptor 3 and answers on 4.
const START: &str = "exec chromium \"$@\" 3<&0 4>&1 </dev/null >&2";
const FLAGS: &[&str] = &[
    "--headless=new",
    "--remote-debugging-pipe",
    // Root cannot have the sandbox, and what is shown is our own.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    // Pages beside the one in front play as fast as it does.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    // Asks nobody else anything.
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
];
/// Longest time for one order to the page, e.g. to play a film to its end.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Who plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Player {
    /// The browser itself, progressive or HLS.
    Native,
    HlsJs,
    /// HLS and DASH.
    Shaka,
}

impl Player {
    fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::HlsJs => "hlsjs",
            Self::Shaka => "shaka",
        }
    }
}

/// A running Chromium with a profile of its own. Dropping it kills it.
pub struct Browser {
    process: Process,
    cdp: Cdp,
    shelf: Shelf,
    _profile: Folder,
}

impl Browser {
    /// # Errors
    /// Chromium or the players are not installed, or Chromium does not start; the error carries its output.
    pub async fn start() -> Result<Self> {
        let shelf = Shelf::start().await?;
        let profile = Folder::new("browser")?;
        let mut process = Launch::new("sh", profile.join("chromium.log"))
            .args(["-c", START, "chromium"])
            .args(FLAGS.iter().copied())
            .args([format!("--user-data-dir={}", profile.join("profile"))])
            .env("HOME", profile.join("home"))
            // A browser that is killed leaves something there.
            .env("TMPDIR", profile.path().to_string_lossy())
            .pipes()
            .start()?;
        let (input, output) = process.take_pipes().context("started with pipes")?;
        let cdp = Cdp::open(input, output)?;
        let browser = Self { process, cdp, shelf, _profile: profile };
        let version = browser.cdp.call(None, "Browser.getVersion", json!({}));
        version
            .await
            .with_context(|| format!("chromium is missing or does not start: {}", browser.process.output()))?;
        Ok(browser)
    }

    /// A new page that shows `url`.
    ///
    /// # Errors
    /// It cannot be loaded.
    pub async fn page(&self, url: &str) -> Result<Page> {
        let page = Page::open(&self.cdp, url).await;
        page.with_context(|| self.process.output())
    }

    /// A page with all players, on which nothing plays yet.
    ///
    /// # Errors
    /// It cannot be loaded.
    pub async fn stage(&self) -> Result<Stage> {
        Ok(Stage { page: self.page(&self.shelf.address("players/page.html")).await? })
    }

    /// A page with a file input and Uppy (`uploaders/uppy.js`), which does nothing yet.
    ///
    /// # Errors
    /// It cannot be loaded.
    pub async fn uploader(&self) -> Result<Page> {
        self.page(&self.shelf.address("uploaders/page.html")).await
    }

    /// A page on which the film at `url` has begun to play.
    ///
    /// # Errors
    /// It does not begin.
    pub async fn play(&self, player: Player, url: &str) -> Result<Stage> {
        let stage = self.stage().await?;
        stage.open(player, url).await?;
        Ok(stage)
    }
}

/// A page on which a film plays, and the notes that its script takes.
pub struct Stage {
    pub page: Page,
}

impl Stage {
    async fn order(&self, order: &str) -> Result<Value> {
        let done = self.page.evaluate(&format!("stage.{order}")).await;
        match done {
            Ok(value) => Ok(value),
            Err(error) => {
                let notes = self.page.evaluate("stage.report()").await;
                Err(error.context(format!("stage.{order}; noted so far: {notes:?}\n{}", self.page.log())))
            }
        }
    }

    /// Until the film at `url` has begun to play.
    ///
    /// # Errors
    /// It does not begin.
    pub async fn open(&self, player: Player, url: &str) -> Result<()> {
        self.order(&format!("open({}, {})", json!(player.name()), json!(url))).await.map(drop)
    }

    /// Until the film has come to `time`, in seconds.
    ///
    /// # Errors
    /// It stands still, or the player has given up.
    pub async fn play_to(&self, time: f64) -> Result<()> {
        self.order(&format!("playTo({time})")).await.map(drop)
    }

    /// Jumps to `time`, and plays on for some of the film.
    ///
    /// # Errors
    /// As `play_to`.
    pub async fn seek(&self, time: f64) -> Result<()> {
        self.order(&format!("seek({time})")).await.map(drop)
    }

    /// # Errors
    /// As `play_to`.
    pub async fn play_to_end(&self) -> Result<()> {
        self.order("playToEnd()").await.map(drop)
    }

    /// Looks again at what was missed, for the machine may have been too busy.
    ///
    /// # Errors
    /// As `play_to`.
    pub async fn look_again(&self) -> Result<()> {
        self.order("lookAgain()").await.map(drop)
    }

    /// The heights between which the player can choose, highest first.
    ///
    /// # Errors
    /// The page is gone.
    pub async fn heights(&self) -> Result<Vec<u32>> {
        Ok(serde_json::from_value(self.order("heights()").await?)?)
    }

    /// Has the player go on in another quality, and waits until it is seen.
    ///
    /// # Errors
    /// As `play_to`, or there is no such quality.
    pub async fn choose(&self, height: u32) -> Result<()> {
        self.order(&format!("choose({height})")).await.map(drop)
    }

    /// Adds a `<track>` with the document at `url`, and waits until it is loaded.
    ///
    /// # Errors
    /// It does not load.
    pub async fn track(&self, url: &str, language: &str) -> Result<()> {
        let wrong = self.order(&format!("track({}, {})", json!(url), json!(language))).await?;
        anyhow::ensure!(wrong == "", "{wrong}\n{}", self.page.log());
        Ok(())
    }

    /// Has hls.js or Shaka load the words of a language; gives language and name of all that it offers.
    ///
    /// # Errors
    /// The browser itself plays.
    pub async fn subtitles(&self, language: &str) -> Result<Vec<(String, String)>> {
        Ok(serde_json::from_value(self.order(&format!("subtitles({})", json!(language))).await?)?)
    }

    /// The languages that hls.js or Shaka offers: whether it is the default, and whether it is the one that is spoken.
    ///
    /// # Errors
    /// The browser itself plays.
    pub async fn voices(&self) -> Result<Vec<(String, bool, bool)>> {
        Ok(serde_json::from_value(self.order("voices()").await?)?)
    }

    /// Has the player go on in another language.
    ///
    /// # Errors
    /// As `play_to`, or nobody speaks it.
    pub async fn speak(&self, language: &str) -> Result<()> {
        self.order(&format!("speak({})", json!(language))).await.map(drop)
    }

    /// What is to be read at `time`, in seconds.
    ///
    /// # Errors
    /// As `play_to`, or there are no words in this language.
    pub async fn words(&self, time: f64, language: &str) -> Result<Vec<String>> {
        Ok(serde_json::from_value(self.order(&format!("words({time}, {})", json!(language))).await?)?)
    }

    /// What was seen so far.
    ///
    /// # Errors
    /// The page is gone.
    pub async fn report(&self) -> Result<Report> {
        Ok(serde_json::from_value(self.order("report()").await?)?)
    }
}
