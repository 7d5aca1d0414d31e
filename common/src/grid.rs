//! The segment grid: where segments begin. Computed once per generation and stored with the file.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Presentation times at which every encoded rung has a closed IDR and every segment begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SegmentGrid {
    /// A point every `period_ms`, from zero (no segment-safe source).
    Regular { period_ms: u32 },
    /// The clean entries of a segment-safe source, at least 2 s apart: presentation times in units of 1/`timescale` s,
    /// ascending, the first segment's included.
    Points { timescale: u32, pts: Vec<i64> },
}
