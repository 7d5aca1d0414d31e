//! What a client's file name becomes: a name for display, and a location. Pure; neither is ever an object key.

use reelgate_common::{ids::FileId, timestamp::Timestamp};

/// Bytes of a display name.
const MAX_NAME: usize = 255;
/// Bytes of the safe name in a location.
const MAX_SAFE_NAME: usize = 100;
/// What a name is called that has nothing to show.
const UNNAMED: &str = "unnamed";

/// The name as shown to people: the last path component, without control characters and direction overrides.
pub(crate) fn display_name(sent: &str) -> String {
    let last = sent.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last.chars().filter(|char| is_shown(*char)).collect();
    let trimmed = clean.trim();
    if trimmed.is_empty() || trimmed.chars().all(|char| char == '.') {
        return UNNAMED.to_owned();
    }
    shorten(trimmed, MAX_NAME)
}

/// Where the API says the file is: `{yyyy}/{mm}/{file}/{safe-name}`. The identifier makes it unique.
pub(crate) fn location(created: Timestamp, file: FileId, display_name: &str) -> String {
    let date = created.date_time();
    format!("{:04}/{:02}/{file}/{}", date.year(), u8::from(date.month()), safe_name(display_name))
}

/// The file's extension in lower case, without the dot.
pub(crate) fn extension(display_name: &str) -> Option<String> {
    let (stem, extension) = display_name.rsplit_once('.')?;
    (!stem.is_empty() && !extension.is_empty()).then(|| extension.to_ascii_lowercase())
}

/// Letters, digits, `.`, `_` and `-` of ASCII; every other run becomes one `-`. Never begins with a dot or a dash.
fn safe_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len().min(MAX_SAFE_NAME));
    for char in name.chars() {
        if char.is_ascii_alphanumeric() || matches!(char, '.' | '_') {
            out.push(char);
        } else if !out.ends_with('-') {
            out.push('-');
        }
    }
    let trimmed = out.trim_matches(|char| matches!(char, '.' | '-'));
    if trimmed.is_empty() { "file".to_owned() } else { shorten(trimmed, MAX_SAFE_NAME) }
}

/// Cuts the middle out, so that the extension stays.
fn shorten(name: &str, max: usize) -> String {
    if name.len() <= max {
        return name.to_owned();
    }
    let extension = name.rfind('.').filter(|dot| name.len() - dot <= 16).map_or("", |dot| &name[dot..]);
    let mut end = max - extension.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{extension}", &name[..end])
}

/// Not a control character, not one that changes the direction or the shape of what is around it.
fn is_shown(char: char) -> bool {
    let hidden = matches!(char,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{e0fff}');
    !char.is_control() && !hidden
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_location_reads_year_month_file_name() {
        let id: FileId = "0190b6a0-0000-7000-8000-000000000001".parse().unwrap();
        let at = Timestamp(1_700_000_000_000);
        assert_eq!(location(at, id, "Mein Film (1).mp4"), format!("2023/11/{id}/Mein-Film-1-.mp4"));
    }

    #[test]
    fn hostile_names_are_cleaned() {
        let cases = [
            ("../../etc/passwd", "passwd", "passwd"),
            (r"..\..\boot.ini", "boot.ini", "boot.ini"),
            ("..", "unnamed", "unnamed"),
            ("/", "unnamed", "unnamed"),
            ("", "unnamed", "unnamed"),
            ("a\0b\r\nc.mp4", "abc.mp4", "abc.mp4"),
            ("\u{202e}4pm.exe", "4pm.exe", "4pm.exe"),
            ("x%03d.png", "x%03d.png", "x-03d.png"),
            ("-i", "-i", "i"),
            ("concat:a|b", "concat:a|b", "concat-a-b"),
            ("http://host/x.mp4", "x.mp4", "x.mp4"),
            ("%2e%2e%2fx", "%2e%2e%2fx", "2e-2e-2fx"),
            (".htaccess", ".htaccess", "htaccess"),
            ("фильм", "фильм", "file"),
        ];
        for (sent, shown, safe) in cases {
            assert_eq!(display_name(sent), shown, "{sent:?}");
            assert_eq!(safe_name(&display_name(sent)), safe, "{sent:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_extension() {
        let long = format!("{}.mp4", "é".repeat(2000));
        let shown = display_name(&long);
        assert!(shown.len() <= MAX_NAME && shown.ends_with("é.mp4"), "{shown}");
        let safe = safe_name(&format!("{}.mp4", "a".repeat(4096)));
        assert!(safe.len() == MAX_SAFE_NAME && safe.ends_with("a.mp4"), "{safe}");
    }

    #[test]
    fn the_extension_is_lower_case() {
        assert_eq!(extension("a.b.MP4").as_deref(), Some("mp4"));
        assert_eq!(extension("mp4"), None);
        assert_eq!(extension(".mp4"), None);
    }

    proptest! {
        #[test]
        fn any_name_gives_a_safe_location(sent in "\\PC*|.*") {
            let id = FileId::new();
            let made = location(Timestamp(0), id, &display_name(&sent));
            let parts: Vec<&str> = made.split('/').collect();
            prop_assert_eq!(parts.len(), 4);
            prop_assert!(parts[3].bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')));
            prop_assert!(!parts[3].is_empty() && !parts[3].starts_with('.') && parts[3].len() <= MAX_SAFE_NAME);
        }
    }
}
