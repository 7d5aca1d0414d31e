//! Files of an environment, as systemd's `EnvironmentFile`, Compose and `docker run --env-file` read them: `NAME=value` on each line, quotes
//! around a value taken off, `#` and `;` begin comments.

use std::{collections::HashMap, fs, path::Path};

use anyhow::Context;

/// # Errors
/// The file cannot be read, or a line is no assignment.
pub(super) fn read(path: &Path) -> anyhow::Result<HashMap<String, String>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text).with_context(|| format!("{} is no environment", path.display()))
}

fn parse(text: &str) -> anyhow::Result<HashMap<String, String>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';']));
    let pair = |line: &str| {
        let (name, value) = line.split_once('=').with_context(|| format!("{:?} has no =", line.split(' ').next()))?;
        let name = name.trim().trim_start_matches("export ").trim();
        Ok((name.to_owned(), unquoted(value.trim()).to_owned()))
    };
    lines.map(pair).collect()
}

fn unquoted(value: &str) -> &str {
    let inner = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_read_and_comments_are_not() {
        let text = "# a\n; b\n\nA=1\n export B = \"x y=z\" \nC='q'\nD=\nE=\"\n";
        let read = parse(text).unwrap();
        let of = |name: &str| read.get(name).map(String::as_str);
        assert_eq!((of("A"), of("B"), of("C")), (Some("1"), Some("x y=z"), Some("q")));
        assert_eq!((of("D"), of("E"), read.len()), (Some(""), Some("\""), 5));
        assert!(parse("[storage]\n").is_err());
    }
}
