//! `reelgate tag`: what is to be said about files. Tags are said all at once, so they are read first, and said only if nobody has changed
//! the file meanwhile.

use std::{path::Path, process::ExitCode};

use http::{Method, StatusCode};
use reelgate_common::ids::FileId;
use serde_json::{Map, Value, json};

use super::{
    file::{self, RemoteFile},
    outcome, path_of,
    progress::Bars,
    server::{Refused, Server},
};
use crate::cli;

/// A file that is being processed changes now and then.
const TRIES: u32 = 10;

pub(crate) async fn tag(arguments: &cli::Tag, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let server = Server::of(&arguments.of.remote, config)?;
    let bars = Bars::new(arguments.json);
    let (mut changed, mut all_well) = (Vec::new(), true);
    for file in &arguments.of.files {
        match change(&server, *file, arguments).await {
            Ok(row) => changed.push(row),
            Err(error) => {
                bars.complain(&format!("{file}: {error:#}"));
                all_well = false;
            }
        }
    }
    file::print(&changed, arguments.json);
    Ok(outcome(all_well))
}

async fn change(server: &Server, file: FileId, arguments: &cli::Tag) -> anyhow::Result<RemoteFile> {
    let mut tries = 0;
    loop {
        tries += 1;
        let before = server.file(file).await?;
        match server.say(Method::PATCH, &path_of(file, ""), &said(&before.0, arguments)).await {
            Err(error) if tries < TRIES && is_changed(&error) => {}
            answer => return answer.map(RemoteFile),
        }
    }
}

fn is_changed(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Refused>().is_some_and(|refused| refused.status == StatusCode::CONFLICT)
}

/// The body of the change.
fn said(before: &Value, arguments: &cli::Tag) -> Value {
    let mut body = Map::new();
    if !arguments.add.is_empty() || !arguments.remove.is_empty() {
        let known = before["tags"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let kept = known.filter(|tag| arguments.remove.iter().all(|gone| gone != tag));
        let tags: Vec<&str> = kept.chain(arguments.add.iter().map(String::as_str)).collect();
        body.insert("tags".to_owned(), json!(tags));
        body.insert("if_updated_at".to_owned(), before["updated_at"].clone());
    }
    if !arguments.set.is_empty() || !arguments.unset.is_empty() {
        let gone = arguments.unset.iter().map(|name| (name.clone(), Value::Null));
        let set = arguments.set.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
        body.insert("metadata".to_owned(), Value::Object(gone.chain(set).collect()));
    }
    if let Some(name) = &arguments.filename {
        body.insert("filename".to_owned(), json!(name));
    }
    if let Some(time) = &arguments.expires_at {
        body.insert("expires_at".to_owned(), if time == "never" { Value::Null } else { json!(time) });
    }
    Value::Object(body)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn of(arguments: &str) -> Value {
        let line = format!("reelgate tag 0190163d-8694-739b-aea5-966c26f8ad91 {arguments}");
        let cli::Command::Tag(tag) = cli::Cli::parse_from(line.split_whitespace()).command else { panic!() };
        said(&json!({"tags": ["a", "b"], "updated_at": "T"}), &tag)
    }

    #[test]
    fn tags_are_said_all_at_once_and_only_of_what_was_seen() {
        assert_eq!(of("--add c --remove a"), json!({"tags": ["b", "c"], "if_updated_at": "T"}));
    }

    #[test]
    fn only_what_is_given_is_said() {
        assert_eq!(of(""), json!({}));
        assert_eq!(of("--set k=v=w --unset l"), json!({"metadata": {"k": "v=w", "l": null}}));
        assert_eq!(of("--expires-at never --filename x"), json!({"expires_at": null, "filename": "x"}));
    }
}
