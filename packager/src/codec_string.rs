//! RFC 6381 names of a movie's codecs, as a `codecs` parameter or an HLS `CODECS` attribute wants them.

use crate::{
    fourcc::FourCc,
    judge::{shown_video, sounding_audio},
    movie::Movie,
    sample_entry::{AudioEntry, Codec, SampleEntry, VideoEntry},
};

/// The shown video track's codec, then those of the audio tracks, each once: `avc1.64001f,mp4a.40.2`. A codec whose
/// parameters this crate does not read is named by its sample entry alone.
#[must_use]
pub fn codecs(movie: &Movie) -> String {
    let mut names: Vec<String> = Vec::new();
    for track in shown_video(movie).into_iter().chain(sounding_audio(movie)) {
        let Some(name) = track.entries.first().map(entry_name) else { continue };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(",")
}

/// The RFC 6381 name of one entry.
pub(crate) fn entry_name(entry: &SampleEntry) -> String {
    match &entry.codec {
        Codec::Video(video) => video_name(entry.format, video).unwrap_or_else(|| entry.format.to_string()),
        Codec::Audio(audio) => audio_name(entry, audio),
        Codec::Other => entry.format.to_string(),
    }
}

fn video_name(format: FourCc, video: &VideoEntry) -> Option<String> {
    match (&format.0, &video.avc, &video.config) {
        (_, Some(avc), _) => Some(format!("{format}.{:02x}{:02x}{:02x}", avc.profile, avc.compatibility, avc.level)),
        (b"hvc1" | b"hev1", _, Some((FourCc([b'h', b'v', b'c', b'C']), hvcc))) => hevc_name(format, hvcc),
        (b"av01", _, Some((FourCc([b'a', b'v', b'1', b'C']), av1c))) => av1_name(av1c),
        _ => None,
    }
}

/// ISO/IEC 14496-15, annex E: profile, reversed compatibility flags, tier and level, constraint bytes without trailing zeros.
fn hevc_name(format: FourCc, hvcc: &[u8]) -> Option<String> {
    let [_, general, c0, c1, c2, c3, constraints @ ..] = hvcc.first_chunk::<12>()?;
    let level = hvcc.get(12)?;
    let space = ["", "A", "B", "C"].get(usize::from(general >> 6))?;
    let tier = if general & 0x20 == 0 { 'L' } else { 'H' };
    let compatibility = u32::from_be_bytes([*c0, *c1, *c2, *c3]).reverse_bits();
    let mut name = format!("{format}.{space}{}.{compatibility:X}.{tier}{level}", general & 31);
    let used = constraints.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    name.extend(constraints.iter().take(used).map(|byte| format!(".{byte:X}")));
    Some(name)
}

/// The AV1 binding's section 5 without what is optional: profile, level and tier, bit depth.
fn av1_name(av1c: &[u8]) -> Option<String> {
    let [_, profile, flags] = av1c.first_chunk::<3>()?;
    let tier = if flags & 0x80 == 0 { 'M' } else { 'H' };
    let depth = match (flags & 0x40 != 0, flags & 0x20 != 0) {
        (false, _) => 8,
        (true, false) => 10,
        (true, true) => 12,
    };
    Some(format!("av01.{}.{:02}{tier}.{depth:02}", profile >> 5, profile & 31))
}

fn audio_name(entry: &SampleEntry, audio: &AudioEntry) -> String {
    match (&entry.format.0, audio.object_type, &audio.aac) {
        (b".mp3", ..) => "mp4a.6B".to_owned(),
        (_, Some(0x40), Some(aac)) => format!("mp4a.40.{}", aac.object_type),
        (_, Some(object_type), _) => format!("mp4a.{object_type:02X}"),
        (b"Opus", ..) => "opus".to_owned(),
        (b"fLaC", ..) => "flac".to_owned(),
        _ => entry.format.to_string(),
    }
}
