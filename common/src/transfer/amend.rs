//! What a row must forget of the processes and the store it comes from. Pure: a row becomes a row, or none.

use serde_json::{Value, json};

use crate::{
    db::{Row, Table, is_part},
    job::{AttemptOutcome, JobState},
    resumable::Role,
    timestamp::Timestamp,
};

/// The row as it is written in its new place at `now`; `None` for one that stays behind.
///
/// - A film that is encoded in parts begins anew: what parts have made is published nowhere, and stays behind.
/// - A job that ran is queued again, and its attempt ends as interrupted, which counts for nothing. Nobody holds any job.
/// - Of uploads under way only the file's row and the upload's go: the store cannot give back parts that no object was made of. The new
///   deployment closes them like those of any client that is gone, and a client that comes back begins anew.
/// - Resumable uploads that are files already are kept, for a client that has not heard of it. Pieces of files are not.
pub(super) fn amended(table: Table, mut row: Row, now: Timestamp) -> Option<Row> {
    match table {
        Table::Jobs => free(&mut row, now),
        Table::Attempts if row["ended_at"].is_null() => {
            row.insert("ended_at".to_owned(), json!(now.0));
            row.insert("outcome".to_owned(), json!(AttemptOutcome::Interrupted));
        }
        Table::Uploads => clear(&mut row, &["multipart"]),
        Table::Resumables => {
            let is_file = row["role"] == json!(Role::Whole) || row["role"] == json!(Role::Final);
            if !is_file || row["finished"] != json!(true) {
                return None;
            }
            clear(&mut row, &["multipart", "holder"]);
        }
        _ => {}
    }
    Some(row)
}

fn free(job: &mut Row, now: Timestamp) {
    let is = |job: &Row, state: JobState| job["state"] == json!(state);
    if is_part(job) {
        if is(job, JobState::Running) || is(job, JobState::Queued) {
            job.insert("state".to_owned(), json!(JobState::Cancelled));
        }
    } else if is(job, JobState::Running) || is(job, JobState::Split) {
        job.insert("state".to_owned(), json!(JobState::Queued));
        job.insert("next_attempt_at".to_owned(), json!(now.0));
    }
    clear(job, &["worker", "heartbeat_at", "lease_ms", "split", "parts", "made"]);
}

fn clear(row: &mut Row, columns: &[&str]) {
    for column in columns {
        row.insert((*column).to_owned(), Value::Null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(9);

    fn row(value: &Value) -> Row {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_job_that_ran_waits_again_and_nobody_holds_any() {
        let job = |kind, state| {
            row(
                &json!({"kind": kind, "state": state, "worker": "w", "heartbeat_at": 1, "lease_ms": 2, "next_attempt_at": 3,
                "split": "{}", "parts": 2, "made": "{}"}),
            )
        };
        let free = |kind, state, at| {
            row(&json!({"kind": kind, "state": state, "worker": null, "heartbeat_at": null, "lease_ms": null,
                "next_attempt_at": at, "split": null, "parts": null, "made": null}))
        };
        for (kind, before, after, at) in [
            ("process", "running", "queued", 9),
            ("process", "split", "queued", 9),
            ("process", "cancelled", "cancelled", 3),
            ("chunk/7", "running", "cancelled", 3),
            ("chunk/7", "queued", "cancelled", 3),
            ("chunk/7", "done", "done", 3),
        ] {
            assert_eq!(amended(Table::Jobs, job(kind, before), NOW), Some(free(kind, after, at)), "{kind} {before}");
        }
    }

    #[test]
    fn an_attempt_that_ran_was_interrupted_and_one_that_ended_is_left() {
        let attempt = |ended: Value, outcome: Value| row(&json!({"ended_at": ended, "outcome": outcome}));
        let ended = amended(Table::Attempts, attempt(Value::Null, Value::Null), NOW);
        assert_eq!(ended, Some(attempt(json!(9), json!("interrupted"))));
        let before = attempt(json!(4), json!("failed"));
        assert_eq!(amended(Table::Attempts, before.clone(), NOW), Some(before));
    }

    #[test]
    fn of_resumable_uploads_only_those_that_are_files_go() {
        let upload =
            |role, finished| row(&json!({"role": role, "finished": finished, "multipart": "m", "holder": "h"}));
        for (role, finished, goes) in [
            ("whole", true, true),
            ("final", true, true),
            ("whole", false, false),
            ("partial", true, false),
            ("used", true, false),
        ] {
            let kept = amended(Table::Resumables, upload(role, finished), NOW);
            assert_eq!(kept.is_some(), goes, "{role} {finished}");
            assert!(kept.is_none_or(|kept| kept["multipart"].is_null() && kept["holder"].is_null()));
        }
    }

    #[test]
    fn parts_that_only_the_old_store_knows_are_forgotten() {
        let upload = amended(Table::Uploads, row(&json!({"multipart": "m", "touched_at": 1})), NOW);
        assert_eq!(upload, Some(row(&json!({"multipart": null, "touched_at": 1}))));
    }
}
