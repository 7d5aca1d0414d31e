//! Bytes that are a function of their place, so that a store needs to keep none and a reader can tell whether it got
//! the right ones.

use std::sync::LazyLock;

use bytes::Bytes;

/// A prime, so that no two aligned blocks of a usual size are the same.
const PERIOD: usize = 65_521;

static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| {
    // xorshift32 with Marsaglia's shifts: noise that no compressor and no checksum confuses.
    let mut state = 0x9e37_79b9_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(PERIOD).collect()
});

/// The `length` bytes at `offset`, in memory of their own.
///
/// # Panics
/// Never: a place within the period fits into memory.
#[must_use]
pub fn generated(offset: u64, length: usize) -> Bytes {
    let mut place = usize::try_from(offset % PERIOD as u64).expect("below the period");
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let piece = (PERIOD - place).min(length - bytes.len());
        bytes.extend_from_slice(&PATTERN[place..place + piece]);
        place = 0;
    }
    Bytes::from(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_the_same_wherever_the_reading_began() {
        let whole = generated(0, 200_000);
        assert_eq!(generated(70_000, 100_000), whole.slice(70_000..170_000));
        assert_ne!(generated(0, 4_096), generated(65_536, 4_096));
    }
}
