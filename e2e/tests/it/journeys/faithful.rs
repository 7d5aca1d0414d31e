//! Each rendition of the corpus beside its source, as ffmpeg's program decodes both: pictures, their times and colours, and the
//! sound beside them. A source is looked at once, for both footings.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, LazyLock, Mutex, OnceLock},
};

use anyhow::{Context, Result};
use reelgate_e2e::oracle::{
    Seen, Wish,
    beside::{self, Leave},
};
use serde_json::Value;

/// Of a longer film only its beginning is compared; all of it is still decoded.
const WHOLE_MS: u64 = 60_000;
const BEGINNING: u32 = 12;

/// Where the program cannot tell, and why.
const CANNOT_TELL: [(&str, Leave, &str); 1] = [(
    "two_video_two_audio_movtext.mp4",
    Leave { times: true, colors: true, sound: false },
    "served as it is, with both of its films: the program shows the first, the product means the default one",
)];

/// Files whose sound marks no time at one place at least, so that nothing says whether it is in its place there: silence, steady
/// noise, or less than half a second.
const NO_MARK_IN_SOUND: [&str; 12] = [
    "attached_pic.mp4",
    "chapters_h264_444.mkv",
    "film_earth_720p_30s.mov",
    "flv_bbb.flv",
    "fragmented_with_audio.mp4",
    "iphone_ios9_rot90.mov",
    "long_6min_1080p_lowbitrate.mp4",
    "no_duration.webm",
    "phone_4k60_portrait.mp4",
    "phone_hevc_metadata_track.mp4",
    "subs_pgs.mkv",
    "subs_srt.mkv",
];

type Look = Arc<OnceLock<Seen>>;
static SOURCES: LazyLock<Mutex<HashMap<PathBuf, Look>>> = LazyLock::new(Mutex::default);

/// What is wrong with a rendition, `name`, that lies at `path`.
pub(super) fn complaints(original: &Path, path: &Path, name: &str, media: &Value) -> Result<Vec<String>> {
    let file = original.file_name().unwrap_or_default().to_string_lossy();
    let at_most = (media["duration_ms"].as_u64().unwrap_or(0) > WHOLE_MS).then_some(BEGINNING);
    let encoded = name != "source";
    // Our own encodings must be flawless. An upload that is served as it is may carry flaws of its own.
    let seen = Seen::of(&path.to_string_lossy(), &Wish { at_most, flawless: encoded, ..Wish::of_output(path)? })?;
    let mut found = Vec::new();
    if encoded && !seen.said.is_empty() {
        found.push(format!("does not decode: {}", seen.said));
    }
    if encoded && at_most.is_some() {
        found.extend(undecodable(path)?);
    }
    if encoded && !seen.grids.is_empty() {
        found.extend(beside::tags(path, media)?);
    }
    let leave = CANNOT_TELL.iter().find(|(known, ..)| *known == file).map_or(Leave::default(), |(_, leave, _)| *leave);
    let source = look(original, media, at_most)?;
    let source = source.get().context("was looked at")?;
    if !leave.sound && source.sound.is_some() && beside::sound_tells(source) == NO_MARK_IN_SOUND.contains(&&*file) {
        found.push("the list of sounds that mark no time is not right any more".to_owned());
    }
    found.extend(beside::complaints(source, &seen, media, leave));
    Ok(found)
}

fn look(original: &Path, media: &Value, at_most: Option<u32>) -> Result<Look> {
    let look = SOURCES.lock().unwrap().entry(original.to_owned()).or_default().clone();
    if look.get().is_none() {
        // Two at once may both look: they see the same.
        let seen = Seen::of(&original.to_string_lossy(), &Wish { at_most, ..Wish::of_source(original, media) })?;
        look.set(seen).ok();
    }
    Ok(look)
}

fn undecodable(path: &Path) -> Result<Option<String>> {
    let decoded = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-xerror", "-i"])
        .arg(path)
        .args(["-vsync", "passthrough", "-enc_time_base", "-1", "-f", "null", "-"])
        .output()?;
    let words = String::from_utf8_lossy(&decoded.stderr);
    Ok((!decoded.status.success() || !words.is_empty()).then(|| format!("does not decode: {words}")))
}
