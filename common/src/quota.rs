//! What an organisation may have. Pure: the database counts and asks here, under the organisation's lock.

use crate::closed_set::closed_set;

closed_set! {
    /// What there would be too much of.
    pub enum Excess {
        Bytes = "bytes",
        Files = "files",
        Uploads = "uploads",
    }
}

/// Limits; 0 is any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quota {
    /// Bytes as uploaded, those announced by uploads under way included.
    pub bytes: u64,
    /// Files, those on their way included.
    pub files: u64,
    /// Uploads under way.
    pub uploads: u64,
}

/// What an organisation has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    pub bytes: u64,
    pub files: u64,
    pub uploads: u64,
}

impl Quota {
    /// Whether there is anything to count for.
    #[must_use]
    pub fn is_set(&self) -> bool {
        *self != Self::default()
    }

    /// Whether all of this may be there.
    ///
    /// # Errors
    /// What is too much of it.
    pub fn admit(&self, usage: Usage) -> Result<(), Excess> {
        let over = |limit: u64, used: u64| limit > 0 && used > limit;
        if over(self.bytes, usage.bytes) {
            return Err(Excess::Bytes);
        }
        if over(self.files, usage.files) {
            return Err(Excess::Files);
        }
        if over(self.uploads, usage.uploads) { Err(Excess::Uploads) } else { Ok(()) }
    }

    /// How many bytes more there may be.
    #[must_use]
    pub fn room(&self, usage: Usage) -> u64 {
        if self.bytes == 0 { u64::MAX } else { self.bytes.saturating_sub(usage.bytes) }
    }
}

impl Usage {
    #[must_use]
    pub fn plus(self, more: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(more.bytes),
            files: self.files.saturating_add(more.files),
            uploads: self.uploads.saturating_add(more.uploads),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_may_be_reached_and_not_passed() {
        let quota = Quota { bytes: 10, files: 2, uploads: 1 };
        let usage = |bytes, files, uploads| Usage { bytes, files, uploads };
        assert_eq!(quota.admit(usage(10, 2, 1)), Ok(()));
        assert_eq!(quota.admit(usage(11, 2, 1)), Err(Excess::Bytes));
        assert_eq!(quota.admit(usage(10, 3, 1)), Err(Excess::Files));
        assert_eq!(quota.admit(usage(10, 2, 2)), Err(Excess::Uploads));
        assert_eq!((quota.room(usage(4, 0, 0)), quota.room(usage(11, 0, 0))), (6, 0));
    }

    #[test]
    fn nothing_is_limited_by_zero() {
        let most = Usage { bytes: u64::MAX, files: u64::MAX, uploads: u64::MAX };
        assert_eq!(Quota::default().admit(most.plus(most)), Ok(()));
        assert_eq!(Quota::default().room(most), u64::MAX);
    }
}
