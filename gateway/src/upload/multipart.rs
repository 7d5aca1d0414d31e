//! Reads `multipart/form-data` (RFC 7578) as it arrives, without IO: chunks go in, events come out.
//!
//! Content is handed on as slices of the chunks it came in. What must be kept between chunks is bounded: part headers by
//! `max_header_bytes`, a half-seen delimiter by its own length. Strict where leniency would need guessing: lines end in
//! CRLF, and only `CRLF--boundary` followed by CRLF or `--` is a delimiter; anything else is content.

mod head;

use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem::Finder;

pub(crate) use head::{PartHead, boundary_of, filename_of};

/// Bytes before the first boundary that are skipped (RFC 2046 calls them preamble; browsers send none).
const MAX_PREAMBLE: usize = 16 * 1024;
/// RFC 2046, section 5.1.1.
const MAX_BOUNDARY: usize = 70;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// A part begins.
    Part(PartHead),
    /// Content of the current part; never empty.
    Data(Bytes),
    /// The current part is complete.
    PartEnd,
    /// The final boundary; what follows is ignored.
    End,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MultipartError {
    #[error("the Content-Type needs a boundary of 1 to 70 characters")]
    Boundary,
    #[error("the body does not begin with the boundary that its Content-Type names")]
    Preamble,
    #[error("the headers of a part are longer than {0} bytes")]
    HeaderTooLong(usize),
    #[error("the headers of a part cannot be read: {0}")]
    Header(&'static str),
    #[error("the body ends before its final boundary")]
    Truncated,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Preamble,
    /// Right after a delimiter: CRLF or `--` decides.
    AfterDelimiter,
    Headers,
    Content,
    End,
}

/// The parser. `send` a chunk, then call `receive` until it gives `None`.
pub(crate) struct Parser {
    state: State,
    /// `CRLF--boundary`.
    delimiter: Bytes,
    finder: Finder<'static>,
    input: Bytes,
    max_header_bytes: usize,
    /// Preamble bytes thrown away.
    skipped: usize,
}

impl Parser {
    pub(crate) fn new(boundary: &str, max_header_bytes: usize) -> Result<Self, MultipartError> {
        if boundary.is_empty() || boundary.len() > MAX_BOUNDARY {
            return Err(MultipartError::Boundary);
        }
        let delimiter = Bytes::from(format!("\r\n--{boundary}"));
        let finder = Finder::new(&delimiter).into_owned();
        // The first boundary stands at the body's begin: a CRLF put before it makes it like every other one.
        let input = Bytes::from_static(b"\r\n");
        Ok(Self { state: State::Preamble, delimiter, finder, input, max_header_bytes, skipped: 0 })
    }

    /// Takes the next chunk. Bytes left over from the one before are few (see the file's head).
    pub(crate) fn send(&mut self, chunk: Bytes) {
        if self.state == State::End {
            return;
        }
        if self.input.is_empty() {
            self.input = chunk;
            return;
        }
        let mut joined = BytesMut::with_capacity(self.input.len() + chunk.len());
        joined.extend_from_slice(&self.input);
        joined.extend_from_slice(&chunk);
        self.input = joined.freeze();
    }

    /// The next event, or `None` when more input is needed.
    pub(crate) fn receive(&mut self) -> Result<Option<Event>, MultipartError> {
        loop {
            let event = match self.state {
                State::Preamble => self.preamble()?,
                State::AfterDelimiter => self.after_delimiter(),
                State::Headers => self.headers()?,
                State::Content => self.content(),
                State::End => Step::Wait,
            };
            match event {
                Step::Event(event) => return Ok(Some(event)),
                Step::Again => {}
                Step::Wait => return Ok(None),
            }
        }
    }

    /// Call at the end of the body.
    pub(crate) fn finish(&self) -> Result<(), MultipartError> {
        match self.state {
            State::End => Ok(()),
            State::Preamble => Err(MultipartError::Preamble),
            _ => Err(MultipartError::Truncated),
        }
    }

    fn preamble(&mut self) -> Result<Step, MultipartError> {
        match self.find_delimiter() {
            Found::Delimiter { at, last } => {
                self.skipped += at;
                self.input.advance(at + self.delimiter.len() + 2);
                self.state = if last { State::End } else { State::Headers };
                self.check_preamble()?;
                Ok(if last { Step::Event(Event::End) } else { Step::Again })
            }
            Found::Content(length) => {
                self.skipped += length;
                self.input.advance(length);
                self.check_preamble()?;
                Ok(Step::Wait)
            }
        }
    }

    fn check_preamble(&self) -> Result<(), MultipartError> {
        if self.skipped > MAX_PREAMBLE { Err(MultipartError::Preamble) } else { Ok(()) }
    }

    fn after_delimiter(&mut self) -> Step {
        let Found::Delimiter { last, .. } = self.find_delimiter() else { return Step::Wait };
        self.input.advance(self.delimiter.len() + 2);
        self.state = if last { State::End } else { State::Headers };
        if last { Step::Event(Event::End) } else { Step::Again }
    }

    fn headers(&mut self) -> Result<Step, MultipartError> {
        // A part without any header: the empty line comes at once.
        let end =
            if self.input.starts_with(b"\r\n") { Some(0) } else { memchr::memmem::find(&self.input, b"\r\n\r\n") };
        let Some(end) = end else {
            // The last three may be the beginning of the empty line.
            let too_long = self.input.len() > self.max_header_bytes + 3;
            return if too_long { Err(MultipartError::HeaderTooLong(self.max_header_bytes)) } else { Ok(Step::Wait) };
        };
        if end > self.max_header_bytes {
            return Err(MultipartError::HeaderTooLong(self.max_header_bytes));
        }
        let block = self.input.split_to(end);
        self.input.advance(if end == 0 { 2 } else { 4 });
        self.state = State::Content;
        Ok(Step::Event(Event::Part(PartHead::parse(&block)?)))
    }

    fn content(&mut self) -> Step {
        match self.find_delimiter() {
            Found::Delimiter { at: 0, .. } => {
                self.state = State::AfterDelimiter;
                Step::Event(Event::PartEnd)
            }
            Found::Delimiter { at, .. } => Step::Event(Event::Data(self.input.split_to(at))),
            Found::Content(0) => Step::Wait,
            Found::Content(length) => Step::Event(Event::Data(self.input.split_to(length))),
        }
    }

    /// Where the next delimiter is, or how many bytes certainly lie before it.
    fn find_delimiter(&self) -> Found {
        let mut from = 0;
        while let Some(hit) = self.finder.find(&self.input[from..]) {
            let at = from + hit;
            let after = &self.input[at + self.delimiter.len()..];
            match after {
                [b'\r', b'\n', ..] => return Found::Delimiter { at, last: false },
                [b'-', b'-', ..] => return Found::Delimiter { at, last: true },
                [] | [b'\r' | b'-'] => return Found::Content(at),
                _ => from = at + 1,
            }
        }
        Found::Content(self.input.len() - self.half_delimiter())
    }

    /// How many of the last bytes could be the begin of a delimiter.
    fn half_delimiter(&self) -> usize {
        let longest = (self.delimiter.len() - 1).min(self.input.len());
        let tail = &self.input[self.input.len() - longest..];
        memchr::memchr_iter(b'\r', tail)
            .map(|at| &tail[at..])
            .find(|rest| self.delimiter.starts_with(rest))
            .map_or(0, <[u8]>::len)
    }
}

enum Step {
    Event(Event),
    Again,
    Wait,
}

enum Found {
    Delimiter { at: usize, last: bool },
    Content(usize),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: usize = 16 * 1024;

    /// Everything the parser says about a body that arrives in the given pieces, content of one part joined.
    fn parse(body: &[u8], sizes: &[usize]) -> Result<Vec<Event>, MultipartError> {
        let mut parser = Parser::new("XX", LIMIT).unwrap();
        let mut events: Vec<Event> = Vec::new();
        let (mut rest, mut turn) = (body, 0);
        while !rest.is_empty() {
            let size = sizes[turn % sizes.len()].clamp(1, rest.len());
            parser.send(Bytes::copy_from_slice(&rest[..size]));
            (rest, turn) = (&rest[size..], turn + 1);
            while let Some(event) = parser.receive()? {
                match (events.last_mut(), event) {
                    (Some(Event::Data(before)), Event::Data(more)) => {
                        *before = [&before[..], &more[..]].concat().into();
                    }
                    (_, event) => events.push(event),
                }
            }
        }
        parser.finish()?;
        Ok(events)
    }

    fn contents(events: &[Event]) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        for event in events {
            match event {
                Event::Part(_) => all.push(Vec::new()),
                Event::Data(bytes) => all.last_mut().unwrap().extend_from_slice(bytes),
                Event::PartEnd | Event::End => {}
            }
        }
        all
    }

    fn body(parts: &[Vec<u8>]) -> Vec<u8> {
        let mut out = Vec::new();
        for part in parts {
            out.extend_from_slice(b"--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\n");
            out.extend_from_slice(part);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"--XX--\r\n");
        out
    }

    #[test]
    fn a_missing_final_boundary_is_truncation() {
        let whole = body(&[b"abc".to_vec()]);
        for cut in 0..whole.len() - 2 {
            assert!(parse(&whole[..cut], &[7]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn the_boundary_inside_content_is_content() {
        let tricky =
            [&b"--XX"[..], b"\r\n--X", b"\r\n--XXX\r\n", b"\n--XX\r\n", b"\r\r\n--XY", b"\r\n--XX-\r\n", b"\r\n\r\n"];
        for text in tricky {
            assert_eq!(contents(&parse(&body(&[text.to_vec()]), &[1]).unwrap()), [text], "{text:?}");
        }
    }

    #[test]
    fn lines_that_end_in_lf_only_are_refused() {
        let lf = String::from_utf8(body(&[b"abc".to_vec()])).unwrap().replace("\r\n", "\n");
        assert_eq!(parse(lf.as_bytes(), &[64]), Err(MultipartError::Preamble));
    }

    #[test]
    fn a_giant_header_is_refused_after_its_limit() {
        let mut giant = b"--XX\r\nContent-Disposition: form-data; name=\"".to_vec();
        giant.resize(1024 * 1024, b'a');
        let mut parser = Parser::new("XX", LIMIT).unwrap();
        let fed = giant.chunks(1024).take_while(|chunk| {
            parser.send(Bytes::copy_from_slice(chunk));
            parser.receive() == Ok(None)
        });
        assert!(fed.count() <= LIMIT / 1024 + 1);
    }

    #[test]
    fn a_header_at_its_limit_is_read_however_it_is_cut() {
        let name = "a".repeat(LIMIT - "X: ".len());
        let text = format!("--XX\r\nX: {name}\r\n\r\nhello\r\n--XX--");
        let whole = parse(text.as_bytes(), &[text.len()]).unwrap();
        assert_eq!(parse(text.as_bytes(), &[1]), Ok(whole));
    }

    #[test]
    fn a_long_preamble_is_refused_and_a_short_one_skipped() {
        let whole = body(&[b"abc".to_vec()]);
        let with = |n: usize| [vec![b'x'; n], b"\r\n".to_vec(), whole.clone()].concat();
        assert_eq!(contents(&parse(&with(100), &[50]).unwrap()), [b"abc"]);
        assert_eq!(parse(&with(20_000), &[50]), Err(MultipartError::Preamble));
    }

    #[test]
    fn a_part_without_headers_and_an_empty_form_are_read() {
        assert_eq!(contents(&parse(b"--XX\r\n\r\nabc\r\n--XX--", &[1]).unwrap()), [b"abc"]);
        assert_eq!(parse(b"--XX--\r\n", &[3]).unwrap(), [Event::End]);
    }

    #[test]
    fn what_follows_the_final_boundary_is_ignored() {
        let trailing = [body(&[b"abc".to_vec()]), b"--XX\r\n\r\nnot a part\r\n--XX--".to_vec()].concat();
        assert_eq!(contents(&parse(&trailing, &[5]).unwrap()), [b"abc"]);
    }

    #[test]
    fn content_is_not_copied() {
        let whole = Bytes::from(body(&[vec![7; 1000]]));
        let mut parser = Parser::new("XX", LIMIT).unwrap();
        parser.send(whole.slice(..500));
        while parser.receive().unwrap().is_some() {}
        let chunk = whole.slice(500..900);
        parser.send(chunk.clone());
        let Some(Event::Data(data)) = parser.receive().unwrap() else { panic!("no content") };
        assert_eq!(data.as_ptr(), chunk.as_ptr());
    }

    /// Bytes in which delimiters, and almost-delimiters, are frequent.
    fn nasty() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b"\r\n--XX".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"--XX".to_vec()),
            Just(b"\r".to_vec()),
            Just(b"-".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..5),
        ];
        proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    /// Whether the text would really be a delimiter (also together with the CRLF that follows it).
    fn holds_delimiter(content: &[u8]) -> bool {
        let text = [&b"\r\n"[..], content, b"\r\n"].concat();
        let real = |end: &[u8]| memchr::memmem::find(&text[2..], &[b"\r\n--XX", end].concat()).is_some();
        real(b"\r\n") || real(b"--")
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out_however_it_is_cut(
            parts in proptest::collection::vec(nasty().prop_filter("content", |c| !holds_delimiter(c)), 0..4),
            sizes in proptest::collection::vec(1usize..40, 1..5),
        ) {
            let events = parse(&body(&parts), &sizes).unwrap();
            prop_assert_eq!(contents(&events), parts);
        }

        #[test]
        fn garbage_never_panics_and_cuts_change_nothing(
            pieces in proptest::collection::vec(nasty(), 0..6),
            sizes in proptest::collection::vec(1usize..40, 1..5),
        ) {
            let garbage = [b"--XX\r\n".to_vec(), pieces.concat()].concat();
            prop_assert_eq!(parse(&garbage, &sizes), parse(&garbage, &[usize::MAX]));
        }
    }
}
