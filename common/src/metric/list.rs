//! The list itself.

use super::{
    Kind, LabelOf, Metric, Role,
    Role::{Both, Gateway, Worker},
    Unit,
    Unit::{Bytes, Count, Seconds},
    Values,
};

/// Seconds of answers and of requests to the store: from what lies in memory to a film that is watched to its end.
const SECONDS: &[f64] =
    &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0];
/// Seconds of an attempt: from a thumbnail to hours of film.
const LONG: &[f64] = &[0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 7_200.0, 21_600.0];

pub const STORAGE_OPERATIONS: &[&str] = &[
    "head",
    "get",
    "put",
    "create_multipart",
    "put_part",
    "complete_multipart",
    "abort_multipart",
    "list_multipart",
    "copy",
    "delete",
    "list_old_versions",
    "delete_version",
    "ping",
];
pub const STORAGE_OUTCOMES: &[&str] = &["ok", "not_found", "changed", "full", "denied", "timeout", "failed"];
const DUTIES: &[&str] = &[
    "dispatch",
    "reap",
    "sweep",
    "leases",
    "events",
    "purge",
    "expire",
    "promote",
    "reconcile",
    "gauges",
    "webhooks",
    "webhook_log",
    "earn",
    "cool",
];

const ROUTE: LabelOf = LabelOf { name: "route", values: Values::AtMost(64) };
const KIND: LabelOf = LabelOf { name: "kind", values: Values::Of(&["process", "thumbnail", "chunk", "earn"]) };
const LANE: LabelOf = LabelOf { name: "lane", values: Values::Of(&["small", "large", "gpu"]) };
const DUTY: LabelOf = LabelOf { name: "duty", values: Values::Of(DUTIES) };
const OPERATION: LabelOf = LabelOf { name: "operation", values: Values::Of(STORAGE_OPERATIONS) };
const METHODS: Values = Values::Of(&["GET", "HEAD", "POST", "DELETE", "PATCH", "OPTIONS", "other"]);

const fn counter(name: &'static str, unit: Unit, help: &'static str, role: Role) -> Metric {
    Metric { name, kind: Kind::Counter, unit, help, labels: &[], role }
}

const fn gauge(name: &'static str, unit: Unit, help: &'static str, role: Role) -> Metric {
    Metric { name, kind: Kind::Gauge, unit, help, labels: &[], role }
}

const fn histogram(name: &'static str, buckets: &'static [f64], help: &'static str, role: Role) -> Metric {
    Metric { name, kind: Kind::Histogram(buckets), unit: Seconds, help, labels: &[], role }
}

impl Metric {
    const fn labelled(self, labels: &'static [LabelOf]) -> Self {
        Self { labels, ..self }
    }
}

/// Declares each metric as a constant, and all of them as one list.
macro_rules! metrics {
    ($($name:ident = $metric:expr;)*) => {
        $(pub const $name: Metric = $metric;)*
        pub const ALL: &[Metric] = &[$($name),*];
        /// What the sources call them, in the same order.
        pub const CONSTANTS: &[&str] = &[$(stringify!($name)),*];
    };
}

metrics! {
    BUILD_INFO = gauge("reelgate_build_info", Count, "1, with the version of the process as a label.", Both)
        .labelled(&[LabelOf { name: "version", values: Values::AtMost(1) }]);
    DRAINING = gauge("reelgate_draining", Count, "1 while the process takes nothing new and ends what it has begun.", Both);

    HTTP_REQUESTS = counter("reelgate_http_requests_total", Count, "Requests of the API that have been answered to the last byte or cut.", Gateway)
        .labelled(&[ROUTE, LabelOf { name: "method", values: METHODS }, LabelOf { name: "status", values: Values::AtMost(48) }]);
    HTTP_REQUEST_DURATION = histogram("reelgate_http_request_duration_seconds", SECONDS,
        "From a request's head to the last byte of its answer, the client's own pace included.", Gateway).labelled(&[ROUTE]);
    HTTP_SENT_BYTES = counter("reelgate_http_sent_bytes_total", Bytes, "Bytes of bodies that were sent.", Gateway).labelled(&[ROUTE]);
    HTTP_SENDFILE_BYTES = counter("reelgate_http_sendfile_bytes_total", Bytes,
        "Bytes that the kernel sent out of files of the disk tier.", Gateway);
    HTTP_CONNECTIONS = gauge("reelgate_http_connections", Count, "Open connections, those of the operations port included.", Gateway);
    HTTP_CONNECTIONS_REFUSED = counter("reelgate_http_connections_refused_total", Count,
        "Connections of clients that had as many as they may.", Gateway);
    HTTP_CONNECTIONS_ENDED = counter("reelgate_http_connections_ended_total", Count,
        "Connections that were ended because their client kept them waiting.", Gateway)
        .labelled(&[LabelOf { name: "why", values: Values::Of(&["head", "idle", "stalled", "slow"]) }]);
    HTTP_REQUESTS_SHED = counter("reelgate_http_requests_shed_total", Count,
        "Requests sent away because there were too many: of a caller, of uploads, of an organisation's uploads, of waiting jobs.", Gateway)
        .labelled(&[LabelOf { name: "why", values: Values::Of(&["rate", "uploads", "own_uploads", "queue"]) }]);
    STREAM_TOKENS_CHECKED = counter("reelgate_stream_tokens_checked_total", Count,
        "Stream tokens whose signature was checked; requests that are remembered check none.", Gateway);
    UPLOADS_ACTIVE = gauge("reelgate_uploads_active", Count, "Uploads under way at this gateway.", Gateway);
    INDEX_READS = counter("reelgate_index_reads_total", Count, "Reads of packaging indexes for HLS and DASH.", Gateway);
    INDEX_READ_BYTES = counter("reelgate_index_read_bytes_total", Bytes, "Bytes of packaging indexes that were read.", Gateway);

    CACHE_HITS = counter("reelgate_cache_hits_total", Count, "Pieces of objects that were found in memory.", Gateway);
    CACHE_MISSES = counter("reelgate_cache_misses_total", Count, "Pieces of objects that had to be waited for.", Gateway);
    CACHE_STORAGE_REQUESTS = counter("reelgate_cache_storage_requests_total", Count, "Requests that the cache made of the store.", Gateway);
    CACHE_STORAGE_BYTES = counter("reelgate_cache_storage_bytes_total", Bytes, "Bytes that the cache got from the store.", Gateway);
    CACHE_DISK_READ_BYTES = counter("reelgate_cache_disk_read_bytes_total", Bytes, "Bytes that the cache read from its disk tier.", Gateway);
    CACHE_MEMORY_BYTES = gauge("reelgate_cache_memory_bytes", Bytes, "Bytes that the cache keeps in memory.", Gateway);
    CACHE_PINNED_BYTES = gauge("reelgate_cache_pinned_bytes", Bytes, "Bytes that clients and fetches hold beyond what is cached.", Gateway);
    CACHE_DISK_BYTES = gauge("reelgate_cache_disk_bytes", Bytes, "Bytes on the disk tier.", Gateway);

    STORAGE_REQUESTS = counter("reelgate_storage_requests_total", Count,
        "Calls of the object store by what was asked and what came of it; of a read, its beginning.", Both)
        .labelled(&[OPERATION, LabelOf { name: "outcome", values: Values::Of(STORAGE_OUTCOMES) }]);
    STORAGE_REQUEST_DURATION = histogram("reelgate_storage_request_duration_seconds", SECONDS,
        "Time until the object store answered; of a read, until it began.", Both).labelled(&[OPERATION]);
    ORPHAN_BYTES = gauge("reelgate_orphan_bytes", Bytes, "Bytes in the store that no row accounts for; 0 where this gateway does not lead.", Gateway);
    FILES_MISSING_OBJECTS = gauge("reelgate_files_missing_objects", Count,
        "Files whose objects the last comparison missed; 0 where this gateway does not lead.", Gateway);
    STUCK_FILES = gauge("reelgate_stuck_files", Count, "Files on their way with neither an upload nor a job behind them.", Gateway);

    EVENT_LISTENERS = gauge("reelgate_event_listeners", Count, "Open streams of live events.", Gateway);
    EVENTS_SENT = counter("reelgate_events_sent_total", Count, "Events sent to listeners, out of the log or live only.", Gateway)
        .labelled(&[LabelOf { name: "kind", values: Values::Of(&["durable", "live"]) }]);
    EVENT_RESETS = counter("reelgate_event_resets_total", Count, "Listeners that were told that the log does not go on where they were.", Gateway);
    WEBHOOK_ATTEMPTS = counter("reelgate_webhook_attempts_total", Count, "Tries to deliver an event to a webhook.", Gateway)
        .labelled(&[LabelOf { name: "outcome", values: Values::Of(&["delivered", "failed", "given_up", "stale"]) }]);
    WEBHOOK_DELIVERIES_WAITING = gauge("reelgate_webhook_deliveries_waiting", Count, "Deliveries that wait for their next try, of the whole deployment.", Gateway);
    WEBHOOK_OLDEST_WAIT = gauge("reelgate_webhook_oldest_wait_seconds", Seconds, "How long the delivery that waits longest has waited.", Gateway);

    JOBS_WAITING = gauge("reelgate_jobs_waiting", Count, "Jobs that are due and wait for a worker, of the whole deployment.", Gateway).labelled(&[KIND, LANE]);
    JOBS_DELAYED = gauge("reelgate_jobs_delayed", Count, "Jobs that wait for their next run and are not due yet, of the whole deployment.", Gateway).labelled(&[KIND, LANE]);
    JOBS_RUNNING = gauge("reelgate_jobs_running", Count, "Jobs that workers hold, of the whole deployment.", Gateway).labelled(&[KIND, LANE]);
    JOBS_OLDEST_WAIT = gauge("reelgate_jobs_oldest_wait_seconds", Seconds, "How long the job that waits longest has been due.", Gateway).labelled(&[KIND, LANE]);
    LANE_SLOTS = gauge("reelgate_lane_slots", Count, "Jobs of a lane that the workers that live can run at once, of the whole deployment.", Gateway).labelled(&[LANE]);
    JOBS_DEAD = gauge("reelgate_jobs_dead", Count, "Jobs that were given up.", Gateway);
    QUEUE_READY = gauge("reelgate_queue_ready", Count, "Entries of the queue that may be claimed.", Gateway);
    QUEUE_DELAYED = gauge("reelgate_queue_delayed", Count, "Entries of the queue that are not due yet.", Gateway);
    QUEUE_LEASED = gauge("reelgate_queue_leased", Count, "Entries of the queue that workers hold.", Gateway);
    QUEUE_MALFORMED = counter("reelgate_queue_malformed_total", Count, "Entries of the queue that could not be read and went to its dead letters.", Both);
    MAINTENANCE_LEADER = gauge("reelgate_maintenance_leader", Count, "1 at the gateway that does the maintenance for all, else 0.", Gateway);
    MAINTENANCE_CHANGES = counter("reelgate_maintenance_changes_total", Count, "What the duties of the maintenance have changed.", Gateway).labelled(&[DUTY]);
    MAINTENANCE_FAILURES = counter("reelgate_maintenance_failures_total", Count, "Turns of the maintenance that failed.", Gateway).labelled(&[DUTY]);

    EARNED_DROPPED = counter("reelgate_earned_dropped_total", Count, "Earned renditions that were dropped because nobody was shown them any more.", Gateway);
    EARNED_DROPPED_BYTES = counter("reelgate_earned_dropped_bytes_total", Bytes, "Bytes of earned renditions that were dropped.", Gateway);

    WORKER_ATTEMPTS = counter("reelgate_worker_attempts_total", Count, "Runs of jobs by how they ended.", Worker)
        .labelled(&[LabelOf { name: "outcome", values: Values::Of(&["finished", "split", "failed", "interrupted", "away", "lost", "cancelled"]) }]);
    WORKER_ATTEMPT_DURATION = histogram("reelgate_worker_attempt_duration_seconds", LONG, "Time that a run of a job took.", Worker)
        .labelled(&[KIND]);
    WORKER_EARNED = counter("reelgate_worker_earned_renditions_total", Count, "Renditions that were made because their files were watched.", Worker);
    WORKER_SLOTS = gauge("reelgate_worker_slots", Count, "Jobs that this worker runs at once at most.", Worker);
    WORKER_SLOTS_BUSY = gauge("reelgate_worker_slots_busy", Count, "Jobs that this worker runs now.", Worker);
    WORKER_MEMORY_LIMIT_BYTES = gauge("reelgate_worker_memory_limit_bytes", Bytes, "Memory that this worker may give to its tasks.", Worker);
    WORKER_MEMORY_GRANTED_BYTES = gauge("reelgate_worker_memory_granted_bytes", Bytes, "Memory that this worker has given to its tasks.", Worker);
}
