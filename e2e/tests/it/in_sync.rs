//! Films that flash and beep at the same moments, in the shapes in which sound slips away from its picture: priming, edit
//! lists, late sound, foreign clocks, uneven pictures. Over HTTP the two must still be together, in the plain files as in HLS
//! and DASH, at the start, in the middle and at the end.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use reelgate_e2e::{
    client::{Client, Upload},
    oracle::{Seen, Wish, clip},
    process::Folder,
    sign_in::SignIn,
    site::{Footing, Site},
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(300);
/// Seconds that a flash and its beep may be apart.
const APART: f64 = 0.02;
const LOUD: f64 = 4_000.0;
const BRIGHT: f64 = 128.0;

/// White for a tenth of a second at 1, 3 and 5 s.
const FLASH: &str =
    "color=black:size=320x180:rate=50:duration=6,drawbox=color=white:t=fill:enable='lt(mod(t+1.001,2),0.1)'";
/// Pictures at 50 a second, at 10, and with a pause.
const UNEVEN: &str = "select='not(between(n,160,199))*(lt(n,100)+not(mod(n,5)))'";
const H264: &str = "-c:v libx264 -preset veryfast -pix_fmt yuv420p -g 100";

/// Name, the sample rate of the beeps, how much later than the film their track begins, and codecs; all of them flash and beep
/// three times.
const CLIPS: [(&str, u32, f64, &str); 6] = [
    // Served as it is: pictures that are reordered and the priming of AAC, both hidden by edit lists.
    ("plain.mp4", 44_100, 0.0, "-c:a aac -ac 2"),
    // An empty edit says that the sound begins late.
    ("late.mp4", 48_000, 0.5, "-c:a aac -ac 2"),
    ("late.mkv", 44_100, 0.5, "-c:a flac"),
    // Begins with 25 ms that are nobody's: the encoder's own.
    ("primed.mkv", 44_100, 0.0, "-c:a libmp3lame"),
    ("broadcast.ts", 48_000, 0.0, "-c:a mp2"),
    ("uneven.mkv", 44_100, 0.0, "-c:a libopus -ar 48000 -vsync vfr"),
];

/// A film, and how often it flashes and beeps.
type Clip = (PathBuf, usize);

/// Made once, for both footings.
fn clips() -> &'static [Clip] {
    static MADE: OnceLock<(Folder, Vec<Clip>)> = OnceLock::new();
    let (_, made) = MADE.get_or_init(|| {
        let folder = Folder::new("in-sync").unwrap();
        let mut made: Vec<Clip> = CLIPS.iter().map(|one| (make(folder.path(), one).unwrap(), 3)).collect();
        made.push((cut(folder.path(), &made[0].0).unwrap(), 2));
        (folder, made)
    });
    made
}

fn make(folder: &Path, (name, rate, late, codecs): &(&str, u32, f64, &str)) -> Result<PathBuf> {
    let beeps = format!("aevalsrc='if(lt(mod(t+1+{late},2),0.1),0.8*sin(2*PI*1000*t),0)':s={rate}:d={}", 6.0 - late);
    let late = late.to_string();
    let mut arguments = vec!["-f", "lavfi", "-i", FLASH, "-itsoffset", &late, "-f", "lavfi", "-i", &beeps];
    arguments.extend(H264.split(' '));
    arguments.extend(codecs.split(' '));
    if codecs.contains("vfr") {
        arguments.extend(["-vf", UNEVEN]);
    }
    clip(folder, name, &arguments)
}

/// Copied from between two key frames, so that edits hide what comes before.
fn cut(folder: &Path, whole: &Path) -> Result<PathBuf> {
    clip(folder, "cut.mp4", &["-ss", "1.7", "-i", whole.to_str().context("its name")?, "-c", "copy"])
}

#[tokio::test(flavor = "multi_thread")]
async fn flash_and_beep_stay_together_embedded() -> Result<()> {
    in_sync(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn flash_and_beep_stay_together_in_production() -> Result<()> {
    in_sync(Footing::Production).await
}

async fn in_sync(footing: Footing) -> Result<()> {
    let clips = tokio::task::spawn_blocking(clips).await?;
    let quick = [("PRESET", "superfast"), ("RUNGS", "144"), ("STORYBOARD", "false"), ("PREVIEW", "false")];
    let builder = quick
        .into_iter()
        .fold(Site::builder(footing), |builder, (key, value)| builder.env(format!("REELGATE__LADDER__{key}"), value));
    let (site, folder) = (builder.start().await?, Folder::new("in-sync-out")?);
    let alice = site.client().signed_in(SignIn::member("alice", "acme").jwt());
    let mut ids = Vec::new();
    for (clip, _) in clips {
        ids.push(alice.upload_one(Upload::file(named(clip), "application/octet-stream", clip)).await?);
    }
    for ((clip, count), id) in clips.iter().zip(&ids) {
        let info = alice.wait_settled(id, PATIENCE).await?;
        ensure!(info["state"] == "ready", "{}: {info:#}\n{}", named(clip), site.output());
        for place in places(&alice, id, &info, folder.path()).await? {
            let what = format!("{} as {}", named(clip), place.display());
            let count = *count;
            tokio::task::spawn_blocking(move || together(&place, count)).await?.context(what)?;
        }
    }
    Ok(())
}

fn named(clip: &Path) -> String {
    clip.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Everything that plays: each plain file, and the addresses of HLS and DASH.
async fn places(client: &Client, id: &str, info: &Value, folder: &Path) -> Result<Vec<PathBuf>> {
    let token = client.stream_token(&json!({})).await?;
    let root = format!("/v1/files/stream/{id}");
    let mut places = Vec::new();
    for rendition in info["renditions"].as_array().context("renditions")?.iter().filter(|one| one["kind"] == "video") {
        let name = rendition["name"].as_str().context("name")?;
        // The playable view of a source is what one gets without asking for another.
        let wish = if name == "source" { String::new() } else { format!("&rendition={name}") };
        let answer = client.get(&format!("{root}?token={token}{wish}")).await?.expect(200)?;
        let path = folder.join(format!("{id}-{name}.mp4"));
        std::fs::write(&path, &answer.body)?;
        places.push(path);
    }
    ensure!(!places.is_empty(), "nothing plays: {info:#}");
    let below = |document| PathBuf::from(format!("{}{root}/{document}?token={token}", client.base()));
    places.extend(["master.m3u8", "manifest.mpd"].map(below));
    Ok(places)
}

/// Each flash has its beep.
fn together(place: &Path, count: usize) -> Result<()> {
    let seen = Seen::of(&place.to_string_lossy(), &Wish::of_output(place)?)?;
    let (flashes, sound) = (flashes(&seen), seen.sound.context("no sound")?);
    let beeps = sound.beeps(LOUD);
    ensure!((flashes.len(), beeps.len()) == (count, count), "{flashes:?} and {beeps:?}\n{}", seen.said);
    for (flash, beep) in flashes.iter().zip(&beeps) {
        ensure!((flash - beep).abs() < APART, "a flash at {flash} s and its beep at {beep} s");
    }
    Ok(())
}

/// When it becomes bright.
fn flashes(seen: &Seen) -> Vec<f64> {
    let bright = seen.grids.iter().map(|grid| {
        let sum: f64 = grid.iter().map(|value| f64::from(*value)).sum();
        sum / grid.len() as f64 > BRIGHT
    });
    let mut dark = true;
    let rises = bright.zip(&seen.seconds).filter(|(bright, _)| {
        let rises = *bright && dark;
        dark = !bright;
        rises
    });
    rises.map(|(_, time)| *time).collect()
}
