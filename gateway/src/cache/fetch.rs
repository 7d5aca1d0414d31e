//! One flight: a request of the store, its bytes cut into pieces, each put into memory and handed to those who wait. A task
//! of its own, so that it belongs to no client.

use std::{ops::Range, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt;

use super::{
    Shared,
    error::ReadError,
    flights::{Pilot, Ticket},
    gather::Gather,
    keep::Keeper,
    object::PieceKey,
    origin::{Origin, Tier},
    pool::PIECE,
};

/// How long a flight that nobody wants may take to the end of its block.
const PATIENCE: Duration = Duration::from_secs(2);

/// Read from the disk before anything of it is handed on.
const AT_ONCE: u64 = 8 * PIECE as u64;

pub(super) fn spawn(cache: Arc<Shared>, pilot: Pilot, origin: Arc<dyn Origin>, range: Range<u64>) {
    tokio::spawn(fly(cache, pilot, origin, range));
}

/// For a reader who is expected: the ticket of the one who expects stays with the flight, for the present response may be over
/// before the task begins.
pub(super) fn spawn_for_later(
    cache: Arc<Shared>,
    pilot: Pilot,
    origin: Arc<dyn Origin>,
    range: Range<u64>,
    ticket: Ticket,
) {
    tokio::spawn(async move {
        fly(cache, pilot, origin, range).await;
        drop(ticket);
    });
}

async fn fly(cache: Arc<Shared>, pilot: Pilot, origin: Arc<dyn Origin>, range: Range<u64>) {
    let outcome = tokio::select! {
        biased;
        () = pilot.abandoned(PATIENCE) => return,
        outcome = carry(&cache, &pilot, &*origin, range) => outcome,
    };
    if let Err(error) = outcome {
        tracing::debug!(error = &error as &dyn std::error::Error, "a fetch failed");
        pilot.fail(error);
    }
}

async fn carry(cache: &Shared, pilot: &Pilot, origin: &dyn Origin, range: Range<u64>) -> Result<(), ReadError> {
    let rest = from_disk(cache, pilot, range).await;
    if rest.is_empty() { Ok(()) } else { from_store(cache, pilot, origin, rest).await }
}

/// Brings what the disk has of the range's beginning; gives what is left, which starts at a piece.
async fn from_disk(cache: &Shared, pilot: &Pilot, range: Range<u64>) -> Range<u64> {
    let mut rest = range;
    let Some(disk) = &cache.disk else { return rest };
    while !rest.is_empty() {
        let next = rest.start..rest.end.min(rest.start + AT_ONCE);
        let Some(pieces) = disk.read(pilot.object(), next).await else { return rest };
        for bytes in pieces {
            let end = rest.start + bytes.len() as u64;
            if bytes.len() < PIECE && end < rest.end {
                // The object was thought to end here. The store knows how it goes on.
                return rest;
            }
            cache.figures.read_from_disk.increment(bytes.len() as u64);
            land(cache, pilot, rest.start / PIECE as u64, &bytes, Tier::Disk);
            rest.start = end.min(rest.end);
        }
    }
    rest
}

async fn from_store(cache: &Shared, pilot: &Pilot, origin: &dyn Origin, range: Range<u64>) -> Result<(), ReadError> {
    let _permit = cache.permits.acquire().await.map_err(|_| ReadError::Interrupted)?;
    cache.figures.requests.increment(1);
    pilot.begin();
    let mut chunks = origin.open(range.clone()).await?;
    let mut gather = Gather::new(cache.pool.clone(), range);
    let mut keeper = cache.disk.as_ref().map(|disk| Keeper::new(&cache.memory, disk, pilot.object().clone()));
    while let Some(chunk) = chunks.next().await {
        let mut chunk = chunk?;
        cache.figures.fetched.increment(chunk.len() as u64);
        while let Some((index, bytes)) = gather.take(&mut chunk) {
            land(cache, pilot, index, &bytes, Tier::Storage);
            if let Some(keeper) = &mut keeper {
                keeper.add(index, bytes);
            }
        }
        if !chunk.is_empty() {
            return Err(ReadError::WrongLength);
        }
        if pilot.is_wound_up() {
            return Ok(());
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
