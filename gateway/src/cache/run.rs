//! Which bytes of an object to fetch for one that is missing. Pure.

use std::ops::Range;

use super::pool::PIECE;

/// From the piece of `at`, over `length` bytes from `at` on, to the end of a block (of a piece, when the window is less than
/// a block), never beyond `limit`, where the object is known to end.
pub(super) fn run(at: u64, length: u64, window_is_short: bool, block: u64, limit: u64) -> Range<u64> {
    let piece = PIECE as u64;
    let step = if window_is_short { piece } else { block };
    let end = at.saturating_add(length).checked_next_multiple_of(step).unwrap_or(u64::MAX);
    at - at % piece..end.min(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: u64 = PIECE as u64;

    #[test]
    fn a_run_goes_to_the_end_of_its_last_block() {
        assert_eq!(run(5 * P + 7, 10, false, 16 * P, u64::MAX), 5 * P..16 * P);
        assert_eq!(run(0, 16 * P, false, 16 * P, u64::MAX), 0..16 * P);
        assert_eq!(run(1, 16 * P, false, 16 * P, u64::MAX), 0..32 * P);
    }

    #[test]
    fn a_short_window_ends_with_its_piece() {
        assert_eq!(run(5 * P + 7, P, true, 16 * P, u64::MAX), 5 * P..7 * P);
    }

    #[test]
    fn no_run_leaves_the_object() {
        assert_eq!(run(5 * P, 10, false, 16 * P, 5 * P + 10), 5 * P..5 * P + 10);
        assert_eq!(run(u64::MAX - 5, 3, false, 16 * P, u64::MAX).end, u64::MAX);
    }
}
