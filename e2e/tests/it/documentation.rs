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

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let page = fs::read_to_string(root().join("docs/threat-model.md")).unwrap();
    let named: BTreeSet<&str> =
        page.split('`').skip(1).step_by(2).filter(|word| is_name(word) && word.matches('_').count() > 2).collect();
    assert!(named.len() > 40, "{named:?}");
    let tests = texts_below(["common", "gateway", "worker", "packager", "e2e"]);
    let exists = |name: &str| tests.iter().any(|text| text.contains(&format!("fn {name}(")));
    let missing: Vec<_> = named.into_iter().filter(|name| !exists(name)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// A page that names what is not there any more shows nothing. `…` stands for the rest of a name.
#[test]
fn every_test_that_the_pages_of_faults_and_guards_name_exists() {
    let tests: String = texts_below(["common", "gateway", "worker", "packager", "e2e"]).concat();
    for page in ["docs/faults.md", "docs/guards.md"] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        let last = |word: &str| word.rsplit("::").next().unwrap_or_default().trim_start_matches('…').to_owned();
        let named: BTreeSet<String> =
            text.split('`').skip(1).step_by(2).map(last).filter(|word| word.matches('_').count() > 2).collect();
        assert!(named.len() > 20, "{named:?}");
        let exists = |name: &String| match name.strip_suffix('…') {
            Some(begun) => tests.contains(begun),
            None => tests.contains(&format!("fn {name}(")) || tests.contains(name.as_str()),
        };
        let missing: Vec<_> = named.iter().filter(|name| !exists(name)).collect();
        assert!(missing.is_empty(), "{page}: {missing:#?}");
    }
}

/// A guard whose text has changed is not taken out by `scripts/check-guards` any more.
#[test]
fn every_guard_that_can_be_taken_out_is_where_the_list_says() {
    let tests: String = texts_below(["common", "gateway", "worker", "e2e"]).concat();
    let list = fs::read_to_string(root().join("scripts/guards")).unwrap();
    let page = fs::read_to_string(root().join("docs/guards.md")).unwrap();
    for line in list.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let &[name, file, find, replace, _, test, _] = fields.as_slice() else { panic!("not seven fields: {line}") };
        let source = fs::read_to_string(root().join(file)).unwrap();
        assert!(source.contains(find) && find != replace, "{name}: not in {file}: {find}");
        assert!(tests.contains(test), "{name}: no test {test}");
        assert!(page.contains(&format!("`{name}`")), "{name} is not in docs/guards.md");
    }
}

fn is_name(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The sources without their unit tests.
fn sources() -> Vec<String> {
    let texts = texts_below(["common/src", "gateway/src", "worker/src"]);
    let without = |text: &String| text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
    texts.iter().map(without).collect()
}

/// All Rust below these folders.
pub(crate) fn texts_below<const N: usize>(folders: [&str; N]) -> Vec<String> {
    let mut texts = Vec::new();
    let mut folders: Vec<PathBuf> = folders.map(|folder| root().join(folder)).into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                texts.push(fs::read_to_string(path).unwrap());
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
