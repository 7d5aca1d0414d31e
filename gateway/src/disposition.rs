//! `Content-Disposition` (RFC 6266): a name any client can read, that can break out of no header. Pure.

use http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but the `attr-char`s of RFC 8187 section 3.2.1.
const EXTENDED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disposition {
    Inline,
    Attachment,
}

/// The header for a file of this name. An ASCII stand-in comes first for old clients (RFC 6266 appendix D).
#[must_use]
pub(crate) fn content_disposition(disposition: Disposition, filename: &str) -> HeaderValue {
    let word = match disposition {
        Disposition::Inline => "inline",
        Disposition::Attachment => "attachment",
    };
    let plain: String = filename.chars().map(stand_in).collect();
    let text = if plain == filename {
        format!("{word}; filename=\"{plain}\"")
    } else {
        format!("{word}; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(filename, EXTENDED))
    };
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("attachment"))
}

/// `%` too: some clients decode it inside the plain form.
fn stand_in(c: char) -> char {
    if matches!(c, ' '..='~') && !matches!(c, '"' | '\\' | '%' | '/') { c } else { '_' }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(filename: &str) -> String {
        content_disposition(Disposition::Inline, filename).to_str().unwrap().to_owned()
    }

    #[test]
    fn plain_names_stay_plain() {
        assert_eq!(of("My film (1).mp4"), "inline; filename=\"My film (1).mp4\"");
        let attachment = content_disposition(Disposition::Attachment, "a.zip");
        assert_eq!(attachment, "attachment; filename=\"a.zip\"");
    }

    #[test]
    fn rfc8187_other_names_are_utf8_with_a_stand_in() {
        assert_eq!(of("Käse.mp4"), "inline; filename=\"K_se.mp4\"; filename*=UTF-8''K%C3%A4se.mp4");
    }

    #[test]
    fn quotes_and_line_ends_cannot_break_out() {
        let text = of("a\"; x=\"\r\nSet-Cookie: b\\c");
        assert_eq!(
            text,
            "inline; filename=\"a_; x=___Set-Cookie: b_c\"; filename*=UTF-8''a%22%3B%20x%3D%22%0D%0ASet-Cookie%3A%20b%5Cc"
        );
    }

    proptest! {
        #[test]
        fn every_name_makes_a_header_that_reads_back(name in any::<String>()) {
            let text = of(&name);
            prop_assert!(text.starts_with("inline; filename=\""));
            if let Some((_, encoded)) = text.split_once("filename*=UTF-8''") {
                let decoded = percent_encoding::percent_decode_str(encoded).decode_utf8().unwrap();
                prop_assert_eq!(decoded, name);
            }
        }
    }
}
