//! `reelgate export` and `import`: a whole deployment moves, between footings or into a folder. What a move is, `common::transfer` knows;
//! here is which places are meant, who holds them, and what the operator is told.

mod environment;
mod place;
mod progress;
mod secrets;

use std::{path::Path, process::ExitCode};

use reelgate_common::transfer::{Archive, ArchiveWriter, Origin, Summary, Tally, Target};

use self::{place::Place, progress::watched};
use crate::cli;

/// Writes the deployment into a folder.
pub(crate) async fn export(arguments: &cli::Export, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let place = Place::configured(arguments.of.data_dir.as_deref(), config)?;
    let (origin, tally) = (place.live().await?, Tally::default());
    let writer = ArchiveWriter::open(&arguments.folder, &origin).await?;
    watched(&tally, writer.write(&origin, arguments.pace.at_once.into(), &tally)).await?;
    tell(
        &tally.summary(),
        arguments.pace.json,
        &["The folder holds no keys: carry tokens.keys and auth.secret over by yourself."],
    )
}

/// Brings a deployment into this one.
pub(crate) async fn import(arguments: &cli::Import, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let into = Place::new_home(arguments.data_dir.as_deref(), config).await?;
    match &arguments.folder {
        Some(folder) => bring(&Archive::open(folder).await?, None, &into, arguments).await,
        None => {
            let from = Place::other(&arguments.from, arguments.from_data_dir.as_deref(), !arguments.ahead)?;
            bring(&from.live().await?, Some(&from), &into, arguments).await
        }
    }
}

async fn bring(
    origin: &dyn Origin,
    from: Option<&Place>,
    into: &Place,
    arguments: &cli::Import,
) -> anyhow::Result<ExitCode> {
    let (target, tally): (Target, Tally) = (into.target().await?, Tally::default());
    let at_once = arguments.pace.at_once.into();
    if arguments.ahead {
        watched(&tally, target.copy_ahead(origin, at_once, &tally)).await?;
        let next = "Stop the other deployment and run the same without --ahead.";
        return tell(&tally.summary(), arguments.pace.json, &[next]);
    }
    let secrets = secrets::carried(origin, from, into, arguments.without_secrets).await?;
    watched(&tally, target.import(origin, at_once, &tally)).await?;
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    tell(&tally.summary(), arguments.pace.json, &secrets)
}

/// Figures on standard output, advice on standard error.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is the command's output")]
fn tell(summary: &Summary, json: bool, advice: &[&str]) -> anyhow::Result<ExitCode> {
    if json {
        println!("{}", serde_json::to_string_pretty(summary)?);
    } else {
        println!(
            "{} rows; {} objects copied ({} bytes), {} were there, {} missing",
            summary.rows, summary.objects_copied, summary.bytes_copied, summary.objects_there, summary.objects_missing
        );
        summary.missing.iter().for_each(|key| println!("missing in the store it came from: {key}"));
    }
    advice.iter().for_each(|sentence| eprintln!("{sentence}"));
    Ok(ExitCode::SUCCESS)
}
