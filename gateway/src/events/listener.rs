//! One listener: what it is sent next. It hears its organisation's feed; what the feed has told before, or was too fast for it, it reads
//! from the log. Events come in order, each once, and none is left out: `at` is the last number that it has been shown or need not be.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use reelgate_common::{
    db::DbError,
    event::EventSpan,
    ids::FileId,
    metric::{EVENT_RESETS, EVENTS_SENT},
};
use tokio::{
    sync::broadcast::error::{RecvError, TryRecvError},
    time::{Instant, Interval, MissedTickBehavior, interval, sleep, sleep_until},
};

use super::{
    frame::{self, Line},
    hub::Seat,
};
use crate::{app::App, lease::Ticket};

/// Read from the log at a time.
const PAGE: usize = 200;
/// Events are sent together up to this size.
const TOGETHER: usize = 32 * 1_024;
/// How often it is asked whether a listener may still listen.
const ASK: Duration = Duration::from_secs(5);

/// Which files a listener hears of.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    /// The one it has asked for.
    pub(super) file: Option<FileId>,
    /// Those that its token was made for.
    pub(super) files: Option<Vec<FileId>>,
}

impl Filter {
    fn shows(&self, file: FileId) -> bool {
        self.file.is_none_or(|wanted| wanted == file) && self.files.as_ref().is_none_or(|files| files.contains(&file))
    }
}

pub(super) struct Listener {
    app: Arc<App>,
    seat: Seat,
    filter: Filter,
    /// May be revoked meanwhile.
    ticket: Option<Ticket>,
    at: i64,
    /// Whether the log may have more than the feed will tell.
    behind: bool,
    /// Sent before anything else.
    first: Option<Bytes>,
    sent: Instant,
    ends: Instant,
    ticks: Interval,
}

impl Listener {
    /// From after `from` on; from now on when there is none, or when what follows it is not kept any more, which is said first.
    ///
    /// # Errors
    /// The database is away.
    pub(super) async fn open(
        app: Arc<App>,
        seat: Seat,
        filter: Filter,
        ticket: Option<Ticket>,
        from: Option<i64>,
    ) -> Result<Self, DbError> {
        let span = span(&app, &seat).await?;
        let config = &app.config.events;
        let every = config.heartbeat().min(ASK);
        // Those who came together do not all come again together.
        let lasts = config.max_stream().mul_f64(0.9 + 0.1 * rand::random::<f64>());
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let retry_ms = config.retry_ms;
        let now = Instant::now();
        let mut listener = Self {
            app,
            seat,
            filter,
            ticket,
            at: from.unwrap_or(span.last),
            behind: true,
            first: None,
            sent: now,
            ends: now + lasts,
            ticks,
        };
        let reset = listener.follow(span);
        let mut first = BytesMut::from(&frame::greeting(retry_ms, listener.at)[..]);
        first.extend_from_slice(&reset.unwrap_or_default());
        listener.first = Some(first.freeze());
        Ok(listener)
    }

    /// Goes to the end of a log that does not go on where this listener is, and says so.
    fn follow(&mut self, span: EventSpan) -> Option<Bytes> {
        self.seat.feed.begin_at(span.last);
        if span.goes_on_after(self.at) {
            return None;
        }
        self.at = span.last;
        EVENT_RESETS.counter().increment(1);
        Some(frame::reset(span))
    }

    /// Waits for what is to be sent next; `None` when that was all.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            let may = self.ticket.as_ref().is_none_or(|ticket| self.app.leases.may_go_on_listening(ticket));
            if !may || Instant::now() >= self.ends || self.app.draining.is_cancelled() {
                return None;
            }
            let text = if self.behind { self.catch_up().await } else { self.hear().await? };
            if let Some(text) = text {
                self.sent = Instant::now();
                return Some(text);
            }
        }
    }

    /// What the feed tells, or a sign of life. `None` within when there is nothing to be sent.
    async fn hear(&mut self) -> Option<Option<Bytes>> {
        tokio::select! {
            biased;
            () = self.app.draining.cancelled() => None,
            () = sleep_until(self.ends) => None,
            line = self.seat.log.recv() => match line {
                Ok(line) => Some(self.gather(&line)),
                Err(RecvError::Lagged(_)) => { self.behind = true; Some(None) }
                Err(RecvError::Closed) => None,
            },
            line = self.seat.live.recv() => match line {
                Ok(line) if self.filter.shows(line.file) => { sent("live", 1); Some(Some(line.text.clone())) }
                Ok(_) | Err(RecvError::Lagged(_)) => Some(None),
                Err(RecvError::Closed) => None,
            },
            _ = self.ticks.tick() => Some(self.heartbeat()),
        }
    }

    fn heartbeat(&self) -> Option<Bytes> {
        (self.sent.elapsed() >= self.app.config.events.heartbeat()).then(|| frame::heartbeat(self.at))
    }

    /// This one and those that are there already.
    fn gather(&mut self, first: &Line) -> Option<Bytes> {
        let mut text = BytesMut::new();
        let mut count = self.pass(first, &mut text);
        while text.len() < TOGETHER {
            match self.seat.log.try_recv() {
                Ok(line) => count += self.pass(&line, &mut text),
                Err(TryRecvError::Lagged(_)) => {
                    self.behind = true;
                    break;
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        sent("durable", count);
        (!text.is_empty()).then(|| text.freeze())
    }

    /// How many were added: what has been shown already is not shown again.
    fn pass(&mut self, line: &Line, text: &mut BytesMut) -> u64 {
        let Some(seq) = line.seq.filter(|seq| *seq > self.at) else { return 0 };
        self.at = seq;
        if !self.filter.shows(line.file) {
            return 0;
        }
        text.extend_from_slice(&line.text);
        1
    }

    /// The next page of the log. While the database is away there is nothing to be said but that the connection lives.
    async fn catch_up(&mut self) -> Option<Bytes> {
        match self.read().await {
            Ok(text) => text,
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "a listener waits for the database");
                sleep(self.app.config.events.poll()).await;
                self.heartbeat()
            }
        }
    }

    async fn read(&mut self) -> Result<Option<Bytes>, DbError> {
        let app = self.app.clone();
        // It is never closed.
        let _turn = app.events.catching_up().acquire().await.ok();
        if let Some(reset) = self.follow(app.db.event_span(self.seat.org()).await?) {
            return Ok(Some(reset));
        }
        // Before the log is read: what the feed tells after that it tells this listener, too.
        let told = self.seat.feed.position().unwrap_or(self.at);
        let page = app.db.events_after(self.seat.org(), self.at, self.filter.file, PAGE as u64).await?;
        let mut text = BytesMut::new();
        let count = page.iter().map(|event| self.pass(&Line::from(event), &mut text)).sum();
        sent("durable", count);
        if page.len() < PAGE {
            self.behind = false;
            self.at = self.at.max(told);
        }
        Ok((!text.is_empty()).then(|| text.freeze()))
    }
}

async fn span(app: &App, seat: &Seat) -> Result<EventSpan, DbError> {
    let _turn = app.events.catching_up().acquire().await.ok();
    app.db.event_span(seat.org()).await
}

fn sent(kind: &'static str, count: u64) {
    EVENTS_SENT.counter_of([("kind", kind)]).increment(count);
}

#[cfg(test)]
mod tests {
    use reelgate_common::{
        config::Secret,
        db::NewFile,
        ids::{OrgId, UserId},
        key::Key,
    };
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{config::GatewayConfig, upload::fixture::Fixture};

    fn acme() -> OrgId {
        OrgId::new("acme")
    }

    async fn app(fixture: &Fixture) -> Arc<App> {
        let mut config = GatewayConfig::default();
        config.auth.secret = Secret::new("s".repeat(32));
        config.tokens.keys = Secret::new(format!("k:{}=", "A".repeat(43)));
        App::new(config, fixture.backends.clone(), CancellationToken::new()).await.unwrap()
    }

    async fn listen(app: &Arc<App>, filter: Filter, from: Option<i64>) -> Listener {
        let seat = app.events.enter(&acme(), None).unwrap();
        let mut listener = Listener::open(app.clone(), seat, filter, None, from).await.unwrap();
        listener.next().await.unwrap();
        listener
    }

    /// An upload that is given up: one event.
    async fn happen(app: &App) -> FileId {
        let (id, org_id) = (FileId::new(), acme());
        let new = NewFile {
            id,
            org_id: org_id.clone(),
            owner_id: UserId::new("alice"),
            location: id.to_string(),
            filename: "f".to_owned(),
            staging_key: Key::Staging { org: org_id.clone(), file: id },
            repeat_key: None,
            labels: reelgate_common::labels::Labels::default(),
        };
        app.db.create_file(&new).await.unwrap();
        app.db.abandon_upload(&org_id, id).await.unwrap();
        id
    }

    /// What the reader does.
    async fn tell(app: &App, after: i64) {
        let feed = app.events.feed(&acme()).unwrap();
        let events = app.db.events_after(&acme(), after, None, 10_000).await.unwrap();
        events.iter().for_each(|event| feed.tell(Line::from(event)));
    }

    /// Numbers of the events, until there are so many.
    async fn heard(listener: &mut Listener, count: usize) -> Vec<i64> {
        let mut heard = Vec::new();
        while heard.len() < count {
            let text = String::from_utf8(listener.next().await.unwrap().to_vec()).unwrap();
            assert!(text.len() <= TOGETHER + PAGE * 1_024, "{} bytes at once", text.len());
            let blocks = text.split("\n\n").filter(|block| block.contains("data:"));
            heard.extend(
                blocks
                    .filter_map(|block| block.lines().find_map(|line| line.strip_prefix("id: ")?.parse::<i64>().ok())),
            );
        }
        heard
    }

    #[tokio::test]
    async fn who_is_too_slow_for_the_feed_reads_the_log_and_misses_and_repeats_nothing() {
        let fixture = Fixture::new().await;
        let app = app(&fixture).await;
        let mut listener = listen(&app, Filter { file: None, files: None }, None).await;
        happen(&app).await;
        tell(&app, 0).await;
        assert_eq!(heard(&mut listener, 1).await, [1]);
        // More than a feed keeps, while the client takes nothing; some more that the feed has not told yet.
        for _ in 0..300 {
            happen(&app).await;
        }
        tell(&app, 1).await;
        for _ in 0..10 {
            happen(&app).await;
        }
        let caught_up = heard(&mut listener, 310).await;
        assert_eq!(caught_up, (2..=311).collect::<Vec<_>>());
        let last = happen(&app).await;
        tell(&app, 301).await;
        assert_eq!(heard(&mut listener, 1).await, [312], "what it has read by itself is not told again");
        // One file of many: what was passed over counts as seen.
        let only = Filter { file: None, files: Some(vec![last]) };
        let mut narrowed = listen(&app, only, Some(0)).await;
        assert_eq!(heard(&mut narrowed, 1).await, [312]);
        assert_eq!(narrowed.at, 312);
    }
}
