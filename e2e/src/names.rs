//! Names that a test serves: whoever is started with their environment is led where the test says, another way at each question if it wants.
//! Nothing leaves the machine for it.

use std::{fs, path::PathBuf};

use anyhow::Result;

use crate::{
    preload::{self, library},
    process::Folder,
};

/// What names that end in `.example` lead to.
#[derive(Debug)]
pub struct Names {
    folder: Folder,
    library: PathBuf,
}

impl Names {
    /// Each name with its answers, the last of which is repeated. An answer is one or several addresses, parted by commas.
    ///
    /// # Errors
    /// They cannot be written, or there is no C compiler.
    pub fn new(names: &[(&str, &[&str])]) -> Result<Self> {
        let folder = Folder::new("names")?;
        let line = |(name, answers): &(&str, &[&str])| format!("{name} {}\n", answers.join(" "));
        fs::write(folder.path().join("names"), names.iter().map(line).collect::<String>())?;
        Ok(Self { library: library(preload::NAMES, folder.path())?, folder })
    }

    /// How often this one was asked for.
    ///
    /// # Errors
    /// What was asked cannot be read.
    pub fn asked(&self, name: &str) -> Result<usize> {
        let path = self.folder.path().join("asked");
        let asked = if path.exists() { fs::read_to_string(path)? } else { String::new() };
        Ok(asked.lines().filter(|line| *line == name).count())
    }

    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        vec![
            ("LD_PRELOAD".to_owned(), self.library.to_string_lossy().into_owned()),
            ("NAMES_FROM".to_owned(), self.folder.join("names")),
            ("NAMES_ASKED".to_owned(), self.folder.join("asked")),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_is_led_where_the_test_says() -> Result<()> {
        let names = Names::new(&[("a.example", &["127.0.0.2,::1", "127.0.0.3"])])?;
        for expected in ["127.0.0.2", "127.0.0.3", "127.0.0.3"] {
            let output = Command::new("getent").args(["ahosts", "a.example"]).envs(names.environment()).output()?;
            let text = String::from_utf8(output.stdout)?;
            assert!(text.starts_with(expected), "{text}");
        }
        assert_eq!((names.asked("a.example")?, names.asked("b.example")?), (3, 0));
        Ok(())
    }
}
