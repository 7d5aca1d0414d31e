//! WebVTT (W3C): the cues of a document, and a document of cues.

use std::fmt::Write;

use super::{
    CaptionsError, Cue,
    block::{Block, cue},
    time,
};

const MAGIC: &str = "WEBVTT";

pub(super) fn is_header(text: &str) -> bool {
    let first = text.split(['\n', '\r']).next().unwrap_or_default();
    first.strip_prefix(MAGIC).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
}

pub(super) fn cues(blocks: &[Block<'_>]) -> Result<Vec<Cue>, CaptionsError> {
    let mut cues = Vec::new();
    // The first block is the header and what belongs to it, unless a cue follows it without an empty line.
    for (index, block) in blocks.iter().enumerate() {
        let Some(at) = block.lines.iter().take(2).position(|line| line.contains("-->")) else {
            if index > 0 && !is_beside(block.lines[0]) {
                return Err(CaptionsError::Timing { line: block.line });
            }
            continue;
        };
        let (start, end, settings) =
            time::line(block.lines[at]).ok_or(CaptionsError::Timing { line: block.line + at })?;
        let text = block.lines[at + 1..].join("\n");
        cues.extend(cue(start, end, settings.to_owned(), text));
    }
    Ok(cues)
}

/// What is no cue: notes, styles and regions.
fn is_beside(line: &str) -> bool {
    ["NOTE", "STYLE", "REGION"].iter().any(|word| line.split_whitespace().next() == Some(word))
}

/// The document, cues in the order of their start.
#[must_use]
pub fn write(cues: &[Cue]) -> String {
    let mut cues: Vec<&Cue> = cues.iter().collect();
    cues.sort_by_key(|cue| (cue.start_ms, cue.end_ms));
    let mut text = format!("{MAGIC}\n");
    for cue in cues {
        let (settings, body) = (one_line(&cue.settings), body(&cue.text));
        let settings = settings.trim();
        let space = if settings.is_empty() { "" } else { " " };
        let (start, end) = (time::write(cue.start_ms), time::write(cue.end_ms));
        let _ = write!(text, "\n{start} --> {end}{space}{settings}\n{body}\n");
    }
    text
}

/// Nothing in it may end the cue or look like the timing of another.
fn body(text: &str) -> String {
    // Looked at after it was cleaned: of a line of control characters nothing is left.
    let lines = text.lines().map(one_line).filter(|line| !line.trim().is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

/// Without control characters and without an arrow, however many dashes it has.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for letter in text.chars().filter(|letter| !letter.is_control() || *letter == '\t') {
        while letter == '>' && line.ends_with("--") {
            line.pop();
        }
        line.push(letter);
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::captions::read;

    const DOCUMENT: &str = "WEBVTT - a title\nKind: captions\n\nNOTE\nnobody sees this\n\nSTYLE\n::cue { color: red }\n\n\
        1\n00:01.000 --> 00:04.500 line:0\n<v Ann>Hello\nthere\n\n00:00:05.000 --> 00:00:06.000\nBye\n\n\
        00:07.000 --> 00:07.000\nnever seen\n";

    #[test]
    fn cues_are_taken_and_all_else_is_left() {
        let cues = read(DOCUMENT.as_bytes()).unwrap();
        assert_eq!(
            write(&cues),
            "WEBVTT\n\n00:00:01.000 --> 00:00:04.500 line:0\n<v Ann>Hello\nthere\n\n\
             00:00:05.000 --> 00:00:06.000\nBye\n"
        );
    }

    #[test]
    fn a_line_of_control_characters_ends_no_cue() {
        let cues = read(b"WEBVTT\n\n00:01.000 --> 00:02.000\na\n\x0f\nb\n\n00:03.000 --> 00:04.000\n\x0f\n").unwrap();
        assert_eq!(write(&cues), "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\na\nb\n");
    }

    #[test]
    fn no_arrow_is_left_in_a_text() {
        assert_eq!(one_line("a --> b ----> c - > \u{1}-\u{1}->"), "a -> b -> c - > ->");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_as_it_was(
            texts in proptest::collection::vec("[ -~\u{e9}\n>-]{1,40}", 1..8),
            settings in "[ -~]{0,12}",
        ) {
            let cues: Vec<Cue> = texts
                .iter()
                .enumerate()
                .map(|(index, text)| {
                    let start_ms = index as u64 * 1_000;
                    Cue { start_ms, end_ms: start_ms + 500, settings: settings.clone(), text: text.clone() }
                })
                .filter(|cue| !cue.text.trim().is_empty())
                .collect();
            let once = write(&cues);
            match read(once.as_bytes()) {
                Ok(again) => prop_assert_eq!(write(&again), once),
                Err(error) => prop_assert!(cues.is_empty(), "{error}: {once}"),
            }
        }

        #[test]
        fn no_document_breaks_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..300), head in any::<bool>()) {
            let mut document = if head { b"WEBVTT\n\n".to_vec() } else { Vec::new() };
            document.extend(bytes);
            if let Ok(cues) = read(&document) {
                prop_assert!(read(write(&cues).as_bytes()).is_ok());
            }
        }
    }
}
