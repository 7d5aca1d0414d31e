//! Telling WebVTT from SubRip, and reading either.

use super::{CaptionsError, Cue, MAX_BYTES, MAX_CUES, srt, vtt};

/// Reads a document of either kind. Cues that would be shown for no time or show nothing are left out.
///
/// # Errors
/// Which part of it cannot be used.
pub fn read(bytes: &[u8]) -> Result<Vec<Cue>, CaptionsError> {
    if bytes.len() > MAX_BYTES {
        return Err(CaptionsError::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| CaptionsError::NotText)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.contains('\0') {
        return Err(CaptionsError::NotText);
    }
    let blocks = blocks(text);
    let cues = match vtt::is_header(text) {
        true => vtt::cues(&blocks)?,
        false => srt::cues(&blocks)?,
    };
    match cues.len() {
        0 => Err(CaptionsError::Empty),
        1..=MAX_CUES => Ok(cues),
        _ => Err(CaptionsError::TooLong),
    }
}

/// Lines that follow one another without an empty one between, with the number of the first.
pub(super) struct Block<'a> {
    pub(super) line: usize,
    pub(super) lines: Vec<&'a str>,
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    // A lone carriage return ends a line, too; `lines` knows the other two.
    let lines = text.lines().flat_map(|line| line.split('\r'));
    for (index, line) in lines.enumerate() {
        if line.trim().is_empty() {
            open = false;
        } else if open && let Some(block) = blocks.last_mut() {
            block.lines.push(line);
        } else {
            open = true;
            blocks.push(Block { line: index + 1, lines: vec![line] });
        }
    }
    blocks
}

/// `None` for a cue that is never seen.
pub(super) fn cue(start_ms: u64, end_ms: u64, settings: String, text: String) -> Option<Cue> {
    let shows = text.chars().any(|letter| !letter.is_control() && !letter.is_whitespace());
    (start_ms < end_ms && shows).then_some(Cue { start_ms, end_ms, settings, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_captions_is_refused_by_its_reason() {
        assert_eq!(read(b"\xff\xfe"), Err(CaptionsError::NotText));
        assert_eq!(read(b"WEBVTT\0"), Err(CaptionsError::NotText));
        assert_eq!(read(b""), Err(CaptionsError::Unknown));
        assert_eq!(read(b"<html></html>"), Err(CaptionsError::Unknown));
        assert_eq!(read(b"WEBVTT\n"), Err(CaptionsError::Empty));
        assert_eq!(read(b"WEBVTT\n\n00:01.000 --> 00:0x.000\nHello\n"), Err(CaptionsError::Timing { line: 3 }));
        assert_eq!(read(&vec![b' '; MAX_BYTES + 1]), Err(CaptionsError::TooLong));
    }

    #[test]
    fn lines_may_end_in_any_way() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["\u{feff}WEBVTT", "", "00:01.000 --> 00:02.000", "Hello", "there", ""].join(end);
            assert_eq!(read(text.as_bytes()).unwrap()[0].text, "Hello\nthere", "{end:?}");
        }
    }
}
