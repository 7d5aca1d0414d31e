//! A part of an answer: bytes in memory, or a range of a file that a connection may send without anybody reading it.

use std::{fmt::Debug, io, ops::Range, os::fd::BorrowedFd, sync::Arc};

use bytes::{Buf, Bytes};

/// A file whose bytes do not change while it is open, and can be trusted once they were looked at.
pub(crate) trait KeptFile: Debug + Send + Sync {
    fn descriptor(&self) -> BorrowedFd<'_>;

    /// Whether these bytes lie in the kernel's memory, and are what they were found to be.
    fn is_at_hand(&self, bytes: &Range<u64>) -> bool;

    /// They were taken to be at hand and are not: whoever wants them next has to look.
    fn distrust(&self, bytes: &Range<u64>);

    /// Has them so. Blocks the thread.
    ///
    /// # Errors
    /// They cannot be read, or are not what was written.
    fn bring(&self, bytes: &Range<u64>) -> io::Result<()>;
}

#[derive(Debug, Clone)]
pub(crate) enum Part {
    Memory(Bytes),
    File(FilePart),
}

#[derive(Debug, Clone)]
pub(crate) struct FilePart {
    pub(crate) file: Arc<dyn KeptFile>,
    pub(crate) bytes: Range<u64>,
}

impl FilePart {
    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.bytes.end - self.bytes.start).unwrap_or(usize::MAX)
    }

    /// Its first `count` bytes, at most all.
    pub(crate) fn first(&self, count: usize) -> Self {
        self.clone().into_first(count)
    }

    pub(super) fn into_first(mut self, count: usize) -> Self {
        self.bytes.end = self.bytes.end.min(self.bytes.start.saturating_add(count as u64));
        self
    }

    /// Whether `next` goes on where this one ends.
    pub(super) fn leads_to(&self, next: &Self) -> bool {
        Arc::ptr_eq(&self.file, &next.file) && self.bytes.end == next.bytes.start
    }
}

impl Part {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Memory(bytes) => bytes.len(),
            Self::File(part) => part.len(),
        }
    }

    pub(crate) fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }

    pub(crate) fn slice(&self, range: Range<usize>) -> Self {
        self.clone().into_slice(range)
    }

    pub(crate) fn into_slice(mut self, range: Range<usize>) -> Self {
        match &mut self {
            Self::Memory(bytes) => {
                bytes.truncate(range.end);
                bytes.advance(range.start);
            }
            Self::File(part) => {
                part.bytes = part.bytes.start + range.start as u64..part.bytes.start + range.end as u64;
            }
        }
        self
    }

    pub(super) fn advance(&mut self, count: usize) {
        match self {
            Self::Memory(bytes) => bytes.advance(count),
            Self::File(part) => part.bytes.start += count as u64,
        }
    }
}

impl From<Bytes> for Part {
    fn from(bytes: Bytes) -> Self {
        Self::Memory(bytes)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{fs::File, os::fd::AsFd, os::unix::fs::FileExt};

    use super::*;

    /// A file that is always at hand.
    #[derive(Debug)]
    pub(crate) struct Plain(pub(crate) File);

    impl KeptFile for Plain {
        fn descriptor(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }

        fn is_at_hand(&self, _bytes: &Range<u64>) -> bool {
            true
        }

        fn distrust(&self, _bytes: &Range<u64>) {}

        fn bring(&self, _bytes: &Range<u64>) -> io::Result<()> {
            Ok(())
        }
    }

    pub(crate) fn file_of(content: &[u8]) -> Arc<Plain> {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(content, 0).unwrap();
        Arc::new(Plain(file))
    }

    #[test]
    fn slices_of_a_file_count_from_its_part() {
        let part = Part::File(FilePart { file: file_of(b""), bytes: 10..20 });
        let Part::File(slice) = part.slice(2..5) else { panic!() };
        assert_eq!((slice.bytes.clone(), slice.first(2).bytes, slice.first(9).bytes), (12..15, 12..14, 12..15));
        assert!(slice.leads_to(&FilePart { bytes: 15..16, ..slice.clone() }));
        assert!(!slice.leads_to(&FilePart { bytes: 16..17, ..slice.clone() }));
        assert!(!slice.leads_to(&FilePart { file: file_of(b""), bytes: 15..16 }));
    }
}
