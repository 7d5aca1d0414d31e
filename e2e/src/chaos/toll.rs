//! What the faults have cost: how often jobs were begun and lost, in sum and at most. Rows tell it of the files that still stand, what
//! was logged tells it of those, too, that were deleted meanwhile.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
};

use anyhow::Result;
use reelgate_common::{db::FileWithRenditions, job::JobRecord};

use crate::site::Site;

pub(super) async fn figures(site: &Site, rows: &[FileWithRenditions]) -> Result<Vec<(&'static str, String)>> {
    let (db, mut jobs) = (site.database().await?, Vec::new());
    for row in rows {
        jobs.extend(db.jobs_of(&row.file.org_id, row.file.id).await?);
    }
    let mut logged = String::new();
    for log in site.logs()? {
        logged += &String::from_utf8_lossy(&fs::read(&log)?);
    }
    let (begun, lost) = (of_jobs(&logged, "an attempt begins"), of_jobs(&logged, "a worker was lost"));
    Ok(vec![
        ("jobs whose file stands", jobs.len().to_string()),
        ("  attempts", sum_and_most(jobs.iter().map(|job| job.attempt))),
        ("  losses", sum_and_most(jobs.iter().map(|job| i64::from(job.losses)))),
        ("  failures", sum_and_most(jobs.iter().map(|job| i64::from(job.failures)))),
        ("  jobs by their attempts", spread(&jobs)),
        ("jobs that were begun, also of files that are deleted", begun.len().to_string()),
        ("  attempts", sum_and_most(begun.into_values())),
        ("  losses that a gateway found", sum_and_most(lost.into_values())),
    ])
}

/// How often each job has a line with these words.
fn of_jobs(logged: &str, words: &str) -> HashMap<String, i64> {
    let mut counts = HashMap::new();
    for line in logged.lines().filter(|line| line.contains(words)) {
        if let Some(job) = line.split("job.id=").nth(1).and_then(|rest| rest.split_whitespace().next()) {
            *counts.entry(job.to_owned()).or_default() += 1;
        }
    }
    counts
}

fn sum_and_most(counts: impl Iterator<Item = i64>) -> String {
    let (sum, most) = counts.fold((0, 0), |(sum, most), count| (sum + count, most.max(count)));
    format!("{sum}, at most {most} of one")
}

/// "1: 240, 2: 17": so many jobs needed so many attempts.
fn spread(jobs: &[JobRecord]) -> String {
    let mut spread = BTreeMap::<i64, usize>::new();
    jobs.iter().for_each(|job| *spread.entry(job.attempt).or_default() += 1);
    spread.iter().map(|(attempts, jobs)| format!("{attempts}: {jobs}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_by_their_job() {
        let logged = "INFO an attempt begins job.id=a file.id=f attempt=1\nINFO an attempt begins job.id=b attempt=1\n\
                      INFO an attempt ends job.id=a\nINFO an attempt begins job.id=a file.id=f attempt=2\n";
        let begun = of_jobs(logged, "an attempt begins");
        assert_eq!((begun.len(), begun["a"], begun["b"]), (2, 2, 1));
        assert_eq!(sum_and_most(begun.into_values()), "3, at most 2 of one");
    }
}
