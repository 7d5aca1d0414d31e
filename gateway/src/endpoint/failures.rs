//! Codes of errors that endpoints have in common, and what `docs/errors.md`, where all of them are explained, says of each.

/// No good credentials.
pub(crate) const SIGNED_IN: &[&str] = &["not_signed_in", "token_invalid", "token_expired", "sign_in_unavailable"];
/// Where the requests of a caller are counted.
pub(crate) const COUNTED: &[&str] = &["too_many_requests"];
/// Besides, where a stream token lets in.
pub(crate) const PLAYED: &[&str] = &["token_revoked", "lease_ended", "token_conflict", "scope_missing"];
/// Where the database is asked.
pub(crate) const DATABASE: &[&str] = &["database_unavailable", "database_full"];
/// Where the object store is.
pub(crate) const STORAGE: &[&str] = &["storage_unavailable", "storage_full"];
/// Of a JSON body.
pub(crate) const JSON_BODY: &[&str] = &["validation_failed", "body_too_large", "body_timeout", "body_cut"];
/// Of a file that the path names: it is none, or there is none.
pub(crate) const ONE_FILE: &[&str] = &["validation_failed", "file_not_found"];
/// Of a rendition that is asked for.
pub(crate) const SHOWN: &[&str] = &[
    "rendition_not_found",
    "not_ready",
    FAILED,
    "precondition_failed",
    "range_not_satisfiable",
    "too_many_connections",
];
/// Stands for the code with which a file failed, any of them.
pub(crate) const FAILED: &str = "failed";

const PAGE: &str = include_str!("../../../docs/errors.md");
/// Of the last chapter, whose codes have no status of their own.
const OF_FILES: &str = "## Of a file that failed";

/// A code as it is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: &'static str,
    pub(crate) status: u16,
    pub(crate) meaning: &'static str,
}

impl Failure {
    /// What an endpoint's code stands for.
    ///
    /// # Panics
    /// `docs/errors.md` does not explain it: a test asks for each.
    pub(crate) fn of(code: &str) -> Self {
        requests().find(|failure| failure.code == code).unwrap_or_else(|| panic!("docs/errors.md explains no {code}"))
    }
}

/// Codes with which a file may have failed.
pub(crate) fn of_files() -> impl Iterator<Item = &'static str> {
    let (_, last) = PAGE.split_once(OF_FILES).unwrap_or_default();
    last.lines().filter_map(|line| row(line)?.first().copied())
}

fn requests() -> impl Iterator<Item = Failure> {
    PAGE.split(OF_FILES).take(1).flat_map(str::lines).filter_map(|line| {
        let [code, status, meaning, ..] = *row(line)?.as_slice() else { return None };
        Some(Failure { code, status: status.parse().ok()?, meaning })
    })
}

/// The cells of a row that begins with a code.
fn row(line: &'static str) -> Option<Vec<&'static str>> {
    let (code, rest) = line.strip_prefix("| `")?.split_once("` |")?;
    Some(std::iter::once(code).chain(rest.split(" | ").map(str::trim)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_errors_is_read() {
        let expired = Failure::of("token_expired");
        assert_eq!(expired.status, 401);
        assert!(expired.meaning.starts_with("the JWT or stream token was right"), "{expired:?}");
        assert!(requests().count() > 60 && of_files().count() > 20);
        assert!(
            of_files().any(|code| code == "broken_media") && requests().all(|failure| failure.code != "broken_media")
        );
    }
}
