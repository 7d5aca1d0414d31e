//! `reelgate openapi`: the API's document on standard output, for those who make clients from it. Asks nobody.

use std::{io::Write, process::ExitCode};

use reelgate_gateway::openapi::document;

/// Indented, so that two versions can be compared line by line.
pub(crate) fn print() -> anyhow::Result<ExitCode> {
    let mut output = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut output, document())?;
    writeln!(output)?;
    Ok(ExitCode::SUCCESS)
}
