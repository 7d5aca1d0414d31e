//! What a connection is doing, as its transport, its requests and its answers report it, and when that has lasted too long.
//!
//! One timer per connection looks at it now and then, instead of one timer per read, write and request. Times are
//! milliseconds since the connection began.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tokio::time::Instant;

use super::{limits::Limits, sniff::Protocol};

/// How long a client must be slow before its rate counts: the system's buffers empty in bursts. Where a client may stall for
/// less than that, as long as that.
const RATE_WINDOW: Duration = Duration::from_secs(60);
/// No head has begun.
const NEVER: u64 = u64::MAX;
/// A head has begun since the clock was looked at last.
const NOW: u64 = u64::MAX - 1;

pub(super) struct Watch {
    begun: Instant,
    protocol: Protocol,
    /// Requests whose answer has not begun.
    handling: AtomicU32,
    /// Answers under way.
    answering: AtomicU32,
    /// Those of them that wait for the client to take what it was given.
    waiting: AtomicU32,
    /// Whether the client's side of the connection is full.
    blocked: AtomicBool,
    /// When the first byte of a head came.
    head: AtomicU64,
    /// When a client last took something, or a request last began or ended.
    moved: AtomicU64,
    /// Something moved since the clock was looked at last.
    news: AtomicBool,
    /// Bytes that went; in HTTP/2, those of answers given to the protocol.
    taken: AtomicU64,
}

/// Why a connection is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    Head,
    Idle,
    Stalled,
    Slow,
}

impl Overdue {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Idle => "idle",
            Self::Stalled => "stalled",
            Self::Slow => "slow",
        }
    }
}

impl Watch {
    /// Of a connection that began at `begun` and has sent its first byte.
    pub(super) fn new(begun: Instant, protocol: Protocol) -> Self {
        Self {
            begun,
            protocol,
            handling: AtomicU32::new(0),
            answering: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
            blocked: AtomicBool::new(false),
            head: AtomicU64::new(if protocol == Protocol::Http1 { 0 } else { NEVER }),
            moved: AtomicU64::new(since(begun)),
            news: AtomicBool::new(false),
            taken: AtomicU64::new(0),
        }
    }

    /// Bytes came. In HTTP/2 they may be anything; there an unfinished head counts as idleness.
    pub(super) fn received(&self) {
        if self.protocol == Protocol::Http1 && !self.is_busy() && self.head.load(Relaxed) == NEVER {
            self.head.store(NOW, Relaxed);
        }
    }

    /// After each time the connection was driven. Much happens in one go, and a clock is slow to read: so all of it happened now.
    pub(super) fn settle(&self) {
        let begins = self.head.load(Relaxed) == NOW;
        if !begins && !self.news.load(Relaxed) {
            return;
        }
        let now = since(self.begun);
        if begins {
            self.head.store(now, Relaxed);
        }
        if self.news.swap(false, Relaxed) {
            self.moved.store(now, Relaxed);
        }
    }

    /// Bytes went. In HTTP/2 they may be anything; there only frames of answers count.
    pub(super) fn wrote(&self, bytes: u64) {
        self.blocked.store(false, Relaxed);
        if self.protocol == Protocol::Http1 {
            self.taken.fetch_add(bytes, Relaxed);
            self.moved();
        }
    }

    pub(super) fn blocked(&self) {
        self.blocked.store(true, Relaxed);
    }

    /// While it is handled there is no limit, so no time need be taken.
    pub(super) fn request_began(&self) {
        self.head.store(NEVER, Relaxed);
        self.handling.fetch_add(1, Relaxed);
    }

    pub(super) fn request_handled(&self) {
        self.handling.fetch_sub(1, Relaxed);
        // An answer that has begun has said so itself.
        if self.answering.load(Relaxed) == 0 {
            self.moved();
        }
    }

    pub(super) fn answer_began(&self) {
        self.answering.fetch_add(1, Relaxed);
    }

    pub(super) fn answer_ended(&self) {
        self.answering.fetch_sub(1, Relaxed);
        self.moved();
    }

    /// An answer has given `bytes` and waits until it is asked for more.
    pub(super) fn client_turn(&self, bytes: u64) {
        self.waiting.fetch_add(1, Relaxed);
        // A frame may be long: what has gone of it is told by the transport where it is known.
        if self.protocol == Protocol::Http2 {
            self.taken.fetch_add(bytes, Relaxed);
        }
        self.moved();
    }

    /// It was asked for more.
    pub(super) fn our_turn(&self) {
        self.waiting.fetch_sub(1, Relaxed);
    }

    /// In HTTP/2, answers move by themselves.
    fn moved(&self) {
        match self.protocol {
            Protocol::Http1 => self.news.store(true, Relaxed),
            Protocol::Http2 => self.moved.store(since(self.begun), Relaxed),
        }
    }

    /// When the client was last sent something, as far as is known.
    pub(super) fn last_sent(&self) -> Instant {
        if self.news.load(Relaxed) { Instant::now() } else { self.moved_at() }
    }

    fn moved_at(&self) -> Instant {
        self.begun + Duration::from_millis(self.moved.load(Relaxed))
    }

    fn is_busy(&self) -> bool {
        self.handling.load(Relaxed) > 0 || self.answering.load(Relaxed) > 0
    }

    fn awaits_client(&self) -> bool {
        self.blocked.load(Relaxed) || self.waiting.load(Relaxed) > 0
    }

    /// What it is doing has a limit, reached then; while a handler works there is none but its own.
    fn due(&self, limits: &Limits) -> Option<(Instant, Overdue)> {
        let moved = self.moved_at();
        if self.awaits_client() {
            return Some((moved + limits.stall, Overdue::Stalled));
        }
        if self.is_busy() {
            return None;
        }
        match self.head.load(Relaxed) {
            NEVER => Some((moved + limits.idle, Overdue::Idle)),
            NOW => Some((Instant::now() + limits.header, Overdue::Head)),
            head => Some((self.begun + Duration::from_millis(head) + limits.header, Overdue::Head)),
        }
    }

    /// What has lasted too long by now.
    pub(super) fn overdue(&self, limits: &Limits, pace: &mut Pace) -> Option<Overdue> {
        let now = Instant::now();
        let due = self.due(limits).filter(|(due, _)| *due <= now).map(|(_, why)| why);
        due.or_else(|| pace.is_too_slow(self, limits, now).then_some(Overdue::Slow))
    }

    /// When to look again: at what is due, but soon enough for a head that begins meanwhile.
    pub(super) fn next_look(&self, limits: &Limits) -> Instant {
        let soon = Instant::now() + limits.header;
        self.due(limits).map_or(soon, |(due, _)| due.min(soon))
    }
}

fn since(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(NOW - 1)
}

/// How fast a client has been since it became the one that is waited for.
pub(super) struct Pace {
    since: Instant,
    taken: u64,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), taken: 0 }
    }

    fn is_too_slow(&mut self, watch: &Watch, limits: &Limits, now: Instant) -> bool {
        let taken = watch.taken.load(Relaxed);
        let passed = now - self.since;
        if watch.awaits_client() && passed < RATE_WINDOW.min(limits.stall) {
            return false;
        }
        let passed = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        let wanted = limits.min_rate.saturating_mul(passed) / 1_000;
        let slow = watch.awaits_client() && taken - self.taken < wanted;
        *self = Self { since: now, taken };
        slow
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::config::HttpConfig;

    const SECOND: Duration = Duration::from_secs(1);

    fn limits(min_send_rate: u64) -> Limits {
        let config = HttpConfig {
            header_timeout_ms: 10_000,
            idle_timeout_ms: 60_000,
            send_stall_timeout_ms: 900_000,
            min_send_rate,
            ..HttpConfig::default()
        };
        Limits::of(&config)
    }

    fn look(watch: &Watch) -> Option<Overdue> {
        watch.overdue(&limits(0), &mut Pace::new())
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_its_time_from_its_first_byte() {
        let watch = Watch::new(Instant::now(), Protocol::Http1);
        advance(9 * SECOND).await;
        watch.received();
        watch.settle();
        assert_eq!(look(&watch), None);
        advance(SECOND).await;
        assert_eq!(look(&watch), Some(Overdue::Head), "more bytes give no more time");
    }

    #[tokio::test(start_paused = true)]
    async fn between_requests_a_connection_is_idle() {
        let watch = Watch::new(Instant::now(), Protocol::Http1);
        watch.request_began();
        advance(1_000 * SECOND).await;
        assert_eq!(look(&watch), None, "a handler has its own limits");
        watch.request_handled();
        watch.settle();
        advance(59 * SECOND).await;
        assert_eq!(look(&watch), None);
        watch.received();
        watch.settle();
        advance(SECOND).await;
        assert_eq!(look(&watch), None, "a head has begun in time");
        advance(9 * SECOND).await;
        assert_eq!(look(&watch), Some(Overdue::Head));
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_of_http2_neither_begin_a_head_nor_prove_that_anything_is_taken() {
        let watch = Watch::new(Instant::now(), Protocol::Http2);
        advance(59 * SECOND).await;
        watch.received();
        watch.settle();
        watch.wrote(1);
        watch.settle();
        assert_eq!(look(&watch), None);
        advance(SECOND).await;
        assert_eq!(look(&watch), Some(Overdue::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_stalled_one_that_waits_for_us_is_not() {
        let watch = Watch::new(Instant::now(), Protocol::Http2);
        watch.answer_began();
        advance(1_000 * SECOND).await;
        assert_eq!(look(&watch), None);
        watch.client_turn(1);
        watch.settle();
        advance(899 * SECOND).await;
        assert_eq!(look(&watch), None);
        advance(SECOND).await;
        assert_eq!(look(&watch), Some(Overdue::Stalled));
        watch.our_turn();
        assert_eq!(look(&watch), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_tail_of_an_answer_counts_as_sending() {
        let watch = Watch::new(Instant::now(), Protocol::Http1);
        watch.request_began();
        watch.request_handled();
        watch.settle();
        watch.blocked();
        for _ in 0..3 {
            advance(800 * SECOND).await;
            assert_eq!(look(&watch), None);
            watch.wrote(1);
            watch.settle();
            watch.blocked();
        }
        advance(900 * SECOND).await;
        assert_eq!(look(&watch), Some(Overdue::Stalled));
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickle_is_too_slow_only_where_a_rate_is_set_and_the_client_is_waited_for() {
        for (min_rate, taken, end) in
            [(0, 1, None), (100, 99, Some(Overdue::Slow)), (100, 100, None), (100, 1_000, None)]
        {
            let watch = Watch::new(Instant::now(), Protocol::Http2);
            watch.request_began();
            watch.request_handled();
            watch.settle();
            watch.answer_began();
            let (limits, mut pace) = (limits(min_rate), Pace::new());
            advance(600 * SECOND).await;
            assert_eq!(watch.overdue(&limits, &mut pace), None, "the store is slow, not the client");
            watch.client_turn(0);
            watch.settle();
            for _ in 0..6 {
                assert_eq!(watch.overdue(&limits, &mut pace), None);
                advance(10 * SECOND).await;
                watch.our_turn();
                watch.client_turn(taken * 10);
                watch.settle();
            }
            assert_eq!(watch.overdue(&limits, &mut pace), end, "{taken} of {min_rate}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_frame_that_goes_at_the_least_rate_is_not_too_slow() {
        for (rate, end) in [(100, None), (99, Some(Overdue::Slow))] {
            let watch = Watch::new(Instant::now(), Protocol::Http1);
            watch.answer_began();
            watch.client_turn(1 << 20);
            watch.settle();
            let (limits, mut pace) = (limits(100), Pace::new());
            for _ in 0..6 {
                assert_eq!(watch.overdue(&limits, &mut pace), None);
                advance(10 * SECOND).await;
                watch.wrote(rate * 10);
                watch.settle();
                watch.blocked();
            }
            assert_eq!(watch.overdue(&limits, &mut pace), end, "{rate}");
        }
    }
}
