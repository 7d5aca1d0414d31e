//! Crashes, hangs, lost leases, deletions and stops: what becomes of the job, the file, the child and the scratch folder.

use reelgate_common::{db::Verdict, file::FileState, job::JobState};

use crate::{footing::Footing, pretended::film};

/// Tells its process id and then does nothing for ever.
pub(crate) const HANG: &str =
    "echo $$ > ../../../../draft; /bin/mv ../../../../draft ../../../../started; exec /bin/sleep 600";

#[tokio::test(flavor = "multi_thread")]
async fn a_crashing_task_is_tried_again_and_then_given_up_with_its_last_words() {
    let footing = Footing::new("echo 'a decoder fell over' >&2; kill -SEGV $$").await;
    let (poison, worker) = (footing.upload(b"poison").await, footing.start());
    let found = footing.settled(poison).await;
    assert_eq!(found.file.state, FileState::Failed);
    let failure = found.file.failure.unwrap();
    assert_eq!(failure.code, "task_crashed");
    assert!(failure.message.contains("a decoder fell over"), "{}", failure.message);
    let job = footing.job(poison).await;
    assert_eq!((job.state, job.failures, job.attempt, job.losses), (JobState::Dead, 3, 3, 0));
    worker.stop().await;
    assert_eq!(footing.backends.queue.depth().await.unwrap().dead, 1);
    assert!(footing.scratch_folders().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_ran_out_of_computing_time_gets_one_more_run_and_not_all_of_them() {
    let footing = Footing::new("kill -XCPU $$").await;
    let (file, worker) = (footing.upload(b"film").await, footing.start());
    assert_eq!(footing.settled(file).await.file.failure.unwrap().code, "task_cpu_limit");
    worker.stop().await;
    let job = footing.job(file).await;
    assert_eq!((job.state, job.failures, job.attempt), (JobState::Dead, 2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_outlives_a_poisonous_file_and_takes_the_next_one() {
    let script = r#"echo '{"event":"failed","failure":{"code":"not_media","message":"No.","retryable":false}}'"#;
    let footing = Footing::new(script).await;
    let worker = footing.start();
    for content in [&b"one"[..], b"two"] {
        let file = footing.upload(content).await;
        let failure = footing.settled(file).await.file.failure.unwrap();
        assert_eq!((failure.code.as_str(), failure.retryable), ("not_media", false));
        assert_eq!(footing.job(file).await.attempt, 1, "what will not succeed is not tried again");
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_file_is_told_to_be_empty() {
    let footing = Footing::new(HANG).await;
    let (file, worker) = (footing.upload(b"").await, footing.start());
    let failure = footing.settled(file).await.file.failure.unwrap();
    worker.stop().await;
    assert_eq!((failure.code.as_str(), failure.retryable), ("not_media", false));
    assert!(failure.message.contains("empty"), "{}", failure.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_task_is_killed_by_the_watchdog() {
    let mut footing = Footing::new(HANG).await;
    footing.config.worker.probe_limit_ms = 3_000;
    footing.config.jobs.max_failures = 1;
    let (file, worker) = (footing.upload(b"film").await, footing.start());
    let found = footing.settled(file).await;
    assert!(found.file.failure.unwrap().code.starts_with("task_"));
    let task = footing.started_task().await;
    footing.task_is_gone(task).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_lease_kills_the_task_and_publishes_nothing() {
    let footing = Footing::new(HANG).await;
    let (file, worker) = (footing.upload(b"film").await, footing.start());
    let task = footing.started_task().await;
    let job = footing.job(file).await;
    let verdict = footing.backends.db.lose_attempt(job.id, Some(job.attempt), &footing.config.jobs, 0.5).await.unwrap();
    assert!(matches!(verdict, Verdict::Again(_)));
    footing.task_is_gone(task).await;
    footing.scratch_is_empty().await;
    worker.stop().await;
    let job = footing.job(file).await;
    assert_eq!((job.state, job.failures, job.losses), (JobState::Queued, 0, 1));
    assert!(footing.file(file).await.renditions.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_file_stops_its_task() {
    let mut footing = Footing::new(HANG).await;
    // No heartbeat comes as long as this test may take: the worker has to ask in between.
    (footing.config.jobs.heartbeat_ms, footing.config.jobs.lease_ms) = (3_600_000, 10_800_000);
    let (file, worker) = (footing.upload(b"film").await, footing.start());
    let task = footing.started_task().await;
    assert!(footing.backends.db.delete_file(&footing.org, file).await.unwrap());
    footing.task_is_gone(task).await;
    footing.scratch_is_empty().await;
    worker.stop().await;
    let depth = footing.backends.queue.depth().await.unwrap();
    assert_eq!((depth.ready, depth.delayed, depth.leased, depth.dead), (0, 0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_hands_the_job_back_and_counts_for_nothing() {
    let footing = Footing::new(HANG).await;
    let (file, worker) = (footing.upload(b"film").await, footing.start());
    let task = footing.started_task().await;
    worker.stop().await;
    footing.task_is_gone(task).await;
    let job = footing.job(file).await;
    assert_eq!((job.state, job.failures, job.losses), (JobState::Queued, 0, 0));
    assert_eq!(footing.backends.queue.depth().await.unwrap().ready, 1);
    assert!(footing.scratch_folders().is_empty());
}

/// Is shown a film, and dies of memory whenever it shall encode it; each request stays to be read.
const HUNGRY: &str = r#"echo "$request" >> ../../../../encodes; kill -KILL $$"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_died_of_memory_is_run_again_with_less_and_then_given_up() {
    let mut footing = Footing::new(&film((1280, 720), HUNGRY)).await;
    footing.config.worker.threads = 4;
    // Enough for all threads at first.
    footing.config.worker.memory_bytes = 64 << 30;
    let (file, worker) = (footing.upload(b"film").await, footing.start());
    let failure = footing.settled(file).await.file.failure.unwrap();
    assert_eq!(failure.code, "out_of_memory");
    worker.stop().await;
    let requests = footing.written("encodes");
    let runs: Vec<(u64, Vec<String>)> = requests.lines().map(threads_and_rungs).collect();
    let all = runs[0].1.clone();
    assert!(all.len() > 1, "{runs:?}");
    assert_eq!(runs, [(4, all.clone()), (1, all.clone()), (1, all[1..].to_vec())]);
}

fn threads_and_rungs(request: &str) -> (u64, Vec<String>) {
    let request: serde_json::Value = serde_json::from_str(request).unwrap();
    let rungs = request["plan"]["rungs"].as_array().unwrap();
    let names = rungs.iter().map(|rung| rung["name"].as_str().unwrap().to_owned());
    (request["threads"].as_u64().unwrap(), names.collect())
}
