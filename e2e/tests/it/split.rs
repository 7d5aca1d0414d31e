//! Films that are encoded in parts: what comes out is what one task would have made, whoever dies in between costs one part, and what
//! cannot be made in parts is made whole.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{
    fs::OpenOptions,
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use http::Method;
use reelgate_common::{
    db::{JobFilter, Reach},
    ids::OrgId,
    job::{JobKind, JobRecord, JobState},
};
use reelgate_e2e::{
    client::Client,
    left_over::{NO_GRACE, left_over},
    process::{Folder, eventually},
    proxied::Proxied,
    proxy::store::{Call, Seen},
    sign_in::SignIn,
    site::{Builder, Footing, Site},
};
use serde_json::Value;

use super::explained::{PATIENCE, download, explained, likeness, made, mean, reasons, upload};

/// Of the films here.
const PICTURES: usize = 600;
const RATE: usize = 25;
/// Seconds of a part.
const PART: usize = 4;
/// On each side of a border.
const NEAR: usize = 12;

super::on_both_footings!(
    parts_are_put_together_as_if_the_film_had_been_made_whole,
    a_film_with_a_damaged_part_is_made_whole,
    a_film_that_is_deleted_leaves_no_parts,
    a_film_that_is_stopped_and_started_again_goes_on_with_its_parts,
);

/// A film of `PICTURES` pictures with a key frame every two seconds, pictures in another order than they are decoded, and sound.
fn film(folder: &Folder, name: &str, codec: &[&str]) -> Result<PathBuf> {
    let path = folder.path().join(name);
    let seconds = PICTURES / RATE;
    let picture = format!("testsrc2=size=640x360:rate={RATE}:duration={seconds}");
    let sound = format!("sine=frequency=440:duration={seconds}");
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound])
        .args(codec)
        .arg(&path)
        .status()?;
    ensure!(status.success(), "ffmpeg could not make {name}");
    Ok(path)
}

const H264: [&str; 12] =
    ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-bf", "3", "-g", "50", "-c:a", "aac"];

fn in_parts(builder: Builder) -> Builder {
    let parts = PART.to_string();
    [
        ("SPLIT__MIN_GIGAPIXELS", "0"),
        ("SPLIT__CHUNK_SECONDS", parts.as_str()),
        ("WORKER__CONCURRENCY", "2"),
        ("LADDER__RUNGS", "360,240,144"),
        ("LADDER__PREVIEW", "false"),
        // Films here have few pixels; what they lose must show.
        ("LADDER__PRESET", "medium"),
    ]
    .into_iter()
    .fold(builder, |builder, (key, value)| builder.env(format!("REELGATE__{key}"), value))
}

fn alice(site: &Site) -> Client {
    site.client().signed_in(SignIn::admin("alice", "acme").jwt())
}

async fn chunks(site: &Site) -> Result<Vec<JobRecord>> {
    let db = site.database().await?;
    let filter = JobFilter { kind: Some(JobKind::Chunk), limit: 200, ..JobFilter::default() };
    Ok(db.list_jobs(Reach::Org(&OrgId::new("acme")), &filter).await?)
}

/// Packets of a track in the order of decoding, as ffprobe shows them.
fn packets(path: &Path, track: &str, entries: &str) -> Result<Vec<String>> {
    let out = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", track, "-show_data_hash", "md5", "-of", "csv=p=0", "-show_entries"])
        .arg(format!("packet={entries}"))
        .arg(path)
        .output()?;
    ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    Ok(String::from_utf8(out.stdout)?.lines().map(str::to_owned).collect())
}

async fn parts_are_put_together_as_if_the_film_had_been_made_whole(footing: Footing) -> Result<()> {
    let folder = Folder::new("split")?;
    let source = film(&folder, "film.mp4", &H264)?;
    let split = in_parts(Site::builder(footing)).start().await?;
    let whole = in_parts(Site::builder(footing)).env("REELGATE__SPLIT__ENABLED", "false").start().await?;
    let (in_parts, as_one) = (alice(&split), alice(&whole));
    let (parts, one) = (upload(&in_parts, &source).await?, upload(&as_one, &source).await?);
    let (_, job) = made(&in_parts, &parts).await?;
    let wanted = PICTURES / RATE / PART;
    ensure!(reasons(&job).iter().any(|reason| reason.contains(&format!("in {wanted} parts"))), "{:?}", reasons(&job));
    ensure!(job["attempts"][0]["outcome"] == "split" && job["attempts"][1]["outcome"] == "finished", "{job:#}");
    let (_, job) = made(&as_one, &one).await?;
    ensure!(reasons(&job).iter().any(|reason| reason.contains("not in parts")), "{:?}", reasons(&job));
    let made_of = chunks(&split).await?;
    ensure!(made_of.len() == wanted && made_of.iter().all(|job| job.state == JobState::Done), "{made_of:#?}");
    for (rung, size) in [("240p", "426:240"), ("144p", "256:144")] {
        let parts = download(&in_parts, &parts, rung, &folder).await?;
        let one = download(&as_one, &one, rung, &folder).await?;
        let (source, what) = (source.clone(), format!("{footing:?} {rung}"));
        tokio::task::spawn_blocking(move || alike(&parts, &one, &source, size)).await?.context(what)?;
    }
    let pieces = async || split.stored("media/").await.is_ok_and(|keys| keys.iter().all(|key| !key.contains("piece-")));
    eventually("no piece is left", PATIENCE, pieces).await
}

/// Shapes in which parts are easily cut wrong, where there are no real films.
const SHAPES: [(&str, &str); 8] = [
    ("open.mp4", "-c:v libx264 -preset veryfast -bf 3 -g 75 -x264-params open-gop=1:bframes=3 -c:a aac"),
    ("one-group.mp4", "-c:v libx264 -preset veryfast -bf 2 -g 9999 -keyint_min 9999 -sc_threshold 0 -c:a aac"),
    (
        "fields.mov",
        "-c:v mpeg2video -g 12 -bf 2 -flags +ildct+ilme -vf tinterlace=interleave_top,fieldorder=tff -c:a aac",
    ),
    (
        "uneven.mp4",
        "-c:v libx264 -preset veryfast -bf 3 -g 60 -vf select='not(between(n\\,100\\,130))*(lt(n\\,300)+not(mod(n\\,3)))' -vsync vfr -c:a aac",
    ),
    // Without an index: one is copied and plays, the others are put into an MP4 to be cut.
    ("copied.mkv", "-c:v libx264 -preset veryfast -bf 3 -g 50 -c:a libopus -ar 48000"),
    ("foreign.mkv", "-c:v libx265 -preset ultrafast -x265-params log-level=error:keyint=60 -c:a aac"),
    ("broadcast.ts", "-c:v mpeg2video -g 15 -bf 2 -c:a mp2"),
    ("late.mp4", "-c:v libx264 -preset veryfast -bf 3 -g 50 -af adelay=500 -c:a aac"),
];

/// Of the real films; larger ones show nothing that the others do not.
const LARGEST: u64 = 4 << 20;

/// Films that can be cut: the real ones, and these.
#[expect(clippy::print_stdout, reason = "says what is left out")]
fn films(folder: &Folder) -> Result<Vec<PathBuf>> {
    let mut films = Vec::new();
    for (name, codec) in SHAPES {
        films.push(film(folder, name, &codec.split(' ').collect::<Vec<_>>())?);
    }
    let Some(corpus) = std::env::var_os("REELGATE_CORPUS").map(PathBuf::from) else {
        println!("REELGATE_CORPUS is not set: only generated films are made in parts");
        return Ok(films);
    };
    for entry in std::fs::read_dir(corpus)? {
        let path = entry?.path();
        // It is decoded for minutes.
        let long = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("long_"));
        if long || path.metadata()?.len() > LARGEST {
            continue;
        }
        if path
            .extension()
            .is_some_and(|extension| ["mp4", "mov", "mkv", "webm", "ts"].iter().any(|known| extension == *known))
        {
            films.push(path);
        }
    }
    Ok(films)
}

/// Whatever real films there are, each is the same in parts as in one.
#[tokio::test(flavor = "multi_thread")]
async fn films_of_all_shapes_are_in_parts_as_they_are_in_one() -> Result<()> {
    let folder = Folder::new("split-shapes")?;
    let films = films(&folder)?;
    let quick = [("RUNGS", "360,144"), ("PRESET", "ultrafast"), ("STORYBOARD", "false"), ("CAPTIONS", "false")];
    let quickly = |builder: Builder| {
        quick.into_iter().fold(builder, |builder, (key, value)| builder.env(format!("REELGATE__LADDER__{key}"), value))
    };
    let builder = || quickly(in_parts(Site::builder(Footing::Embedded)));
    let split = builder().env("REELGATE__SPLIT__CHUNK_SECONDS", "2").start().await?;
    let whole = builder().env("REELGATE__SPLIT__ENABLED", "false").start().await?;
    let (in_parts, as_one) = (alice(&split), alice(&whole));
    let mut pairs = Vec::new();
    for film in films {
        pairs.push((upload(&in_parts, &film).await?, upload(&as_one, &film).await?, film));
    }
    let mut divided = Vec::new();
    for (parts, one, film) in pairs {
        let name = film.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let over = |info: &Value| info["progress"] == 1.0 || info["state"] == "failed";
        let info = in_parts.wait_until(&parts, PATIENCE, over).await?;
        let expected = as_one.wait_until(&one, PATIENCE, over).await?;
        ensure!(info["failure"]["code"] == expected["failure"]["code"], "{name}: {info:#} and {expected:#}");
        let names = |info: &Value| {
            let all = info["renditions"].as_array().cloned().unwrap_or_default();
            all.iter().filter_map(|one| one["name"].as_str().map(str::to_owned)).collect::<Vec<_>>()
        };
        ensure!(names(&info) == names(&expected), "{name}: {:?} and {:?}", names(&info), names(&expected));
        let job = explained(&in_parts, &parts).await.unwrap_or_default();
        let said = reasons(&job);
        let way = said.iter().rev().find(|reason| reason.contains(" parts")).cloned().unwrap_or_default();
        ensure!(
            !way.contains("could not be made") && !way.contains("could not be put"),
            "{name}: {way}\n{}",
            split.output()
        );
        if way.is_empty() || way.contains("not in parts") || !names(&info).contains(&"144p".to_owned()) {
            continue;
        }
        divided.push(name.clone());
        let (parts, one) =
            (download(&in_parts, &parts, "144p", &folder).await?, download(&as_one, &one, "144p", &folder).await?);
        tokio::task::spawn_blocking(move || same_shape(&parts, &one)).await?.context(name)?;
    }
    ensure!(divided.len() >= SHAPES.len(), "only these were made in parts: {divided:?}");
    Ok(())
}

fn same_shape(parts: &Path, one: &Path) -> Result<()> {
    let (times, expected) = (shown(parts)?, shown(one)?);
    ensure!(!times.is_empty() && times == expected, "{} pictures of {}", times.len(), expected.len());
    // But for how long the last packet lasts: sound that is put beside the pictures later ends with a whole one.
    let sound = |path: &Path| packets(path, "a:0", "pts,data_hash");
    ensure!(sound(parts)? == sound(one)?, "the sound is another one");
    // The same pictures, but for what encoding changes.
    let size = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v:0", "-of", "csv=p=0:s=x", "-show_entries", "stream=width,height"])
        .arg(one)
        .output()?;
    let size = String::from_utf8(size.stdout)?.trim().replace('x', ":");
    let likeness = likeness(parts, one, &size)?;
    let worst = likeness.iter().copied().fold(1.0, f64::min);
    ensure!(likeness.len() == times.len() && worst > 0.8, "of {} pictures the worst is {worst}", likeness.len());
    Ok(())
}

/// Display times, ascending.
fn shown(path: &Path) -> Result<Vec<i64>> {
    let lines = packets(path, "v:0", "pts")?;
    let mut times: Vec<i64> = lines.iter().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect();
    times.sort_unstable();
    Ok(times)
}

/// No picture lost, doubled or shifted; the same sound; key frames at the same times; borders as good as without.
fn alike(parts: &Path, one: &Path, source: &Path, size: &str) -> Result<()> {
    let (times, expected) = (shown(parts)?, shown(one)?);
    ensure!(times.len() == PICTURES && times == expected, "{} pictures of {PICTURES}", times.len());
    let keys = |path: &Path| -> Result<Vec<String>> {
        Ok(packets(path, "v:0", "pts,flags")?.into_iter().filter(|line| line.contains('K')).collect())
    };
    ensure!(keys(parts)? == keys(one)?, "{:?} and {:?}", keys(parts)?, keys(one)?);
    let sound = packets(parts, "a:0", "pts,duration,data_hash")?;
    ensure!(!sound.is_empty() && sound == packets(one, "a:0", "pts,duration,data_hash")?, "the sound is another one");
    let decoded: Vec<i64> =
        packets(parts, "v:0", "dts")?.iter().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect();
    ensure!(decoded.is_sorted_by(|before, after| before < after), "decode times go back");
    let (bytes, expected) = (parts.metadata()?.len() as f64, one.metadata()?.len() as f64);
    ensure!((bytes / expected - 1.0).abs() < 0.03, "{bytes} bytes, and {expected} as one");
    let (likeness_parts, likeness_one) = (likeness(parts, source, size)?, likeness(one, source, size)?);
    ensure!(likeness_parts.len() == PICTURES && likeness_one.len() == PICTURES, "pictures were not compared");
    for border in (PART * RATE..PICTURES).step_by(PART * RATE) {
        let near = border - NEAR..border + NEAR;
        let (here, there) = (mean(&likeness_parts[near.clone()]), mean(&likeness_one[near]));
        ensure!(here >= there - 0.004, "at picture {border} {here:.4}, and {there:.4} as one");
    }
    Ok(())
}

/// Bytes in the middle of its pictures that mean nothing.
fn damage(path: &Path) -> Result<()> {
    let places: Vec<u64> = packets(path, "v:0", "pos,size")?
        .iter()
        .filter_map(|line| line.split(',').rev().find_map(|field| field.trim().parse().ok()))
        .collect();
    let at = *places.get(PICTURES / 2 + 20).context("no packets")?;
    OpenOptions::new().write(true).open(path)?.write_all_at(&[0xff; 600], at + 8)?;
    Ok(())
}

async fn a_film_with_a_damaged_part_is_made_whole(footing: Footing) -> Result<()> {
    let folder = Folder::new("split-damaged")?;
    let source = film(&folder, "damaged.mp4", &H264)?;
    damage(&source)?;
    let site = in_parts(Site::builder(footing)).start().await?;
    let alice = alice(&site);
    let file = upload(&alice, &source).await?;
    let (info, job) = made(&alice, &file).await?;
    ensure!(
        reasons(&job).iter().any(|reason| reason.contains("not in parts") && reason.contains("could not be made")),
        "{:?}",
        reasons(&job)
    );
    let names: Vec<&str> =
        info["renditions"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    ensure!(names.contains(&"240p") && names.contains(&"144p"), "{names:?}");
    let jobs = chunks(&site).await?;
    ensure!(jobs.iter().any(|job| job.state == JobState::Dead), "{jobs:#?}");
    ensure!(jobs.iter().all(|job| !matches!(job.state, JobState::Queued | JobState::Running)), "{jobs:#?}");
    let pieces = async || site.stored("media/").await.is_ok_and(|keys| keys.iter().all(|key| !key.contains("piece-")));
    eventually("no piece is left", PATIENCE, pieces).await
}

/// Until its own job has left it to its parts.
async fn divided(client: &Client, file: &str) -> Result<()> {
    let split = async || explained(client, file).await.is_ok_and(|job| job["state"] == "split");
    eventually("the film is divided", PATIENCE, split).await
}

async fn a_film_that_is_deleted_leaves_no_parts(footing: Footing) -> Result<()> {
    let folder = Folder::new("split-deleted")?;
    let source = film(&folder, "film.mp4", &H264)?;
    let site = in_parts(Site::builder(footing)).env("REELGATE__LADDER__PRESET", "veryslow").start().await?;
    let alice = alice(&site);
    let file = upload(&alice, &source).await?;
    divided(&alice, &file).await?;
    alice.delete(&format!("/v1/files/{file}")).await?.expect(200)?;
    let gone = async || {
        let stored = site.stored("media/").await.unwrap_or_else(|_| vec!["?".to_owned()]);
        stored.is_empty() && chunks(&site).await.is_ok_and(|jobs| jobs.is_empty())
    };
    eventually("nothing is left of it", PATIENCE, gone).await
}

async fn a_film_that_is_stopped_and_started_again_goes_on_with_its_parts(footing: Footing) -> Result<()> {
    let folder = Folder::new("split-stopped")?;
    let source = film(&folder, "film.mp4", &H264)?;
    let site = in_parts(Site::builder(footing)).env("REELGATE__LADDER__PRESET", "slower").start().await?;
    let alice = alice(&site);
    let file = upload(&alice, &source).await?;
    divided(&alice, &file).await?;
    let one = async || chunks(&site).await.is_ok_and(|jobs| jobs.iter().any(|job| job.state == JobState::Done));
    eventually("a part is made", PATIENCE, one).await?;
    // Whoever stops a part stops its film.
    let part = chunks(&site).await?.into_iter().find(|job| matches!(job.state, JobState::Queued | JobState::Running));
    let part = part.context("all parts are over already")?.id;
    alice.send(Method::POST, &format!("/v1/jobs/{part}/cancel"), &[], bytes::Bytes::new()).await?.expect(200)?;
    let job = explained(&alice, &file).await?;
    ensure!(job["state"] == "cancelled", "{job:#}");
    let done: Vec<JobRecord> = chunks(&site).await?.into_iter().filter(|job| job.state == JobState::Done).collect();
    let id = job["id"].as_str().context("its id")?;
    alice.send(Method::POST, &format!("/v1/jobs/{id}/retry"), &[], bytes::Bytes::new()).await?.expect(200)?;
    made(&alice, &file).await?;
    let after = chunks(&site).await?;
    ensure!(after.iter().all(|job| job.state == JobState::Done), "{after:#?}");
    for job in done {
        let again = after.iter().find(|other| other.id == job.id).context("a part is gone")?;
        ensure!(again.attempt == job.attempt, "a part that was made is made again");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_costs_one_part() -> Result<()> {
    let folder = Folder::new("split-killed")?;
    let source = film(&folder, "film.mp4", &H264)?;
    let builder = in_parts(Site::builder(Footing::Production)).workers(2).env("REELGATE__WORKER__CONCURRENCY", "1");
    let mut site = builder.env("REELGATE__LADDER__PRESET", "slower").start().await?;
    let alice = alice(&site);
    let file = upload(&alice, &source).await?;
    divided(&alice, &file).await?;
    let mut kills = 0;
    for round in 0..2 {
        let some = async || chunks(&site).await.is_ok_and(|jobs| jobs.iter().any(|job| job.state == JobState::Running));
        eventually("a part runs", PATIENCE, some).await?;
        site.workers[round % 2].kill()?;
        kills += 1;
        site.relaunch_worker(round % 2)?;
    }
    let (_, job) = made(&alice, &file).await?;
    let parts = chunks(&site).await?;
    ensure!(parts.iter().all(|job| job.state == JobState::Done), "{parts:#?}");
    let again: i64 = parts.iter().map(|job| job.attempt - 1).sum();
    ensure!(again <= kills, "{kills} deaths cost {again} parts");
    ensure!(parts.iter().map(|job| i64::from(job.losses)).sum::<i64>() == again, "{parts:#?}");
    ensure!(job["attempts"].as_array().is_some_and(|attempts| attempts.len() == 2), "{job:#}");
    let rung = download(&alice, &file, "240p", &folder).await?;
    ensure!(packets(&rung, "v:0", "pts")?.len() == PICTURES, "pictures are missing");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn short_films_overtake_the_parts_of_long_ones() -> Result<()> {
    let folder = Folder::new("split-overtaken")?;
    let source = film(&folder, "film.mp4", &H264)?;
    let short = folder.path().join("short.mp4");
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=2"])
        .args(["-c:v", "libx264", "-pix_fmt", "yuv420p"])
        .arg(&short)
        .status()?;
    ensure!(status.success(), "ffmpeg could not make a short film");
    let builder = in_parts(Site::builder(Footing::Production)).env("REELGATE__WORKER__CONCURRENCY", "1");
    let builder = builder.env("REELGATE__SPLIT__MIN_SLOTS", "1").env("REELGATE__LADDER__PRESET", "slower");
    let site = builder.start().await?;
    let alice = alice(&site);
    let long = upload(&alice, &source).await?;
    divided(&alice, &long).await?;
    let short = upload(&alice, &short).await?;
    alice.wait_until(&short, PATIENCE, |info| info["progress"] == 1.0).await?;
    let left = chunks(&site).await?.into_iter().filter(|job| job.state != JobState::Done).count();
    ensure!(left > 0, "the long film was made first");
    ensure!(explained(&alice, &long).await?["state"] == "split");
    made(&alice, &long).await?;
    Ok(())
}

/// What of the source was asked of the store.
fn read_of_source(proxied: &Proxied) -> Vec<Range<u64>> {
    let range = |seen: Seen| {
        let range = seen.range.filter(|_| seen.call == Call::Get && seen.path.ends_with("/source"))?;
        let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
        Some(from.parse().ok()?..to.parse::<u64>().ok()? + 1)
    };
    proxied.store.seen().into_iter().filter_map(range).collect()
}

/// Where the index of an MP4 lies.
fn index_of(path: &Path) -> Result<Range<u64>> {
    let (bytes, mut at) = (std::fs::read(path)?, 0);
    loop {
        let head = bytes.get(at..at + 8).context("no moov")?;
        let size = u32::from_be_bytes(head[..4].try_into()?) as usize;
        ensure!(size >= 8, "a large box");
        if &head[4..] == b"moov" {
            return Ok(at as u64..(at + size) as u64);
        }
        at += size;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_part_reads_its_own_bytes_of_the_source() -> Result<()> {
    let folder = Folder::new("split-ranges")?;
    // Large enough that nothing of it is fetched because it lies near.
    let codec =
        ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-bf", "2", "-g", "50", "-c:a", "aac"];
    let noisy = ["-vf", "noise=alls=20:allf=t", "-crf", "12"];
    let source = film(&folder, "film.mp4", &[&codec[..], &noisy].concat())?;
    let builder = in_parts(Site::builder(Footing::Production)).gateways(0).workers(0);
    let mut proxied = Proxied::before(builder.env("REELGATE__LADDER__PRESET", "ultrafast")).await?;
    proxied.site.start_gateway().await?;
    let alice = alice(&proxied.site);
    let file = upload(&alice, &source).await?;
    proxied.site.start_worker()?;
    made(&alice, &file).await?;
    let (size, ranges) = (source.metadata()?.len(), read_of_source(&proxied));
    let read: u64 = ranges.iter().map(|range| range.end - range.start).sum();
    let parts = chunks(&proxied.site).await?.len() as u64;
    ensure!(parts == 6 && size > 24 << 20, "{parts} parts of {size} bytes");
    // Its own job reads it once for images and sound, and the parts once together: their indexes and what lies near along.
    ensure!((size..size * 3).contains(&read), "{read} bytes of {size} were read");
    // A worker keeps the index from one part to the next. Alone it is asked for by its own job's two runs and by the first part.
    let index = index_of(&source)?;
    let alone = ranges.iter().filter(|range| range.contains(&(index.end - 1)) && range.end - range.start < size / 2);
    let alone = alone.count();
    ensure!((1..=4).contains(&alone), "the index was read {alone} times for {parts} parts");
    Ok(())
}

/// Where a worker can die between two steps that only films in parts have.
const CRASHES: [&str; 6] = ["split", "chunk-encoded", "stored", "chunk-stored", "chunk-finished", "assembled"];

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_at_any_step_leaves_a_whole_film_and_nothing_else() -> Result<()> {
    let folder = Folder::new("split-crash")?;
    let source = film(&folder, "film.mp4", &H264)?;
    let builder = in_parts(Site::builder(Footing::Production)).workers(0);
    let settings = [("LADDER__PRESET", "ultrafast"), ("SPLIT__MIN_SLOTS", "1"), ("SPLIT__CHUNK_SECONDS", "8")];
    let builder =
        settings.iter().fold(builder, |builder, (key, value)| builder.env(format!("REELGATE__{key}"), *value));
    let mut site = NO_GRACE.iter().fold(builder, |builder, (key, value)| builder.env(*key, *value)).start().await?;
    let alice = alice(&site);
    for point in CRASHES {
        let file = upload(&alice, &source).await?;
        site.set_env("REELGATE_CRASH_AT", point);
        site.start_worker()?;
        site.set_env("REELGATE_CRASH_AT", "");
        let worker = site.workers.last_mut().context("just started")?;
        eventually("it dies", PATIENCE, async || !worker.is_running()).await.context(point)?;
        ensure!(worker.output().contains(&format!("crashing at {point}")), "{point}: {}", worker.output());
        site.workers.clear();
        site.start_worker()?;
        made(&alice, &file).await.with_context(|| format!("{point}: {}", site.output()))?;
        let rung = download(&alice, &file, "240p", &folder).await?;
        ensure!(packets(&rung, "v:0", "pts")?.len() == PICTURES, "{point}: pictures are missing");
        let db = site.database().await?;
        let row = db.find_file(&OrgId::new("acme"), file.parse()?).await?.context("the file is gone")?;
        let clean = async || left_over(&site, &row).await.is_ok_and(|left| left.is_empty());
        eventually("nothing else is in the store", PATIENCE, clean).await.context(point)?;
        site.workers.clear();
    }
    Ok(())
}
