//! Telling WebVTT from SubRip, and reading either.

use super::{CaptionsError, Cue, MAX_BYTES, MAX_CUES, block::blocks, srt, vtt};

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
