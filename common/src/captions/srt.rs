//! SubRip: numbered blocks, commas in the times, a little HTML in the text.

use super::{
    CaptionsError, Cue,
    block::{Block, cue},
    text::from_srt,
    time,
};

pub(super) fn cues(blocks: &[Block<'_>]) -> Result<Vec<Cue>, CaptionsError> {
    let first = blocks.first().ok_or(CaptionsError::Unknown)?;
    if timing(first).is_none() {
        return Err(CaptionsError::Unknown);
    }
    let mut cues: Vec<Cue> = Vec::new();
    for block in blocks {
        let Some((at, start, end)) = timing(block) else {
            if block.lines.iter().take(2).any(|line| line.contains("-->")) {
                return Err(CaptionsError::Timing { line: block.line + usize::from(block.lines.len() > 1) });
            }
            // An empty line within a text: many programs write them.
            if let Some(cue) = cues.last_mut() {
                cue.text = format!("{}\n{}", cue.text, from_srt(&block.lines.join("\n"))).trim_end().to_owned();
            }
            continue;
        };
        cues.extend(cue(start, end, String::new(), from_srt(&block.lines[at + 1..].join("\n"))));
    }
    Ok(cues)
}

/// Which line is the timing, and what it says. What follows the end (coordinates) has no meaning here.
fn timing(block: &Block<'_>) -> Option<(usize, u64, u64)> {
    let at = block.lines.iter().take(2).position(|line| line.contains("-->"))?;
    let numbered = at == 0 || block.lines[0].trim().bytes().all(|byte| byte.is_ascii_digit());
    let (start, end, _) = time::line(block.lines[at])?;
    numbered.then_some((at, start, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::captions::{read, write};

    #[test]
    fn subrip_becomes_webvtt() {
        let text = "1\n00:00:01,000 --> 00:00:02,500\n{\\an8}<i>Hello</i> <font color=\"red\">Tom & Jerry</font>\n\n\
                    2\n00:00:03,000 --> 00:00:04,000 X1:0\nfirst\n\nsecond\n";
        assert_eq!(
            write(&read(text.as_bytes()).unwrap()),
            "WEBVTT\n\n00:00:01.000 --> 00:00:02.500\n<i>Hello</i> Tom &amp; Jerry\n\n\
             00:00:03.000 --> 00:00:04.000\nfirst\nsecond\n"
        );
    }

    #[test]
    fn a_bad_timing_is_named_by_its_line() {
        let text = "1\n00:00:01,000 --> 00:00:02,500\nHello\n\n2\n00:00:03 --> 00:00:04\nBye\n";
        assert_eq!(read(text.as_bytes()), Err(CaptionsError::Timing { line: 6 }));
    }
}
