//! What a turn found, and what it did about it. Each finding is logged as it is made.

use std::fmt;

use serde::Serialize;

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Discrepancy {
    /// A file on its way that nothing moves.
    StuckFile,
    /// A row names an object that is not there, or is too short.
    MissingObject,
    /// An object of a file that the database does not know.
    UnknownObject,
    /// An object that its file has gone beyond.
    Leftover,
    /// A multipart upload whose process is long gone.
    UnfinishedUpload,
    /// What the store keeps of an object that was deleted or replaced.
    OldVersion,
}

/// What was done, or would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// The object, version or row was deleted.
    Deleted,
    /// The multipart upload was aborted.
    Aborted,
    /// The file is processed (once more).
    Queued,
    /// The file has failed, with the reason its job had.
    Settled,
    /// Nothing can be done but tell.
    Reported,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub what: Discrepancy,
    /// A file's id or an object's key.
    pub subject: String,
    /// Of the object; 0 when there is none.
    pub size_bytes: u64,
    pub remedy: Remedy,
}

/// Why a turn deleted nothing. An alert: somebody must look.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    #[error("the store bears no deployment id; nothing is deleted")]
    NoDeployment,
    #[error("the store belongs to another deployment than the database; nothing is deleted")]
    OtherDeployment,
    #[error(
        "{orphans} of {objects} objects seem to be orphans, {unknown} of them of unknown files; nothing is deleted \
         (see maintenance.stop_objects and stop_percent)"
    )]
    TooMany { orphans: u64, unknown: u64, objects: u64 },
    #[error(
        "{missing} of {checked} files miss objects that their rows name; nothing is changed: is this the right bucket, and is it \
         whole? (see maintenance.stop_percent)"
    )]
    TooManyMissing { missing: u64, checked: u64 },
}

impl Serialize for Stopped {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[derive(Debug, Serialize)]
pub struct Report {
    dry_run: bool,
    findings: Vec<Finding>,
    /// The first brake that held.
    stopped: Option<Stopped>,
}

impl Report {
    pub(super) fn new(dry_run: bool) -> Self {
        Self { dry_run, findings: Vec::new(), stopped: None }
    }

    /// Whether things are only looked at.
    #[must_use]
    pub fn is_dry(&self) -> bool {
        self.dry_run
    }

    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    #[must_use]
    pub fn stopped(&self) -> Option<&Stopped> {
        self.stopped.as_ref()
    }

    /// How many things were changed.
    #[must_use]
    pub fn changes(&self) -> u64 {
        let changed = self.findings.iter().filter(|finding| finding.remedy != Remedy::Reported).count() as u64;
        if self.dry_run { 0 } else { changed }
    }

    pub(super) fn stop(&mut self, stopped: Stopped) {
        self.stopped.get_or_insert(stopped);
    }

    pub(super) fn note(&mut self, what: Discrepancy, subject: &impl fmt::Display, size_bytes: u64, remedy: Remedy) {
        let subject = subject.to_string();
        tracing::info!(?what, %subject, size_bytes, ?remedy, dry_run = self.dry_run, "database and store differed");
        self.findings.push(Finding { what, subject, size_bytes, remedy });
    }
}
