//! Ways in for the fuzz targets (`fuzz/`): parsers that nobody else outside needs, with what must hold whatever they read.

use bytes::Bytes;

use crate::{
    disposition::{Disposition, content_disposition},
    query::Query,
    range::{Wanted, wanted},
    route::Route,
    upload::multipart::{Event, MultipartError, Parser, boundary_of},
};

/// Longer headers of a part must not be kept.
const MAX_HEADER: usize = 256;

/// However a body is cut into chunks, the same comes out, and names of files can be said in a header.
///
/// # Panics
/// They differ.
pub fn multipart(body: &[u8], chunk: usize) {
    let whole = events(body, body.len().max(1));
    assert_eq!(whole, events(body, chunk.max(1)), "chunks of {chunk}");
    for event in whole.0 {
        if let Event::Part(head) = event {
            let _ = content_disposition(Disposition::Attachment, head.filename.as_deref().unwrap_or_default());
        }
    }
    let _ = std::str::from_utf8(body).map(boundary_of);
}

/// Content in one piece, for chunks end where they end.
fn events(body: &[u8], chunk: usize) -> (Vec<Event>, Option<MultipartError>) {
    let mut parser = Parser::new("b", MAX_HEADER).expect("a boundary of one letter");
    let mut all: Vec<Event> = Vec::new();
    for piece in body.chunks(chunk) {
        parser.send(Bytes::copy_from_slice(piece));
        loop {
            match parser.receive() {
                Ok(None) => break,
                Err(error) => return (all, Some(error)),
                Ok(Some(Event::Data(next))) => match all.last_mut() {
                    Some(Event::Data(data)) => *data = [&data[..], &next[..]].concat().into(),
                    _ => all.push(Event::Data(next)),
                },
                Ok(Some(event)) => all.push(event),
            }
        }
    }
    let end = parser.finish().err();
    (all, end)
}

/// Every range that is granted lies within the representation, and several cost no more than the whole.
///
/// # Panics
/// One does not.
pub fn range(header: &str, length: u64) {
    let spans = match wanted(Some(header), length) {
        Wanted::Whole | Wanted::Unsatisfiable => return,
        Wanted::One(range) => vec![range.span()],
        Wanted::Several(ranges) => ranges.into_iter().map(crate::range::ByteRange::span).collect(),
    };
    assert!(spans.iter().all(|span| span.start < span.end && span.end <= length));
    let asked = spans.iter().map(|span| span.end - span.start).fold(0u64, u64::saturating_add);
    assert!(asked <= length, "{asked} of {length} bytes");
}

/// Heads of resumable uploads, against an upload of so many bytes.
///
/// # Panics
/// What is read is said otherwise than it was, or more is permitted than may be.
pub fn upload_head(stored: u64, lines: &str) {
    crate::upload::tus::fuzzed::head(stored, lines);
}

/// Paths and queries.
pub fn address(path: &str, query: &str) {
    for method in [http::Method::GET, http::Method::POST, http::Method::DELETE] {
        let _ = Route::parse(&method, path);
    }
    let query = Query::parse(Some(query));
    let _ = query.all("token").count();
}
