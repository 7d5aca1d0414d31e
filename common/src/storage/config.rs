//! Config section `[storage]`: which store, and how patient to be with it.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageConfig {
    /// `file:DIR` or `s3://bucket/prefix`.
    pub url: String,
    /// Address of an S3 server other than AWS, e.g. `http://127.0.0.1:3900`.
    pub endpoint: Option<String>,
    /// Region; else `AWS_REGION`, else `us-east-1`.
    pub region: Option<String>,
    pub connect_timeout_ms: u64,
    /// Time for the response head.
    pub header_timeout_ms: u64,
    /// Time without a byte while a body flows.
    pub idle_timeout_ms: u64,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self {
            url: "file:./reelgate-data/objects".to_owned(),
            endpoint: None,
            region: None,
            connect_timeout_ms: 3_000,
            header_timeout_ms: 30_000,
            idle_timeout_ms: 30_000,
        }
    }
}
