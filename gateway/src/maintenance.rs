//! The loops that keep database, queue and object store in step: dispatcher, reaper, reconciler, sweeper of uploads.

pub mod config;

use std::sync::Arc;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::app::App;

/// Starts the loops; each ends when `stop` is cancelled, and gives up its office first.
pub fn spawn(_app: &Arc<App>, _tasks: &TaskTracker, _stop: &CancellationToken) {}
