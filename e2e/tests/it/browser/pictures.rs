//! The first, the middle and the last picture of films of every kind, as the browser draws them, beside what ffmpeg's program shows
//! of the source at the same times: none black, the right way up, in the right colours.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use reelgate_e2e::{
    browser::Browser,
    client::{Client, Upload},
    oracle::{Grid, Seen, Wish, beside::quarters, clip},
    process::Folder,
    site::{Footing, Site},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::alice;

const PATIENCE: Duration = Duration::from_secs(300);
/// Of 255: what a quarter's mean colour may be away. The browser also brings the primaries of old television to those of the screen,
/// which the program leaves alone; a picture that is turned the wrong way is 200 away.
const TOLERANCE: f64 = 32.0;
/// A quarter that differs so much from its neighbour tells which way is up.
const TELLING: f64 = 20.0;

/// Real files: phones, HDR, ten bits, odd sizes, wide pixels, fields, variable rates.
const REAL: [&str; 9] = [
    "iphone_hlg10_hevc_rot_editlist.mp4",
    "iphone_ios9_rot90.mov",
    "hdr10_av1_portrait.mp4",
    "h264_10bit.mp4",
    "odd_161x121_vp9.webm",
    "moov_at_end_480p_10s.mp4",
    "interlaced_576i_mpeg2_broadcast.ts",
    "vfr_screenrec_3026x1386.mp4",
    "cam_phone_portrait_1080x1916_12s.ts",
];

#[derive(Debug, Deserialize)]
struct Shown {
    width: f64,
    height: f64,
    duration: f64,
    pictures: Vec<Picture>,
}

#[derive(Debug, Deserialize)]
struct Picture {
    time: f64,
    colors: Vec<u8>,
}

/// Four quarters that are never the same again, whatever way a picture is turned or mirrored; they darken with time.
fn quartered(size: &str, rate: u32) -> String {
    let (width, height) = size.split_once('x').unwrap();
    format!(
        "color=black:size={size}:rate={rate}:duration=2,format=gbrp,geq=\
         r='(255-40*T)*(lt(X,{width}/2)*lt(Y,{height}/2)+gte(X,{width}/2)*gte(Y,{height}/2))':\
         g='(230-40*T)*(gte(X,{width}/2))':b='(240-40*T)*(gte(Y,{height}/2))'"
    )
}

/// What cameras and editors make and the corpus has not.
fn generated(folder: &Path) -> Result<Vec<PathBuf>> {
    let x264 = ["-c:v", "libx264", "-preset", "ultrafast"];
    let plain = ["-vf", "scale=out_color_matrix=bt709,format=yuv420p", "-colorspace", "bt709"];
    let tagged = [&plain[..], &["-color_primaries", "bt709", "-color_trc", "bt709"], &x264].concat();
    let film = |size: &str, rate: u32| ["-f".to_owned(), "lavfi".to_owned(), "-i".to_owned(), quartered(size, rate)];
    let make = |name: &str, input: &[String], codec: &[&str]| {
        let arguments: Vec<&str> = input.iter().map(String::as_str).chain(codec.iter().copied()).collect();
        clip(folder, name, &arguments)
    };
    let upright = make("upright.mp4", &film("320x180", 25), &tagged)?;
    let turned = |name: &str, degrees: &str| {
        let rotate = format!("rotate={degrees}");
        clip(folder, name, &["-i", &upright.to_string_lossy(), "-c", "copy", "-metadata:s:v", &rotate])
    };
    let mirrored = turned("mirrored.mp4", "0")?;
    mirror(&mirrored)?;
    Ok(vec![
        turned("turned90.mp4", "90")?,
        turned("turned180.mov", "180")?,
        turned("turned270.mp4", "270")?,
        mirrored,
        make("prores.mov", &film("322x182", 25), &["-c:v", "prores_ks", "-pix_fmt", "yuv422p10le"])?,
        make("full.mov", &film("640x360", 25), &["-c:v", "mjpeg", "-pix_fmt", "yuvj422p", "-q:v", "2"])?,
        make(
            "fields.mpg",
            &film("720x576", 50),
            &["-vf", "interlace,setsar=16/15", "-c:v", "mpeg2video", "-flags", "+ildct+ilme"],
        )?,
        make("still.mkv", &film("318x178", 25), &["-frames:v", "1", "-c:v", "ffv1"])?,
    ])
}

/// Writes a matrix that mirrors into the track of an MP4 whose index lies behind its media.
fn mirror(path: &Path) -> Result<()> {
    let mut bytes = std::fs::read(path)?;
    let at = bytes.windows(4).position(|kind| kind == b"tkhd").context("tkhd")?;
    // Version, flags and 36 bytes of times, layer and volume; then nine numbers of 16.16.
    let matrix = at + 4 + 40;
    bytes[matrix..matrix + 4].copy_from_slice(&(-0x1_0000_i32).to_be_bytes());
    let width = 320_i32 << 16;
    bytes[matrix + 24..matrix + 28].copy_from_slice(&width.to_be_bytes());
    std::fs::write(path, bytes)?;
    Ok(())
}

/// What is wrong with what was drawn.
fn complaints(source: &Seen, shown: &Shown, media: &Value, telling: bool) -> Vec<String> {
    let mut found = Vec::new();
    let size = |side: &str| media["video"][side].as_f64().unwrap_or(1.0);
    let aspect = shown.width / shown.height / (size("width") / size("height"));
    if (aspect - 1.0).abs() > 0.03 {
        found.push(format!("drawn {} by {}", shown.width, shown.height));
    }
    for picture in &shown.pictures {
        let number = nearest(source, picture.time);
        let (before, after) =
            (quarters(&source.grids[number]), quarters(&Grid::try_from(&picture.colors[..]).unwrap()));
        let apart = before.iter().flatten().zip(after.iter().flatten()).map(|(one, other)| (one - other).abs());
        let apart = apart.fold(0.0, f64::max);
        if apart > TOLERANCE {
            found.push(format!("at {} s a quarter is {apart:.1} apart: {after:.0?} of {before:.0?}", picture.time));
        }
        let light = |of: &[[f64; 3]; 4]| of.iter().flatten().copied().fold(0.0, f64::max);
        if light(&after) < 20.0 && light(&before) > 30.0 {
            found.push(format!("black at {} s", picture.time));
        }
        let spread = (0..3)
            .map(|color| (before[0][color] - before[3][color]).abs() + (before[1][color] - before[2][color]).abs());
        if telling && spread.fold(0.0, f64::max) < TELLING {
            found.push("nothing in it tells which way is up".to_owned());
        }
    }
    found
}

/// The picture that the source shows then.
fn nearest(source: &Seen, time: f64) -> usize {
    let after = |seconds: f64| (seconds - source.begin() - time).abs();
    let times = source.seconds.iter().map(|seconds| after(*seconds)).enumerate();
    times.min_by(|one, other| one.1.total_cmp(&other.1)).map_or(0, |(number, _)| number)
}

/// First, middle and last picture of the highest rung.
async fn drawn(client: &Client, browser: &Browser, path: &Path) -> Result<Vec<String>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let id = client.upload_one(Upload::file(&name, "application/octet-stream", path)).await?;
    let info = client.wait_settled(&id, PATIENCE).await?;
    ensure!(info["state"] == "ready", "{info}");
    let media = &info["media"];
    let source = Seen::of(&path.to_string_lossy(), &Wish { audio: None, ..Wish::of_source(path, media) })?;
    let token = client.stream_token(&json!({})).await?;
    let url = format!("{}/v1/files/stream/{id}?token={token}", client.base());
    let first = begins(client, &url).await?;
    let [begin, end] = [source.begin(), *source.seconds.last().context("no picture")?];
    let times = [0.0, (end - begin) / 2.0, end - begin].map(|time| time + first + 0.002);
    let stage = browser.stage().await?;
    let shown = stage.page.evaluate(&format!("frames.look({}, {})", json!(url), json!(times))).await;
    let shown: Shown = serde_json::from_value(shown.with_context(|| stage.page.log())?)?;
    ensure!(shown.pictures.len() == 3 && shown.duration > 0.0, "{shown:?}");
    let telling = path.parent().is_some_and(|folder| folder.join("upright.mp4").exists());
    // Back onto the clock of the source, whose first picture may not lie at zero.
    let mut shown = shown;
    shown.pictures.iter_mut().for_each(|picture| picture.time -= first);
    Ok(complaints(&source, &shown, media, telling))
}

/// When the first picture is shown by what the browser gets; sound may begin before it.
async fn begins(client: &Client, url: &str) -> Result<f64> {
    let folder = Folder::new("pictures")?;
    let path = folder.path().join("default.mp4");
    let answer = client.get(url.strip_prefix(client.base()).unwrap_or(url)).await?.expect(200)?;
    std::fs::write(&path, &answer.body)?;
    let packets =
        reelgate_e2e::oracle::ffprobe(&path, &["-select_streams", "v:0", "-show_entries", "packet=pts_time,flags"])?;
    let shown = packets["packets"].as_array().cloned().unwrap_or_default();
    let times = shown.iter().filter(|packet| !packet["flags"].as_str().unwrap_or("").contains('D'));
    let times = times.filter_map(|packet| packet["pts_time"].as_str()?.parse::<f64>().ok());
    Ok(times.fold(f64::MAX, f64::min).max(0.0))
}

async fn all_are_drawn(paths: &[PathBuf]) -> Result<()> {
    let site = Site::start(Footing::Embedded).await?;
    let client = alice(&site);
    let browser = Browser::start().await?;
    let mut wrong = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let found = drawn(&client, &browser, path).await.with_context(|| name.clone())?;
        wrong.extend(found.into_iter().map(|complaint| format!("{name}: {complaint}")));
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn first_middle_and_last_picture_of_every_kind_are_drawn_upright() -> Result<()> {
    let folder = Folder::new("pictures")?;
    all_are_drawn(&generated(folder.path())?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn first_middle_and_last_picture_of_real_files_are_drawn_upright() -> Result<()> {
    let Some(corpus) = std::env::var_os("REELGATE_CORPUS").map(PathBuf::from) else {
        println!("REELGATE_CORPUS is not set: pictures of real files are not drawn in the browser");
        return Ok(());
    };
    all_are_drawn(&REAL.map(|name| corpus.join(name))).await
}
