//! RFC 6381 names of a movie's codecs, as a `codecs` parameter or an HLS `CODECS` attribute wants them.

use crate::{
    judge::{shown_video, sounding_audio},
    movie::Movie,
    sample_entry::{AudioEntry, Codec, SampleEntry},
};

/// The shown video track's codec, then those of the audio tracks, each once: `avc1.64001f,mp4a.40.2`. A codec whose
/// parameters this crate does not read is named by its sample entry alone.
#[must_use]
pub fn codecs(movie: &Movie) -> String {
    let mut names: Vec<String> = Vec::new();
    for track in shown_video(movie).into_iter().chain(sounding_audio(movie)) {
        let Some(name) = track.entries.first().map(name) else { continue };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(",")
}

fn name(entry: &SampleEntry) -> String {
    match &entry.codec {
        Codec::Video(video) => match &video.avc {
            Some(avc) => format!("{}.{:02x}{:02x}{:02x}", entry.format, avc.profile, avc.compatibility, avc.level),
            None => entry.format.to_string(),
        },
        Codec::Audio(audio) => audio_name(entry, audio),
        Codec::Other => entry.format.to_string(),
    }
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
