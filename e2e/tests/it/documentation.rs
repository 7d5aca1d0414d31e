//! What the pages of `docs/` say is held against the code: a code that nobody looked up is a code that nobody understands.

#![allow(clippy::unwrap_used, reason = "a failing helper fails its test")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Calls whose first snake_case text is an error code.
const MAKERS: [&str; 8] = [
    "ApiError::new(",
    "Self::new(StatusCode::",
    "::unauthorized(",
    "::forbidden(",
    "of(StatusCode::",
    "Halt::failed(",
    "Self::failed(",
    "fn code(&self) -> &'static str {",
];

#[test]
fn every_error_code_is_documented_and_every_documented_code_exists() {
    let sources = sources();
    let documented = documented(&fs::read_to_string(root().join("docs/errors.md")).unwrap());
    let made: BTreeSet<String> = sources.iter().flat_map(|text| made(text)).collect();
    assert!(made.len() > 30, "the scan finds hardly anything: {made:?}");
    let unknown: Vec<_> = made.iter().filter(|code| !documented.contains(*code)).collect();
    assert!(unknown.is_empty(), "docs/errors.md does not explain {unknown:?}");
    let gone: Vec<_> =
        documented.iter().filter(|code| !sources.iter().any(|text| text.contains(&format!("\"{code}\"")))).collect();
    assert!(gone.is_empty(), "docs/errors.md explains codes that no source has: {gone:?}");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The sources without their unit tests.
fn sources() -> Vec<String> {
    let mut texts = Vec::new();
    let mut folders: Vec<PathBuf> =
        ["common/src", "gateway/src", "worker/src"].map(|folder| root().join(folder)).into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(path).unwrap();
                texts.push(text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned());
            }
        }
    }
    texts
}

/// The first column of the tables.
fn documented(page: &str) -> BTreeSet<String> {
    let first = |line: &str| line.strip_prefix("| `")?.split('`').next().map(str::to_owned);
    page.lines().filter_map(first).collect()
}

fn made(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for maker in MAKERS {
        for (at, _) in text.match_indices(maker) {
            let rest = &text[at..];
            if maker.starts_with("fn ") {
                let body = rest.split("\n    }\n").next().unwrap_or_default();
                found.extend(literals(body).filter(|text| is_code(text)).map(str::to_owned));
            } else {
                let call = rest.split(';').next().unwrap_or_default();
                found.extend(literals(call).next().filter(|text| is_code(text)).map(str::to_owned));
            }
        }
    }
    found
}

fn literals(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1).step_by(2)
}

fn is_code(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}
