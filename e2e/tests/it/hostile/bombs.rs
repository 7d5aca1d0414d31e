//! The files: each a known attack, or a lie in an otherwise sound MP4.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use reelgate_e2e::process::Folder;

use super::{
    boxes::{borders, boxed, children, rewrite},
    watched::Watched,
};

pub(super) struct Bomb {
    pub(super) name: String,
    pub(super) claimed: &'static str,
    pub(super) bytes: Vec<u8>,
    /// How it may end; anything but a crash where that is empty.
    pub(super) codes: &'static [&'static str],
}

const NO_MEDIA: &[&str] = &["not_media"];
const STBL: [&str; 5] = ["moov", "trak", "mdia", "minf", "stbl"];

pub(super) fn all(folder: &Folder, watched: &Watched) -> Result<Vec<Bomb>> {
    let sound = clip(folder, &[])?;
    let mut bombs = playlists(watched)?;
    bombs.extend(references(&sound, watched)?);
    bombs.extend(lies(&sound));
    bombs.extend(clocks(&matroska(folder)?)?);
    bombs.extend(endless());
    bombs.extend(cut(&clip(folder, &["-movflags", "+faststart"])?));
    bombs.extend(flipped(&sound));
    Ok(bombs)
}

fn bomb(name: impl Into<String>, bytes: impl Into<Vec<u8>>, codes: &'static [&'static str]) -> Bomb {
    Bomb { name: name.into(), claimed: "video/mp4", bytes: bytes.into(), codes }
}

fn clip(folder: &Folder, more: &[&str]) -> Result<Vec<u8>> {
    let path = folder.path().join("sound.mp4");
    let out = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=64x64:rate=5:duration=1"])
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"])
        .args(more)
        .arg(&path)
        .status()
        .context("ffmpeg is missing")?;
    ensure!(out.success(), "ffmpeg could not make a clip");
    Ok(std::fs::read(path)?)
}

/// Texts that name files and addresses, under names that hide it.
fn playlists(watched: &Watched) -> Result<Vec<Bomb>> {
    let (canary, address) = (watched.canary().display().to_string(), watched.address()?);
    let media = |target: &str| {
        format!("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n")
    };
    let master = format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttp://{address}/a.m3u8\n");
    let mpd = format!(
        "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" \
         mediaPresentationDuration=\"PT10S\"><Period><AdaptationSet mimeType=\"video/mp4\"><Representation id=\"1\" \
         bandwidth=\"1\"><BaseURL>http://{address}/a.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>"
    );
    let sdp = format!(
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {} RTP/AVP 96\na=rtpmap:96 H264/90000\n",
        address.rsplit(':').next().unwrap_or("9")
    );
    Ok(vec![
        bomb("hls-file.mp4", media(&format!("file://{canary}")), NO_MEDIA),
        bomb("hls-path.mp4", media(&canary), NO_MEDIA),
        bomb("hls-http.mp4", media(&format!("http://{address}/a.ts")), NO_MEDIA),
        bomb("hls-concat.mp4", media(&format!("concat:http://{address}/a|file://{canary}")), NO_MEDIA),
        bomb("hls-itself.mp4", media("hls-itself.mp4"), NO_MEDIA),
        bomb("hls-master.mp4", master, NO_MEDIA),
        bomb("concat.mkv", format!("ffconcat version 1.0\nfile '{canary}'\nfile 'http://{address}/a'\n"), NO_MEDIA),
        bomb("dash.mp4", mpd, NO_MEDIA),
        bomb("session.mp4", sdp, NO_MEDIA),
    ])
}

/// Movies whose media is said to lie somewhere else.
fn references(sound: &[u8], watched: &Watched) -> Result<Vec<Bomb>> {
    let (canary, address) = (watched.canary().display().to_string(), watched.address()?);
    let elsewhere = |kind: &[u8; 4], target: &str| {
        let entry = boxed(kind, &[&[0; 4][..], target.as_bytes(), &[0]].concat());
        let table = [&[0, 0, 0, 0, 0, 0, 0, 1][..], &entry].concat();
        rewrite(sound, &["moov", "trak", "mdia", "minf", "dinf", "dref"], &move |_| table.clone())
    };
    Ok(vec![
        bomb("dref-url-file.mov", elsewhere(b"url ", &format!("file://{canary}")), &[]),
        bomb("dref-url-http.mov", elsewhere(b"url ", &format!("http://{address}/a")), &[]),
        bomb(
            "dref-alis.mov",
            rewrite(sound, &["moov", "trak", "mdia", "minf", "dinf", "dref"], &|_| alias(&canary)),
            &[],
        ),
    ])
}

/// A data reference as QuickTime's alias record with an absolute path.
fn alias(path: &str) -> Vec<u8> {
    let mut record = vec![0; 4 + 150];
    let name = b"canary";
    record[4 + 50] = u8::try_from(name.len()).unwrap_or(0);
    record[4 + 51..4 + 51 + name.len()].copy_from_slice(name);
    let length = u16::try_from(path.len()).unwrap_or(0).to_be_bytes();
    record.extend([&[0, 18][..], &length, path.as_bytes(), &vec![0; path.len() % 2], &[0xff, 0xff, 0, 0]].concat());
    [&[0, 0, 0, 0, 0, 0, 0, 1][..], &boxed(b"alis", &record)].concat()
}

/// One figure each is absurd.
fn lies(sound: &[u8]) -> Vec<Bomb> {
    let table =
        |name: &'static str, change: &dyn Fn(&[u8]) -> Vec<u8>| rewrite(sound, &[&STBL[..], &[name]].concat(), change);
    let put = |at: usize, value: &'static [u8]| {
        move |payload: &[u8]| {
            let mut payload = payload.to_vec();
            payload[at..at + value.len()].copy_from_slice(value);
            payload
        }
    };
    let billion = 1_000_000_000_u32.to_be_bytes();
    let frames = table("stts", &|_| [&[0, 0, 0, 0, 0, 0, 0, 1][..], &billion, &[0, 0, 0, 1]].concat());
    let frames =
        rewrite(&frames, &[&STBL[..], &["stsz"]].concat(), &|_| [&[0, 0, 0, 0, 0, 0, 0, 1][..], &billion].concat());
    let timescale = ["moov", "trak", "mdia", "mdhd"];
    let tracks = rewrite(sound, &["moov"], &|moov| {
        let track =
            children(moov).into_iter().find(|(kind, _)| *kind == b"trak").map(|(kind, track)| boxed(kind, track));
        [moov, &track.unwrap_or_default().repeat(9_999)].concat()
    });
    vec![
        bomb("pixels.mp4", table("stsd", &put(40, &[0xff; 4])), &["too_many_pixels"]),
        bomb("frames.mp4", frames, &["broken_media", "out_of_memory", "media_failed", "too_long", "task_stuck"]),
        bomb("tracks.mp4", tracks, &["broken_media", "media_failed", "not_media", "out_of_memory"]),
        bomb("timescale-0.mp4", rewrite(sound, &timescale, &put(12, &[0; 4])), &[]),
        bomb("timescale-1.mp4", rewrite(sound, &timescale, &put(12, &[0, 0, 0, 1])), &[]),
        bomb("timescale-max.mp4", rewrite(sound, &timescale, &put(12, &[0xff; 4])), &[]),
        bomb("duration-max.mp4", rewrite(sound, &timescale, &put(16, &[0xff, 0xff, 0xff, 0xfe])), &[]),
    ]
}

fn matroska(folder: &Folder) -> Result<Vec<u8>> {
    let (from, to) = (folder.path().join("sound.mp4"), folder.path().join("sound.mkv"));
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-y", "-i"]).arg(from).args(["-c", "copy"]);
    ensure!(ffmpeg.arg(&to).status()?.success(), "ffmpeg could not make a clip");
    Ok(std::fs::read(to)?)
}

/// Matroska whose clock ticks never, or once in 16 milliseconds, or a billion times a second.
fn clocks(sound: &[u8]) -> Result<Vec<Bomb>> {
    // TimestampScale, in nanoseconds: one millisecond.
    let usual = b"\x2a\xd7\xb1\x83\x0f\x42\x40";
    let at = sound.windows(usual.len()).position(|found| found == usual).context("no clock in it")? + 4;
    let ticking = |name: &str, scale: [u8; 3]| {
        let mut bytes = sound.to_vec();
        bytes[at..at + 3].copy_from_slice(&scale);
        bomb(name, bytes, &[])
    };
    Ok(vec![ticking("never.mkv", [0; 3]), ticking("slowly.mkv", [0xff; 3]), ticking("fast.mkv", [0, 0, 1])])
}

/// Input that goes on and on without saying anything.
fn endless() -> Vec<Bomb> {
    let null_packet = [&[0x47, 0x1f, 0xff, 0x10][..], &[0xff; 184]].concat();
    let mut wave =
        b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0\x01\0\0\0\x01\0\0\0\x01\0\x08\0data\xff\xff\xff\xff"
            .to_vec();
    wave.resize(400_000, 0x80);
    vec![
        bomb("null-packets.ts", null_packet.repeat(40_000), &["not_media", "broken_media", "media_failed"]),
        bomb("one-hertz.wav", wave, &["broken_media"]),
        bomb("zeros.mp4", vec![0; 4 << 20], &["not_media", "broken_media"]),
        // An open Matroska segment, an open cluster, and then zeros for ever.
        bomb(
            "cluster.mkv",
            [&b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\xff\x1f\x43\xb6\x75\xff"[..], &vec![0; 4 << 20]].concat(),
            &["not_media", "broken_media", "media_failed"],
        ),
    ]
}

/// Broken off wherever a box or its payload begins.
fn cut(sound: &[u8]) -> Vec<Bomb> {
    let at = borders(sound).into_iter().filter(|at| *at > 0);
    at.map(|at| bomb(format!("cut-{at}.mp4"), &sound[..at], &[])).collect()
}

/// Bits turned around in the index, by a fixed rule.
fn flipped(sound: &[u8]) -> Vec<Bomb> {
    let index = sound.windows(4).position(|word| word == b"moov").unwrap_or(0);
    let flip = |round: usize| {
        let mut bytes = sound.to_vec();
        let length = bytes.len() - index;
        for hit in 0..6 {
            bytes[index + (round * 7_919 + hit * 104_729) % length] ^= 1 << ((round + hit) % 8);
        }
        bomb(format!("flipped-{round}.mp4"), bytes, &[])
    };
    (0..16).map(flip).collect()
}
