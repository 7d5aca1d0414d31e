//! Where the bytes of an object come from. The cache asks for ranges; which key they lie under is the origin's business.

use std::ops::Range;

use async_trait::async_trait;
use http::HeaderValue;
use reelgate_common::storage::ByteStream;

use super::error::ReadError;

#[async_trait]
pub(crate) trait Origin: Send + Sync + 'static {
    /// The bytes of `range`, not empty, within the object.
    async fn open(&self, range: Range<u64>) -> Result<ByteStream, ReadError>;
}

/// Where a piece was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tier {
    Memory,
    Disk,
    Storage,
}

impl Tier {
    /// For `Server-Timing` (W3C Server Timing section 2).
    pub(crate) fn server_timing(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Memory => "cache;desc=hit",
            Self::Disk => "cache;desc=disk",
            Self::Storage => "cache;desc=miss",
        })
    }
}
