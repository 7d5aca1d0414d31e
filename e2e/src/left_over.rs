//! What the store holds of a file beyond what its rows name: must become nothing once the reconciler has run.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use reelgate_common::{db::FileWithRenditions, key::Key};

use crate::site::Site;

/// For a site in which what a crash has left is found at once: no grace, no brake.
pub const NO_GRACE: &[(&str, &str)] = &[
    ("REELGATE__MAINTENANCE__RECONCILE_MS", "500"),
    ("REELGATE__MAINTENANCE__ORPHAN_GRACE_MS", "0"),
    ("REELGATE__MAINTENANCE__STOP_PERCENT", "100"),
];

/// Objects of the file, and anything in staging, that the row does not name.
///
/// # Errors
/// The store is away, or something that the row names is not there.
pub async fn left_over(site: &Site, row: &FileWithRenditions) -> Result<Vec<String>> {
    let file = &row.file;
    let mut stored: BTreeSet<String> = site.stored("staging/").await?.into_iter().collect();
    stored.extend(site.stored(&Key::file_prefix(&file.org_id, file.id)).await?);
    stored.remove(&file.source_key.to_string());
    for rendition in &row.renditions {
        let folder = Key::attempt_prefix(&file.org_id, file.id, file.generation, rendition.attempt);
        for name in rendition.outputs() {
            ensure!(stored.remove(&format!("{folder}{name}")), "{name} is not there");
        }
    }
    Ok(stored.into_iter().collect())
}
