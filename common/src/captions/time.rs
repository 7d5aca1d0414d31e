//! Times of cues: `hh:mm:ss.ttt`, in WebVTT with the hours left out at will, in SubRip with a comma.

/// Milliseconds; `None` for what is no time.
pub(super) fn parse(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once(['.', ','])?;
    if fraction.len() != 3 {
        return None;
    }
    let mut parts: Vec<u64> = whole.split(':').map(number).collect::<Option<_>>()?;
    let (seconds, minutes) = (parts.pop()?, parts.pop()?);
    let hours = parts.pop().unwrap_or(0);
    let sane = parts.is_empty() && seconds < 60 && minutes < 60 && hours < 1_000;
    sane.then_some(((hours * 60 + minutes) * 60 + seconds) * 1_000 + number(fraction)?)
}

fn number(text: &str) -> Option<u64> {
    let digits = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

pub(super) fn write(ms: u64) -> String {
    let (seconds, rest) = (ms / 1_000, ms % 1_000);
    format!("{:02}:{:02}:{:02}.{rest:03}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// `start --> end settings`.
pub(super) fn line(text: &str) -> Option<(u64, u64, &str)> {
    let (start, rest) = text.split_once("-->")?;
    let rest = rest.trim_start();
    let (end, settings) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    Some((parse(start.trim())?, parse(end.trim())?, settings.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_both_spellings_and_written_in_one() {
        for (text, ms) in [("00:00.000", 0), ("01:02.003", 62_003), ("01:00:00,500", 3_600_500)] {
            assert_eq!(parse(text), Some(ms));
        }
        for wrong in ["", "1", "00:61.000", "00:00.00", "00:00.0000", "a:00.000", "1:2:3:4.000", "-1:00.000"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        assert_eq!(write(3_723_004), "01:02:03.004");
    }

    #[test]
    fn a_line_gives_both_times_and_the_settings() {
        assert_eq!(line("00:01.000 --> 00:02.000 line:0 align:left"), Some((1_000, 2_000, "line:0 align:left")));
        assert_eq!(line("00:01.000-->00:02.000"), Some((1_000, 2_000, "")));
        assert_eq!(line("00:01.000 -> 00:02.000"), None);
    }
}
