//! A span of time as people write it on a command line: `90s`, `15m`, `1h`, `7d`.

use std::{str::FromStr, time::Duration};

/// Never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetime(pub(crate) Duration);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a time is a whole number and s, m, h or d, e.g. 15m")]
pub(crate) struct NoLifetime;

impl FromStr for Lifetime {
    type Err = NoLifetime;

    fn from_str(text: &str) -> Result<Self, NoLifetime> {
        let unit = text.chars().last().ok_or(NoLifetime)?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return Err(NoLifetime),
        };
        let number: u64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| NoLifetime)?;
        let seconds = number.checked_mul(seconds).filter(|seconds| *seconds > 0).ok_or(NoLifetime)?;
        Ok(Self(Duration::from_secs(seconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_a_number_and_a_unit() {
        assert_eq!("90s".parse(), Ok(Lifetime(Duration::from_secs(90))));
        assert_eq!("1h".parse(), Ok(Lifetime(Duration::from_secs(3_600))));
        assert_eq!("7d".parse(), Ok(Lifetime(Duration::from_secs(604_800))));
        for bad in ["", "h", "1", "0s", "-1h", "1w", "1.5h", "99999999999999999999d", "9999999999999999999d", "1é"] {
            assert_eq!(bad.parse::<Lifetime>(), Err(NoLifetime), "{bad}");
        }
    }
}
