//! Files that are made to hurt, through the whole system: none makes a task read a file or connect to anybody, each ends
//! with a code that is documented or in something playable, within its time and its memory, and the next file is processed.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod bombs;
mod boxes;
mod watched;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reelgate_e2e::{
    client::{Client, Upload, id_of},
    process::Folder,
    sign_in::SignIn,
    site::{Footing, Site, web_safe_clip},
};
use serde_json::Value;

use self::{bombs::Bomb, watched::Watched};

/// Of all tasks of a worker together.
const MEMORY: u64 = 1 << 30;
/// Longer than all attempts of one file may take.
const PATIENCE: Duration = Duration::from_secs(240);
/// What one request may carry.
const AT_ONCE: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn hostile_files_hurt_nobody_embedded() -> Result<()> {
    hostile_files(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_files_hurt_nobody_production() -> Result<()> {
    hostile_files(Footing::Production).await
}

/// What is no film stays none under a film's name: it fails by name, and its bytes are only ever an attachment.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_film_fails_under_its_name_and_is_never_shown_inline() -> Result<()> {
    let pretenders: [(&str, &[u8]); 4] = [
        ("page.mp4", b"<!doctype html><html><script>alert(1)</script></html>"),
        ("drawing.mp4", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"),
        ("archive.mp4", b"PK\x03\x04\x14\0\0\0\0\0\0\0!\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0a"),
        ("program.mp4", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0>\0\x01\0\0\0"),
    ];
    for footing in Footing::ALL {
        let site = Site::start(footing).await?;
        let alice = site.client().signed_in(SignIn::member("alice", "acme").jwt());
        for (name, bytes) in pretenders {
            let file = alice.upload_one(Upload::bytes(name, "video/mp4", bytes)).await?;
            let info = alice.wait_settled(&file, PATIENCE).await.with_context(|| site.output())?;
            ensure!(info["state"] == "failed" && info["failure"]["code"] == "not_media", "{name}: {info}");
            let source = alice.get(&format!("/v1/files/{file}")).await?.expect(200)?;
            let said =
                |header: &str| source.headers.get(header).and_then(|text| text.to_str().ok()).unwrap_or_default();
            ensure!(source.body == bytes && said("content-disposition").starts_with("attachment"), "{name}");
            ensure!(said("x-content-type-options") == "nosniff" && !said("content-type").contains("html"), "{name}");
        }
    }
    Ok(())
}

async fn hostile_files(footing: Footing) -> Result<()> {
    let mut site = Site::builder(footing)
        .env("REELGATE__WORKER__MEMORY_BYTES", MEMORY.to_string())
        .env("REELGATE__WORKER__PROBE_LIMIT_MS", "30000")
        .env("REELGATE__WORKER__NO_PROGRESS_MS", "30000")
        .env("REELGATE__WORKER__CONCURRENCY", "2")
        .env("REELGATE__LADDER__PRESET", "ultrafast")
        .start()
        .await?;
    let (folder, watched) = (Folder::new("hostile")?, Watched::new()?);
    let alice = site.client().signed_in(SignIn::member("alice", "acme").jwt());

    let bombs = bombs::all(&folder, &watched)?;
    let mut ends = Vec::new();
    for some in bombs.chunks(AT_ONCE) {
        let uploads = some.iter().map(|bomb| Upload::bytes(&bomb.name, bomb.claimed, bomb.bytes.clone())).collect();
        for (file, bomb) in alice.upload(uploads).await?.iter().zip(some) {
            ends.push((id_of(file)?, bomb));
        }
    }
    for (file, bomb) in ends {
        let info =
            alice.wait_settled(&file, PATIENCE).await.with_context(|| format!("{}\n{}", bomb.name, site.output()))?;
        ended_well(bomb, &info).with_context(|| site.output())?;
    }

    watched.was_left_alone()?;
    within_memory(&site.output())?;
    lives(&mut site, &alice, &folder).await
}

/// As the bomb says, and with a code that `docs/errors.md` has.
fn ended_well(bomb: &Bomb, info: &Value) -> Result<()> {
    let code = info["failure"]["code"].as_str();
    match code {
        Some(code) => {
            let table = include_str!("../../../docs/errors.md").split("## Of a file that failed").last().unwrap();
            ensure!(table.contains(&format!("| `{code}` |")), "{}: the code {code} is nowhere explained", bomb.name);
            ensure!(code != "task_crashed", "{}: {info}", bomb.name);
        }
        None => ensure!(info["state"] == "ready", "{}: {info}", bomb.name),
    }
    let as_expected = bomb.codes.is_empty() || code.is_some_and(|code| bomb.codes.contains(&code));
    ensure!(as_expected, "{} ended as {code:?}, not one of {:?}: {info}", bomb.name, bomb.codes);
    Ok(())
}

/// Workers log the most that the tasks of each attempt had in memory.
fn within_memory(log: &str) -> Result<()> {
    let peaks: Vec<u64> = log
        .split("peak_bytes=")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok())
        .collect();
    ensure!(!peaks.is_empty(), "no attempt said what it took");
    let most = peaks.iter().max().copied().unwrap_or(0);
    ensure!(most <= MEMORY, "a task had {most} bytes in memory");
    Ok(())
}

/// The processes are those that were started, and a file like any other is processed.
async fn lives(site: &mut Site, alice: &Client, folder: &Folder) -> Result<()> {
    let clip = web_safe_clip(folder)?;
    let file = alice.upload_one(Upload::file("after.mp4", "video/mp4", &clip)).await?;
    let info = alice.wait_settled(&file, PATIENCE).await?;
    ensure!(info["state"] == "ready", "{info}\n{}", site.output());
    for process in site.gateways.iter_mut().map(|gateway| &mut gateway.process).chain(&mut site.workers) {
        ensure!(process.is_running(), "a process died: {}", process.output());
    }
    ensure!(site.output().contains("one has tried to get out"), "{}", site.output());
    Ok(())
}
