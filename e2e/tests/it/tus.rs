//! The tus protocol 1.0 at `/v1/uploads` (`cases`) and the IETF's draft (`draft`), case by case, on both footings; on the production footing
//! each request goes to another gateway than the one before. The names of the cases are the lists in docs/uploads.md.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod cases;
mod clients;
mod draft;
mod killed;
mod rights;
mod talk;

use std::{collections::BTreeSet, fs, path::Path, pin::Pin};

use anyhow::{Result, ensure};
use reelgate_common::key::Key;
use reelgate_e2e::{
    process::eventually,
    site::{Footing, Site},
};

use self::talk::Talk;

type Case = fn(Talk) -> Pin<Box<dyn Future<Output = Result<()>> + Send>>;

macro_rules! listed {
    ($($case:ident),+ $(,)?) => {
        pub(super) const CASES: &[(&str, Case)] = &[$((stringify!($case), |talk| Box::pin($case(talk)))),+];
    };
}
use listed;

async fn site(footing: Footing) -> Result<Site> {
    Site::builder(footing).gateways(2).workers(1).env("REELGATE__RESUMABLE__IETF", "true").start().await
}

async fn every_case_holds(footing: Footing, cases: &[(&str, Case)]) -> Result<()> {
    let site = site(footing).await?;
    let mut failed = Vec::new();
    for (name, case) in cases {
        let talk = Talk::new(&site, name);
        if let Err(error) = case(talk).await {
            failed.push(format!("{name}: {error:#}"));
        }
    }
    ensure!(failed.is_empty(), "{}\n{}", failed.join("\n"), site.output());
    for log in site.logs()? {
        let text = fs::read_to_string(log)?;
        ensure!(
            !text.contains("/v1/uploads/") || text.contains("/v1/uploads/-"),
            "no path is logged without its secret"
        );
        ensure!(!Talk::secrets().iter().any(|secret| text.contains(secret.as_str())), "a secret is in a log");
    }
    nothing_is_left(&site).await
}

/// Tails are those that rows name: none of uploads that were given up or are whole, and one of those that may go on.
async fn nothing_is_left(site: &Site) -> Result<()> {
    let db = site.database().await?;
    eventually("no tail is left that no row names", std::time::Duration::from_secs(60), async || {
        let Ok(stored) = site.stored("staging/").await else { return false };
        let tails = stored.iter().filter_map(|name| match name.parse() {
            Ok(Key::Tail { org, file, number }) => Some((org, file, number)),
            _ => None,
        });
        for (org, file, number) in tails {
            let row = db.resumable_of(&org, file).await;
            if !row.is_ok_and(|row| row.is_some_and(|row| row.stored.tail == Some(number))) {
                return false;
            }
        }
        true
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_of_the_protocol_holds_embedded() -> Result<()> {
    every_case_holds(Footing::Embedded, cases::CASES).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_of_the_protocol_holds_in_production() -> Result<()> {
    every_case_holds(Footing::Production, cases::CASES).await
}

#[test]
fn the_list_in_the_documentation_is_the_one_that_is_run() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/uploads.md");
    let text = fs::read_to_string(page).unwrap();
    let listed: BTreeSet<&str> = text.lines().filter_map(|line| line.strip_prefix("- `")?.strip_suffix('`')).collect();
    let run: BTreeSet<&str> = [cases::CASES, draft::CASES].concat().iter().map(|(name, _)| *name).collect();
    assert_eq!(listed, run);
}
