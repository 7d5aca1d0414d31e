//! Paths of the document, with names in braces, against paths that were asked for. Pure.

/// Whether a path is one of this template's. A name stands for at least one byte of a segment, and a segment may have more around it
/// (`{language}.vtt`).
pub(super) fn matches(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if is_segment_of(wanted, given) => {}
            _ => return false,
        }
    }
}

fn is_segment_of(wanted: &str, given: &str) -> bool {
    let Some((before, after)) =
        wanted.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?.1)))
    else {
        return wanted == given;
    };
    given.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).is_some_and(|value| !value.is_empty())
}

/// How much of a template stands as it is: of several that match, the one with the most is meant.
pub(super) fn literal(template: &str) -> usize {
    template.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest).len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_what_is_there() {
        for (template, path, matched) in [
            ("/v1/files", "/v1/files", true),
            ("/v1/files", "/v1/files/", false),
            ("/v1/files/{file_id}", "/v1/files/7", true),
            ("/v1/files/{file_id}", "/v1/files/", false),
            ("/v1/files/{file_id}", "/v1/files/7/info", false),
            ("/v1/files/{file_id}/captions/{language}.vtt", "/v1/files/7/captions/pt-BR.vtt", true),
            ("/v1/files/{file_id}/captions/{language}.vtt", "/v1/files/7/captions/.vtt", false),
            ("/v1/files/{file_id}/storyboard-{sheet}.jpg", "/v1/files/7/storyboard-12.jpg", true),
            ("/v1/files/{file_id}/storyboard-{sheet}.jpg", "/v1/files/7/storyboard.json", false),
        ] {
            assert_eq!(matches(template, path), matched, "{template} {path}");
        }
    }

    #[test]
    fn what_is_written_out_counts_more_than_a_name() {
        assert!(literal("/v1/files/token") > literal("/v1/files/{file_id}"));
        assert_eq!(literal("/a/{b}.vtt"), "/a/.vtt".len());
    }
}
