//! Text of other kinds of subtitles as WebVTT cue text: what marks it up is kept where WebVTT has the same, else dropped, and
//! what only looks like markup is escaped.

/// SubRip: a few tags of HTML, and overrides in braces that some programs borrow from ASS.
#[must_use]
pub fn from_srt(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['<', '{', '&', '>']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let taken = markup(rest, &mut out);
        rest = &rest[taken..];
    }
    out.push_str(rest);
    lines(&out)
}

/// One mark at the beginning of `rest`, written as WebVTT has it; how long it is.
fn markup(rest: &str, out: &mut String) -> usize {
    let end = rest.find(['>', '}']).map(|end| end + 1);
    match (rest.as_bytes()[0], end) {
        (b'<', Some(end)) if is_tag(&rest[1..end - 1]) => {
            let tag = rest[..end].to_ascii_lowercase();
            if ["<i>", "</i>", "<b>", "</b>", "<u>", "</u>"].contains(&tag.as_str()) {
                out.push_str(&tag);
            }
            end
        }
        (b'{', Some(end)) if rest.starts_with("{\\") => end,
        (b'&', _) if is_entity(rest) => {
            out.push('&');
            1
        }
        (first, _) => {
            escape(char::from(first), out);
            1
        }
    }
}

fn is_tag(inside: &str) -> bool {
    let name = inside.strip_prefix('/').unwrap_or(inside);
    name.starts_with(|letter: char| letter.is_ascii_alphabetic()) && !inside.contains('\n')
}

fn is_entity(rest: &str) -> bool {
    ["&amp;", "&lt;", "&gt;", "&nbsp;", "&lrm;", "&rlm;"].iter().any(|entity| rest.starts_with(entity))
}

fn escape(letter: char, out: &mut String) {
    match letter {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        letter => out.push(letter),
    }
}

/// ASS: `\N` breaks a line, braces hold overrides. Drawings are no text.
#[must_use]
pub fn from_ass(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut drawing = false;
    while let Some(letter) = rest.chars().next() {
        if rest.starts_with('{')
            && let Some(end) = rest.find('}')
        {
            drawing = draws(&rest[1..end]).unwrap_or(drawing);
            rest = &rest[end + 1..];
            continue;
        }
        let escaped = ["\\N", "\\n", "\\h"].into_iter().find(|escape| rest.starts_with(escape));
        rest = &rest[escaped.map_or(letter.len_utf8(), str::len)..];
        match escaped {
            _ if drawing => {}
            Some("\\h") => out.push('\u{a0}'),
            Some(_) => out.push('\n'),
            None => escape(letter, &mut out),
        }
    }
    lines(&out)
}

/// Whether the overrides begin (`\p1`) or end (`\p0`) a drawing.
fn draws(overrides: &str) -> Option<bool> {
    let scale = overrides.split('\\').filter_map(|part| part.strip_prefix('p')?.parse::<u8>().ok()).next_back();
    scale.map(|scale| scale > 0)
}

/// Text without any markup.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|letter| escape(letter, &mut out));
    lines(&out)
}

/// Without empty lines, which would end a cue.
fn lines(text: &str) -> String {
    let lines = text.lines().map(str::trim_end).filter(|line| !line.trim().is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_looks_like_markup_is_escaped() {
        assert_eq!(from_srt("1 < 2 && 3 > 2 &amp; <3"), "1 &lt; 2 &amp;&amp; 3 &gt; 2 &amp; &lt;3");
        assert_eq!(from_srt("<I>a</I><script>b</script>"), "<i>a</i>b");
        assert_eq!(from_srt("{not an override} <"), "{not an override} &lt;");
        assert_eq!(plain("<i>a & b"), "&lt;i&gt;a &amp; b");
    }

    #[test]
    fn ass_loses_its_overrides_and_drawings() {
        assert_eq!(from_ass("{\\an8\\i1}Hello{\\i0}\\Nthere <x>"), "Hello\nthere &lt;x&gt;");
        assert_eq!(from_ass("{\\p1}m 0 0 l 10 10{\\p0}seen"), "seen");
        assert_eq!(from_ass("{\\pos(1,2)}kept"), "kept");
    }
}
