//! `reelgate rm` and `restore`: as many as they can; each that could not be is told.

use std::{path::Path, process::ExitCode};

use anyhow::Context;
use http::Method;
use serde_json::{Value, json};

use super::{
    file::{self, RemoteFile},
    outcome, path_of,
    progress::Bars,
    server::Server,
};
use crate::cli;

/// The most that the API deletes at once.
const MOST: usize = 200;

#[expect(clippy::print_stdout, reason = "this is the command's output")]
pub(crate) async fn remove(arguments: &cli::Remove, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let server = Server::of(&arguments.of.remote, config)?;
    let bars = Bars::new(arguments.json);
    let mut all_well = true;
    for files in arguments.of.files.chunks(MOST) {
        let body = json!({"ids": files, "permanent": arguments.permanent});
        let answer = server.say(Method::POST, "v1/files/delete", &body).await?;
        for result in answer["results"].as_array().context("the server answered no results; is it older than this?")? {
            if arguments.json {
                println!("{result}");
            }
            if let Some(refused) = refusal(result) {
                bars.complain(&refused);
                all_well = false;
            }
        }
    }
    Ok(outcome(all_well))
}

fn refusal(result: &Value) -> Option<String> {
    let error = result["error"].as_object()?;
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let (message, code) = (error.get("message").map(text), error.get("code").map(text));
    Some(format!("{}: {} ({})", text(&result["id"]), message.unwrap_or_default(), code.unwrap_or_default()))
}

pub(crate) async fn restore(arguments: &cli::Restore, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let server = Server::of(&arguments.of.remote, config)?;
    let bars = Bars::new(arguments.json);
    let (mut restored, mut all_well) = (Vec::new(), true);
    for file in &arguments.of.files {
        match server.ask(Method::POST, &path_of(*file, "/restore"), &[]).await {
            Ok(row) => restored.push(RemoteFile(row)),
            Err(error) => {
                bars.complain(&format!("{file}: {error:#}"));
                all_well = false;
            }
        }
    }
    file::print(&restored, arguments.json);
    Ok(outcome(all_well))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_could_not_be_deleted_is_told_in_the_servers_words() {
        let refused = json!({"id": "i", "error": {"code": "not_owner", "message": "Only the owner"}});
        assert_eq!(refusal(&refused).as_deref(), Some("i: Only the owner (not_owner)"));
        assert_eq!(refusal(&json!({"id": "i", "deleted": true, "trashed": false})), None);
    }
}
