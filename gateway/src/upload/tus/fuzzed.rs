//! A way in for the fuzz target `tus`: heads of both protocols, with what must hold whatever they say.

use http::{HeaderMap, HeaderName, HeaderValue};
use reelgate_common::{
    ids::{FileId, OrgId, UserId},
    resumable::{Resumable, Role, Stored},
    timestamp::Timestamp,
};

use super::{
    Secret,
    decide::{self, Refusal},
    draft::head as draft,
    headers::{Append, Creation, version},
    metadata::Metadata,
};

/// No upload is larger.
const LIMIT: u64 = 1 << 40;

/// Lines of `name: value`, against an upload with so many bytes, the length of which is known if that is odd.
///
/// # Panics
/// What is read is said otherwise than it was, or more is permitted than may be.
pub(crate) fn head(stored: u64, lines: &str) {
    let headers = headers(lines);
    let _ = version(&headers);
    let _ = draft::is_spoken(&headers);
    let whole = Creation::parse(&headers).ok().map(|creation| creation.metadata);
    let drafted = draft::Creation::parse(&headers).ok();
    for metadata in [whole, drafted.as_ref().map(|creation| creation.metadata.clone())].into_iter().flatten() {
        assert_eq!(Metadata::parse(&metadata.header()), Ok(metadata.clone()), "it is kept as a header");
    }
    let upload = upload(stored % LIMIT);
    let pieces = [Append::parse(&headers).ok(), draft::appended(&headers).ok(), drafted.map(|creation| creation.piece)];
    pieces.into_iter().flatten().for_each(|asked| permitted(&upload, &asked));
    for address in lines.split_ascii_whitespace() {
        if let Some(secret) = Secret::of_address(address) {
            assert!(address.ends_with(&secret.path()), "another upload's address");
        }
    }
}

fn headers(lines: &str) -> HeaderMap {
    let pair = |line: &str| {
        let (name, value) = line.split_once(':')?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
        Some((name, HeaderValue::from_str(value.trim()).ok()?))
    };
    let mut headers = HeaderMap::new();
    for (name, value) in lines.lines().filter_map(pair) {
        headers.append(name, value);
    }
    headers
}

fn permitted(upload: &Resumable, asked: &Append) {
    let stored = upload.stored.bytes;
    match decide::append(upload, asked) {
        Ok(permit) => {
            assert!(asked.offset == stored && permit.end >= stored && permit.end <= upload.max_bytes);
            assert!(permit.declare.is_none() || upload.length.is_none());
            assert!(asked.body_length.is_none_or(|bytes| stored + bytes <= permit.end));
        }
        Err(Refusal::Offset { stored: said }) => assert!(said == stored && asked.offset != stored),
        Err(_) => {}
    }
}

fn upload(stored: u64) -> Resumable {
    let length = (stored % 2 == 1).then_some(stored + stored / 2);
    Resumable {
        file_id: FileId::new(),
        org_id: OrgId::new("o"),
        owner_id: UserId::new("u"),
        role: Role::Whole,
        filename: String::new(),
        claimed_type: None,
        metadata: String::new(),
        sources: Vec::new(),
        length,
        max_bytes: 2 * LIMIT,
        part_bytes: 5 << 20,
        stored: Stored { bytes: stored, ..Stored::default() },
        fence: 1,
        held: false,
        forced: false,
        finished: false,
        expires_at: Timestamp::now(),
    }
}
