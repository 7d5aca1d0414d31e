//! tus-js-client and Uppy as npm has them upload through two gateways, while their connections are cut at random points and the gateways are
//! killed in turn. The whole of it (`make tus-cuts`): a gibibyte, 50 cuts, 10 kills.
#![allow(clippy::print_stdout, reason = "the figures are wanted")]

use std::{
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use reelgate_e2e::{
    browser::Browser,
    chaos::dice::Dice,
    generated::generated,
    process::{Folder, Launch, eventually},
    proxy::cutter::Cutter,
    sign_in::SignIn,
    site::{Footing, Site},
};
use serde_json::json;

use super::talk::sha256_of;

const MIB: u64 = 1 << 20;
const NAME: &str = "large.bin";
const ORG: &str = "cuts";
/// For all of it on a busy machine.
const PATIENCE: Duration = Duration::from_secs(1_200);
/// More of them than of the file may have been sent by the end.
const MOST: f64 = 1.1;

/// What is to happen, by `UPLOAD_MIB`, `UPLOAD_CUTS`, `UPLOAD_KILLS` and `UPLOAD_SEED`.
struct Plan {
    bytes: u64,
    cuts: Vec<u64>,
    kills: Vec<u64>,
    seed: u64,
}

impl Plan {
    fn read() -> Self {
        let number = |name, default| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
        let (bytes, seed) = (number("UPLOAD_MIB", 384) * MIB, number("UPLOAD_SEED", 20_261_130));
        let mut dice = Dice::new(seed);
        // Of the file's bytes, so that each is met even if nothing is sent twice.
        let mut points = |count| (0..count).map(|_| dice.throw() % bytes).collect::<Vec<_>>();
        // Fewer for the bytes than in the whole run: at each, a busy machine's gateway loses up to 2 MiB that the kernel has and it has not read.
        let cuts = points(number("UPLOAD_CUTS", 12));
        let mut kills = points(number("UPLOAD_KILLS", 2));
        kills.sort_unstable();
        Self { bytes, cuts, kills, seed }
    }

    fn file(&self, folder: &Folder) -> Result<PathBuf> {
        let path = folder.path().join(NAME);
        let mut file = std::fs::File::create(&path)?;
        for at in (0..self.bytes).step_by(MIB as usize) {
            file.write_all(&generated(at, MIB as usize))?;
        }
        Ok(path)
    }
}

/// Who uploads.
#[derive(Debug, Clone, Copy)]
enum Uploader {
    TusJs,
    Uppy,
}

impl Uploader {
    /// Gives the file's id.
    async fn upload(self, (endpoint, token): (&str, &str), path: &Path, folder: &Folder) -> Result<String> {
        match self {
            Self::TusJs => in_node((endpoint, token), path, folder).await,
            Self::Uppy => in_the_browser((endpoint, token), path).await,
        }
    }
}

async fn in_node((endpoint, token): (&str, &str), path: &Path, folder: &Folder) -> Result<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("uploaders/tus.js");
    let arguments = [&*script.to_string_lossy(), endpoint, token, &*path.to_string_lossy()].map(str::to_owned);
    let mut node = Launch::new("node", folder.join("node.log")).args(arguments).start()?;
    let ended = eventually("tus-js-client has ended", PATIENCE, async || !node.is_running()).await;
    ended.with_context(|| node.output())?;
    let output = node.output();
    let file = output.lines().find_map(|line| line.strip_prefix("file ")).with_context(|| output.clone())?;
    Ok(file.to_owned())
}

async fn in_the_browser((endpoint, token): (&str, &str), path: &Path) -> Result<String> {
    let browser = Browser::start().await?;
    let page = browser.uploader().await?;
    page.evaluate(&format!("uploader.wait({}, {})", json!(endpoint), json!(token))).await?;
    page.choose_file("input", path).await?;
    let ended = eventually("Uppy has ended", PATIENCE, async || {
        page.evaluate("uploader.state").await.is_ok_and(|state| state == "done" || state == "failed")
    });
    ended.await.with_context(|| page.log())?;
    let end = page.evaluate("[uploader.state, uploader.file, uploader.error]").await?;
    ensure!(end[0] == "done", "{end}\n{}", page.log());
    Ok(end[1].as_str().context("no file")?.to_owned())
}

async fn uploads_whole(uploader: Uploader) -> Result<()> {
    let (plan, folder) = (Plan::read(), Folder::new("cuts")?);
    let path = plan.file(&folder)?;
    let mut site = Site::builder(Footing::Production).gateways(2).workers(0).start().await?;
    let alice = site.client().signed_in(SignIn::member("alice", ORG).jwt());
    let token = alice.post_json("/v1/uploads/token", &json!({})).await?.expect(200)?.json()?;
    let token = token["token"].as_str().context("no token")?;
    let ports = site.gateways.iter().map(|gateway| gateway.url().rsplit(':').next().unwrap_or_default().parse());
    let cutter = Cutter::start(ports.collect::<Result<_, _>>()?, plan.cuts.clone())?;
    let endpoint = format!("{}/v1/uploads", cutter.url());

    let killing = async {
        for (n, &kill) in plan.kills.iter().enumerate() {
            cutter.has_sent(kill).await;
            site.restart_gateway(n % 2).await?;
        }
        anyhow::Ok(())
    };
    let (file, killed) = tokio::join!(uploader.upload((&endpoint, token), &path, &folder), killing);
    let file = file.with_context(|| format!("seed {}, {} bytes sent\n{}", plan.seed, cutter.sent(), site.output()))?;
    killed?;

    let info = site.client().signed_in(SignIn::member("alice", ORG).jwt()).info(&file).await?;
    ensure!(info["filename"] == NAME && info["size_bytes"] == plan.bytes, "{info}");
    ensure!(info["sha256"] == sha256_of(&path)?, "other bytes than were sent: {info}");
    let (cuts, sent) = (cutter.cuts(), cutter.sent());
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more digits")]
    let share = sent as f64 / plan.bytes as f64;
    println!("{uploader:?}: {share:.4} of {} bytes were sent, {cuts} cuts, {} kills", plan.bytes, plan.kills.len());
    ensure!(cuts == plan.cuts.len(), "{cuts} cuts of {}", plan.cuts.len());
    ensure!(share <= MOST, "every byte was sent {share} times, seed {}", plan.seed);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tus_js_client_uploads_whole_through_cuts_and_kills() -> Result<()> {
    uploads_whole(Uploader::TusJs).await
}

#[tokio::test(flavor = "multi_thread")]
async fn uppy_in_the_browser_uploads_whole_through_cuts_and_kills() -> Result<()> {
    uploads_whole(Uploader::Uppy).await
}
