//! What WebVTT and SubRip have in common: blocks of lines, and cues that show something.

use super::Cue;

/// Lines that follow one another without an empty one between, with the number of the first.
pub(super) struct Block<'a> {
    pub(super) line: usize,
    pub(super) lines: Vec<&'a str>,
}

pub(super) fn blocks(text: &str) -> Vec<Block<'_>> {
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
