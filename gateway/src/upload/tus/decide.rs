//! What may be added to an upload as it stands. Pure: takes the row and what the request says, gives what to do.

use reelgate_common::resumable::{Resumable, Role};

use super::headers::Append;

/// Why nothing is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It begins elsewhere than where the upload has got to.
    Offset { stored: u64 },
    /// More than the upload's length.
    BeyondLength { length: u64 },
    /// More than may be uploaded.
    TooLarge { limit: u64 },
    /// Its length was said before, and was another.
    LengthKnown,
    /// Below what is there already.
    LengthShort,
    /// It was said to end the upload, and ends before its length.
    EndsBefore { length: u64 },
    /// It is put together of pieces.
    IsFinal,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Permit {
    /// The length that was said with this request for the first time.
    pub(super) declare: Option<u64>,
    /// No byte is taken at or after this one.
    pub(super) end: u64,
    /// Why not, for whoever sends more.
    pub(super) beyond: Refusal,
}

pub(crate) fn append(upload: &Resumable, asked: &Append) -> Result<Permit, Refusal> {
    if upload.role == Role::Final {
        return Err(Refusal::IsFinal);
    }
    let stored = upload.stored.bytes;
    if asked.offset != stored {
        return Err(Refusal::Offset { stored });
    }
    let declare = match (upload.length, asked.length) {
        (Some(known), Some(said)) if known != said => return Err(Refusal::LengthKnown),
        (None, Some(said)) if said < stored => return Err(Refusal::LengthShort),
        (None, said) => said,
        (Some(_), _) => None,
    };
    let limit = upload.max_bytes;
    let length = upload.length.or(declare);
    if length.is_some_and(|length| length > limit) {
        return Err(Refusal::TooLarge { limit });
    }
    let (end, beyond) = match length {
        Some(length) => (length, Refusal::BeyondLength { length }),
        None => (limit, Refusal::TooLarge { limit }),
    };
    let fits = asked.body_length.is_none_or(|bytes| stored.saturating_add(bytes) <= end);
    if fits { Ok(Permit { declare, end, beyond }) } else { Err(beyond) }
}

#[cfg(test)]
mod tests {
    use reelgate_common::{
        ids::{FileId, OrgId, UserId},
        resumable::Stored,
        timestamp::Timestamp,
    };

    use super::*;

    fn upload(length: Option<u64>, stored: u64) -> Resumable {
        Resumable {
            file_id: FileId::new(),
            org_id: OrgId::new("acme"),
            owner_id: UserId::new("alice"),
            role: Role::Whole,
            filename: String::new(),
            claimed_type: None,
            metadata: String::new(),
            sources: Vec::new(),
            length,
            max_bytes: 100,
            part_bytes: 10,
            stored: Stored { bytes: stored, ..Stored::default() },
            fence: 1,
            held: true,
            forced: false,
            finished: false,
            expires_at: Timestamp(0),
        }
    }

    fn piece(offset: u64, length: Option<u64>, body_length: Option<u64>) -> Append {
        Append { offset, length, body_length, checksum: None, last: false }
    }

    #[test]
    fn a_piece_begins_where_the_upload_has_got_to() {
        assert!(append(&upload(Some(50), 20), &piece(20, None, Some(30))).is_ok());
        for offset in [0, 19, 21, u64::MAX] {
            let refused = append(&upload(Some(50), 20), &piece(offset, None, None));
            assert_eq!(refused, Err(Refusal::Offset { stored: 20 }));
        }
    }

    #[test]
    fn nothing_is_taken_beyond_the_length_or_the_limit() {
        let length = Refusal::BeyondLength { length: 50 };
        assert_eq!(append(&upload(Some(50), 20), &piece(20, None, Some(31))), Err(length));
        assert_eq!(append(&upload(Some(50), 20), &piece(20, None, Some(u64::MAX))), Err(length));
        assert_eq!(append(&upload(Some(50), 20), &piece(20, None, None)).unwrap().beyond, length);
        let limit = Refusal::TooLarge { limit: 100 };
        assert_eq!(append(&upload(None, 20), &piece(20, None, Some(81))), Err(limit));
        assert_eq!(append(&upload(None, 20), &piece(20, Some(101), None)), Err(limit));
    }

    #[test]
    fn a_length_is_said_once() {
        let first = append(&upload(None, 20), &piece(20, Some(60), None)).unwrap();
        assert_eq!((first.declare, first.end), (Some(60), 60));
        let again = append(&upload(Some(60), 20), &piece(20, Some(60), None)).unwrap();
        assert_eq!((again.declare, again.end), (None, 60));
        assert_eq!(append(&upload(Some(60), 20), &piece(20, Some(61), None)), Err(Refusal::LengthKnown));
        assert_eq!(append(&upload(None, 20), &piece(20, Some(19), None)), Err(Refusal::LengthShort));
    }

    #[test]
    fn a_file_of_pieces_takes_no_more() {
        let whole = Resumable { role: Role::Final, ..upload(Some(50), 20) };
        assert_eq!(append(&whole, &piece(20, None, None)), Err(Refusal::IsFinal));
    }
}
