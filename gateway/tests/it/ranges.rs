//! RFC 9110's ranges and conditions over a bare socket: one table of cases, run on every kind of bytes that is served.

mod cases;
mod kinds;
mod parts;
mod wire;

use self::{
    cases::{CASES, Case, Expect, Span},
    kinds::{Kind, LENGTH, kinds},
    parts::split,
    wire::{Answer, Wire},
};
use crate::{
    bench::Bench,
    sendfile::{Disk, recorder},
};

#[test]
fn the_suite_is_what_it_claims_to_be() {
    assert!(CASES.len() >= 60, "{} cases", CASES.len());
    for (n, case) in CASES.iter().enumerate() {
        assert!(case.name.starts_with(|c: char| c.is_ascii_digit()), "{} names no section", case.name);
        assert!(CASES[..n].iter().all(|other| other.name != case.name), "{} is there twice", case.name);
    }
}

/// All cases of a kind go over one connection: an answer of a wrong length spoils the next one.
#[tokio::test]
async fn every_kind_of_bytes_honours_ranges_and_conditions() {
    let bench = Bench::start().await;
    all_cases(&bench, &kinds(&bench).await).await;
}

#[tokio::test]
async fn so_does_every_kind_that_is_sent_from_files() {
    let (counts, _guard) = recorder();
    let mut disk = Disk::start(counts, |_| {}).await;
    let kinds = kinds(&disk.bench).await;
    let paths: Vec<&str> = kinds.iter().map(|kind| kind.path.as_str()).collect();
    disk.settle(&paths).await;
    for kind in &kinds {
        let before = disk.sent_from_files();
        all_cases(&disk.bench, std::slice::from_ref(kind)).await;
        let sent = disk.sent_from_files() - before;
        assert!(sent > 10 * LENGTH, "only {sent} bytes of {} came from files", kind.name);
        pipelined(&disk.bench, kind).await;
    }
}

async fn all_cases(bench: &Bench, kinds: &[Kind]) {
    for kind in kinds {
        let mut wire = Wire::connect(bench.address()).await;
        for case in CASES {
            let answer = wire.ask(case.method, &kind.path, &headers(case, kind)).await;
            check(kind, case, &answer);
        }
    }
}

#[tokio::test]
async fn rfc9110_15_5_17_an_empty_file_has_no_range() {
    let bench = Bench::start().await;
    let file = bench.upload("empty.txt", b"").await;
    let path = format!("/v1/files/stream/{}?token={}", file["id"].as_str().unwrap(), bench.token(|_| {}));
    let mut wire = Wire::connect(bench.address()).await;
    for range in ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=0-0,-1"] {
        let answer = wire.ask("GET", &path, &[("Range", range)]).await;
        assert_eq!((answer.status, answer.header("content-range")), (416, Some("bytes */0")), "{range}");
    }
    for range in ["bytes=x", "items=0-0"] {
        let answer = wire.ask("GET", &path, &[("Range", range)]).await;
        assert_eq!((answer.status, answer.header("content-length")), (200, Some("0")), "{range}");
    }
}

#[tokio::test]
async fn rfc9112_http_1_0_gets_its_range_and_a_close() {
    let bench = Bench::start().await;
    let kind = &kinds(&bench).await[0];
    let request = format!("GET {} HTTP/1.0\r\nRange: bytes=5-9\r\n\r\n", kind.path);
    let mut wire = Wire::connect(bench.address()).await;
    let answer = wire.send(&request, "GET").await;
    assert_eq!((answer.status, &answer.body[..]), (206, &kind.whole[5..10]));
    assert!(wire.is_closed().await);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let bench = Bench::start().await;
    for kind in kinds(&bench).await {
        pipelined(&bench, &kind).await;
    }
}

async fn pipelined(bench: &Bench, kind: &Kind) {
    let one = |range: &str| format!("GET {} HTTP/1.1\r\nHost: a\r\nRange: bytes={range}\r\n\r\n", kind.path);
    let mut wire = Wire::connect(bench.address()).await;
    let first = wire.send(&[one("0-9"), one("0-1,90000-90001"), one("-3")].concat(), "GET").await;
    assert_eq!(&first.body[..], &kind.whole[..10], "{}", kind.name);
    assert_eq!(split(&wire.answer("GET").await).len(), 2);
    assert_eq!(&wire.answer("GET").await.body[..], &kind.whole[kind.whole.len() - 3..]);
}

/// The cases speak of 300,000 bytes: what lies near that end is meant from the end.
fn placed(place: usize, kind: &Kind) -> usize {
    if (290_000..LENGTH + 10).contains(&place) { place + kind.whole.len() - LENGTH } else { place }
}

/// The same for all places of a `Range`.
fn placed_in(text: &str, kind: &Kind) -> String {
    let pieces = text.split_inclusive(|c: char| !c.is_ascii_digit());
    let piece = |piece: &str| {
        let digits = piece.trim_end_matches(|c: char| !c.is_ascii_digit());
        match digits.parse() {
            Ok(place) if digits.len() == 6 => format!("{}{}", placed(place, kind), &piece[digits.len()..]),
            _ => piece.to_owned(),
        }
    };
    pieces.map(piece).collect()
}

fn headers(case: &Case, kind: &Kind) -> Vec<(&'static str, String)> {
    let fill = |text: &str| placed_in(text, kind).replace("{etag}", &kind.etag).replace("{modified}", &kind.modified);
    case.headers.iter().map(|(name, value)| (*name, fill(value))).collect()
}

fn check(kind: &Kind, case: &Case, answer: &Answer) {
    let at = format!("{} on {}: {answer:?}", case.name, kind.name);
    let total = kind.whole.len();
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{at}");
    assert!(answer.header("x-request-id").is_some(), "{at}");
    match &case.expect {
        Expect::Whole => {
            described(kind, answer, 200, &at);
            assert_eq!(answer.header("content-type"), Some(kind.content_type), "{at}");
            assert_eq!(answer.header("content-range"), None, "{at}");
            assert_eq!(answer.header("content-length"), Some(total.to_string().as_str()), "{at}");
            let body: &[u8] = if case.method == "HEAD" { &[] } else { &kind.whole };
            assert!(answer.body == body, "{at}: other bytes");
        }
        Expect::Part(Span(first, last)) => {
            let (first, last) = (placed(*first, kind), placed(*last, kind));
            described(kind, answer, 206, &at);
            assert_eq!(answer.header("content-type"), Some(kind.content_type), "{at}");
            let range = format!("bytes {first}-{last}/{total}");
            assert_eq!(answer.header("content-range"), Some(range.as_str()), "{at}");
            assert!(answer.body == kind.whole[first..=last], "{at}: other bytes");
        }
        Expect::Parts(spans) => {
            described(kind, answer, 206, &at);
            assert_eq!(answer.header("content-range"), None, "15.3.7.2: {at}");
            let parts = split(answer);
            assert_eq!(parts.len(), spans.len(), "{at}");
            for (part, Span(first, last)) in parts.iter().zip(*spans) {
                let (first, last) = (placed(*first, kind), placed(*last, kind));
                assert_eq!(part.content_type, kind.content_type, "{at}");
                assert_eq!(part.content_range, format!("bytes {first}-{last}/{total}"), "{at}");
                assert!(part.body == kind.whole[first..=last], "{at}: other bytes in {}", part.content_range);
            }
        }
        Expect::NotModified => {
            described(kind, answer, 304, &at);
            assert!(answer.body.is_empty() && answer.header("content-type").is_none(), "{at}");
        }
        Expect::Failed => {
            assert_eq!(answer.status, 412, "{at}");
            assert!(case.method == "HEAD" || answer.code() == "precondition_failed", "{at}");
        }
        Expect::Unsatisfiable => {
            assert_eq!((answer.status, answer.code()), (416, "range_not_satisfiable".to_owned()), "{at}");
            assert_eq!(answer.header("content-range"), Some(format!("bytes */{total}").as_str()), "{at}");
            assert_eq!(answer.header("accept-ranges"), Some("bytes"), "{at}");
        }
    }
}

/// What 200, 206 and 304 say alike (15.3.7, 15.4.5).
fn described(kind: &Kind, answer: &Answer, status: u16, at: &str) {
    assert_eq!(answer.status, status, "{at}");
    assert_eq!(answer.header("etag"), Some(kind.etag.as_str()), "{at}");
    assert_eq!(answer.header("last-modified"), Some(kind.modified.as_str()), "{at}");
    assert_eq!(answer.header("accept-ranges"), Some("bytes"), "{at}");
    assert_eq!(answer.header("cache-control"), Some(kind.caching), "{at}");
    assert!(answer.header("vary").is_some_and(|vary| vary.contains("Authorization")), "{at}");
    assert!(answer.header("date").is_some(), "{at}");
}
