//! A whole deployment moves from one footing to the other and back, with `reelgate import` out of the old one or out of a folder that
//! `reelgate export` has written, and is cut short on the way. Nothing is uploaded again, and nobody who plays sees a difference.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use reelgate_common::{
    db::{Db, IMPORT_OFFICE, Row, Table},
    ids::ProcessId,
};
use reelgate_e2e::{
    client::{Client, Upload},
    generated::generated,
    process::{Folder, eventually},
    sign_in::{SignIn, token_keys},
    site::{Footing, Site, web_safe_clip},
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(180);
/// More than two parts of a copy.
const LARGE: usize = 40 << 20;
const CRASH: &str = "REELGATE_CRASH_AT";

/// Nothing is too young for the reconciler, which only looks when it is asked.
async fn site(footing: Footing) -> Result<Site> {
    let site = Site::builder(footing)
        .env("REELGATE__MAINTENANCE__ORPHAN_GRACE_MS", "0")
        .env("REELGATE__MAINTENANCE__RECONCILE_MS", "3600000")
        .env("REELGATE__TRASH__KEEP_MS", "86400000");
    site.start().await
}

/// Everything is stopped as by a power cut.
fn stop(site: &mut Site) -> Result<()> {
    for gateway in &mut site.gateways {
        gateway.process.kill()?;
    }
    for worker in &mut site.workers {
        worker.kill()?;
    }
    Ok(())
}

async fn start(site: &mut Site) -> Result<()> {
    site.restart_gateway(0).await?;
    if site.footing == Footing::Production {
        site.relaunch_worker(0)?;
    }
    Ok(())
}

fn alice(site: &Site) -> Client {
    site.client().signed_in(SignIn::admin("alice", "acme").jwt())
}

/// How the next site's command names this one. A production site is named by a file of its environment.
fn named(site: &mut Site, folder: &Folder) -> Result<Vec<String>> {
    if site.footing == Footing::Embedded {
        return Ok(vec![format!("--from-data-dir={}", site.data_folder().display())]);
    }
    let services = site.services()?;
    let mut environment = services.bucket.environment();
    environment.push(("REELGATE__DATABASE__URL".to_owned(), services.database.clone()));
    environment.push(("REELGATE__QUEUE__URL".to_owned(), services.redis.url()));
    environment.push(("REELGATE__TOKENS__KEYS".to_owned(), token_keys()));
    let lines: Vec<String> = environment.iter().map(|(name, value)| format!("{name}=\"{value}\"\n")).collect();
    let path = folder.join("old.env");
    std::fs::write(&path, format!("# the old deployment\n{}", lines.concat()))?;
    Ok(vec![format!("--from={path}")])
}

fn run(site: &Site, command: &str, arguments: &[String]) -> Result<(bool, String)> {
    let arguments: Vec<&str> = [command].into_iter().chain(arguments.iter().map(String::as_str)).collect();
    site.command(&arguments)
}

fn done(site: &Site, command: &str, arguments: &[String]) -> Result<Value> {
    let (succeeded, output) = run(site, command, arguments)?;
    ensure!(succeeded, "{command} {arguments:?}: {output}");
    let json = output.find("{\n").context(output.clone())?;
    let mut values = serde_json::Deserializer::from_str(&output[json..]).into_iter();
    Ok(values.next().context("no JSON")??)
}

fn refused(site: &Site, command: &str, arguments: &[String], code: &str) -> Result<()> {
    let (succeeded, output) = run(site, command, arguments)?;
    ensure!(!succeeded && output.contains(code), "{command} {arguments:?} is not refused with {code}: {output}");
    Ok(())
}

/// Something of everything, and a film whose processing is cut off.
struct Filled {
    film: String,
    large: String,
    trashed: String,
    cut_off: String,
    clip: PathBuf,
    _folder: Folder,
}

impl Filled {
    async fn fill(site: &mut Site) -> Result<Self> {
        let folder = Folder::new("moving")?;
        let (clip, alice) = (web_safe_clip(&folder)?, alice(site));
        let film = alice.upload_one(Upload::file("film.mp4", "video/mp4", &clip)).await?;
        let large =
            alice.upload_one(Upload::bytes("large.bin", "application/octet-stream", generated(7, LARGE))).await?;
        let trashed = alice.upload_one(Upload::text("gone.txt", "thrown away, and not gone")).await?;
        for file in [&film, &large, &trashed] {
            alice.wait_settled(file, PATIENCE).await.with_context(|| site.output())?;
        }
        alice.delete(&format!("/v1/files/{trashed}")).await?.expect(200)?;
        let (succeeded, said) =
            site.command(&["tag", &film, "--add=kept", &format!("--url={}", alice.base()), &jwt_argument()])?;
        ensure!(succeeded, "{said}");
        alice.post_json("/v1/webhooks", &json!({"url": "https://receiver.example/hook"})).await?.expect(200)?;
        let thumbnail = format!("/v1/files/{film}/thumbnail?t=1&w=160");
        eventually("a thumbnail", PATIENCE, async || alice.get(&thumbnail).await.is_ok_and(|it| it.status == 200))
            .await?;
        let cut_off = alice.upload_one(Upload::file("later.mp4", "video/mp4", &clip)).await?;
        stop(site)?;
        Ok(Self { film, large, trashed, cut_off, clip, _folder: folder })
    }

    /// What people get: bytes by what they are of.
    async fn seen(&self, site: &Site) -> Result<BTreeMap<String, Bytes>> {
        let alice = alice(site);
        let mut seen = BTreeMap::new();
        let info = alice.info(&self.film).await?;
        for rendition in info["renditions"].as_array().context("renditions")? {
            let (name, kind) = (rendition["name"].as_str().unwrap(), rendition["kind"].as_str().unwrap());
            if ["video", "audio"].contains(&kind) {
                let path = format!("/v1/files/{}?rendition={name}", self.film);
                seen.insert(format!("rendition {name}"), alice.get(&path).await?.expect(200)?.body);
            }
        }
        for image in ["poster", "storyboard.vtt", "thumbnail?t=1&w=160"] {
            let path = format!("/v1/files/{}/{image}", self.film);
            seen.insert(image.to_owned(), alice.get(&path).await?.expect(200)?.body);
        }
        let path = format!("/v1/files/{}?rendition=source", self.large);
        seen.insert("large".to_owned(), alice.get(&path).await?.expect(200)?.body);
        seen.extend(self.segments(site).await?);
        let info =
            ["id", "location", "tags", "renditions", "media", "created_at", "sha256"].map(|key| info[key].clone());
        seen.insert("info".to_owned(), json!(info).to_string().into());
        let list = alice.get("/v1/files?trashed=true").await?.expect(200)?.json()?;
        seen.insert("trash".to_owned(), list["files"][0]["id"].to_string().into());
        Ok(seen)
    }

    /// The first pieces that a player of HLS fetches; playlists name a lease, so they differ.
    async fn segments(&self, site: &Site) -> Result<BTreeMap<String, Bytes>> {
        let alice = alice(site);
        let token = alice.stream_token(&json!({})).await?;
        let master = format!("/v1/files/stream/{}/master.m3u8?token={token}", self.film);
        let beside =
            |of: &str, name: &str| format!("{}/{name}", of.split('?').next().unwrap().rsplit_once('/').unwrap().0);
        let named =
            |text: &str| text.lines().find(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned);
        let text = String::from_utf8(site.client().get(&master).await?.expect(200)?.body.to_vec())?;
        let playlist = beside(&master, &named(&text).context(text)?);
        let text = String::from_utf8(site.client().get(&playlist).await?.expect(200)?.body.to_vec())?;
        let segment = beside(&playlist, &named(&text).context(text)?);
        let bytes = site.client().get(&segment).await?.expect(200)?.body;
        Ok(BTreeMap::from([("segment".to_owned(), bytes)]))
    }
}

fn jwt_argument() -> String {
    format!("--jwt={}", SignIn::admin("alice", "acme").jwt())
}

/// Of each table, without what a move must change.
async fn rows(db: &Db) -> Result<BTreeMap<Table, Vec<Row>>> {
    let changes = |table: Table| match table {
        Table::Files => &["staged_version"][..],
        Table::Jobs => &["state", "worker", "heartbeat_at", "lease_ms", "next_attempt_at"],
        Table::Attempts => &["ended_at", "outcome"],
        _ => &[],
    };
    let mut all = BTreeMap::new();
    for table in Table::ALL {
        let mut rows = db.rows_after(*table, None, 100_000).await?;
        rows.iter_mut().for_each(|row| row.retain(|column, _| !changes(*table).contains(&column.as_str())));
        // The two databases order texts differently.
        rows.sort_by_key(|row| json!(row).to_string());
        all.insert(*table, rows);
    }
    Ok(all)
}

fn is_alike(old: &BTreeMap<Table, Vec<Row>>, new: &BTreeMap<Table, Vec<Row>>) {
    for table in Table::ALL {
        assert_eq!(old[table], new[table], "{table}");
    }
    let filled = [Table::Files, Table::FileTags, Table::Renditions, Table::Stills, Table::Jobs, Table::Attempts];
    let told = [Table::Events, Table::EventCounters, Table::Webhooks, Table::Deliveries, Table::PlaybackLeases];
    for table in filled.into_iter().chain(told) {
        assert!(!old[&table].is_empty(), "nothing was in {table}, so its move was not tried");
    }
}

/// Imports, cut short once among the objects and once among the rows.
async fn import_in_three_runs(to: &mut Site, origin: &[String]) -> Result<()> {
    for point in ["import-object", "import-table"] {
        to.set_env(CRASH, point);
        let (succeeded, output) = run(to, "import", origin)?;
        ensure!(!succeeded && output.contains("crashing at"), "{output}");
    }
    to.set_env(CRASH, "");
    to.set_env("REELGATE__WORKER__SCRATCH_DIR", to.scratch());
    let (succeeded, said) = to.command(&["check"])?;
    ensure!(!succeeded && said.contains("is not finished"), "half an import can be served: {said}");
    let json = [origin, &["--json".to_owned()]].concat();
    let summary = done(to, "import", &json)?;
    ensure!(summary["objects_missing"] == 0, "{summary}");
    ensure!(summary["objects_copied"] == 0, "what the second run had brought was brought again: {summary}");
    ensure!(summary["objects_there"].as_u64() > Some(5), "{summary}");
    refused(to, "import", origin, "target_not_empty")
}

/// Two of the same move would wipe each other's rows. Of a folder nobody but one has the lock.
async fn a_second_import_is_refused(to: &Site, origin: &[String]) -> Result<()> {
    let (db, first) = (to.database().await?, ProcessId::new("import-first"));
    let term = Duration::from_secs(6);
    ensure!(db.hold_office(IMPORT_OFFICE, &first, term).await?);
    let (kept, holder) = (db.clone(), first.clone());
    let holding = tokio::spawn(async move {
        while kept.hold_office(IMPORT_OFFICE, &holder, term).await.is_ok() {
            tokio::time::sleep(term / 6).await;
        }
    });
    let before = rows(&db).await?;
    refused(to, "import", origin, "target_busy")?;
    ensure!(rows(&db).await? == before, "it has changed something");
    holding.abort();
    Ok(db.leave_office(IMPORT_OFFICE, &first).await?)
}

fn export_in_two_runs(from: &mut Site, archive: &str) -> Result<()> {
    let arguments = [archive.to_owned(), "--json".to_owned()];
    from.set_env(CRASH, "export-table");
    let (succeeded, output) = run(from, "export", &arguments)?;
    ensure!(!succeeded && output.contains("crashing at"), "{output}");
    from.set_env(CRASH, "");
    refused(from, "import", &arguments[..1], "manifest.json")?;
    let summary = done(from, "export", &arguments)?;
    ensure!(summary["objects_copied"] == 0 && summary["objects_missing"] == 0, "{summary}");
    refused(from, "export", &arguments, "archive_unusable")
}

fn a_changed_list_is_refused(to: &Site, archive: &str) -> Result<()> {
    let list = format!("{archive}/rows/events.jsonl");
    let whole = std::fs::read(&list)?;
    std::fs::write(&list, &whole[..whole.len() / 2])?;
    refused(to, "import", &[archive.to_owned()], "archive_unusable")?;
    Ok(std::fs::write(&list, whole)?)
}

fn nothing_differs(site: &Site) -> Result<()> {
    let (succeeded, output) = site.command(&["reconcile", "--dry-run"])?;
    ensure!(succeeded && output.contains("0 differences"), "{output}");
    Ok(())
}

async fn goes_on(site: &mut Site, filled: &Filled, before: &BTreeMap<String, Bytes>) -> Result<()> {
    start(site).await?;
    let alice = alice(site);
    let after = filled.seen(site).await?;
    let differ: Vec<&String> = before.keys().filter(|key| before[*key] != after[*key]).collect();
    ensure!(differ.is_empty() && before.len() == after.len(), "{differ:?} differ; {:?}", after.keys());
    alice.wait_settled(&filled.cut_off, PATIENCE).await.with_context(|| site.output())?;
    let path = format!("/v1/files/{}?rendition=source", filled.cut_off);
    ensure!(alice.get(&path).await?.expect(200)?.body == std::fs::read(&filled.clip)?, "the film that was cut off");
    // Its source is promoted after the film is ready.
    eventually("database and store agree", PATIENCE, async || nothing_differs(site).is_ok()).await
}

async fn moves_there_and_back(first: Footing, second: Footing) -> Result<()> {
    let folder = Folder::new("moves")?;
    let mut old = site(first).await?;
    let filled = Filled::fill(&mut old).await?;
    start(&mut old).await?;
    let before = filled.seen(&old).await?;
    let mut new = site(second).await?;
    let origin = named(&mut old, &folder)?;
    if second == Footing::Production {
        refused(&new, "import", &[origin.clone(), vec!["--ahead".to_owned()]].concat(), "still_served")?;
    }
    stop(&mut new)?;
    wait_until_nobody_serves(&new).await?;
    refused(&new, "import", &origin, if first == Footing::Embedded { "another server" } else { "still_served" })?;
    let ahead = [origin.clone(), vec!["--ahead".to_owned(), "--json".to_owned()]].concat();
    ensure!(done(&new, "import", &ahead)?["objects_copied"].as_u64() > Some(5));
    // What was thrown away after that must not stay there.
    alice(&old).delete(&format!("/v1/files/{}?permanent=true", filled.trashed)).await?.expect(200)?;
    let again = alice(&old).upload_one(Upload::text("gone.txt", "another")).await?;
    alice(&old).wait_settled(&again, PATIENCE).await?;
    alice(&old).delete(&format!("/v1/files/{again}")).await?.expect(200)?;
    let filled = Filled { trashed: again, ..filled };
    let before =
        BTreeMap::from_iter(before.into_iter().chain([("trash".to_owned(), format!("\"{}\"", filled.trashed).into())]));
    stop(&mut old)?;
    wait_until_nobody_serves(&old).await?;

    if second == Footing::Production {
        a_second_import_is_refused(&new, &origin).await?;
    }
    import_in_three_runs(&mut new, &origin).await?;
    is_alike(&rows(&old.database().await?).await?, &rows(&new.database().await?).await?);
    nothing_differs(&new)?;
    goes_on(&mut new, &filled, &before).await?;
    stop(&mut new)?;
    wait_until_nobody_serves(&new).await?;

    let mut third = site(first).await?;
    stop(&mut third)?;
    wait_until_nobody_serves(&third).await?;
    let archive = folder.join("archive");
    export_in_two_runs(&mut new, &archive)?;
    a_changed_list_is_refused(&third, &archive)?;
    done(&third, "import", &[archive.clone(), "--json".to_owned()])?;
    is_alike(&rows(&new.database().await?).await?, &rows(&third.database().await?).await?);
    goes_on(&mut third, &filled, &before).await
}

/// A gateway that was killed holds its office for a term.
async fn wait_until_nobody_serves(site: &Site) -> Result<()> {
    let db = site.database().await?;
    eventually("its office is free", PATIENCE, async || matches!(db.served_until().await, Ok(None))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_moves_from_one_machine_to_services_and_back() -> Result<()> {
    moves_there_and_back(Footing::Embedded, Footing::Production).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_moves_from_services_to_one_machine_and_back() -> Result<()> {
    moves_there_and_back(Footing::Production, Footing::Embedded).await
}

/// Secrets of webhooks are sealed: who cannot open them is told before anything is copied. A new data folder gets what opens them.
#[tokio::test(flavor = "multi_thread")]
async fn what_opens_the_secrets_must_come_along() -> Result<()> {
    let folder = Folder::new("moves")?;
    let mut old = site(Footing::Production).await?;
    let alice = alice(&old);
    alice.post_json("/v1/webhooks", &json!({"url": "https://receiver.example/hook"})).await?.expect(200)?;
    let origin = named(&mut old, &folder)?;
    stop(&mut old)?;
    wait_until_nobody_serves(&old).await?;
    let data = format!("--data-dir={}", folder.join("new"));
    let into = |env: &[(&str, &str)]| -> Result<(bool, String)> {
        let mut command = std::process::Command::new(reelgate_e2e::site::program("reelgate")?);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let output = command.envs(env.iter().copied()).arg("import").args(&origin).arg(&data).output()?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
    };
    let others = format!("other:{}", token_keys().split_once(':').context("a key")?.1.replace('d', "e"));
    let (succeeded, said) = into(&[("REELGATE__TOKENS__KEYS", &others)])?;
    ensure!(!succeeded && said.contains("keys_missing") && said.contains("1 webhooks"), "{said}");
    let (succeeded, said) = into(&[])?;
    ensure!(succeeded && said.contains("tokens.keys was carried over"), "{said}");
    ensure!(std::fs::read_to_string(folder.join("new/tokens.keys"))? == token_keys());
    Ok(())
}
