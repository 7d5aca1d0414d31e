//! A worker that has no room for one output: what is made is published, and another run makes the rest.

use std::collections::BTreeMap;

use reelgate_common::{
    file::FileState,
    job::{JobRecord, JobState},
};

use crate::{footing::Footing, media::clip};

/// Runs the real task, which for so many runs has no room for its poster (a script says so in its place).
const NO_ROOM: &str = r#"
runs=$(/bin/cat ../../../../runs 2>/dev/null | /usr/bin/wc -l)
"$WORKER" "$@" | while IFS= read -r line; do
    case "$line" in
    *'"event":"output"'*'"name":"poster"'*)
        echo >> ../../../../runs
        if [ "$runs" -lt "$MANY" ]; then
            line='{"event":"refused","name":"poster","failure":{"code":"disk_full","message":"No room.","retryable":true}}'
        fi ;;
    esac
    printf '%s\n' "$line"
done
"#;

/// The job when it is over, and which attempt has made what.
async fn after(runs_without_room: u32, over: JobState) -> (JobRecord, BTreeMap<String, i64>) {
    let folder = tempfile::tempdir().unwrap();
    let pictures = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=1", "-c:v", "mpeg2video"];
    let film = clip(folder.path(), "film.ts", &pictures);
    let behaviour = format!("WORKER={} MANY={runs_without_room}\n{NO_ROOM}", env!("CARGO_BIN_EXE_worker"));
    let mut footing = Footing::new(&behaviour).await;
    footing.config.jobs.max_failures = 2;
    footing.config.ladder.preset = "ultrafast".to_owned();
    (footing.config.ladder.storyboard, footing.config.ladder.preview) = (false, false);
    let (file, worker) = (footing.upload(std::fs::read(film).unwrap().leak()).await, footing.start());
    footing.job_is(file, over).await;
    worker.stop().await;
    let found = footing.file(file).await;
    assert_eq!((found.file.state, found.file.failure), (FileState::Ready, None), "what plays plays");
    let made = found.renditions.into_iter().map(|rendition| (rendition.name, rendition.attempt)).collect();
    (footing.job(file).await, made)
}

fn made(all: &[(&str, i64)]) -> BTreeMap<String, i64> {
    all.iter().map(|(name, attempt)| ((*name).to_owned(), *attempt)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poster_without_room_is_made_by_the_next_run_and_nothing_else_again() {
    let (job, all) = after(1, JobState::Done).await;
    assert_eq!(all, made(&[("180p", 1), ("poster", 2)]));
    assert_eq!((job.attempt, job.failures), (2, 1));
    let refused = &job.plan.unwrap()["refused"];
    assert!(refused.as_array().is_none_or(Vec::is_empty), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_stays_full_ends_the_job_by_name_and_the_film_plays() {
    let (job, all) = after(9, JobState::Dead).await;
    assert_eq!(all, made(&[("180p", 1)]));
    assert_eq!((job.failures, job.last_error_code.as_deref()), (2, Some("disk_full")));
}
