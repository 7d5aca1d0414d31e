//! Opens the three backends by their configured addresses. The only place that knows which kinds there are.

use crate::{db::Db, queue::SharedQueue, storage::SharedStorage};

/// Database, storage and queue of one process.
#[derive(Clone)]
pub struct Backends {
    pub db: Db,
    pub storage: SharedStorage,
    pub queue: SharedQueue,
}
