//! What is said of a stored index that is not what was written.

use crate::{error::Mp4Error, fourcc::FourCc};

/// Named in errors as if it were a box.
pub(super) const INDEX: FourCc = FourCc(*b"RGPX");

pub(super) fn broken(why: &'static str) -> Mp4Error {
    Mp4Error::Malformed { what: INDEX, why }
}
