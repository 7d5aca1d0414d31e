//! Numbers of variable length, seven bits a byte, least significant first.

use super::damage::broken;
use crate::{bytes::Bytes, error::Mp4Error};

pub(super) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Small numbers of either sign become small numbers.
pub(super) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned());
}

pub(super) fn take(bytes: &mut Bytes<'_>) -> Result<u64, Mp4Error> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = bytes.u8()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(broken("a number is too long"))
}

pub(super) fn take_u32(bytes: &mut Bytes<'_>) -> Result<u32, Mp4Error> {
    u32::try_from(take(bytes)?).map_err(|_| broken("a number is too large"))
}

pub(super) fn take_signed(bytes: &mut Bytes<'_>) -> Result<i64, Mp4Error> {
    let value = take(bytes)?;
    Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fourcc::FourCc;

    #[test]
    fn numbers_come_back() {
        for value in [0, 1, -1, 127, -128, 1 << 40, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            put_signed(&mut out, value);
            put(&mut out, value.cast_unsigned());
            let mut bytes = Bytes::new(FourCc::default(), &out);
            assert_eq!(take_signed(&mut bytes), Ok(value));
            assert_eq!(take(&mut bytes), Ok(value.cast_unsigned()));
            assert!(bytes.rest().is_empty());
        }
    }

    #[test]
    fn a_number_without_end_is_refused() {
        assert!(take(&mut Bytes::new(FourCc::default(), &[0xff; 20])).is_err());
        assert!(take(&mut Bytes::new(FourCc::default(), &[0xff; 3])).is_err());
    }
}
