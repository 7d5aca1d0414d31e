//! Holds `docs/job-states.md` against the machines: its tables are what the code here prints.

use std::{fmt::Write as _, path::Path};

use super::{
    file::{self, FileEvent, FileView, Presence},
    job::{self, JobEvent, JobView, Token},
    upload::{self, UploadEvent, UploadState},
};
use crate::{
    file::FileState,
    job::{JobPolicy, JobState},
};

const LIMITS: JobPolicy =
    JobPolicy { max_failures: 2, max_losses: 2, backoff_base_ms: 0, backoff_max_ms: 0, lease_ms: 0, heartbeat_ms: 0 };
const TOKEN: Token = Token { generation: 1, attempt: 1 };

/// Who makes an event, and what it must find. A new event does not compile without its line.
const fn about_job(event: JobEvent) -> (&'static str, &'static str, &'static str) {
    match event {
        JobEvent::Begin { .. } => (
            "begin",
            "a worker, to confirm its claim (`begin_attempt`)",
            "due by the database's clock, of a known version, not held; counts the attempt",
        ),
        JobEvent::Write(_) => (
            "write",
            "the attempt's worker (`heartbeat_job`, `record_probe`, `publish`, `publish_still`, …)",
            "the fence; a name that another attempt has published stays that one's",
        ),
        JobEvent::Split(_) => {
            ("split", "the attempt's worker (`park_job`)", "the fence; a part is left that is not over")
        }
        JobEvent::Join => (
            "join",
            "whatever ends the last of its parts (`finish_part`), or gives one of them up (`fail_attempt`, `lose_attempt`)",
            "all parts are over",
        ),
        JobEvent::Finish(_) => ("finish", "the attempt's worker (`finish_job`, `finish_stills`)", "the fence"),
        JobEvent::Fail { retryable: true, .. } => (
            "fail",
            "the attempt's worker (`fail_attempt`)",
            "the fence; once more below `jobs.max_failures`, after a backoff",
        ),
        JobEvent::Fail { .. } => ("fail for good", "the attempt's worker (`fail_attempt`)", "the fence"),
        JobEvent::Interrupt(_) => (
            "interrupt",
            "the attempt's worker, when it is stopped or a service is away (`interrupt_attempt`)",
            "the fence",
        ),
        JobEvent::Lose { .. } => (
            "lose",
            "the reaper, the next worker, or an embedded start (`lose_attempt`, `begin_attempt`, `void_leases`)",
            "the same attempt still runs, silent for its lease; once more below `jobs.max_losses`, after a backoff",
        ),
        JobEvent::Cancel => ("cancel", "a person, or a deletion (`cancel_job`, `delete_file`)", "–"),
        JobEvent::Retry => {
            ("retry", "a person (`retry_job`)", "the file wants it; counters start anew, attempts go on")
        }
        JobEvent::Wish => (
            "wish",
            "who asks for a thumbnail (`ask_still`), who looks what views have earned (`earn`, of a job that is done), or the reconciler (`withdraw_rendition`)",
            "as retry; there is more to do of the same: another thumbnail, a rendition that was earned, or one whose object is gone",
        ),
    }
}

const fn about_file(event: FileEvent) -> (&'static str, &'static str, &'static str) {
    match event {
        FileEvent::Stage { processed: true } => {
            ("stage", "the gateway that took the upload (`stage_file`)", "with its job, in one transaction")
        }
        FileEvent::Stage { .. } => {
            ("stage, nothing to do", "the gateway that took the upload (`stage_file`)", "neither audio nor video")
        }
        FileEvent::Begin => ("begin", "a worker (`begin_attempt`)", "its job begins"),
        FileEvent::Publish { playable: true } => ("publish, playable", "a worker (`publish`)", "the fence"),
        FileEvent::Publish { .. } => ("publish, other", "a worker (`publish`)", "the fence"),
        FileEvent::GiveUp => (
            "give up",
            "whatever ends its job (`fail_attempt`, `lose_attempt`, `finish_job`, `cancel_job`)",
            "its job has ended",
        ),
        FileEvent::Retry { retryable: true } => ("retry", "a person (`retry_job`)", "its job waits again"),
        FileEvent::Retry { .. } => {
            ("retry, hopeless", "a person (`retry_job`)", "the failure says that another run would meet it again")
        }
        FileEvent::Restart => (
            "restart",
            "the reconciler (`mend_stuck`)",
            "neither upload nor job for `maintenance.stuck_after_ms`; in the next generation, with a job, in one transaction",
        ),
        FileEvent::Withdraw { playable: true } => {
            ("withdraw", "the reconciler (`withdraw_rendition`)", "its object is gone, its source is not")
        }
        FileEvent::Withdraw { .. } => (
            "withdraw, the last that plays",
            "the reconciler (`withdraw_rendition`)",
            "as withdraw; its job waits again",
        ),
        FileEvent::Discard => (
            "discard",
            "a person (`remove_file`)",
            "there is a trash (`trash.keep_ms`); its jobs are cancelled and its leases ended, in one transaction",
        ),
        FileEvent::Restore => (
            "restore",
            "a person (`restore_file`)",
            "its time in the trash is not over; the jobs that went with it wait again, in one transaction",
        ),
        FileEvent::Delete => ("delete", "a person, or its time is over (`delete_file`, `remove_file`)", "–"),
    }
}

const fn about_upload(event: UploadEvent) -> (&'static str, &'static str, &'static str) {
    match event {
        UploadEvent::Touch => ("touch", "its gateway (`touch_uploads`, `set_multipart`)", "–"),
        UploadEvent::Stage => ("stage", "its gateway (`stage_file`)", "the object is stored and durable"),
        UploadEvent::Abandon => (
            "abandon",
            "its gateway, the sweeper (`abandon_upload`), or the reconciler (`mend_stuck`)",
            "the sweeper: untouched for `maintenance.upload_silence_ms`",
        ),
        UploadEvent::Delete => ("delete", "a person (`delete_file`)", "–"),
        UploadEvent::Purge => ("purge", "the reconciler (`purge_file`)", "nothing of it is left in the store"),
    }
}

fn job_events() -> [JobEvent; 12] {
    [
        JobEvent::Begin { due: true, alive: false, readable: true },
        JobEvent::Write(TOKEN),
        JobEvent::Finish(TOKEN),
        JobEvent::Split(TOKEN),
        JobEvent::Join,
        JobEvent::Fail { token: TOKEN, retryable: true },
        JobEvent::Fail { token: TOKEN, retryable: false },
        JobEvent::Interrupt(TOKEN),
        JobEvent::Lose { attempt: 1 },
        JobEvent::Cancel,
        JobEvent::Retry,
        JobEvent::Wish,
    ]
}

/// Where an event leads from each state, a first time and at the limit.
fn job_arrows(event: JobEvent) -> Vec<(String, String)> {
    let mut arrows = Vec::new();
    for &state in JobState::ALL {
        for count in [0, 1] {
            let (failures, losses) = (count, count);
            let view =
                JobView { state, generation: 1, attempt: 1, failures, losses, file_generation: 1, file_deleted: false };
            if let Ok(next) = job::transition(view, event, &LIMITS) {
                arrows.push((state.to_string(), next.state.to_string()));
            }
        }
    }
    arrows
}

fn file_arrows(event: FileEvent) -> Vec<(String, String)> {
    let shown = |view: FileView| match view.presence {
        Presence::Here => view.state.to_string(),
        Presence::InTrash => format!("{} + trash", view.state),
        Presence::Deleted => format!("{} + tombstone", view.state),
    };
    // Nothing is uploaded into the trash.
    let views = [Presence::Here, Presence::InTrash].into_iter().flat_map(|presence| {
        let states =
            FileState::ALL.iter().filter(move |state| presence == Presence::Here || **state != FileState::Uploading);
        states.map(move |&state| FileView { state, presence })
    });
    views.filter_map(|view| Some((shown(view), shown(file::transition(view, event).ok()?)))).collect()
}

fn upload_arrows(event: UploadEvent) -> Vec<(String, String)> {
    let name = |state: UploadState| format!("{state:?}").to_lowercase();
    let next = |state| upload::transition(state, event).ok().map(name);
    UploadState::ALL.iter().filter_map(|&state| Some((name(state), next(state)?))).collect()
}

fn table<E: Copy>(
    events: &[E],
    about: impl Fn(E) -> (&'static str, &'static str, &'static str),
    arrows: impl Fn(E) -> Vec<(String, String)>,
) -> String {
    let mut text = "| event | from → to | who | guard |\n|---|---|---|---|\n".to_owned();
    for &event in events {
        let ((name, who, guard), mut shown) = (about(event), Vec::new());
        for (from, to) in arrows(event) {
            let arrow = format!("{from} → {to}");
            if !shown.contains(&arrow) {
                shown.push(arrow);
            }
        }
        let shown = if shown.is_empty() { "always refused".to_owned() } else { shown.join("; ") };
        writeln!(text, "| {name} | {shown} | {who} | {guard} |").unwrap();
    }
    text
}

#[test]
fn the_page_shows_every_transition_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/job-states.md");
    let page = std::fs::read_to_string(path).unwrap();
    let tables = [
        table(&job_events(), about_job, job_arrows),
        table(&file::EVENTS, about_file, file_arrows),
        table(&UploadEvent::ALL, about_upload, upload_arrows),
    ];
    let missing: Vec<_> = tables.iter().filter(|table| !page.contains(table.as_str())).cloned().collect();
    assert!(missing.is_empty(), "docs/job-states.md does not say:\n\n{}", missing.join("\n"));
}
