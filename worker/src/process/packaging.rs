//! The segment index of a rendition: made of the index of its plain MP4, stored beside it, named by the row that publishes it.
//! A rendition whose index cannot be made plays progressively all the same.

use std::sync::Arc;

use bytes::Bytes;
use reelgate_common::{
    grid::SegmentGrid,
    key::Key,
    rendition::{Packaging, Rendition},
};
use reelgate_packager::{
    Movie,
    package::{Built, build},
};

use super::{Work, store};
use crate::halt::Halt;

/// No film of ours has more segments: a week of them.
const MAX_POINTS: u64 = 302_400;

/// Stores the index and fills in the row; gives the object for the publication that names it.
///
/// # Errors
/// The store stays away.
pub(super) async fn package(
    work: &Work,
    rendition: &mut Rendition,
    movie: Arc<Movie>,
    grid: &SegmentGrid,
) -> Result<Option<Key>, Halt> {
    let points = points(grid, rendition.duration_ms.unwrap_or(0));
    let Some((object, summary)) = make(work, &rendition.name, movie, points).await else { return Ok(None) };
    let name = work.object_name(&format!("{}.index", rendition.name));
    let key = work.key(&name);
    store::put(work, &key, &object).await?;
    rendition.packaging = Some(Packaging { index: name, summary });
    Ok(Some(key))
}

/// Every sample is looked at, so a long film takes a moment: beside the threads that serve everything else.
async fn make(
    work: &Work,
    name: &str,
    movie: Arc<Movie>,
    (points, timescale): (Vec<i64>, u32),
) -> Option<(Bytes, serde_json::Value)> {
    let built = tokio::task::spawn_blocking(move || build(&movie, &points, timescale)).await;
    let why = match built {
        Ok(Ok(Built { object, summary })) => match serde_json::to_value(&summary) {
            Ok(summary) => return Some((object.into(), summary)),
            Err(error) => error.to_string(),
        },
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    tracing::warn!(file.id = %work.attempt.file.id, name, why, "a rendition cannot be cut into segments; it plays progressively");
    None
}

/// The grid as the packager takes it: points and their timescale.
pub(super) fn points(grid: &SegmentGrid, duration_ms: u64) -> (Vec<i64>, u32) {
    match grid {
        SegmentGrid::Points { timescale, pts } => (pts.clone(), *timescale),
        SegmentGrid::Regular { period_ms } => {
            let period = u64::from((*period_ms).max(1));
            let count = duration_ms.div_ceil(period).clamp(1, MAX_POINTS);
            ((0..count).filter_map(|point| i64::try_from(point * period).ok()).collect(), 1_000)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_regular_grid_has_its_points_within_the_film() {
        let regular = SegmentGrid::Regular { period_ms: 2_000 };
        assert_eq!(points(&regular, 4_001), (vec![0, 2_000, 4_000], 1_000));
        assert_eq!(points(&regular, 4_000), (vec![0, 2_000], 1_000));
        assert_eq!(points(&regular, 0), (vec![0], 1_000));
        assert_eq!(points(&SegmentGrid::Regular { period_ms: 0 }, u64::MAX).0.len(), 302_400);
    }

    #[test]
    fn points_of_a_source_are_taken_as_they_are() {
        let grid = SegmentGrid::Points { timescale: 90_000, pts: vec![3_000, 270_000] };
        assert_eq!(points(&grid, 1), (vec![3_000, 270_000], 90_000));
    }
}
