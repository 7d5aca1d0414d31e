//! A run as text: a table of its rounds, and what was wrong.

use std::{fmt, path::PathBuf};

use super::{tally::Tally, toll::Toll};

/// One round.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) what: String,
    pub(super) seconds: u64,
    /// Answered with success; each is ready in the end, or something is wrong.
    pub(super) uploads: usize,
    pub(super) tally: Tally,
    pub(super) toll: Toll,
}

#[derive(Debug, Default)]
pub struct Report {
    pub(super) rows: Vec<Row>,
    /// Of no single round.
    pub(super) wrong: Vec<String>,
    /// Where what was printed is kept, when something was wrong.
    pub(super) logs: Option<PathBuf>,
}

/// More of the same says nothing new.
const SHOWN: usize = 12;

impl Report {
    /// Whether every promise was kept.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.wrong.is_empty() && self.rows.iter().all(|row| row.tally.wrong.is_empty())
    }

    /// Says at once what a round was like, for a run is long.
    #[expect(clippy::print_stdout, reason = "a run is watched while it goes on")]
    pub(super) fn add(&mut self, row: Row) {
        println!("{row}");
        row.tally.wrong.iter().take(SHOWN).for_each(|wrong| println!("WRONG: {wrong}"));
        self.rows.push(row);
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, seconds, uploads, tally, toll } = self;
        let refused: Vec<_> = tally.refused.iter().map(|(said, times)| format!("{times} × {said}")).collect();
        let refused = if refused.is_empty() { "0".to_owned() } else { refused.join(", ") };
        write!(f, "| {what} | {seconds} | {} | {} | {refused} | ", tally.asked, tally.answered)?;
        let Toll { jobs, attempts, lost, given_back, recovered } = toll;
        write!(f, "{} | {uploads} | {jobs}, {attempts} | {lost}, {given_back}, {recovered} |", tally.plays_broken)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| what | seconds | requests | answered | refused | plays broken | uploads, all ready once | jobs, attempts | attempts \
             lost, given back, jobs done all the same |\n|---|---|---|---|---|---|---|---|---|"
        )?;
        self.rows.iter().try_for_each(|row| writeln!(f, "{row}"))?;
        let wrong =
            self.rows.iter().flat_map(|row| row.tally.wrong.iter().map(move |wrong| (row.what.as_str(), wrong)));
        for (what, wrong) in wrong.chain(self.wrong.iter().map(|wrong| ("at the end", wrong))) {
            writeln!(f, "WRONG ({what}): {wrong}")?;
        }
        self.logs.iter().try_for_each(|logs| writeln!(f, "logs: {}", logs.display()))
    }
}
