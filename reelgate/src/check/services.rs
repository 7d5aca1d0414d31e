//! Database, queue and store: whether they answer, take what gateways and workers do with them, and go by the same clock.

use std::{future::Future, time::Duration};

use reelgate_common::{
    backends::{check_deployment, open_storage},
    db::Db,
    lane::Lanes,
    queue,
    storage::{SharedStorage, trial::try_all},
    timestamp::Timestamp,
};

use super::{clock::judged, finding::Finding};
use crate::settings::Settings;

const TIMEOUT: Duration = Duration::from_secs(5);
/// The trial of a store asks it some twenty times.
const TRIAL: Duration = Duration::from_secs(30);
/// The oldest that has what the scripts use.
const OLDEST_REDIS: (u32, u32) = (6, 2);

pub(super) async fn database(settings: &Settings) -> Vec<Finding> {
    const WHAT: &str = "database";
    const AWAY: &str = "see REELGATE__DATABASE__URL; a database that answers may need `reelgate migrate`";
    const RIGHTS: &str =
        "grant the role SELECT, INSERT, UPDATE and DELETE on all tables; a file must belong to the user who runs this";
    let asked = within("the database", async {
        let db = Db::connect(&settings.database).await?;
        db.ping().await?;
        db.deployment_id().await?;
        let before = Timestamp::now();
        let clock = (db.clock().await?, (before, Timestamp::now()));
        Ok((db.migrations().await?, clock, db))
    });
    let (migrations, (theirs, ours), db) = match asked.await {
        Err(error) => return vec![Finding::of(WHAT, Err(error), AWAY)],
        Ok(found) => found,
    };
    // Some hundred small questions, which a database far away answers in seconds.
    let examined = tokio::time::timeout(TRIAL, db.examine()).await.map_err(anyhow::Error::from);
    let found = match examined.and_then(|found| Ok(found?)) {
        Err(error) => return vec![Finding::of(WHAT, Err(error), AWAY)],
        Ok(found) => found,
    };
    let rights = match &found.refused {
        None if found.may_migrate => {
            Finding::ok(WHAT, format!("{}; every table can be read and written, new ones made", found.version))
        }
        None => Finding::ok(
            WHAT,
            format!("{}; every table can be read and written; `reelgate migrate` needs another role", found.version),
        ),
        Some((what, why)) => Finding::wrong(WHAT, format!("{what} is refused: {why}"), RIGHTS),
    };
    let mut findings = vec![
        rights,
        schema(&migrations, &reelgate_migrations::names()),
        judged("clock of the database", theirs, ours, 1),
    ];
    findings.extend(workers(&db, settings).await);
    findings
}

/// Whether somebody serves each lane in which jobs wait. What cannot be asked was told of above.
async fn workers(db: &Db, settings: &Settings) -> Option<Finding> {
    const WHAT: &str = "workers";
    const ADVICE: &str = "start workers whose worker.lanes name it, or look why they do not live; where they come by need, give them a minute";
    let asked = within("the database", async {
        Ok((db.backlog(settings.jobs.longest_wait()).await?, db.worker_slots().await?))
    });
    let (backlog, slots) = asked.await.ok()?;
    let waits = |lane| backlog.iter().any(|part| part.lane == lane && part.waiting > 0);
    let unserved: Lanes = Lanes::ALL.iter().filter(|lane| slots.of(*lane) == 0 && waits(*lane)).collect();
    Some(match unserved.is_empty() {
        true => Finding::ok(WHAT, "every lane in which jobs wait is served"),
        false => Finding::note(WHAT, format!("jobs wait and no worker lives in {unserved}"), ADVICE),
    })
}

fn schema(has: &[String], known: &[String]) -> Finding {
    const WHAT: &str = "schema";
    let missing = known.iter().filter(|name| !has.contains(name)).count();
    let newer = has.iter().filter(|name| !known.contains(name)).count();
    match (missing, newer) {
        (0, 0) => Finding::ok(WHAT, "of this version"),
        (0, _) => Finding::note(
            WHAT,
            format!("{newer} migrations newer than this program"),
            "replace this program soon: two neighbouring versions work side by side",
        ),
        _ => Finding::wrong(
            WHAT,
            format!("{missing} migrations behind this program"),
            "run `reelgate migrate` of this version",
        ),
    }
}

pub(super) async fn queue(settings: &Settings) -> Vec<Finding> {
    const WHAT: &str = "queue";
    let asked = within("the queue", async {
        let queue = queue::open(&settings.queue).await?;
        queue.ping().await?;
        let before = Timestamp::now();
        Ok((queue.examine().await?, (before, Timestamp::now())))
    });
    let (found, ours) = match asked.await {
        Ok((Some(found), ours)) => (found, ours),
        Ok((None, _)) => return vec![Finding::ok(WHAT, "in this process")],
        Err(error) => {
            let advice = "see REELGATE__QUEUE__URL, and whether that server runs and takes its password; its user needs the commands of \
                          scripts and lists, SET, DEL, TIME and INFO";
            return vec![Finding::of(WHAT, Err(error), advice)];
        }
    };
    let (major, minor) = found.version;
    let version = format!("Redis {major}.{minor}");
    let mut findings = vec![match found.version >= OLDEST_REDIS {
        true => Finding::ok(WHAT, format!("{version}; it can be written")),
        false => Finding::wrong(WHAT, version, "Redis must be 6.2 or newer, or Valkey"),
    }];
    if found.eviction != "noeviction" {
        let found = format!("maxmemory-policy is {}", found.eviction);
        let advice = "set it to noeviction: what Redis forgets waits until the database brings it again";
        findings.push(Finding::note("memory of the queue's server", found, advice));
    }
    findings.push(judged("clock of Redis", found.clock, ours, 1));
    findings
}

pub(super) async fn storage(settings: &Settings) -> Vec<Finding> {
    const WHAT: &str = "storage";
    const AWAY: &str = "see REELGATE__STORAGE__URL, REELGATE__STORAGE__ENDPOINT, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; the \
                        bucket must exist and belong to this deployment";
    const RIGHTS: &str = "grant what deploy/s3-gateway.json and deploy/s3-worker.json list; a folder must belong to the user who runs this";
    let opened = within("the store", async {
        let storage = open_storage(&settings.storage)?;
        storage.ping(TIMEOUT).await?;
        // Only where there is an identity to compare; a database that is away has a finding of its own.
        if let Ok(db) = Db::connect(&settings.database).await
            && let Ok(id) = db.deployment_id().await
        {
            check_deployment(&storage, &id).await?;
        }
        Ok::<_, anyhow::Error>(storage)
    });
    let storage: SharedStorage = match opened.await {
        Ok(storage) => storage,
        Err(error) => return vec![Finding::of(WHAT, Err(error), AWAY)],
    };
    let Ok(trial) = tokio::time::timeout(TRIAL, try_all(&storage)).await else {
        let found = format!("it does not end what it is asked within {} s", TRIAL.as_secs());
        return vec![Finding::wrong(WHAT, found, AWAY)];
    };
    if let Some((what, error)) = trial.failed() {
        let error = anyhow::anyhow!("to {what} fails: {}", chain(error));
        return vec![Finding::of(WHAT, Err(error), RIGHTS)];
    }
    let tried: Vec<&str> = trial.steps.iter().map(|(what, _)| *what).collect();
    let mut findings = vec![Finding::ok(WHAT, format!("{}; tried: {}", storage.service(), tried.join(", ")))];
    if let Some(refuses) = trial.refuses_overwrite {
        let word = if refuses { "honoured" } else { "ignored: the store overwrites" };
        findings.push(Finding::ok("conditional writes (If-None-Match)", format!("{word}; nothing here rests on them")));
    }
    if let Some((theirs, before, after)) = trial.clock
        && storage.service() != "directory"
    {
        findings.push(judged("clock of the store", theirs, (before, after), 1_000));
    }
    findings
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

async fn within<T>(what: &'static str, asked: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    match tokio::time::timeout(TIMEOUT, asked).await {
        Ok(outcome) => outcome,
        Err(_) => anyhow::bail!("{what} did not answer within {} s", TIMEOUT.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Level;

    #[test]
    fn a_schema_that_is_behind_is_wrong_and_one_that_is_ahead_is_told() {
        let names = |count: usize| (0..count).map(|number| format!("m{number}")).collect::<Vec<_>>();
        let level = |has, known| schema(&names(has), &names(known)).level;
        assert_eq!((level(3, 3), level(2, 3), level(4, 3)), (Level::Ok, Level::Wrong, Level::Note));
    }
}
