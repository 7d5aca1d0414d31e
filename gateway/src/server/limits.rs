//! What a connection may take of time and memory, and hyper's builders set up accordingly.

use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::config::HttpConfig;

/// hyper's buffer per connection, and half a piece of the cache: with as much as a piece, each slow client pins two of them for
/// most of the time.
const MAX_BUFFER: usize = 32 * 1024;
/// Request line and headers together: a longer head is an attack, answered with 431.
const MAX_HEAD: usize = 32 * 1024;
const MAX_H2_STREAMS: u32 = 100;
/// Streams that the client has reset before we came to look at them. More at once is the rapid reset attack
/// (CVE-2023-44487) and ends the connection.
const MAX_H2_PENDING_RESETS: usize = 20;
/// Streams that we had to reset for the client's errors, per connection.
const MAX_H2_ERROR_RESETS: usize = 128;
/// What hyper has room for without asking the allocator at each request.
const HYPERS_HEADERS: usize = 100;

#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// For a TLS handshake, and for the head of a request.
    pub(super) header: Duration,
    /// For a connection without a request.
    pub(super) idle: Duration,
    /// For a client that is being sent something and takes nothing.
    pub(super) stall: Duration,
    /// Bytes per second that a client must take while something waits for it; 0: any.
    pub(super) min_rate: u64,
    max_headers: usize,
}

impl Limits {
    pub(super) fn of(config: &HttpConfig) -> Self {
        Self {
            header: config.header_timeout(),
            idle: config.idle_timeout(),
            stall: config.send_stall_timeout(),
            min_rate: config.min_send_rate,
            max_headers: config.max_headers,
        }
    }

    /// Without hyper's own timeout of heads: `Watch` tells an unfinished head from an idle connection, hyper does not.
    pub(super) fn http1(&self) -> http1::Builder {
        let mut builder = http1::Builder::new();
        builder.header_read_timeout(None).max_buf_size(MAX_BUFFER).max_header_size(MAX_HEAD);
        if self.max_headers != HYPERS_HEADERS {
            builder.max_headers(self.max_headers);
        }
        builder
    }

    /// h2 itself bounds the frames of one head (CONTINUATION) by the size of the list.
    pub(super) fn http2(&self) -> http2::Builder<TokioExecutor> {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_H2_STREAMS)
            .max_pending_accept_reset_streams(MAX_H2_PENDING_RESETS)
            .max_local_error_reset_streams(MAX_H2_ERROR_RESETS)
            .max_header_list_size(u32::try_from(MAX_HEAD).expect("a small constant"))
            .max_send_buf_size(MAX_BUFFER)
            .keep_alive_interval(self.header)
            .keep_alive_timeout(self.header);
        builder
    }
}
