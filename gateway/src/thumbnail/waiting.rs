//! Which thumbnails are waited for, so that of many who want the same, one asks.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use reelgate_common::{
    ids::FileId,
    still::{MadeStill, Still},
};

use super::config::ThumbnailsConfig;
use crate::error::ApiError;

pub(super) type Outcome = Result<MadeStill, ApiError>;
type Making = BoxFuture<'static, Outcome>;
/// A still of a file's generation.
pub(super) type Name = (FileId, i64, Still);

/// Those that are waited for.
pub struct Thumbnails {
    pub(super) config: ThumbnailsConfig,
    waiting: Mutex<HashMap<Name, WeakShared<Making>>>,
}

impl Thumbnails {
    pub(crate) fn new(config: &ThumbnailsConfig) -> Self {
        Self { config: config.clone(), waiting: Mutex::default() }
    }

    /// The one question about a still that is under way, or a new one.
    pub(super) fn once<F>(&self, name: Name, ask: impl FnOnce(Name) -> F) -> Shared<Making>
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(making) = waiting.get(&name).and_then(WeakShared::upgrade) {
            return making;
        }
        waiting.retain(|_, making| making.upgrade().is_some());
        let making = ask(name).boxed().shared();
        waiting.extend(making.downgrade().map(|making| (name, making)));
        making
    }
}
