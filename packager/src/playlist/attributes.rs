//! Attribute lists (RFC 8216 section 4.2): names are ours, values may come from a stranger's file.

use std::fmt::{Display, Write};

/// Attributes in the order given.
#[derive(Debug, Default)]
pub(super) struct Attributes(String);

impl Attributes {
    /// A value that is no text: numbers, enumerated words, resolutions.
    pub(super) fn plain(mut self, name: &str, value: impl Display) -> Self {
        let comma = if self.0.is_empty() { "" } else { "," };
        let _ = write!(self.0, "{comma}{name}={value}");
        self
    }

    pub(super) fn quoted(self, name: &str, value: &str) -> Self {
        let value = quotable(value);
        self.plain(name, format_args!("\"{value}\""))
    }

    pub(super) fn optional(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.plain(name, value),
            None => self,
        }
    }

    pub(super) fn line(&self, tag: &str) -> String {
        format!("{tag}:{}\n", self.0)
    }
}

/// There is no way to escape in a quoted string, so what would end it or the line goes.
fn quotable(text: &str) -> String {
    text.chars().map(|letter| if letter == '"' || letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_quoted_string_or_a_line_but_we() {
        let attributes = Attributes::default().plain("TYPE", "AUDIO").quoted("NAME", "a\"\r\n#EXT-X-KEY,b");
        assert_eq!(attributes.line("#EXT-X-MEDIA"), "#EXT-X-MEDIA:TYPE=AUDIO,NAME=\"a   #EXT-X-KEY,b\"\n");
    }
}
