//! Every operation of `/openapi.json` before schemathesis (`scripts/lint-api`), which sends right and wrong requests and judges the answers, on
//! both footings: here a few of each, and with `EXAMPLES` (`make lint-api`) as many as wanted.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use reelgate_e2e::{
    process::{Folder, Launch, eventually},
    sign_in::SignIn,
    site::{Footing, Site},
};

/// Names how many requests of chance each operation gets.
const EXAMPLES: &str = "EXAMPLES";
const FEW: &str = "3";
/// For what is the same however few, on a machine that is busy with other tests; and for each request of chance of all operations.
const PATIENCE: Duration = Duration::from_secs(300);
const EACH: Duration = Duration::from_secs(60);
/// What is lived through in between is no sign-in that has expired.
const SIGNED_IN: i64 = 6 * 3_600;

async fn every_operation_answers_as_its_document_says(footing: Footing) -> Result<()> {
    let site = Site::builder(footing)
        .env("REELGATE__HTTP__REQUESTS_PER_SECOND", "0")
        // Whatever address is made up, webhooks go nowhere but where nobody listens.
        .env("REELGATE__WEBHOOKS__PORTS", "1")
        .env("REELGATE__WEBHOOKS__ALLOW_PRIVATE", "127.0.0.0/8")
        .start()
        .await?;
    let examples = std::env::var(EXAMPLES).unwrap_or_else(|_| FEW.to_owned());
    let patience = PATIENCE + EACH * examples.parse().with_context(|| format!("{EXAMPLES} is no number"))?;
    let folder = Folder::new("openapi")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/lint-api");
    let mut lint = Launch::new(script, folder.join("schemathesis.log"))
        .args([site.client().base()])
        .env("REELGATE_JWT", SignIn::admin("alice", "acme").ttl(SIGNED_IN).jwt())
        .env(EXAMPLES, examples)
        .start()?;
    eventually("schemathesis has ended", patience, async || !lint.is_running()).await.with_context(|| lint.output())?;
    let output = lint.output();
    ensure!(lint.wait(patience)?.success(), "{output}\n{}", faults(&site));
    // Whoever asks nothing finds nothing.
    let selected = output.lines().find_map(|line| line.trim().strip_prefix("Selected: "));
    let (asked, all) = selected.and_then(|counts| counts.split_once('/')).with_context(|| output.clone())?;
    let (asked, all): (usize, usize) = (asked.trim().parse()?, all.trim().parse()?);
    ensure!(asked + 1 == all && all > 50, "all but the one that never ends are asked: {asked} of {all}\n{output}");
    Ok(())
}

/// What the processes say about what went wrong in them.
fn faults(site: &Site) -> String {
    let output = site.output();
    let lines = output
        .lines()
        .filter(|line| line.contains(" ERROR ") || line.contains("panicked") || line.contains("overflow"));
    lines.take(50).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_answers_as_its_document_says_embedded() -> Result<()> {
    every_operation_answers_as_its_document_says(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_answers_as_its_document_says_in_production() -> Result<()> {
    every_operation_answers_as_its_document_says(Footing::Production).await
}
