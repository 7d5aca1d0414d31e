//! What requests of the draft say in their heads: structured fields (RFC 9651), of which a malformed one is as if it were not there. Pure.

use http::{
    HeaderMap, HeaderName,
    header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE},
};

use crate::upload::{
    multipart::filename_of,
    tus::{
        checksum::{BadChecksum, Checksum},
        headers::{Append, BadHead, UPLOAD_LENGTH, UPLOAD_OFFSET, single},
        metadata::Metadata,
    },
};

pub(in crate::upload::tus) const INTEROP_VERSION: HeaderName = HeaderName::from_static("upload-draft-interop-version");
pub(super) const UPLOAD_COMPLETE: HeaderName = HeaderName::from_static("upload-complete");
pub(super) const UPLOAD_LIMIT: HeaderName = HeaderName::from_static("upload-limit");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
pub(super) const PARTIAL_UPLOAD: &str = "application/partial-upload";

/// From drafts -04 and -05, which devices speak, to -12. What was changed between them changes nothing here.
const VERSIONS: std::ops::RangeInclusive<u64> = 6..=9;
/// Digits of a structured field's number.
const MAX_DIGITS: usize = 15;

/// `POST /v1/uploads`.
#[derive(PartialEq, Eq)]
pub(crate) struct Creation {
    pub(crate) metadata: Metadata,
    /// What comes with it; its `length` is the upload's.
    pub(crate) piece: Append,
}

/// Whether a request speaks a version of the draft that is spoken here.
pub(in crate::upload::tus) fn is_spoken(headers: &HeaderMap) -> bool {
    integer(headers, &INTEROP_VERSION).is_some_and(|version| VERSIONS.contains(&version))
}

pub(super) fn offset(headers: &HeaderMap) -> Option<u64> {
    integer(headers, &UPLOAD_OFFSET)
}

impl Creation {
    pub(crate) fn parse(headers: &HeaderMap) -> Result<Self, BadHead> {
        let mut metadata = Metadata::default();
        let text = |name| single(headers, name).ok().flatten();
        // Names and types beyond this are nobody's, and the whole is kept.
        if let Some(name) = text(&CONTENT_DISPOSITION).and_then(filename_of).filter(|name| name.len() <= 1_024) {
            metadata.set("filename", &name);
        }
        if let Some(kind) = text(&CONTENT_TYPE).filter(|kind| kind.len() <= 256) {
            metadata.set("filetype", kind);
        }
        Ok(Self { metadata, piece: piece(headers, 0)? })
    }
}

/// `PATCH /v1/uploads/{secret}`.
pub(crate) fn appended(headers: &HeaderMap) -> Result<Append, BadHead> {
    if single(headers, &CONTENT_TYPE) != Ok(Some(PARTIAL_UPLOAD)) {
        return Err(BadHead::PartialType);
    }
    piece(headers, offset(headers).ok_or(BadHead::Header("Upload-Offset"))?)
}

fn piece(headers: &HeaderMap, offset: u64) -> Result<Append, BadHead> {
    let last = boolean(headers, &UPLOAD_COMPLETE).ok_or(BadHead::Header("Upload-Complete"))?;
    let body_length = integer(headers, &CONTENT_LENGTH);
    // Two ways to say one thing.
    let ends_at = body_length.filter(|_| last).map(|bytes| offset.saturating_add(bytes));
    let length = match (integer(headers, &UPLOAD_LENGTH), ends_at) {
        (Some(said), Some(end)) if said != end => return Err(BadHead::Lengths),
        (said, end) => said.or(end),
    };
    Ok(Append { offset, length, body_length, checksum: checksum(headers)?, last })
}

/// Of the body of this request (RFC 9530).
fn checksum(headers: &HeaderMap) -> Result<Option<Checksum>, BadHead> {
    let bad = |_| BadHead::Header("Content-Digest");
    let Some(said) = single(headers, &CONTENT_DIGEST).map_err(|()| bad(BadChecksum::Malformed))? else {
        return Ok(None);
    };
    Checksum::of_digest(said).map_err(bad)
}

fn boolean(headers: &HeaderMap, name: &HeaderName) -> Option<bool> {
    match item(headers, name)? {
        "?1" => Some(true),
        "?0" => Some(false),
        _ => None,
    }
}

fn integer(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    let digits = item(headers, name)?;
    let plain = (1..=MAX_DIGITS).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

/// Without its parameters, of which none is known.
fn item<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let value = single(headers, name).ok()??;
    Some(value.split_once(';').map_or(value, |(item, _)| item).trim())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn head(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn versions_from_six_to_nine_are_spoken() {
        for (version, spoken) in [("5", false), ("6", true), ("9", true), ("10", false), ("x", false), ("8;a=1", true)]
        {
            assert_eq!(is_spoken(&head(&[(INTEROP_VERSION, version)])), spoken, "{version}");
        }
        assert!(!is_spoken(&HeaderMap::new()));
    }

    #[test]
    fn the_length_is_said_or_is_where_the_last_request_ends() {
        let last = (UPLOAD_COMPLETE, "?1");
        let of = |pairs: &[(HeaderName, &str)]| Creation::parse(&head(pairs)).map(|creation| creation.piece.length);
        assert_eq!(of(&[last.clone(), (CONTENT_LENGTH, "7")]), Ok(Some(7)));
        assert_eq!(of(&[last.clone(), (CONTENT_LENGTH, "7"), (UPLOAD_LENGTH, "7")]), Ok(Some(7)));
        assert_eq!(of(&[last.clone(), (CONTENT_LENGTH, "7"), (UPLOAD_LENGTH, "8")]), Err(BadHead::Lengths));
        assert_eq!(of(&[(UPLOAD_COMPLETE, "?0"), (CONTENT_LENGTH, "7")]), Ok(None));
        assert_eq!(of(&[(UPLOAD_COMPLETE, "?0"), (CONTENT_LENGTH, "7"), (UPLOAD_LENGTH, "9")]), Ok(Some(9)));
        assert_eq!(of(&[last]), Ok(None));
        assert_eq!(of(&[(UPLOAD_COMPLETE, "yes")]), Err(BadHead::Header("Upload-Complete")));
    }

    #[test]
    fn a_piece_says_where_it_begins_and_whether_it_is_the_last() {
        let pairs =
            [(CONTENT_TYPE, PARTIAL_UPLOAD), (UPLOAD_OFFSET, "5"), (UPLOAD_COMPLETE, "?1"), (CONTENT_LENGTH, "3")];
        let read = appended(&head(&pairs)).unwrap();
        assert_eq!((read.offset, read.length, read.last), (5, Some(8), true));
        assert_eq!(appended(&head(&pairs[1..])), Err(BadHead::PartialType));
        assert_eq!(appended(&head(&pairs[..1])), Err(BadHead::Header("Upload-Offset")));
        assert_eq!(appended(&head(&pairs[..2])), Err(BadHead::Header("Upload-Complete")));
        let wrong = [pairs[0].clone(), (UPLOAD_OFFSET, "-5"), pairs[2].clone()];
        assert_eq!(appended(&head(&wrong)), Err(BadHead::Header("Upload-Offset")));
    }

    #[test]
    fn a_name_and_a_type_are_what_the_representation_is_said_to_be() {
        let pairs = [
            (UPLOAD_COMPLETE, "?0"),
            (CONTENT_DISPOSITION, "inline; filename=\"a.mp4\"; filename*=UTF-8''%C3%A4.mp4"),
            (CONTENT_TYPE, "video/mp4"),
        ];
        let read = Creation::parse(&head(&pairs)).ok().unwrap().metadata;
        assert_eq!(read.text("filename").as_deref(), Some("\u{e4}.mp4"));
        assert_eq!(read.text("filetype").as_deref(), Some("video/mp4"));
    }
}
