//! The commands of somebody who uses a server: `upload`, `ls`, `info`, `rm`, `watch`. They speak its HTTP API and nothing else, so
//! they work from any machine that reaches it.

mod body;
mod file;
mod news;
mod progress;
mod resume;
mod send;
mod server;
mod wait;

use std::{path::Path, process::ExitCode};

use http::Method;
use reelgate_common::ids::FileId;
use serde_json::Value;

use self::{file::RemoteFile, progress::Bars, server::Server};
use crate::cli;

/// The most that the API lists at once.
const PAGE: usize = 200;

/// Uploads one file after the other: each is to be there as soon as it can.
pub(crate) async fn upload(arguments: &cli::Upload, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let server = Server::of(&arguments.remote, config)?;
    let bars = Bars::new(arguments.json);
    let (mut stored, mut all_well) = (Vec::new(), true);
    for path in &arguments.files {
        match send::file(&server, path, &bars).await {
            Ok(file) => stored.push(file),
            Err(error) => {
                bars.complain(&format!("{}: {error:#}", path.display()));
                all_well = false;
            }
        }
    }
    if arguments.wait {
        let ids = stored.iter().map(RemoteFile::id).collect::<anyhow::Result<Vec<_>>>()?;
        stored = wait::until_done(&server, &ids, &bars).await?;
        all_well &= stored.iter().all(|file| !file.has_failed());
    }
    file::print(&stored, arguments.json);
    Ok(outcome(all_well))
}

pub(crate) async fn list(arguments: &cli::List, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let server = Server::of(&arguments.remote, config)?;
    let mut files = Vec::new();
    let mut cursor: Option<String> = None;
    while files.len() < arguments.limit {
        let mut query = vec![("limit", (arguments.limit - files.len()).min(PAGE).to_string())];
        query.extend(arguments.state.map(|state| ("state", state.as_str().to_owned())));
        query.extend(arguments.kind.map(|kind| ("kind", kind.as_str().to_owned())));
        query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
        let mut page = server.ask(Method::GET, "v1/files", &query).await?;
        if let Some(Value::Array(rows)) = page.get_mut("files").map(Value::take) {
            files.extend(rows.into_iter().map(RemoteFile));
        }
        cursor = page["next"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    file::print(&files, arguments.json);
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "this is the command's output")]
pub(crate) async fn info(arguments: &cli::Named, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let file = Server::of(&arguments.remote, config)?.file(arguments.file).await?;
    println!("{}", serde_json::to_string_pretty(&file.0)?);
    Ok(ExitCode::SUCCESS)
}

/// Deletes as many as it can.
pub(crate) async fn remove(arguments: &cli::NamedFiles, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let server = Server::of(&arguments.remote, config)?;
    let bars = Bars::new(false);
    let mut all_well = true;
    for file in &arguments.files {
        if let Err(error) = server.ask(Method::DELETE, &path_of(*file, ""), &[]).await {
            bars.complain(&format!("{file}: {error:#}"));
            all_well = false;
        }
    }
    Ok(outcome(all_well))
}

pub(crate) async fn watch(arguments: &cli::Watch, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let server = Server::of(&arguments.of.remote, config)?;
    let files = wait::until_done(&server, &arguments.of.files, &Bars::new(arguments.json)).await?;
    file::print(&files, arguments.json);
    Ok(outcome(files.iter().all(|file| !file.has_failed())))
}

fn path_of(file: FileId, below: &str) -> String {
    format!("v1/files/{file}{below}")
}

fn outcome(all_well: bool) -> ExitCode {
    if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
