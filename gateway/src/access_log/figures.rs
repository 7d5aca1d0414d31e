//! The figures of requests. Finding a counter by its labels costs more than counting, so each thread keeps those it has found:
//! routes, methods and statuses are closed sets, and so is what it keeps.

use std::{cell::RefCell, collections::HashMap, time::Duration};

use metrics::{Counter, Histogram, Label};
use reelgate_common::metric::{HTTP_REQUEST_DURATION, HTTP_REQUESTS, HTTP_SENT_BYTES};

use crate::tally::spread;

type Labels = (&'static str, &'static str, u16);

struct Figures {
    requests: Counter,
    sent: Counter,
    seconds: Histogram,
}

thread_local! {
    static FOUND: RefCell<HashMap<Labels, Figures>> = RefCell::default();
}

/// One request.
pub(super) fn count(route: &'static str, method: &'static str, status: u16, sent: u64, took: Duration) {
    FOUND.with_borrow_mut(|found| {
        let figures = found.entry((route, method, status)).or_insert_with(|| find(route, method, status));
        figures.requests.increment(1);
        figures.sent.increment(sent);
        figures.seconds.record(took.as_secs_f64());
    });
}

fn find(route: &'static str, method: &'static str, status: u16) -> Figures {
    let labels =
        vec![Label::new("route", route), Label::new("method", method), Label::new("status", status.to_string())];
    Figures {
        requests: spread(HTTP_REQUESTS.counter_with(labels)),
        sent: spread(HTTP_SENT_BYTES.counter_of([("route", route)])),
        seconds: HTTP_REQUEST_DURATION.histogram_of([("route", route)]),
    }
}
