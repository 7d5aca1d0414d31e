//! The commands of somebody who uses a server: `upload`, `ls`, `info`, `rm`, `restore`, `tag`, `watch`. They speak its HTTP API and nothing else, so
//! they work from any machine that reaches it.

mod body;
mod file;
mod list;
mod news;
mod progress;
mod remove;
mod resume;
mod retry;
mod send;
mod server;
mod tag;
mod wait;

use std::{path::Path, process::ExitCode};

use reelgate_common::ids::FileId;

use self::{file::RemoteFile, progress::Bars, server::Server};
pub(crate) use self::{
    list::list,
    remove::{remove, restore},
    tag::tag,
};
use crate::cli;

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

#[expect(clippy::print_stdout, reason = "this is the command's output")]
pub(crate) async fn info(arguments: &cli::Named, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let file = Server::of(&arguments.remote, config)?.file(arguments.file).await?;
    println!("{}", serde_json::to_string_pretty(&file.0)?);
    Ok(ExitCode::SUCCESS)
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
