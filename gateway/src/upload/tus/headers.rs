//! What requests of the tus protocol say in their heads, read once. Pure.

use http::{
    HeaderMap, HeaderName,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};

use super::{
    address::Secret,
    checksum::{BadChecksum, Checksum},
    metadata::Metadata,
};

/// The one version there is.
pub(super) const VERSION: &str = "1.0.0";
/// The type of bodies that are pieces of an upload.
pub(super) const OFFSET_STREAM: &str = "application/offset+octet-stream";

pub(super) const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
pub(super) const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
pub(super) const TUS_EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
pub(super) const TUS_MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
pub(super) const TUS_CHECKSUM_ALGORITHM: HeaderName = HeaderName::from_static("tus-checksum-algorithm");
pub(super) const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
pub(super) const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
pub(super) const UPLOAD_DEFER_LENGTH: HeaderName = HeaderName::from_static("upload-defer-length");
pub(super) const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
pub(super) const UPLOAD_CONCAT: HeaderName = HeaderName::from_static("upload-concat");
pub(super) const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
pub(super) const UPLOAD_CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
pub(super) const UPLOAD_TOKEN: HeaderName = HeaderName::from_static("reelgate-upload-token");
pub(super) const FILE_ID: HeaderName = HeaderName::from_static("reelgate-file-id");
pub(super) const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");
pub(super) const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// Pieces of which one file may be put together.
const MAX_PIECES: usize = 1_000;

/// Why a head cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadHead {
    Version,
    /// The header with this name.
    Header(&'static str),
    ChecksumUnknown,
    ContentType,
    /// The same of the IETF's draft.
    PartialType,
    /// Two ways to say a length, and two lengths.
    Lengths,
}

/// `POST /v1/uploads`.
#[derive(PartialEq, Eq)]
pub(crate) struct Creation {
    pub(super) kind: Kind,
    pub(super) metadata: Metadata,
    /// Pieces come with the request.
    pub(super) has_body: bool,
    pub(super) body_length: Option<u64>,
    pub(super) checksum: Option<Checksum>,
}

/// What is created.
#[derive(PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of this length; `None`: it will be said later.
    Whole(Option<u64>),
    Partial(Option<u64>),
    Final(Vec<Secret>),
}

/// `PATCH /v1/uploads/{secret}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Append {
    pub(crate) offset: u64,
    /// Said now for an upload that was created without.
    pub(crate) length: Option<u64>,
    pub(crate) body_length: Option<u64>,
    pub(crate) checksum: Option<Checksum>,
    /// The end of the body is the end of the upload, whatever its length was said to be.
    pub(crate) last: bool,
}

/// # Errors
/// The client speaks another version, or none.
pub(crate) fn version(headers: &HeaderMap) -> Result<(), BadHead> {
    match single(headers, &TUS_RESUMABLE) {
        Ok(Some(VERSION)) => Ok(()),
        _ => Err(BadHead::Version),
    }
}

impl Creation {
    pub(crate) fn parse(headers: &HeaderMap) -> Result<Self, BadHead> {
        let has_body = text(headers, &CONTENT_TYPE)? == Some(OFFSET_STREAM);
        let metadata = text(headers, &UPLOAD_METADATA)?.unwrap_or_default();
        let metadata = Metadata::parse(metadata).map_err(|_| BadHead::Header("Upload-Metadata"))?;
        let kind = kind(headers)?;
        let body_length = number(headers, &CONTENT_LENGTH, "Content-Length")?;
        Ok(Self { kind, metadata, has_body, body_length, checksum: checksum(headers)? })
    }
}

impl Append {
    pub(crate) fn parse(headers: &HeaderMap) -> Result<Self, BadHead> {
        if text(headers, &CONTENT_TYPE)? != Some(OFFSET_STREAM) {
            return Err(BadHead::ContentType);
        }
        let offset = number(headers, &UPLOAD_OFFSET, "Upload-Offset")?.ok_or(BadHead::Header("Upload-Offset"))?;
        Ok(Self {
            offset,
            length: number(headers, &UPLOAD_LENGTH, "Upload-Length")?,
            body_length: number(headers, &CONTENT_LENGTH, "Content-Length")?,
            checksum: checksum(headers)?,
            last: false,
        })
    }
}

fn kind(headers: &HeaderMap) -> Result<Kind, BadHead> {
    let concat = text(headers, &UPLOAD_CONCAT)?;
    if let Some(pieces) = concat.and_then(|concat| concat.strip_prefix("final;")) {
        // Its length is that of its pieces; said otherwise it would be a second truth.
        if headers.contains_key(UPLOAD_LENGTH) || headers.contains_key(UPLOAD_DEFER_LENGTH) {
            return Err(BadHead::Header("Upload-Length"));
        }
        return Ok(Kind::Final(pieces_of(pieces)?));
    }
    let length = length(headers)?;
    match concat {
        None => Ok(Kind::Whole(length)),
        Some("partial") => Ok(Kind::Partial(length)),
        Some(_) => Err(BadHead::Header("Upload-Concat")),
    }
}

/// Exactly one of `Upload-Length` and `Upload-Defer-Length: 1`.
fn length(headers: &HeaderMap) -> Result<Option<u64>, BadHead> {
    let length = number(headers, &UPLOAD_LENGTH, "Upload-Length")?;
    match (length, text(headers, &UPLOAD_DEFER_LENGTH)?) {
        (Some(length), None) => Ok(Some(length)),
        (None, Some("1")) => Ok(None),
        (None, None) => Err(BadHead::Header("Upload-Length")),
        _ => Err(BadHead::Header("Upload-Defer-Length")),
    }
}

fn pieces_of(list: &str) -> Result<Vec<Secret>, BadHead> {
    let bad = BadHead::Header("Upload-Concat");
    let pieces: Option<Vec<Secret>> = list.split_ascii_whitespace().map(Secret::of_address).collect();
    let pieces = pieces.filter(|pieces| (1..=MAX_PIECES).contains(&pieces.len())).ok_or(bad)?;
    let twice = pieces.iter().enumerate().any(|(n, piece)| pieces[..n].contains(piece));
    if twice { Err(bad) } else { Ok(pieces) }
}

fn checksum(headers: &HeaderMap) -> Result<Option<Checksum>, BadHead> {
    let Some(said) = text(headers, &UPLOAD_CHECKSUM)? else { return Ok(None) };
    Checksum::parse(said).map(Some).map_err(|bad| match bad {
        BadChecksum::Unknown => BadHead::ChecksumUnknown,
        BadChecksum::Malformed => BadHead::Header("Upload-Checksum"),
    })
}

/// Digits alone: no sign, no space.
fn number(headers: &HeaderMap, name: &HeaderName, shown: &'static str) -> Result<Option<u64>, BadHead> {
    let Some(digits) = single(headers, name).map_err(|()| BadHead::Header(shown))? else { return Ok(None) };
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // The databases' numbers are signed.
    let number = digits.parse().ok().filter(|number| plain && i64::try_from(*number).is_ok());
    number.map(Some).ok_or(BadHead::Header(shown))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, BadHead> {
    single(headers, name).map_err(|()| BadHead::Header("Upload-*"))
}

pub(super) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(|text| Some(text.trim())).map_err(drop),
        _ => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn head(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn bad(pairs: &[(HeaderName, &str)]) -> BadHead {
        Creation::parse(&head(pairs)).err().unwrap()
    }

    #[test]
    fn an_upload_says_its_length_now_or_that_it_will() {
        let of = |pairs: &[(HeaderName, &str)]| Creation::parse(&head(pairs)).ok().unwrap().kind;
        assert!(of(&[(UPLOAD_LENGTH, "7")]) == Kind::Whole(Some(7)));
        assert!(of(&[(UPLOAD_DEFER_LENGTH, "1")]) == Kind::Whole(None));
        assert!(of(&[(UPLOAD_DEFER_LENGTH, "1"), (UPLOAD_CONCAT, "partial")]) == Kind::Partial(None));
        for wrong in
            [&[][..], &[(UPLOAD_LENGTH, "-1")], &[(UPLOAD_LENGTH, "+1")], &[(UPLOAD_LENGTH, "9223372036854775808")]]
        {
            assert_eq!(bad(wrong), BadHead::Header("Upload-Length"));
        }
        assert_eq!(bad(&[(UPLOAD_DEFER_LENGTH, "2")]), BadHead::Header("Upload-Defer-Length"));
        assert_eq!(bad(&[(UPLOAD_LENGTH, "7"), (UPLOAD_DEFER_LENGTH, "1")]), BadHead::Header("Upload-Defer-Length"));
    }

    #[test]
    fn a_file_of_pieces_names_each_of_them_once_and_no_length() {
        let (a, b) = (Secret::random(), Secret::random());
        let list = format!("final;{} https://a.example{}", a.path(), b.path());
        let read = Creation::parse(&head(&[(UPLOAD_CONCAT, &list)])).ok().unwrap().kind;
        assert!(read == Kind::Final(vec![a.clone(), b]));
        assert_eq!(bad(&[(UPLOAD_CONCAT, &list), (UPLOAD_LENGTH, "7")]), BadHead::Header("Upload-Length"));
        let twice = format!("final;{} {}", a.path(), a.path());
        for wrong in ["final;", "final;/v1/uploads/x", "whole", &twice] {
            assert_eq!(
                bad(&[(UPLOAD_CONCAT, wrong), (UPLOAD_LENGTH, "1")][..1 + usize::from(wrong == "whole")]),
                BadHead::Header("Upload-Concat"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_piece_says_where_it_begins_and_what_it_is() {
        let pairs = [(CONTENT_TYPE, OFFSET_STREAM), (UPLOAD_OFFSET, "5"), (CONTENT_LENGTH, "3")];
        let read = Append::parse(&head(&pairs)).unwrap();
        assert_eq!(read, Append { offset: 5, length: None, body_length: Some(3), checksum: None, last: false });
        assert_eq!(Append::parse(&head(&pairs[1..])), Err(BadHead::ContentType));
        assert_eq!(Append::parse(&head(&pairs[..1])), Err(BadHead::Header("Upload-Offset")));
        let unknown = [pairs[0].clone(), pairs[1].clone(), (UPLOAD_CHECKSUM, "md5 AAAA")];
        assert_eq!(Append::parse(&head(&unknown)), Err(BadHead::ChecksumUnknown));
    }

    #[test]
    fn a_header_that_is_there_twice_says_nothing() {
        let mut twice = head(&[(TUS_RESUMABLE, VERSION)]);
        assert_eq!(version(&twice), Ok(()));
        twice.append(TUS_RESUMABLE, HeaderValue::from_static(VERSION));
        assert_eq!(version(&twice), Err(BadHead::Version));
        assert_eq!(version(&head(&[(TUS_RESUMABLE, "0.2.2")])), Err(BadHead::Version));
    }
}
