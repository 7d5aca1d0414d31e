//! The headers of one part, and the boundary in the request's Content-Type. Nothing here is believed: names are for
//! display, types are hints.

use super::MultipartError;

/// More header lines than this are no browser's.
const MAX_HEADERS: usize = 32;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PartHead {
    /// Name of the form field.
    pub(crate) name: String,
    /// As the client sent it; `None` and the empty name both mean that no file was chosen.
    pub(crate) filename: Option<String>,
    /// The client's claim.
    pub(crate) content_type: Option<String>,
    /// `Repr-Digest`, as the client sent it.
    pub(crate) digest: Option<String>,
}

impl PartHead {
    /// Reads a header block without its final empty line.
    pub(super) fn parse(block: &[u8]) -> Result<Self, MultipartError> {
        let text = String::from_utf8_lossy(block);
        let mut head = Self::default();
        for (number, line) in text.split("\r\n").filter(|line| !line.is_empty()).enumerate() {
            if number >= MAX_HEADERS {
                return Err(MultipartError::Header("too many"));
            }
            let (name, value) = line.split_once(':').ok_or(MultipartError::Header("a line has no colon"))?;
            head.take(name.trim(), value.trim());
        }
        Ok(head)
    }

    /// Whether this part is a file: it has a filename, whatever its field is called.
    pub(crate) fn is_file(&self) -> bool {
        self.filename.as_deref().is_some_and(|name| !name.is_empty())
    }

    fn take(&mut self, name: &str, value: &str) {
        if name.eq_ignore_ascii_case("content-type") {
            self.content_type = Some(value.to_owned());
        } else if name.eq_ignore_ascii_case("repr-digest") {
            self.digest = Some(value.to_owned());
        } else if name.eq_ignore_ascii_case("content-disposition") {
            self.name = parameter(value, "name").unwrap_or_default();
            self.filename = filename_of(value);
        }
    }
}

/// What a Content-Disposition names.
pub(crate) fn filename_of(disposition: &str) -> Option<String> {
    let extended = parameter(disposition, "filename*").and_then(|text| extended_value(&text));
    extended.or_else(|| parameter(disposition, "filename").map(|text| unescape_quotes(&text)))
}

/// The boundary of a `multipart/form-data` Content-Type; `None` for every other type.
pub(crate) fn boundary_of(content_type: &str) -> Option<String> {
    let (essence, _) = content_type.split_once(';')?;
    if !essence.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    parameter(content_type, "boundary")
}

/// A parameter of `value; a=b; c="d"`. In quotes a backslash only escapes a quote: old clients send Windows paths.
fn parameter(value: &str, wanted: &str) -> Option<String> {
    let mut rest = value.split_once(';')?.1;
    loop {
        let (name, after) = rest.split_once('=')?;
        // A parameter without a value is skipped with its semicolon.
        let name = name.rsplit(';').next().unwrap_or_default().trim();
        let (text, left) = one_value(after);
        if name.eq_ignore_ascii_case(wanted) {
            return Some(text);
        }
        rest = left;
    }
}

/// A token or a quoted string, and what follows it.
fn one_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.trim_start().strip_prefix('"') else {
        let (token, rest) = text.split_once(';').unwrap_or((text, ""));
        return (token.trim().to_owned(), rest);
    };
    let mut out = String::new();
    let mut chars = quoted.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (out, quoted[at + 1..].split_once(';').map_or("", |(_, rest)| rest)),
            '\\' if chars.peek().is_some_and(|(_, next)| *next == '"') => {
                chars.next();
                out.push('"');
            }
            other => out.push(other),
        }
    }
    (out, "")
}

/// RFC 8187: `UTF-8''na%C3%AFve.mp4`. Only UTF-8 is taken.
fn extended_value(text: &str) -> Option<String> {
    let mut pieces = text.splitn(3, '\'');
    if !pieces.next()?.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    let encoded = pieces.nth(1)?;
    Some(percent_encoding::percent_decode_str(encoded).decode_utf8_lossy().into_owned())
}

/// Browsers write a quote as `%22` (WHATWG HTML, multipart/form-data encoding). Its `%0D` and `%0A` stay as they are.
fn unescape_quotes(text: &str) -> String {
    text.replace("%22", "\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filename(disposition: &str) -> Option<String> {
        PartHead::parse(format!("Content-Disposition: {disposition}").as_bytes()).unwrap().filename
    }

    #[test]
    fn filenames_are_read_as_browsers_write_them() {
        let name = |text: &str| Some(text.to_owned());
        assert_eq!(filename(r#"form-data; name="a"; filename="x.mp4""#), name("x.mp4"));
        assert_eq!(filename(r#"form-data; filename="a%22b;c=d.mp4"; name=x"#), name(r#"a"b;c=d.mp4"#));
        assert_eq!(filename(r#"form-data; filename="a\"b.mp4""#), name(r#"a"b.mp4"#));
        assert_eq!(filename(r#"form-data; filename="C:\video\x.mp4""#), name(r"C:\video\x.mp4"));
        assert_eq!(filename("form-data; filename=plain.mp4; name=x"), name("plain.mp4"));
        assert_eq!(filename("form-data; filename*=UTF-8''na%C3%AFve.mp4; filename=naive.mp4"), name("naïve.mp4"));
        assert_eq!(filename(r#"form-data; filename="never closed"#), name("never closed"));
        assert_eq!(filename("form-data; name=x"), None);
    }

    #[test]
    fn a_filename_inside_another_parameter_is_not_one() {
        assert_eq!(filename(r#"form-data; name="x; filename=evil.mp4""#), None);
    }

    #[test]
    fn an_empty_filename_means_no_file() {
        assert!(!PartHead::parse(b"content-disposition: form-data; name=f; filename=\"\"").unwrap().is_file());
    }

    #[test]
    fn broken_header_blocks_are_refused() {
        assert!(PartHead::parse(b"no colon here").is_err());
        assert!(PartHead::parse("a: b\r\n".repeat(33).as_bytes()).is_err());
        assert!(PartHead::parse(b"").unwrap().filename.is_none());
    }

    #[test]
    fn the_boundary_may_be_quoted() {
        assert_eq!(boundary_of("multipart/form-data; boundary=abc").as_deref(), Some("abc"));
        assert_eq!(boundary_of("Multipart/Form-Data; charset=x; boundary=\"a b\"").as_deref(), Some("a b"));
        assert_eq!(boundary_of("multipart/mixed; boundary=abc"), None);
        assert_eq!(boundary_of("multipart/form-data"), None);
    }
}
