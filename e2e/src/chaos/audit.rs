//! After the faults: waits for quiet, then holds the promises against what there is. Reads the database and the store by
//! itself, not through the product, wherever the product could be wrong about itself.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use reelgate_common::{
    db::{Db, FileFilter, FileWithRenditions},
    file::FileState,
    hex::hex,
    ids::OrgId,
    key::Key,
    listing::Sort,
};
use rustix::process::Signal;
use sha2::{Digest, Sha256};
use tokio::time::sleep;

use super::{
    clients::ORGS,
    ledger::{Deletion, Ledger, Promise},
    media::Kind,
    toll,
};
use crate::{
    client::Client,
    sign_in::{AUTH_SECRET, SignIn, token_keys},
    site::Site,
};

/// Enough for every backoff, every grace period and every sweep of the run's configuration, on a busy machine.
const QUIET: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_millis(300);
/// The figure of files that are there and that no client knows of.
pub(crate) const UNANSWERED: &str = "uploads that arrived and were not answered";
const STOPPING: Duration = Duration::from_secs(60);

/// A deployment whose promises are looked at.
pub(crate) trait Stage {
    fn site(&self) -> &Site;

    /// Starts whoever has died meanwhile, where something still strikes.
    ///
    /// # Errors
    /// It cannot be started.
    fn supervise(&mut self) -> Result<()>;
}

impl Stage for Site {
    fn site(&self) -> &Site {
        self
    }

    fn supervise(&mut self) -> Result<()> {
        Ok(())
    }
}

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) figures: Vec<(&'static str, String)>,
    /// What is wrong with the product.
    pub(crate) broken: Vec<String>,
}

/// Waits until nothing moves any more, and looks whether all is there that was promised, and nothing else.
///
/// # Errors
/// Database or store cannot be read. What is wrong with the product is among the findings.
pub(crate) async fn settled(stage: &mut impl Stage, ledger: &Ledger) -> Result<Findings> {
    let (begun, mut found) = (Instant::now(), Findings::default());
    let unsettled = quiet(stage, unsettled).await?;
    found.figures.push(("settled after (s)", begun.elapsed().as_secs().to_string()));
    found.broken.extend(unsettled);
    let rows = rows(&stage.site().database().await?).await?;
    let differences = quiet(stage, differences).await?;
    found.figures.push(("nothing left over after (s)", begun.elapsed().as_secs().to_string()));
    found.broken.extend(differences);
    promises(stage.site(), ledger, &rows, &mut found).await?;
    found.figures.extend(toll::figures(stage.site(), &rows).await?);
    Ok(found)
}

/// Has everything end, and looks at what that leaves behind.
///
/// # Errors
/// Redis, scratch or logs cannot be read.
pub(crate) async fn ended(site: &mut Site) -> Result<Findings> {
    let mut broken = redis(site).await?;
    broken.extend(stop(site)?);
    broken.extend(secrets(site)?);
    Ok(Findings { figures: Vec::new(), broken })
}

/// Asks until nothing is wrong, or time is up; gives what is wrong then.
async fn quiet(stage: &mut impl Stage, wrong: impl AsyncFn(&Site) -> Result<Vec<String>>) -> Result<Vec<String>> {
    let end = Instant::now() + QUIET;
    loop {
        stage.supervise()?;
        let left = wrong(stage.site()).await;
        if Instant::now() > end || left.as_ref().is_ok_and(Vec::is_empty) {
            return left;
        }
        sleep(PAUSE).await;
    }
}

async fn rows(db: &Db) -> Result<Vec<FileWithRenditions>> {
    let mut rows: Vec<FileWithRenditions> = Vec::new();
    for org in ORGS {
        let mut after = None;
        loop {
            let filter = FileFilter { after, limit: 200, ..FileFilter::default() };
            let page = db.list_files(&OrgId::new(org), &filter).await?;
            after = page.last().map(|row| Sort::default().place_of(&row.file));
            rows.extend(page);
            if after.is_none() {
                break;
            }
        }
    }
    Ok(rows)
}

/// Files that still are on their way, answered or not, and deletions that are not done.
async fn unsettled(site: &Site) -> Result<Vec<String>> {
    let db = site.database().await?;
    let rows = rows(&db).await?.into_iter().map(|row| row.file);
    let left = rows.filter(|file| match file.state {
        FileState::Failed => file.failure.is_none(),
        FileState::Ready => file.progress < 1.0,
        _ => true,
    });
    let mut wrong: Vec<String> =
        left.map(|file| format!("{} stays {} at {}", file.id, file.state, file.progress)).collect();
    wrong
        .extend(db.tombstones(10).await?.iter().map(|gone| format!("{} is deleted and still has a row", gone.file_id)));
    Ok(wrong)
}

/// Objects that no row names, names without an object, and gauges that are not zero.
async fn differences(site: &Site) -> Result<Vec<String>> {
    let rows = rows(&site.database().await?).await?;
    let named: BTreeSet<String> = rows.iter().flat_map(keys).map(|key| key.to_string()).collect();
    let mut stored: BTreeSet<String> = site.stored("staging/").await?.into_iter().collect();
    stored.extend(site.stored("media/").await?);
    let orphans = stored.difference(&named).map(|key| format!("nobody names {key}"));
    let missing = named.difference(&stored).map(|key| format!("{key} is named and not there"));
    let mut wrong: Vec<String> = orphans.chain(missing).collect();
    for gateway in &site.gateways {
        let metrics = Client::new(gateway.ops_url()).get("/metrics").await?.expect(200)?.body;
        let text = String::from_utf8_lossy(&metrics).into_owned();
        let gauges = text
            .lines()
            .filter(|line| line.starts_with("reelgate_stuck_files ") || line.starts_with("reelgate_orphan_bytes "));
        wrong.extend(gauges.filter(|line| !line.ends_with(" 0")).map(str::to_owned));
    }
    Ok(wrong)
}

fn keys(row: &FileWithRenditions) -> Vec<Key> {
    let file = &row.file;
    row.renditions.iter().flat_map(|it| it.keys(&file.org_id)).chain([file.source_key.clone()]).collect()
}

async fn promises(site: &Site, ledger: &Ledger, rows: &[FileWithRenditions], found: &mut Findings) -> Result<()> {
    let by_id: HashMap<String, &FileWithRenditions> = rows.iter().map(|row| (row.file.id.to_string(), row)).collect();
    let promises = ledger.promises();
    let (mut ready, mut failed, mut deleted, mut failures) = (0, 0, 0, Vec::new());
    for (file, promise) in &promises {
        let row = by_id.get(file);
        match (promise.deletion, row) {
            (Deletion::Answered, Some(_)) => found.broken.push(format!("{file} was deleted and is back")),
            (Deletion::None, None) => found.broken.push(format!("{file} was promised and is lost")),
            (Deletion::Answered | Deletion::Asked, None) => deleted += 1,
            (_, Some(row)) => {
                found.broken.extend(same(site, file, promise, row).await?);
                let is_failed = row.file.state == FileState::Failed;
                failed += usize::from(is_failed);
                ready += usize::from(!is_failed);
                if is_failed && promise.kind != Kind::Junk {
                    failures.push(row.file.failure.clone().map(|failure| failure.code).unwrap_or_default());
                }
            }
        }
    }
    let unanswered = rows.iter().filter(|row| !promises.contains_key(&row.file.id.to_string())).count();
    found.figures.push(("uploads answered", promises.len().to_string()));
    found.figures.push(("  of these ready, failed, deleted", format!("{ready}, {failed}, {deleted}")));
    found.figures.push(("  good ones that failed", format!("{failures:?}")));
    found.figures.push((UNANSWERED, unanswered.to_string()));
    found.broken.extend(twice(rows, &promises));
    Ok(())
}

/// The bytes that were sent, read through a gateway, and every rendition whole.
async fn same(site: &Site, file: &str, promise: &Promise, row: &FileWithRenditions) -> Result<Vec<String>> {
    let client = site.gateways[0].client().signed_in(SignIn::member("alice", promise.org).ttl(86_400).jwt());
    let mut wrong = Vec::new();
    let source = client.get(&format!("/v1/files/{file}?rendition=source")).await?;
    if source.status != 200 || source.body != promise.bytes {
        wrong.push(format!("{file} is not what was sent ({})", source.status));
    }
    if row.file.sha256 != hex(&Sha256::digest(&promise.bytes)) {
        wrong.push(format!("{file} has the digest of something else"));
    }
    for rendition in &row.renditions {
        let name = &rendition.name;
        let whole = client.get(&format!("/v1/files/{file}?rendition={name}")).await?;
        if whole.status == 200 && whole.body.len() as u64 == rendition.size_bytes {
            continue;
        }
        // What is no stream has an address of its own.
        if !rendition.is_playable() {
            continue;
        }
        wrong.push(format!("{name} of {file} is not whole ({})", whole.status));
    }
    Ok(wrong)
}

/// Each name once; and what is ready has everything that others of its kind have.
fn twice(rows: &[FileWithRenditions], promises: &HashMap<String, Promise>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut most: HashMap<Kind, BTreeSet<&str>> = HashMap::new();
    let results = |row: &'_ FileWithRenditions| row.renditions.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
    let promised = |row: &FileWithRenditions| promises.get(&row.file.id.to_string()).map(|promise| promise.kind);
    for row in rows {
        let (names, unique) = (results(row).len(), results(row).into_iter().collect::<BTreeSet<_>>().len());
        if names != unique {
            wrong.push(format!("{} has a rendition twice: {:?}", row.file.id, results(row)));
        }
        if let Some(kind) = promised(row) {
            most.entry(kind).or_default().extend(row.renditions.iter().map(|it| it.name.as_str()));
        }
    }
    for row in rows.iter().filter(|row| row.file.state == FileState::Ready) {
        let Some(all) = promised(row).and_then(|kind| most.get(&kind)) else { continue };
        let has: BTreeSet<&str> = row.renditions.iter().map(|it| it.name.as_str()).collect();
        if has != *all {
            wrong.push(format!("{} has {has:?} where others have {all:?}", row.file.id));
        }
    }
    wrong
}

/// Only what expires by itself, the dead letters kept for show, and the count of the turns that were taken.
async fn redis(site: &mut Site) -> Result<Vec<String>> {
    let keys = site.services()?.redis.command("KEYS *").await?;
    let names = keys.lines().filter(|line| line.starts_with('{'));
    let kept = |name: &&str| ["lease", ":dead", ":reasons", ":turns"].iter().any(|kept| name.contains(kept));
    Ok(names.filter(|name| !kept(name)).map(|name| format!("Redis still has {name}")).collect())
}

/// Everybody ends well when asked to, and leaves nothing in scratch.
fn stop(site: &mut Site) -> Result<Vec<String>> {
    let scratch = site.scratch();
    let mut wrong = Vec::new();
    for process in site.workers.iter_mut().chain(site.gateways.iter_mut().map(|gateway| &mut gateway.process)) {
        process.signal(Signal::TERM)?;
    }
    for process in site.workers.iter_mut().chain(site.gateways.iter_mut().map(|gateway| &mut gateway.process)) {
        match process.wait(STOPPING) {
            Ok(status) if status.success() => {}
            other => wrong.push(format!("a process did not end well: {other:?}")),
        }
    }
    for entry in fs::read_dir(&scratch)? {
        let name = entry?.file_name();
        if name != "lock" {
            wrong.push(format!("scratch still has {}", name.to_string_lossy()));
        }
    }
    Ok(wrong)
}

fn secrets(site: &mut Site) -> Result<Vec<String>> {
    let services = site.services()?;
    let keys = token_keys();
    let key = keys.split_once(':').context("a key")?.1.to_owned();
    let raw = String::from_utf8_lossy(&STANDARD.decode(&key)?).into_owned();
    let secrets = [
        ("the secret of sign-in", AUTH_SECRET.to_owned()),
        ("the key of stream tokens", key),
        ("the key of stream tokens, decoded", raw),
        ("the store's secret", services.bucket.secret_key.to_owned()),
        ("a sign-in token", "eyJ".to_owned()),
        ("a stream token", "token=".to_owned()),
    ];
    let mut wrong = Vec::new();
    for log in site.logs()? {
        let text = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        for (what, secret) in &secrets {
            if let Some(line) = text.lines().find(|line| line.contains(secret)) {
                wrong.push(format!("{what} stands in a log: {line}"));
            }
        }
    }
    Ok(wrong)
}
