//! One flight: a request of the store, its bytes cut into pieces, each put into memory and handed to those who wait. A task
//! of its own, so that it belongs to no client.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use futures_util::StreamExt;

use super::{
    Shared,
    error::ReadError,
    flights::Pilot,
    gather::Gather,
    object::PieceKey,
    origin::{Origin, Tier},
};

pub(super) fn spawn(cache: Arc<Shared>, pilot: Pilot, origin: Arc<dyn Origin>, range: Range<u64>) {
    tokio::spawn(async move {
        let stop = pilot.stop();
        let outcome = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            outcome = carry(&cache, &pilot, &*origin, range) => outcome,
        };
        if let Err(error) = outcome {
            tracing::debug!(error = &error as &dyn std::error::Error, "a fetch failed");
            pilot.fail(error);
        }
    });
}

async fn carry(cache: &Shared, pilot: &Pilot, origin: &dyn Origin, range: Range<u64>) -> Result<(), ReadError> {
    let _permit = cache.permits.acquire().await.map_err(|_| ReadError::Interrupted)?;
    cache.figures.requests.increment(1);
    let mut chunks = origin.open(range.clone()).await?;
    let mut gather = Gather::new(cache.pool.clone(), range);
    while let Some(chunk) = chunks.next().await {
        let mut chunk = chunk?;
        cache.figures.fetched.increment(chunk.len() as u64);
        while let Some((index, bytes)) = gather.take(&mut chunk) {
            land(cache, pilot, index, &bytes, Tier::Storage);
        }
        if !chunk.is_empty() {
            return Err(ReadError::WrongLength);
        }
    }
    if gather.is_done() { Ok(()) } else { Err(ReadError::WrongLength) }
}

fn land(cache: &Shared, pilot: &Pilot, index: u64, bytes: &Bytes, tier: Tier) {
    let key = PieceKey { object: pilot.object().clone(), index };
    cache.memory.insert(key.clone(), bytes.clone());
    // Wanted by several at once is wanted more than once.
    if pilot.land(index, bytes, tier) > 1 {
        cache.memory.get(&key);
    }
}
