//! What becomes of the audio tracks: AAC-LC of one or two channels, encoded once.

use reelgate_common::media_info::{AudioInfo, MediaInfo};

use super::{AudioStep, Choice, LadderPolicy, SoundStep, chosen_audio};

/// The steps, the default track first.
pub(super) fn steps(media: &MediaInfo, policy: &LadderPolicy, reasons: &mut Vec<Choice>) -> Vec<AudioStep> {
    let Some(track) = chosen_audio(media) else { return Vec::new() };
    let why = if media.video.is_some() { "every rung gets the same" } else { "the source has audio and no video" };
    reasons.push(Choice::new("audio", why));
    vec![step(track, media.video.is_none(), policy)]
}

fn step(track: &AudioInfo, alone: bool, policy: &LadderPolicy) -> AudioStep {
    let channels = track.channels.clamp(1, 2);
    // The policy's figure is for two channels.
    let bitrate = if channels == 1 { policy.audio_bitrate / 2 } else { policy.audio_bitrate };
    AudioStep {
        stream: track.stream,
        name: "audio".to_owned(),
        language: track.language.clone(),
        default: true,
        alone,
        channels,
        step: SoundStep::Encode { bitrate },
        loudness: false,
    }
}
