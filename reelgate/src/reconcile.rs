//! `reelgate reconcile`: one comparison of database and store by hand, and what it found.

use std::{path::Path, process::ExitCode};

use anyhow::Context;
use reelgate_common::{backends::open_storage, config::RawConfig, db::Db};
use reelgate_gateway::reconcile::{Reconciler, Report, Scope};

use crate::{cli, data_dir::DataDir, settings::Settings};

/// Fails when a brake held: somebody must look.
pub(crate) async fn run(arguments: &cli::Reconcile, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let mut settings = Settings::load(&RawConfig::load(config)?)?;
    if let Some(dir) = DataDir::meant(arguments.of.data_dir.as_deref(), &settings)? {
        dir.fill_backends(&mut settings)?;
    }
    let mut maintenance = settings.maintenance.clone();
    maintenance.dry_run |= arguments.dry_run;
    let db = Db::connect(&settings.database).await.context("cannot open the database")?.with_lanes(settings.lanes);
    let storage = open_storage(&settings.storage).context("cannot open the store")?;
    let report = Reconciler::new(db, storage, maintenance, settings.leases.clone()).turn(Scope::All).await?;
    print(&report, arguments.json)?;
    Ok(if report.stopped().is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

#[expect(clippy::print_stdout, reason = "this is the command's output")]
fn print(report: &Report, json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(report)?);
        return Ok(());
    }
    let would = if report.is_dry() { "would be " } else { "" };
    for finding in report.findings() {
        let (what, remedy) = (word(&finding.what)?, word(&finding.remedy)?);
        println!("{what}  {}  {} bytes: {would}{remedy}", finding.subject, finding.size_bytes);
    }
    if let Some(stopped) = report.stopped() {
        println!("STOPPED: {stopped}");
    }
    let bytes: u64 = report.findings().iter().map(|finding| finding.size_bytes).sum();
    println!("{} differences, {bytes} bytes", report.findings().len());
    Ok(())
}

fn word(of: &impl serde::Serialize) -> anyhow::Result<String> {
    let word = serde_json::to_value(of)?;
    Ok(word.as_str().unwrap_or_default().replace('_', " "))
}
