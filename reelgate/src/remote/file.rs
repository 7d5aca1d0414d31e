//! A file as the server tells it, and how it is printed.

use anyhow::Context;
use reelgate_common::ids::FileId;
use serde_json::Value;

/// The API's JSON: printed as it came, so that what a newer server says is not lost.
#[derive(Debug, Clone)]
pub(super) struct RemoteFile(pub(super) Value);

impl RemoteFile {
    pub(super) fn id(&self) -> anyhow::Result<FileId> {
        self.0["id"].as_str().and_then(|id| id.parse().ok()).context("the server named no file; is this Reelgate?")
    }

    pub(super) fn name(&self) -> &str {
        self.0["filename"].as_str().unwrap_or("?")
    }

    pub(super) fn state(&self) -> &str {
        self.0["state"].as_str().unwrap_or("?")
    }

    /// 0 to 1.
    pub(super) fn progress(&self) -> f64 {
        self.0["progress"].as_f64().unwrap_or(0.0)
    }

    pub(super) fn has_failed(&self) -> bool {
        self.state() == "failed"
    }

    /// Nothing more comes of it.
    pub(super) fn is_done(&self) -> bool {
        self.has_failed() || (self.state() == "ready" && self.progress() >= 1.0)
    }

    fn failure(&self) -> Option<String> {
        let failure = self.0["failure"].as_object()?;
        let text = |name| failure.get(name).and_then(Value::as_str).unwrap_or_default();
        Some(format!("{} ({})", text("message"), text("code")))
    }

    /// `None` without any.
    fn tags(&self) -> Option<String> {
        let tags: Vec<&str> = self.0["tags"].as_array()?.iter().filter_map(Value::as_str).collect();
        (!tags.is_empty()).then(|| shown(&tags.join(", ")))
    }

    fn row(&self) -> String {
        let size = indicatif::BinaryBytes(self.0["size_bytes"].as_u64().unwrap_or(0)).to_string();
        let id = self.0["id"].as_str().unwrap_or("?");
        let percent = format!("{:.0} %", self.progress() * 100.0);
        let why = self.failure().map(|failure| format!("  {failure}")).unwrap_or_default();
        let tags = self.tags().map(|tags| format!("  [{tags}]")).unwrap_or_default();
        format!("{id}  {:<10} {percent:>5}  {size:>11}  {}{tags}{why}", self.state(), shown(self.name()))
    }
}

/// A line each: as a person reads it, or as JSON.
#[expect(clippy::print_stdout, reason = "this is the command's output")]
pub(super) fn print(files: &[RemoteFile], json: bool) {
    for file in files {
        if json {
            println!("{}", file.0);
        } else {
            println!("{}", file.row());
        }
    }
}

/// A name is somebody's text: it must not move the cursor of a terminal.
fn shown(name: &str) -> String {
    name.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_says_what_is_the_matter_and_lets_no_name_at_the_terminal() {
        let file = RemoteFile(json!({"id": "i", "filename": "a\u{1b}[2Jb.mp4", "state": "failed", "progress": 0.25,
            "size_bytes": 2048, "failure": {"code": "unreadable", "message": "It cannot be read", "retryable": false}}));
        assert_eq!(file.row(), "i  failed      25 %     2.00 KiB  a\u{fffd}[2Jb.mp4  It cannot be read (unreadable)");
    }

    #[test]
    fn a_file_is_done_when_nothing_more_comes_of_it() {
        let done = |state: &str, progress: f64| RemoteFile(json!({"state": state, "progress": progress})).is_done();
        assert!(done("ready", 1.0) && done("failed", 0.1));
        assert!(!done("ready", 0.5) && !done("processing", 1.0) && !done("staged", 0.0));
    }
}
