//! Publishing: the only writes that make something playable, each under the fence.

use super::{Db, DbError, Fenced};
use crate::{file::FileKind, grid::SegmentGrid, job::Fence, media_info::MediaInfo, rendition::Rendition};

impl Db {
    /// Stores what the probe found, the grid and the plan. File kind and content type follow the probe.
    ///
    /// # Errors
    /// The database is away.
    pub async fn record_probe(
        &self,
        _fence: &Fence,
        _kind: FileKind,
        _content_type: &str,
        _media: &MediaInfo,
        _grid: &SegmentGrid,
        _plan: &serde_json::Value,
    ) -> Result<Fenced, DbError> {
        todo!()
    }

    /// Publishes one rendition and, with the first playable one, makes the file `ready`; one transaction.
    /// Publishing a name that this generation has already is `Stale` (an earlier attempt was first).
    ///
    /// # Errors
    /// The database is away; when it is not known whether the commit happened, ask again: the same fence publishing the
    /// same rendition twice is `Written`.
    pub async fn publish(&self, _fence: &Fence, _rendition: &Rendition) -> Result<Fenced, DbError> {
        todo!()
    }
}
