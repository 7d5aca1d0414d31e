//! Traces on both footings, held against what a collector of our own was sent: one upload is one trace, from its request through its job to
//! what is told of it; a collector that is away changes nothing; and nothing secret is in a span.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use reelgate_e2e::{
    client::{Client, Upload},
    collector::{Collector, Span, Tree},
    process::{Folder, eventually},
    sign_in::SignIn,
    site::{Builder, Footing, Site},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::webhooks::receiver::{Receiver, Reply};

const PATIENCE: Duration = Duration::from_secs(120);
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

crate::on_both_footings!(
    one_upload_is_one_trace_from_its_request_to_what_is_told_of_it,
    a_failed_attempt_and_the_next_one_are_in_one_trace,
    a_collector_that_is_away_changes_nothing_and_is_said_once,
    nothing_is_sent_that_nobody_asked_for,
    nothing_secret_is_in_a_span,
);

/// Sampled.
fn parent() -> String {
    format!("00-{TRACE}-b7ad6b7169203331-01")
}

fn builder(footing: Footing) -> Builder {
    let env = [
        ("REELGATE__TRACES__FLUSH_MS", "100"),
        ("REELGATE__LOG__FORMAT", "json"),
        ("REELGATE__LADDER__RUNGS", "360,240"),
        ("REELGATE__WEBHOOKS__ALLOW_HTTP", "true"),
        ("REELGATE__WEBHOOKS__PORTS", ""),
        ("REELGATE__WEBHOOKS__ALLOW_PRIVATE", "127.0.0.1/32"),
        ("REELGATE__WEBHOOKS__POLL_MS", "100"),
    ];
    env.iter().fold(Site::builder(footing), |builder, (key, value)| builder.env(*key, *value))
}

fn traced(footing: Footing, collector: &Collector) -> Builder {
    builder(footing).env("REELGATE__TRACES__ENDPOINT", collector.endpoint())
}

/// Rungs must be made of it.
fn film(folder: &Folder, seconds: u32, codec: &str) -> Result<PathBuf> {
    let path = folder.path().join(format!("{codec}-{seconds}.mkv"));
    let picture = format!("testsrc2=size=640x480:rate=30:duration={seconds}");
    let sound = format!("sine=frequency=440:duration={seconds}");
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound])
        .args(["-c:v", codec, "-c:a", "aac"])
        .arg(&path)
        .status()?;
    ensure!(made.success(), "no film");
    Ok(path)
}

fn alice(site: &Site) -> Client {
    site.client().signed_in(SignIn::member("alice", "acme").jwt())
}

async fn processed(client: &Client, film: PathBuf) -> Result<String> {
    let file = client.upload_one(Upload::file("film.mkv", "video/x-matroska", film)).await?;
    client.wait_settled(&file, PATIENCE).await?;
    Ok(file)
}

fn is_upload(span: &Span) -> bool {
    span.name == "POST /v1/files"
}

async fn one_upload_is_one_trace_from_its_request_to_what_is_told_of_it(footing: Footing) -> Result<()> {
    let (collector, folder) = (Collector::start().await?, Folder::new("traced")?);
    let site = traced(footing, &collector).env("REELGATE__TRACES__ACCEPT", "everybody").start().await?;
    let receiver = Receiver::start(|_| Reply::Status(204)).await?;
    let admin = site.client().signed_in(SignIn::admin("carol", "acme").jwt());
    let endpoint = json!({"url": receiver.url("/"), "events": ["file.staged", "file.ready", "file.completed"]});
    admin.post_json("/v1/webhooks", &endpoint).await?.expect(200)?;
    let file = processed(&alice(&site).traced(&parent()), film(&folder, 2, "mpeg4")?).await?;
    let told = |spans: &[Span]| {
        let told = |span: &&Span| span.trace == TRACE && span.name == "POST webhook";
        // Each process sends its own, and the attempt's span ends last.
        let ended = spans.iter().any(|span| span.trace == TRACE && span.name == "process jobs");
        ended && spans.iter().any(is_upload) && spans.iter().filter(told).count() == 3
    };
    let spans = collector.wait("the whole trace", PATIENCE, told).await?;

    // What else happened, e.g. asking how far it is, has the same caller here and is no part of the upload.
    let tree = Tree::of(&spans, TRACE);
    let request = tree.one("POST /v1/files")?;
    ensure!(request.parent == "b7ad6b7169203331" && request.kind == "server" && !request.failed, "{request:#?}");
    ensure!(request.attribute("http.response.status_code") == "200", "{request:#?}");
    for (name, above) in [
        ("receive", vec!["POST /v1/files"]),
        ("store", vec!["POST /v1/files"]),
        ("commit", vec!["POST /v1/files"]),
        ("announce", vec!["POST /v1/files"]),
        ("process jobs", vec!["commit", "POST /v1/files"]),
        ("probe", vec!["process jobs", "commit"]),
        ("promote", vec!["process jobs", "commit"]),
        ("encode", vec!["process jobs", "commit"]),
        ("task probe", vec!["probe", "process jobs"]),
        ("task encode", vec!["encode", "process jobs"]),
        ("finish", vec!["process jobs", "commit"]),
        ("settle", vec!["process jobs", "commit"]),
    ] {
        let found = tree.0.iter().any(|span| span.name == name && tree.above(span).starts_with(&above));
        ensure!(found, "{name} below {above:?}: {:#?}", tree.0);
    }
    check_attempt(&tree, &file)?;
    check_rungs(&tree)?;
    check_told(&tree, &receiver)?;
    check_lines(&site, &tree, &file)
}

fn check_attempt(tree: &Tree, file: &str) -> Result<()> {
    let (attempt, commit) = (tree.one("process jobs")?, tree.one("commit")?);
    ensure!(attempt.kind == "consumer" && commit.kind == "producer", "{attempt:#?} {commit:#?}");
    ensure!(attempt.parent == commit.id, "{attempt:#?}");
    ensure!(attempt.attribute("file.id") == file && attempt.attribute("attempt") == "1", "{attempt:#?}");
    ensure!(attempt.attribute("reelgate.outcome") == "finished" && !attempt.failed, "{attempt:#?}");
    ensure!(attempt.attribute("job.id") == commit.attribute("messaging.message.id"), "{attempt:#?}");
    // What the child has said of itself is within its time.
    let task = tree.one("task encode")?;
    for moment in ["admitted", "begun", "opened", "first picture", "last picture"] {
        let at = task.events.iter().find(|event| event.0 == moment).with_context(|| format!("{moment}: {task:#?}"))?.1;
        ensure!((task.begin_ns..=task.end_ns).contains(&at), "{moment}: {task:#?}");
    }
    Ok(())
}

/// Each rung's way to the public is one span, whose steps are in order.
fn check_rungs(tree: &Tree) -> Result<()> {
    let rung = |name: &str| {
        let mut renditions = tree.named("rendition").filter(|span| span.attribute("reelgate.rendition") == name);
        renditions.next().cloned().with_context(|| format!("no {name}: {:#?}", tree.0))
    };
    for name in ["480p", "360p", "240p"] {
        let Ok(whole) = rung(name) else { continue };
        ensure!(tree.above(&whole).starts_with(&["encode", "process jobs"]), "{whole:#?}");
        let mut before = whole.begin_ns;
        for step in ["encode rendition", "verify", "store", "package", "publish"] {
            let found = tree.0.iter().find(|span| span.parent == whole.id && span.name == step);
            let found = found.with_context(|| format!("{name} has no {step}: {:#?}", tree.0))?;
            // SQLite's thread leaves a span a moment after it has answered.
            let ends_within = found.end_ns <= whole.end_ns + 50_000_000;
            ensure!(found.begin_ns >= before && ends_within && !found.failed, "{before} {found:#?} {whole:#?}");
            before = found.begin_ns;
        }
        let verified = tree.named("task verify").filter(|task| tree.above(task).starts_with(&["verify", "rendition"]));
        ensure!(verified.count() >= 2, "{:#?}", tree.0);
    }
    ensure!(rung("360p").is_ok() && rung("240p").is_ok(), "{:#?}", tree.0);
    Ok(())
}

/// A delivery goes on from what has told its event, and its receiver may go on from there.
fn check_told(tree: &Tree, receiver: &Receiver) -> Result<()> {
    for (event, above) in [
        ("file.staged", ["commit", "POST /v1/files"]),
        ("file.ready", ["publish", "rendition"]),
        ("file.completed", ["finish", "process jobs"]),
    ] {
        let mut sent = tree.named("POST webhook").filter(|span| span.attribute("reelgate.event") == event);
        let span = sent.next().with_context(|| format!("{event}: {:#?}", tree.0))?;
        ensure!(tree.above(span).starts_with(&above), "{event}: {:?}", tree.above(span));
        ensure!(span.kind == "client" && span.attribute("http.response.status_code") == "204", "{span:#?}");
        let went_on = format!("00-{TRACE}-{}-01", span.id);
        let heard = receiver.received().iter().any(|request| request.header("traceparent") == went_on);
        ensure!(heard, "{went_on}: {:#?}", receiver.received());
    }
    Ok(())
}

/// Lines of the request and of the attempt bear all ids there are of them, and the trace's.
fn check_lines(site: &Site, tree: &Tree, file: &str) -> Result<()> {
    let text: String = site.logs()?.iter().map(std::fs::read_to_string).collect::<std::io::Result<_>>()?;
    let lines: Vec<serde_json::Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let said = |message: &str| lines.iter().filter(|line| line["message"] == message).collect::<Vec<_>>();
    let job = tree.one("commit")?.attribute("job.id");
    let uploaded = said("a file was uploaded").into_iter().next().context("no upload in the log")?;
    ensure!(uploaded["file.id"] == file && uploaded["trace_id"] == TRACE, "{uploaded}");
    let request = uploaded["request.id"].as_str().context("no request id")?;
    let answered =
        said("request answered").into_iter().find(|line| line["request.id"] == request).context("no answer")?;
    ensure!(answered["trace_id"] == TRACE && answered["route"] == "upload", "{answered}");
    ensure!(tree.one("POST /v1/files")?.attribute("request.id") == request, "{request}");
    for message in ["an attempt begins", "published a rendition", "an attempt ends"] {
        let line = said(message).into_iter().next().with_context(|| format!("no {message:?}"))?;
        ensure!(line["file.id"] == file && line["job.id"] == job && line["trace_id"] == TRACE, "{line}");
        ensure!(line["attempt"] == 1 && line["generation"] == 1, "{line}");
        ensure!(line["worker"].as_str().is_some_and(|worker| worker.starts_with("worker-")), "{line}");
    }
    let delivery = said("a delivery was tried").into_iter().next().context("no delivery in the log")?;
    ensure!(delivery["trace_id"] == TRACE && delivery["file.id"] == file, "{delivery}");
    Ok(())
}

async fn a_failed_attempt_and_the_next_one_are_in_one_trace(footing: Footing) -> Result<()> {
    let (collector, folder) = (Collector::start().await?, Folder::new("traced")?);
    let site = traced(footing, &collector).start().await?;
    let client = alice(&site);
    let film = Upload::file("film.mkv", "video/x-matroska", film(&folder, 30, "mpeg4")?);
    let file = client.upload_one(film).await?;
    let worker = site.workers.first().unwrap_or(&site.gateways[0].process);
    eventually("a task encodes, and crashes", PATIENCE, async || {
        let mut tasks = worker.children().into_iter();
        tasks.find(|task| encodes(*task)).is_some_and(|task| kill_process(task, Signal::SEGV).is_ok())
    })
    .await?;
    client.wait_settled(&file, PATIENCE).await?;
    let ended = |spans: &[Span]| spans.iter().filter(|span| span.name == "process jobs").count() == 2;
    let spans = collector.wait("two attempts", PATIENCE, ended).await?;
    let trace = spans.iter().find(|span| is_upload(span)).context("no upload")?.trace.clone();
    let tree = Tree::of(&spans, &trace);
    // Nobody said that this caller's word counts, so the trace is our own.
    let commit = tree.one("commit")?;
    let attempts: Vec<_> = tree.named("process jobs").collect();
    ensure!(attempts.iter().all(|attempt| attempt.parent == commit.id), "{attempts:#?}");
    let told: Vec<_> = attempts
        .iter()
        .map(|it| (it.attribute("attempt"), it.attribute("reelgate.outcome"), it.failed, it.attribute("error.type")))
        .collect();
    ensure!(told == [("1", "failed", true, "task_crashed"), ("2", "finished", false, "")], "{told:?}");
    ensure!(tree.named("task encode").any(|task| task.failed), "{:#?}", tree.0);
    Ok(())
}

/// By its working directory.
fn encodes(task: Pid) -> bool {
    let folder = std::fs::read_link(format!("/proc/{}/cwd", task.as_raw_nonzero()));
    folder.is_ok_and(|folder| folder.ends_with("encode-0"))
}

async fn a_collector_that_is_away_changes_nothing_and_is_said_once(footing: Footing) -> Result<()> {
    let (collector, folder) = (Collector::start().await?, Folder::new("traced")?);
    let address = collector.address();
    drop(collector);
    let endpoint = format!("http://{address}");
    let site = builder(footing).env("REELGATE__TRACES__ENDPOINT", endpoint).start().await?;
    let client = alice(&site);
    let film = film(&folder, 2, "mpeg4")?;
    let file = processed(&client, film.clone()).await?;
    let info = client.get(&format!("/v1/files/{file}/info")).await?.expect(200)?.json()?;
    ensure!(info["state"] == "ready" && info["progress"] == 1.0, "{info:#}");
    let processes = 1 + site.workers.len();
    let said = |what: &str| site.output().matches(what).count();
    eventually("it is said", PATIENCE, async || said("the collector takes no spans") == processes).await?;
    processed(&client, film.clone()).await?;
    ensure!(said("the collector takes no spans") == processes, "{}", site.output());

    // Back again, it is sent what happens from now on.
    let collector = Collector::start_on(address).await?;
    processed(&client, film).await?;
    collector.wait("spans again", PATIENCE, |spans| spans.iter().any(|span| span.name == "process jobs")).await?;
    eventually("it is said", PATIENCE, async || said("the collector takes spans again") == processes).await
}

async fn nothing_is_sent_that_nobody_asked_for(footing: Footing) -> Result<()> {
    let (collector, folder) = (Collector::start().await?, Folder::new("traced")?);
    let (off, none) = (builder(footing), traced(footing, &collector).env("REELGATE__TRACES__SAMPLE_RATIO", "0.0"));
    let film = film(&folder, 2, "mpeg4")?;
    {
        // What nobody has named is not looked for: the usual port of a collector is none of ours to try.
        let site = off.start().await?;
        let file = processed(&alice(&site).traced(&parent()), film.clone()).await?;
        let traces: Vec<_> = jobs(&site, &file).await?.into_iter().map(|job| job.trace).collect();
        ensure!(traces == [None], "{traces:?}");
        ensure!(!site.output().contains("trace_id"), "{}", site.output());
    }
    ensure!(collector.connections() == 0, "{:#?}", collector.spans());
    // A ratio of none: the caller's word is not taken (it is no proxy), so its flag changes nothing. The trace goes on all the same.
    let site = none.start().await?;
    let file = processed(&alice(&site).traced(&parent()), film).await?;
    let trace = jobs(&site, &file).await?.remove(0).trace.context("no trace")?;
    ensure!(trace.ends_with("-00") && !trace.contains(TRACE), "{trace}");
    ensure!(collector.spans().is_empty(), "{:#?}", collector.spans());
    Ok(())
}

async fn jobs(site: &Site, file: &str) -> Result<Vec<reelgate_common::job::JobRecord>> {
    Ok(site.database().await?.jobs_of(&reelgate_common::ids::OrgId::new("acme"), file.parse()?).await?)
}

async fn nothing_secret_is_in_a_span(footing: Footing) -> Result<()> {
    let (collector, folder) = (Collector::start().await?, Folder::new("traced")?);
    let site = traced(footing, &collector).start().await?;
    let receiver = Receiver::start(|_| Reply::Status(204)).await?;
    let (jwt, admin) = (SignIn::member("alice", "acme").jwt(), SignIn::admin("carol", "acme").jwt());
    let address = receiver.url("/hook-with-a-secret-in-it");
    let made = site.client().signed_in(admin.clone()).post_json("/v1/webhooks", &json!({"url": address})).await?;
    let secret = made.expect(200)?.json()?["secret"].as_str().context("no secret")?.to_owned();
    let client = site.client().signed_in(jwt.clone());
    let film = Upload::file("name-of-a-person.mkv", "video/x-matroska", film(&folder, 2, "mpeg4")?);
    let file = client.upload_one(film).await?;
    client.wait_settled(&file, PATIENCE).await?;
    let token = client.stream_token(&json!({})).await?;
    let location = client.get(&format!("/v1/files/{file}/info")).await?.json()?["location"].to_string();
    let nobody = site.client();
    let master = nobody.get(&format!("/v1/files/stream/{file}/master.m3u8?token={token}")).await?.expect(200)?;
    let master = String::from_utf8(master.body.to_vec())?;
    let media = master.lines().find(|line| !line.starts_with('#') && !line.is_empty()).context("no playlist")?;
    nobody.get(&format!("/v1/files/stream/{file}/{media}")).await?.expect(200)?;
    nobody.get(&format!("/v1/files/stream/{file}&token={token}")).await?.expect(422)?;
    nobody.get(&format!("/v1/files/stream?location=x&token={token}")).await?.expect(404)?;
    nobody.get(&format!("/a-path-that-somebody-made-up?token={token}")).await?.expect(404)?;
    let lease = media.split('/').next().unwrap_or_default();
    let enough = |spans: &[Span]| {
        let has = |name: &str| spans.iter().any(|span| span.name == name);
        has("POST webhook") && has("GET") && has("GET /v1/files/stream/{file_id}/{lease}/{path}") && has("settle")
    };
    collector.wait("spans of all that", PATIENCE, enough).await?;
    let sent: Vec<u8> = collector.raw().concat();
    let held = |text: &str| sent.windows(text.len()).any(|part| part == text.as_bytes());
    ensure!(held(&file) && held("POST /v1/files"), "the search finds nothing at all");
    for text in [
        jwt.as_str(),
        admin.as_str(),
        token.as_str(),
        secret.as_str(),
        lease,
        location.trim_matches('"'),
        "name-of-a-person",
        "hook-with-a-secret-in-it",
        "a-path-that-somebody-made-up",
        "127.0.0.1",
        "alice",
    ] {
        ensure!(text.len() > 4 && !held(text), "{text} is in a span");
    }
    Ok(())
}
