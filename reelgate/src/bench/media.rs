//! Encoding by the real worker, tasks, sandbox, proofs and all; streaming by the real gateway over loopback.

use std::time::{Duration, Instant};

use anyhow::Context;
use reelgate_common::{
    ids::{FileId, OrgId},
    job::{AttemptOutcome, JobState},
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    private::Private,
    report::{ENCODE_ALL, ENCODE_ONE, Figure, STREAM, mib_per_second},
};

/// Four seconds of 1080p in H.265 with a tone: moving bars and numbers, turned to and fro. No browser plays it as it is, so that
/// every rung is made. `scripts/bench-clip` makes it.
const CLIP: &[u8] = include_bytes!("../../assets/bench.mp4");
const CLIP_SECONDS: f64 = 4.0;
const STREAMED: usize = 64 << 20;
const VIEWERS: u32 = 4;
const STREAMING: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(50);

/// Times faster than the film plays: by the clock, and by the computing time of the tasks, which is what one core would do alone.
pub(super) async fn encoding(private: &Private) -> anyhow::Result<Vec<Figure>> {
    let stop = CancellationToken::new();
    let _stopped = stop.clone().drop_guard();
    let worker = reelgate_worker::run(private.worker(), private.backends().clone(), None, stop.clone());
    let before = computed()?;
    let seconds = tokio::select! {
        ended = worker => anyhow::bail!("the worker ended: {ended:?}"),
        seconds = processed(private) => seconds?,
    };
    let computed = (computed()? - before).max(f64::EPSILON);
    let (one, all) = (CLIP_SECONDS / computed, CLIP_SECONDS / seconds);
    Ok(vec![
        Figure { name: ENCODE_ONE, value: one, unit: "x realtime", of: "encoding 1080p and its ladder, for each core" },
        Figure { name: ENCODE_ALL, value: all, unit: "x realtime", of: "encoding 1080p and its ladder, all cores" },
    ])
}

/// Seconds of computing of this process's children that have ended: `cutime` and `cstime` of proc_pid_stat(5), in ticks that are a
/// hundredth of a second for every program on Linux.
fn computed() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks =
        |index: usize| fields.get(index).and_then(|field| field.parse::<u32>().ok()).context("no times of children");
    Ok(f64::from(ticks(13)?.saturating_add(ticks(14)?)) / 100.0)
}

/// How long the attempt took, in seconds.
async fn processed(private: &Private) -> anyhow::Result<f64> {
    let (db, org) = (&private.backends().db, OrgId::new("bench"));
    let file: FileId = private.upload("bench.mp4", CLIP).await?.parse()?;
    loop {
        let job = db.jobs_of(&org, file).await?.pop().context("the upload made no job")?;
        if job.finished_at.is_some() {
            anyhow::ensure!(job.state == JobState::Done, "the job ended as {}: {:?}", job.state, job.last_error);
            let attempts = db.attempts_of(job.id).await?;
            let done = attempts.iter().find(|attempt| attempt.outcome == Some(AttemptOutcome::Finished));
            let done = done.context("no attempt has finished it")?;
            let took = done.ended_at.context("it has not ended")?.since(done.started_at);
            return Ok(took.as_secs_f64().max(f64::EPSILON));
        }
        sleep(LOOK).await;
    }
}

/// Bytes that four clients take as fast as they can, of one file that is in memory after its first reader.
pub(super) async fn streaming(private: &Private) -> anyhow::Result<Vec<Figure>> {
    let content = vec![0x5a; STREAMED];
    let begun = Instant::now();
    let file = private.upload("bench.bin", &content).await?;
    let uploading = mib_per_second(STREAMED as u64, begun.elapsed());
    drop(content);
    private.download(&file).await?;
    let begun = Instant::now();
    let viewers = (0..VIEWERS).map(|_| async {
        let mut bytes = 0;
        while begun.elapsed() < STREAMING {
            bytes += private.download(&file).await?;
        }
        anyhow::Ok(bytes)
    });
    let bytes: u64 = futures_util::future::try_join_all(viewers).await?.iter().sum();
    let streaming = mib_per_second(bytes, begun.elapsed());
    Ok(vec![
        Figure { name: "upload", value: uploading, unit: "MiB/s", of: "gateway, one upload over loopback" },
        Figure { name: STREAM, value: streaming, unit: "MiB/s", of: "gateway, streaming to four over loopback" },
    ])
}
