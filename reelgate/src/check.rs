//! `reelgate check`: the effective configuration; with every dependency what gateways and workers do with it, tried; and what to do about
//! what does not work. Leaves nothing behind.

mod access;
mod clock;
mod finding;
mod machine;
mod services;

use std::{path::Path, process::ExitCode};

use reelgate_common::config::RawConfig;

use self::finding::{Finding, Level};
use crate::{cli, data_dir::DataDir, settings::Settings};

/// Prints everything; fails when something is wrong.
pub(crate) async fn run(arguments: &cli::Check, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let mut settings = Settings::load(&RawConfig::load(config)?)?;
    let data_dir = DataDir::meant(arguments.of.data_dir.as_deref(), &settings)?;
    if let Some(dir) = &data_dir {
        dir.fill_backends(&mut settings)?;
        dir.fill_secrets(&mut settings)?;
    }
    let findings = findings(&settings, data_dir.is_some()).await;
    print(&settings, &findings, arguments.json)?;
    let sound = findings.iter().all(|finding| finding.level != Level::Wrong);
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn findings(settings: &Settings, is_embedded: bool) -> Vec<Finding> {
    let mut findings = vec![access::auth(settings).await, access::tokens(settings), access::tls(settings)];
    if !is_embedded && let Some(kinds) = embedded_kinds(settings) {
        // Asking them would make empty ones.
        findings.push(kinds);
        return findings;
    }
    findings.extend(services::database(settings).await);
    findings.extend(services::queue(settings).await);
    findings.extend(services::storage(settings).await);
    findings.push(machine::scratch(settings));
    findings.extend(machine::cache(settings));
    findings.push(machine::descriptors(settings));
    findings.push(machine::sandbox(settings).await);
    findings.push(machine::encoders(settings));
    findings
}

/// What gateway and worker would refuse at their start.
fn embedded_kinds(settings: &Settings) -> Option<Finding> {
    let kinds = [
        (settings.database.url.expose().starts_with("sqlite:"), "database.url is sqlite:"),
        (settings.queue.url.expose().starts_with("memory:"), "queue.url is memory:"),
    ];
    let named: Vec<&str> = kinds.into_iter().filter_map(|(found, what)| found.then_some(what)).collect();
    let trouble = format!("{}, which only `reelgate all` can use", named.join(" and "));
    let advice = "give --data-dir of the embedded server, or set REELGATE__DATABASE__URL, REELGATE__QUEUE__URL and \
                  REELGATE__STORAGE__URL";
    (!named.is_empty()).then(|| Finding::wrong("backends", trouble, advice))
}

#[expect(clippy::print_stdout, reason = "this is the command's output")]
fn print(settings: &Settings, findings: &[Finding], json: bool) -> anyhow::Result<()> {
    if json {
        let all = serde_json::json!({"settings": settings, "findings": findings});
        println!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(());
    }
    println!("{}\n", serde_json::to_string_pretty(settings)?);
    findings.iter().for_each(|finding| println!("{}", finding.text()));
    Ok(())
}
