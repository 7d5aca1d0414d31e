//! Buckets that keep old versions: there a delete only hides, and what was hidden is stored, and paid for, until it is
//! deleted by its version.

use std::time::{Duration, Instant};

use http::Method;
use object_store::{path::Path, signer::SignedUrlOptions};
use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Bucket, error::failed};
use crate::{
    key::Key,
    storage::{OldVersion, StorageError, VersionId},
    timestamp::Timestamp,
};

/// A bucket that begins to keep versions is noticed after this.
const REMEMBERED: Duration = Duration::from_secs(600);

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html>
#[derive(Debug, Deserialize)]
#[serde(rename = "VersioningConfiguration", rename_all = "PascalCase")]
struct Versioning {
    /// `Enabled`, `Suspended` (old versions are there still), or none: never enabled.
    #[serde(default)]
    status: String,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html>
#[derive(Debug, Deserialize)]
#[serde(rename = "ListVersionsResult", rename_all = "PascalCase")]
struct Listing {
    #[serde(default)]
    is_truncated: bool,
    #[serde(default)]
    next_key_marker: String,
    #[serde(default)]
    next_version_id_marker: String,
    /// By name, each name's newest first; marks of deletions stand between versions.
    #[serde(default, rename = "$value")]
    entries: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
enum Entry {
    Version(Stored),
    DeleteMarker(Stored),
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Stored {
    key: String,
    version_id: String,
    is_latest: bool,
    last_modified: String,
    #[serde(default)]
    size: u64,
}

/// What was asked last, and when.
#[derive(Debug, Default)]
pub(super) struct Versioned(std::sync::Mutex<Option<(Instant, bool)>>);

impl Versioned {
    fn known(&self) -> Option<bool> {
        let last = *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        last.filter(|(asked, _)| asked.elapsed() < REMEMBERED).map(|(_, versioned)| versioned)
    }

    fn set(&self, versioned: bool) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some((Instant::now(), versioned));
    }
}

impl Bucket {
    /// At most about `limit`, none when the bucket keeps no versions. Of one object all that is listed of it, or nothing.
    pub(super) async fn old_versions(&self, prefix: &str, limit: usize) -> Result<Vec<OldVersion>, StorageError> {
        if !self.keeps_versions().await? {
            return Ok(Vec::new());
        }
        let mut old: Vec<Old> = Vec::new();
        let mut history = History::default();
        let mut markers = (String::new(), String::new());
        loop {
            let page = self.versions_page(prefix, &markers).await?;
            for (stored, marker) in page.entries.into_iter().filter_map(Entry::parts) {
                old.extend(history.next(self, stored, marker)?);
            }
            let next = (page.next_key_marker, page.next_version_id_marker);
            let whole = !page.is_truncated || next == markers;
            if whole {
                old.extend(history.end());
            }
            if whole || old.len() >= limit {
                return Ok(marks_last(old));
            }
            markers = next;
        }
    }

    pub(super) async fn delete_version(&self, key: &Key, version: &VersionId) -> Result<(), StorageError> {
        let options = SignedUrlOptions::new().with_query([("versionId", version.0.clone())]);
        match self.order_signed(key, Method::DELETE, &self.path(key)?, options).await {
            Ok(_) | Err(StorageError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A store that does not know the question, or does not answer it to us, is taken for one without versions.
    async fn keeps_versions(&self) -> Result<bool, StorageError> {
        if let Some(known) = self.versioned.known() {
            return Ok(known);
        }
        let options = SignedUrlOptions::new().with_query([("versioning", String::new())]);
        let asked = self.ask_signed::<Versioning>(&"versioning", Method::GET, &Path::default(), options).await;
        let versioned = match asked {
            Ok(answer) => !answer.status.is_empty(),
            Err(error @ StorageError::Timeout { .. }) => return Err(error),
            Err(error) => {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "the store does not say whether it keeps versions"
                );
                false
            }
        };
        self.versioned.set(versioned);
        Ok(versioned)
    }

    async fn versions_page(&self, prefix: &str, markers: &(String, String)) -> Result<Listing, StorageError> {
        let mut query = vec![("versions", String::new()), ("prefix", format!("{}{prefix}", self.prefix))];
        if !markers.0.is_empty() {
            query.push(("key-marker", markers.0.clone()));
        }
        if !markers.1.is_empty() {
            query.push(("version-id-marker", markers.1.clone()));
        }
        let options = SignedUrlOptions::new().with_query(query);
        self.ask_signed(&prefix, Method::GET, &Path::default(), options).await
    }
}

impl Entry {
    /// With whether it is the mark of a deletion.
    fn parts(self) -> Option<(Stored, bool)> {
        match self {
            Self::Version(stored) => Some((stored, false)),
            Self::DeleteMarker(stored) => Some((stored, true)),
            Self::Other => None,
        }
    }
}

/// With whether it is the mark of a deletion.
type Old = (bool, OldVersion);

/// A mark that went before what it hides would bring it back. Not all servers list them between the versions.
fn marks_last(mut old: Vec<Old>) -> Vec<OldVersion> {
    old.sort_by_key(|(mark, _)| *mark);
    old.into_iter().map(|(_, version)| version).collect()
}

/// Reads the versions of one object after the other, newest first.
#[derive(Debug, Default)]
struct History {
    name: String,
    /// When the version before this one in the listing took its place.
    newer: Option<Timestamp>,
    /// The oldest last.
    old: Vec<Old>,
}

impl History {
    /// What is old of the object before this one, when this is another; the oldest first.
    fn next(&mut self, bucket: &Bucket, stored: Stored, marker: bool) -> Result<Vec<Old>, StorageError> {
        let before = if stored.key == self.name { Vec::new() } else { self.end() };
        let modified = modified(&stored).ok_or_else(|| failed(&stored.key, "a time that cannot be read"))?;
        let replaced = if stored.is_latest { modified } else { self.newer.unwrap_or(modified) };
        // Of the latest only the mark of a deletion stands for nothing.
        if (marker || !stored.is_latest)
            && let Some(key) = bucket.key(&stored.key)
        {
            let id = VersionId(stored.version_id);
            self.old.push((marker, OldVersion { key, id, size: stored.size, replaced }));
        }
        self.name = stored.key;
        self.newer = Some(modified);
        Ok(before)
    }

    fn end(&mut self) -> Vec<Old> {
        self.newer = None;
        let mut old = std::mem::take(&mut self.old);
        old.reverse();
        old
    }
}

fn modified(stored: &Stored) -> Option<Timestamp> {
    let at = OffsetDateTime::parse(&stored.last_modified, &Rfc3339).ok()?;
    Some(Timestamp(i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{config::StorageConfig, s3::S3Storage};

    const LISTING: &str = "<ListVersionsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
        <Name>b</Name><Prefix/><KeyMarker/><VersionIdMarker/><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>\
        <DeleteMarker><Key>deployment</Key><VersionId>3</VersionId><IsLatest>true</IsLatest>\
        <LastModified>1970-01-01T00:00:03.000Z</LastModified></DeleteMarker>\
        <Version><Key>deployment</Key><VersionId>2</VersionId><IsLatest>false</IsLatest>\
        <LastModified>1970-01-01T00:00:02.000Z</LastModified><ETag>x</ETag><Size>7</Size></Version>\
        <Version><Key>deployment</Key><VersionId>1</VersionId><IsLatest>false</IsLatest>\
        <LastModified>1970-01-01T00:00:01.000Z</LastModified><ETag>x</ETag><Size>9</Size></Version>\
        <Version><Key>staging/acme/0190b6a0-0000-7000-8000-000000000001</Key><VersionId>4</VersionId><IsLatest>true</IsLatest>\
        <LastModified>1970-01-01T00:00:04.000Z</LastModified><ETag>x</ETag><Size>9</Size></Version>\
        <Version><Key>foreign</Key><VersionId>5</VersionId><IsLatest>false</IsLatest>\
        <LastModified>1970-01-01T00:00:04.000Z</LastModified><ETag>x</ETag><Size>9</Size></Version>\
        </ListVersionsResult>";

    fn read(listing: &str) -> Vec<OldVersion> {
        let config =
            StorageConfig { url: "s3://b".to_owned(), region: Some("r".to_owned()), ..StorageConfig::default() };
        let bucket = S3Storage::open(&config, []).unwrap().bucket;
        let listing: Listing = quick_xml::de::from_str(listing).unwrap();
        let mut history = History::default();
        let entries = listing.entries.into_iter().filter_map(Entry::parts);
        let mut old: Vec<_> =
            entries.flat_map(|(stored, marker)| history.next(&bucket, stored, marker).unwrap()).collect();
        old.extend(history.end());
        marks_last(old)
    }

    #[test]
    fn what_a_mark_hides_comes_before_the_mark_and_what_is_current_not_at_all() {
        let old = read(LISTING);
        let found: Vec<_> = old.iter().map(|it| (it.id.0.as_str(), it.size, it.replaced.0)).collect();
        assert_eq!(found, [("1", 9, 2_000), ("2", 7, 3_000), ("3", 0, 3_000)]);
        assert!(old.iter().all(|it| it.key == Key::Deployment), "the others are current, or not ours");
    }

    #[test]
    fn a_bucket_that_never_kept_versions_says_nothing_of_them() {
        for (text, status) in [
            ("<VersioningConfiguration/>", ""),
            ("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>", "Enabled"),
            (
                "<VersioningConfiguration><MFADelete>Disabled</MFADelete><Status>Suspended</Status></VersioningConfiguration>",
                "Suspended",
            ),
        ] {
            assert_eq!(quick_xml::de::from_str::<Versioning>(text).unwrap().status, status);
        }
    }
}
