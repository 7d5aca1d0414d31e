//! As much XML as a manifest needs: elements, attributes, text, with everything escaped that could end them.

/// An element, written while it is made.
#[derive(Debug)]
pub(super) struct Element {
    name: &'static str,
    attributes: String,
    content: String,
}

impl Element {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, attributes: String::new(), content: String::new() }
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.attributes += &format!(" {name}=\"{}\"", escape(value));
        self
    }

    pub(super) fn text(mut self, text: &str) -> Self {
        self.content += &escape(text);
        self
    }

    pub(super) fn child(mut self, child: &Self) -> Self {
        child.write(&mut self.content);
        self
    }

    pub(super) fn document(&self) -> String {
        let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
        self.write(&mut text);
        text.push('\n');
        text
    }

    fn write(&self, out: &mut String) {
        let Self { name, attributes, content } = self;
        let parts: [&str; 8] = ["<", name, attributes, ">", content, "</", name, ">"];
        if content.is_empty() {
            out.extend(["<", name, attributes, "/>"]);
        } else {
            out.extend(parts);
        }
    }
}

/// Control characters have no place in XML 1.0, not even escaped.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_attribute_or_its_element() {
        let element = Element::new("S").with("lang", "a\"><x y='&\u{1}").child(&Element::new("T").text("</T>"));
        let text = "<S lang=\"a&quot;&gt;&lt;x y=&apos;&amp; \"><T>&lt;/T&gt;</T></S>";
        assert_eq!(element.document().lines().nth(1), Some(text));
    }
}
