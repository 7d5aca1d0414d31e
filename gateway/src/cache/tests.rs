//! What readers cost the store, counted: requests and bytes of an origin in memory. Nothing here is timed.

use std::{
    future::poll_fn,
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use reelgate_common::{
    ids::{FileId, OrgId},
    storage::{ByteStream, StorageError},
};
use tokio::sync::Semaphore;

use super::{Cache, Cursor, Object, ObjectName, Origin, ReadError, Tier, config::CacheConfig, pool::PIECE};
use crate::body::Part;

mod disk_tier;

const MIB: u64 = 1 << 20;

/// An object in memory, sent in odd chunks; each chunk needs leave to go.
struct Store {
    content: Bytes,
    asked: Mutex<Vec<Range<u64>>>,
    sent: Mutex<u64>,
    leave: Semaphore,
    broken: AtomicBool,
    /// Ends the body early by so many bytes.
    short: u64,
}

const CHUNK: usize = 10_007;

impl Store {
    fn new(size: u64) -> Arc<Self> {
        let store = Self::held(size);
        store.leave.add_permits(1 << 20);
        store
    }

    /// One that sends nothing yet.
    fn held(size: u64) -> Arc<Self> {
        let content = (0..size).map(|n| (n % 251) as u8 ^ (n >> 16) as u8).collect();
        Arc::new(Self {
            content,
            asked: Mutex::default(),
            sent: Mutex::default(),
            leave: Semaphore::new(0),
            broken: AtomicBool::new(false),
            short: 0,
        })
    }

    fn size(&self) -> u64 {
        self.content.len() as u64
    }

    fn asked(&self) -> Vec<Range<u64>> {
        self.asked.lock().unwrap().clone()
    }

    fn sent(&self) -> u64 {
        *self.sent.lock().unwrap()
    }
}

struct Door(Arc<Store>);

#[async_trait]
impl Origin for Door {
    async fn open(&self, range: Range<u64>) -> Result<ByteStream, ReadError> {
        let store = Arc::clone(&self.0);
        store.asked.lock().unwrap().push(range.clone());
        assert!(!range.is_empty() && range.end <= store.size(), "{range:?}");
        if store.broken.load(Ordering::SeqCst) {
            return Err(StorageError::Timeout { key: "k".to_owned() }.into());
        }
        let end = usize::try_from(range.end - store.short).unwrap();
        let bytes = store.content.slice(usize::try_from(range.start).unwrap()..end);
        Ok(stream::unfold((store, bytes), |(store, mut rest)| async move {
            store.leave.acquire().await.unwrap().forget();
            let chunk = rest.split_to(rest.len().min(CHUNK));
            *store.sent.lock().unwrap() += chunk.len() as u64;
            (!chunk.is_empty()).then_some((Ok(chunk), (store, rest)))
        })
        .boxed())
    }
}

/// One response that reads a range.
struct Client {
    cursor: Cursor,
    store: Arc<Store>,
    range: Range<u64>,
    got: Vec<u8>,
}

impl Client {
    async fn step(&mut self) -> Result<bool, Arc<ReadError>> {
        if self.range.is_empty() {
            return Ok(false);
        }
        let Self { cursor, store, range, got } = self;
        let origin = || Arc::new(Door(Arc::clone(store))) as Arc<dyn Origin>;
        poll_fn(|cx| cursor.poll_load(cx, range.start, || range.end, origin)).await?;
        let Part::Memory(bytes) = cursor.take(range, origin) else { panic!("no file was asked for") };
        assert!(!bytes.is_empty() && bytes.len() <= PIECE);
        range.start += bytes.len() as u64;
        got.extend_from_slice(&bytes);
        Ok(true)
    }

    async fn read(mut self) -> Result<Vec<u8>, Arc<ReadError>> {
        while self.step().await? {}
        Ok(self.got)
    }
}

struct Bench {
    cache: Cache,
    object: Object,
    store: Arc<Store>,
}

impl Bench {
    async fn new(store: Arc<Store>) -> Self {
        Self::with(store, &CacheConfig::default()).await
    }

    async fn with(store: Arc<Store>, config: &CacheConfig) -> Self {
        config.validate().unwrap();
        Self { cache: Cache::open(config).await.unwrap(), object: object(), store }
    }

    fn client(&self, range: Range<u64>) -> Client {
        let cursor = self.cache.cursor(self.object.clone(), self.store.size(), false);
        Client { cursor, store: Arc::clone(&self.store), range, got: Vec::new() }
    }

    /// Reads and compares.
    async fn read(&self, range: Range<u64>) {
        let got = self.client(range.clone()).read().await.unwrap();
        let expected = &self.store.content[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
        assert!(got == expected, "the bytes of {range:?}");
    }

    /// Lets tasks run until none has anything to do.
    async fn settle(&self) {
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
    }
}

fn object() -> Object {
    Object::new(ObjectName::Source { org: OrgId::new("acme"), file: FileId::new(), sha256: "s".to_owned() })
}

/// How often each byte was asked for, at most.
fn most_asked(asked: &[Range<u64>]) -> usize {
    let at = |byte: u64| asked.iter().filter(|range| range.contains(&byte)).count();
    asked.iter().map(|range| at(range.start)).max().unwrap_or(0)
}

#[tokio::test]
async fn a_cold_range_is_one_request_and_a_hot_one_is_none() {
    let bench = Bench::new(Store::new(20 * MIB)).await;
    bench.read(3 * MIB..4 * MIB).await;
    assert_eq!(bench.store.asked(), vec![3 * MIB..4 * MIB]);
    bench.read(3 * MIB + 5..4 * MIB - 5).await;
    assert_eq!(bench.store.asked().len(), 1);
}

#[tokio::test]
async fn a_run_ends_where_something_is_cached() {
    let bench = Bench::new(Store::new(8 * MIB)).await;
    bench.read(MIB + 10..MIB + 20).await;
    bench.read(0..2 * MIB).await;
    assert_eq!(bench.store.asked(), [MIB..2 * MIB, 0..MIB]);
}

#[tokio::test]
async fn a_whole_file_takes_few_requests_and_each_byte_once() {
    let bench = Bench::new(Store::new(40 * MIB + 12_345)).await;
    bench.read(0..40 * MIB + 12_345).await;
    let asked = bench.store.asked();
    assert!(asked.len() <= 14, "{asked:?}");
    assert_eq!((most_asked(&asked), bench.store.sent()), (1, bench.store.size()));
}

#[tokio::test]
async fn a_thousand_clients_cause_each_byte_to_be_read_once() {
    let config = CacheConfig { memory_bytes: 160 << 20, ..CacheConfig::default() };
    let bench = Arc::new(Bench::with(Store::new(100 * MIB), &config).await);
    let clients: Vec<_> = (0..1_000)
        .map(|_| {
            let mut client = bench.client(0..100 * MIB);
            tokio::spawn(async move {
                while client.step().await.unwrap() {
                    client.got.clear();
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!((bench.store.sent(), most_asked(&bench.store.asked())), (100 * MIB, 1));
}

#[tokio::test]
async fn the_first_piece_comes_before_the_block_is_there() {
    let bench = Bench::new(Store::held(4 * MIB)).await;
    bench.store.leave.add_permits(PIECE.div_ceil(CHUNK));
    let mut client = bench.client(0..4 * MIB);
    assert!(client.step().await.unwrap());
    assert_eq!((client.got.len(), client.cursor.tier()), (PIECE, Some(Tier::Storage)));
}

#[tokio::test]
async fn a_leader_that_leaves_takes_nothing_from_the_others() {
    let bench = Bench::new(Store::held(4 * MIB)).await;
    let mut leader = bench.client(0..MIB);
    assert!(futures_util::poll!(Box::pin(leader.step())).is_pending());
    let follower = tokio::spawn(bench.client(0..MIB).read());
    bench.settle().await;
    drop(leader);
    bench.store.leave.add_permits(1 << 20);
    assert_eq!(follower.await.unwrap().unwrap().len() as u64, MIB);
    assert_eq!(bench.store.asked(), vec![0..MIB]);
}

#[tokio::test]
async fn a_fetch_that_nobody_wants_any_more_ends_with_its_block() {
    let bench = Bench::new(Store::held(4 * MIB)).await;
    bench.store.leave.add_permits(20);
    let mut client = bench.client(100..MIB + 100);
    client.step().await.unwrap();
    assert_eq!(bench.store.asked(), vec![0..2 * MIB]);
    drop(client);
    bench.store.leave.add_permits(1 << 20);
    bench.settle().await;
    let sent = bench.store.sent();
    assert!((MIB..MIB + CHUNK as u64).contains(&sent), "{sent}");
    assert_eq!(bench.cache.shared.flights.len(), 0);
    bench.read(0..MIB).await;
    assert_eq!(bench.store.asked().len(), 1, "what had begun is not read again");
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_nobody_wants_does_not_wait_for_a_store_that_is_silent() {
    let bench = Bench::new(Store::held(4 * MIB)).await;
    bench.store.leave.add_permits(20);
    let mut client = bench.client(0..4 * MIB);
    client.step().await.unwrap();
    drop(client);
    bench.settle().await;
    assert_eq!(bench.cache.shared.flights.len(), 1);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(bench.cache.shared.flights.len(), 0);
    assert_eq!(bench.cache.shared.permits.available_permits(), bench.cache.shared.config.max_fetches);
}

#[tokio::test]
async fn an_error_reaches_all_and_is_not_kept() {
    let bench = Bench::new(Store::new(4 * MIB)).await;
    bench.store.broken.store(true, Ordering::SeqCst);
    let clients: Vec<_> = (0..10).map(|_| tokio::spawn(bench.client(0..MIB).read())).collect();
    for client in clients {
        let error = client.await.unwrap().unwrap_err();
        assert!(matches!(&*error, ReadError::Storage(StorageError::Timeout { .. })), "{error:?}");
    }
    assert_eq!(bench.store.asked().len(), 1);
    bench.store.broken.store(false, Ordering::SeqCst);
    bench.read(0..MIB).await;
}

#[tokio::test]
async fn a_body_that_is_too_short_is_an_error_after_what_it_gave() {
    let mut store = Store::new(MIB);
    Arc::get_mut(&mut store).unwrap().short = 1;
    let bench = Bench::new(store).await;
    let mut client = bench.client(0..MIB);
    let error = loop {
        if let Err(error) = client.step().await {
            break error;
        }
    };
    assert!(matches!(&*error, ReadError::WrongLength));
    assert_eq!(client.got.len() as u64, MIB - PIECE as u64);
}

#[tokio::test]
async fn a_client_that_seeks_costs_two_blocks_a_seek_at_most() {
    let bench = Bench::new(Store::new(64 * MIB)).await;
    let mut taken = 0;
    for seek in 0..10 {
        let mut client = bench.client(seek * 6 * MIB + 777..64 * MIB);
        for _ in 0..3 {
            client.step().await.unwrap();
        }
        taken += client.got.len() as u64;
        bench.settle().await;
    }
    let bound = taken + bench.cache.shared.config.read_ahead_bytes + 10 * 2 * MIB;
    assert!(bench.store.sent() <= bound, "{} of {bound}", bench.store.sent());
}

#[tokio::test]
async fn short_requests_one_after_the_other_find_the_next_block_begun() {
    let bench = Bench::new(Store::new(8 * MIB + 5)).await;
    for block in 0..3 {
        bench.read(block * MIB..(block + 1) * MIB).await;
        bench.settle().await;
        // The second request shows that the reader comes on.
        let ahead = if block == 0 { 1 } else { block + 2 };
        assert_eq!(bench.store.sent(), ahead * MIB, "after block {block}");
    }
    for start in (3 * MIB..8 * MIB).step_by(64 << 10) {
        bench.read(start..start + (64 << 10)).await;
    }
    bench.read(8 * MIB..8 * MIB + 5).await;
    let asked = bench.store.asked();
    assert_eq!((most_asked(&asked), bench.store.sent()), (1, bench.store.size()), "{asked:?}");
}

#[tokio::test]
async fn a_reader_who_is_answered_at_once_has_the_next_block_begun_too() {
    let bench = Bench::new(Store::new(8 * MIB)).await;
    for block in 0..2 {
        bench.read(block * MIB..(block + 1) * MIB).await;
        bench.settle().await;
    }
    let origin = || Arc::new(Door(Arc::clone(&bench.store))) as Arc<dyn Origin>;
    assert!(bench.client(2 * MIB..3 * MIB).cursor.load_at_once(2 * MIB, origin));
    bench.settle().await;
    assert_eq!(bench.store.sent(), 4 * MIB);
    assert!(!bench.client(7 * MIB..8 * MIB).cursor.load_at_once(7 * MIB, origin));
    bench.settle().await;
    assert_eq!(bench.store.sent(), 4 * MIB, "what must be waited for is not fetched by the look");
}

#[tokio::test]
async fn a_client_that_seeks_among_short_requests_costs_two_blocks_a_seek_at_most() {
    let bench = Bench::new(Store::new(128 * MIB)).await;
    let mut taken = 0;
    for seek in 0..10 {
        for n in 0..5 {
            let start = seek * 12 * MIB + 777 + n * 700_000;
            bench.read(start..start + 700_000).await;
            taken += 700_000;
        }
        bench.settle().await;
    }
    let bound = taken + bench.cache.shared.config.read_ahead_bytes + 10 * 2 * MIB;
    assert!(bench.store.sent() > taken + 10 * MIB, "it does read ahead: {}", bench.store.sent());
    assert!(bench.store.sent() <= bound, "{} of {bound}", bench.store.sent());
}

#[tokio::test]
async fn a_scan_by_short_requests_does_not_wash_out_what_is_asked_for_often() {
    let bench =
        Bench::with(Store::new(64 * MIB), &CacheConfig { memory_bytes: 16 << 20, ..CacheConfig::default() }).await;
    let scan = Bench { object: object(), cache: bench.cache.clone(), store: Store::new(64 * MIB) };
    for _ in 0..3 {
        bench.read(0..4 * MIB).await;
    }
    for block in 0..64 {
        scan.read(block * MIB..(block + 1) * MIB).await;
        scan.settle().await;
        if block % 16 == 15 {
            bench.read(0..4 * MIB).await;
        }
    }
    assert_eq!((bench.store.sent(), scan.store.sent()), (4 * MIB, 64 * MIB));
}

#[tokio::test]
async fn nobody_reads_ahead_when_many_share_the_memory_or_the_store() {
    let bench = Bench::new(Store::new(8 * MIB)).await;
    let held = bench.cache.shared.permits.acquire_many(40).await.unwrap();
    bench.read(0..MIB).await;
    bench.read(MIB..2 * MIB).await;
    drop(held);
    let elsewhere = Bench { object: object(), cache: bench.cache.clone(), store: Store::new(40 * MIB) };
    let mut others: Vec<_> = (0..40).map(|n| elsewhere.client(n * MIB..(n + 1) * MIB)).collect();
    for other in &mut others {
        other.step().await.unwrap();
    }
    bench.read(2 * MIB..3 * MIB).await;
    bench.settle().await;
    assert_eq!(bench.store.sent(), 3 * MIB);
    drop(others);
    bench.read(3 * MIB..4 * MIB).await;
    bench.settle().await;
    assert_eq!(bench.store.sent(), 5 * MIB);
}

#[tokio::test]
async fn nothing_is_fetched_ahead_of_a_reader_that_has_stopped() {
    let bench = Bench::new(Store::new(64 * MIB)).await;
    let mut client = bench.client(0..64 * MIB);
    for _ in 0..3 * 32 {
        client.step().await.unwrap();
    }
    bench.settle().await;
    let sent = bench.store.sent();
    assert!(sent > 3 * MIB, "it does read ahead: {sent}");
    assert!(sent <= 3 * MIB + 2 * bench.cache.shared.config.read_ahead_bytes, "{sent}");
    bench.settle().await;
    assert_eq!(bench.store.sent(), sent);
}

#[tokio::test(start_paused = true)]
async fn many_slow_readers_in_little_memory_fetch_little_twice() {
    let config = CacheConfig { memory_bytes: 4 << 20, ..CacheConfig::default() };
    let bench = Bench::with(Store::new(64 * MIB), &config).await;
    let mut clients: Vec<_> = (0..60).map(|n| bench.client(n * MIB + 3..64 * MIB)).collect();
    let mut taken = 0;
    for _ in 0..8 {
        for client in &mut clients {
            client.step().await.unwrap();
            taken += client.got.len() as u64;
            client.got.clear();
        }
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    bench.settle().await;
    assert!(bench.store.sent() <= 3 * taken, "{} for {taken}", bench.store.sent());
}

#[tokio::test]
async fn a_reader_holds_one_piece_at_most() {
    let bench =
        Bench::with(Store::new(16 * MIB), &CacheConfig { memory_bytes: 4 << 20, ..CacheConfig::default() }).await;
    let mut client = bench.client(0..16 * MIB);
    client.step().await.unwrap();
    for n in 1..16 {
        bench.read(n * MIB..(n + 1) * MIB).await;
    }
    bench.settle().await;
    bench.cache.forget(bench.object.name().file());
    assert_eq!(bench.cache.shared.pool.held(), 0, "a client that has taken its frame pins nothing here");
}

#[tokio::test]
async fn an_object_known_to_be_longer_than_before_is_read_on() {
    // The segments of a rendition know its object only up to their own ends.
    let bench = Bench::new(Store::new(2 * MIB)).await;
    for end in [100_000, 200_000, 2 * MIB] {
        let cursor = bench.cache.cursor(bench.object.clone(), end, false);
        let client = Client { cursor, store: Arc::clone(&bench.store), range: end - 50_000..end, got: Vec::new() };
        let got = client.read().await.unwrap();
        let start = usize::try_from(end - 50_000).unwrap();
        assert!(got == bench.store.content[start..start + 50_000], "to {end}");
    }
}
