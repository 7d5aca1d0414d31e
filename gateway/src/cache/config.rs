//! Config section `[cache]`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::pool::PIECE;

/// How the block cache of a gateway is limited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheConfig {
    /// Memory for pieces of objects: those cached, and those that clients still take. When slow clients hold much, less is
    /// cached, down to a quarter of this.
    pub memory_bytes: usize,
    /// What is fetched ends at a multiple of this.
    pub block_bytes: u64,
    /// Longest run fetched at once, and about the most that is fetched ahead of a client.
    pub read_ahead_bytes: u64,
    /// Requests under way at the store for all clients together.
    pub max_fetches: usize,
    /// Folder of the disk tier; without one there is none. Each gateway needs its own.
    pub disk_dir: Option<PathBuf>,
    /// Room the disk tier may take.
    pub disk_bytes: u64,
    /// Memory for what HLS and DASH are made of: indexes and finished playlists, half of it for each.
    pub playlist_bytes: u64,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            memory_bytes: 64 << 20,
            block_bytes: 1 << 20,
            read_ahead_bytes: 4 << 20,
            max_fetches: 64,
            disk_dir: None,
            disk_bytes: 10 << 30,
            playlist_bytes: 64 << 20,
        }
    }
}

/// A shard of the cache must hold many pieces.
const MIN_MEMORY: usize = 4 << 20;
const MAX_BLOCK: u64 = 16 << 20;
/// Below this not one segment table would be kept.
const MIN_PLAYLISTS: u64 = 1 << 20;

impl CacheConfig {
    /// # Errors
    /// A sentence that names the key to change.
    pub fn validate(&self) -> Result<(), String> {
        if self.memory_bytes < MIN_MEMORY {
            return Err(format!("memory_bytes must be at least {MIN_MEMORY}"));
        }
        let piece = PIECE as u64;
        if !(piece..=MAX_BLOCK).contains(&self.block_bytes) || !self.block_bytes.is_multiple_of(piece) {
            return Err(format!("block_bytes must be a multiple of {piece}, at most {MAX_BLOCK}"));
        }
        if self.read_ahead_bytes < self.block_bytes {
            return Err("read_ahead_bytes must be at least block_bytes".to_owned());
        }
        if self.max_fetches == 0 {
            return Err("max_fetches must be above 0".to_owned());
        }
        if self.disk_bytes < 2 * self.block_bytes {
            return Err("disk_bytes must be at least twice block_bytes".to_owned());
        }
        if self.playlist_bytes < MIN_PLAYLISTS {
            return Err(format!("playlist_bytes must be at least {MIN_PLAYLISTS}"));
        }
        Ok(())
    }
}
