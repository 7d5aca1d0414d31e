//! The JavaScript client (`web/client`) against a real server: Node runs its tests, which upload through a connection that is cut, play, list
//! and listen.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use reelgate_e2e::{
    client::Upload,
    process::{Folder, Launch, eventually},
    sign_in::SignIn,
    site::{Footing, Site, program, web_safe_clip},
};

const PATIENCE: Duration = Duration::from_secs(300);

fn client() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/client")
}

async fn the_clients_own_tests_pass(footing: Footing) -> Result<()> {
    ensure!(client().join("dist/index.js").exists(), "the client is not built: run scripts/build-client");
    let (site, folder) = (Site::start(footing).await?, Folder::new("javascript")?);
    let jwt = SignIn::member("alice", "acme").jwt();
    let alice = site.client().signed_in(jwt.clone());
    let film = alice.upload_one(Upload::file("film.mp4", "video/mp4", web_safe_clip(&folder)?)).await?;
    alice.wait_ready(&film).await?;
    let tests = std::fs::read_dir(client().join("test"))?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let tests = tests.iter().map(|path| path.to_string_lossy().into_owned()).filter(|name| name.ends_with(".test.mjs"));
    let mut node = Launch::new("node", folder.join("node.log"))
        .args(["--test".to_owned()].into_iter().chain(tests))
        .env("REELGATE_URL", site.client().base())
        .env("REELGATE_JWT", jwt)
        .env("REELGATE_FILM", film)
        .directory(client())
        .start()?;
    eventually("the tests have ended", PATIENCE, async || !node.is_running()).await.with_context(|| node.output())?;
    let output = node.output();
    ensure!(node.wait(PATIENCE)?.success(), "{output}\n{}", site.output());
    let passed = output.lines().find_map(|line| line.trim_start_matches(['#', 'ℹ', ' ']).strip_prefix("pass "));
    ensure!(passed.is_some_and(|count| count.parse::<u32>().is_ok_and(|count| count >= 11)), "too few ran: {output}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_own_tests_pass_embedded() -> Result<()> {
    the_clients_own_tests_pass(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_own_tests_pass_in_production() -> Result<()> {
    the_clients_own_tests_pass(Footing::Production).await
}

/// `reelgate openapi | node api.mjs > src/api.ts` in `web/client` makes them anew.
#[test]
fn the_clients_types_are_those_of_the_document() -> Result<()> {
    let mut document = Command::new(program("reelgate")?).arg("openapi").stdout(Stdio::piped()).spawn()?;
    let output = document.stdout.take().context("it is piped")?;
    let made = Command::new("node").arg("api.mjs").current_dir(client()).stdin(output).output()?;
    ensure!(document.wait()?.success(), "no document");
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let kept = std::fs::read(client().join("src/api.ts"))?;
    ensure!(kept == made.stdout, "web/client/src/api.ts is not that of the document: see web/client/README.md");
    Ok(())
}
