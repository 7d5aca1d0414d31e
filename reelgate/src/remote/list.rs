//! `reelgate ls`: as many pages as are asked for.

use std::{path::Path, process::ExitCode};

use http::Method;
use serde_json::Value;

use super::{
    file::{self, RemoteFile},
    server::Server,
};
use crate::cli;

/// The most that the API lists at once.
const PAGE: usize = 200;

pub(crate) async fn list(arguments: &cli::List, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let server = Server::of(&arguments.remote, config)?;
    let wanted = filter(arguments);
    let mut files = Vec::new();
    let mut cursor: Option<String> = None;
    while files.len() < arguments.limit {
        let mut query = wanted.clone();
        query.push(("limit", (arguments.limit - files.len()).min(PAGE).to_string()));
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

fn filter(arguments: &cli::List) -> Vec<(&'static str, String)> {
    let mut query = Vec::new();
    query.extend(arguments.state.iter().map(|state| ("state", state.as_str().to_owned())));
    query.extend(arguments.kind.iter().map(|kind| ("kind", kind.as_str().to_owned())));
    query.extend(arguments.tags.iter().map(|tag| ("tag", tag.clone())));
    for (name, value) in [
        ("owner", arguments.owner.clone()),
        ("created_after", arguments.created_after.clone()),
        ("created_before", arguments.created_before.clone()),
        ("expires_before", arguments.expires_before.clone()),
        ("size_min", arguments.size_min.map(|size| size.to_string())),
        ("size_max", arguments.size_max.map(|size| size.to_string())),
        ("q", arguments.query.clone()),
        ("sort", arguments.sort.map(|sort| sort.word().to_owned())),
        ("trashed", arguments.trashed.then(|| "true".to_owned())),
    ] {
        query.extend(value.map(|value| (name, value)));
    }
    query
}
