//! Where the keys stand: in a file (of a data folder, of the configuration, of an environment), or in what this command was started with. A
//! file is replaced as a whole, with its rights; nobody reads half of one.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context;

use super::rotation::check;
use crate::{cli, data_dir::DataDir, settings::Settings};

#[derive(Debug)]
pub(super) struct Place {
    keys: String,
    file: Option<Written>,
}

#[derive(Debug)]
struct Written {
    path: PathBuf,
    text: String,
}

impl Place {
    /// # Errors
    /// There are none, or a file names them not once.
    pub(super) fn of(arguments: &cli::RotateKeys, settings: &Settings) -> anyhow::Result<Self> {
        let path = match (&arguments.file, &arguments.data_dir) {
            (Some(file), _) => file.clone(),
            (None, Some(folder)) => DataDir::at(folder.clone()).tokens_keys(),
            (None, None) => {
                let keys = settings.tokens.keys.expose().to_owned();
                anyhow::ensure!(
                    !keys.is_empty(),
                    "no keys to rotate: give --data-dir or --file, or set tokens.keys (REELGATE__TOKENS__KEYS)"
                );
                return Ok(Self { keys, file: None });
            }
        };
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let keys =
            found(&text).with_context(|| format!("{} does not name token keys once", path.display()))?.to_owned();
        Ok(Self { keys, file: Some(Written { path, text }) })
    }

    pub(super) fn keys(&self) -> &str {
        &self.keys
    }

    /// Into the file, else onto standard output.
    #[expect(clippy::print_stdout, reason = "the keys are this command's output")]
    pub(super) fn write(&self, keys: &str) -> anyhow::Result<()> {
        let Some(Written { path, text }) = &self.file else {
            println!("{keys}");
            return Ok(());
        };
        replace(path, &text.replacen(&self.keys, keys, 1)).with_context(|| format!("cannot write {}", path.display()))
    }

    pub(super) fn advice(&self) -> String {
        match &self.file {
            Some(file) => format!("{} is written; restart the gateways that read it.", file.path.display()),
            None => "Set tokens.keys (REELGATE__TOKENS__KEYS) to the line above on every gateway, and restart them."
                .to_owned(),
        }
    }
}

/// A text that is the keys and nothing else, or the one assignment to something that ends in `keys` whose value is keys.
fn found(text: &str) -> Option<&str> {
    if check(text.trim()).is_ok() {
        return Some(text.trim());
    }
    let value = |line| {
        let (name, value): (&str, &str) = str::split_once(line, '=')?;
        let value = value.trim().trim_matches(['"', '\'']);
        (name.trim().to_ascii_lowercase().ends_with("keys") && check(value).is_ok()).then_some(value)
    };
    let mut values = text.lines().filter(|line| !line.trim_start().starts_with('#')).filter_map(value);
    values.next().filter(|_| values.next().is_none())
}

fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let draft = path.with_extension(format!("{:016x}", rand::random::<u64>()));
    let written = (|| {
        let mut file = File::create_new(&draft)?;
        file.set_permissions(fs::metadata(path)?.permissions())?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)
    })();
    if written.is_err() {
        // It may never have been made.
        _ = fs::remove_file(&draft);
    }
    written
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const KEYS: &str = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    #[test]
    fn keys_are_found_in_whatever_file_has_them() {
        for text in [
            format!("{KEYS}\n"),
            format!("# Keys: keys = \"no\"\n[tokens]\nkeys = \"{KEYS}\"\nttl_seconds = 300\n"),
            format!("REELGATE__AUTH__SECRET=abc\nREELGATE__TOKENS__KEYS={KEYS}\n"),
            format!("REELGATE_TOKENS_KEYS='{KEYS}'"),
        ] {
            assert_eq!(found(&text), Some(KEYS), "{text}");
        }
        for text in
            ["", "[tokens]\nkeys = \"\"\n", &format!("a_keys={KEYS}\nb_keys={KEYS}\n"), &format!("other={KEYS}\n")]
        {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn a_file_keeps_its_rights_and_all_else_that_stands_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.env");
        fs::write(&path, format!("A=1\nREELGATE__TOKENS__KEYS={KEYS}\nB=2\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let place = Place { keys: KEYS.to_owned(), file: Some(Written { path: path.clone(), text }) };
        place.write("new,old").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "A=1\nREELGATE__TOKENS__KEYS=new,old\nB=2\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }
}
