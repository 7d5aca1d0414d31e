//! What becomes of the audio tracks: AAC-LC of one or two channels, made once and the same in every rung.

use reelgate_common::media_info::{AudioInfo, MediaInfo};

use super::{AudioStep, Choice, LadderPolicy, SoundStep, chosen_audio};

/// A disc has eight languages at most; more are somebody's test.
const MOST_TRACKS: usize = 8;

/// The steps, the default track first. `remuxed`: the film's top rung is copied, which proves the times of its sound.
pub(super) fn steps(
    media: &MediaInfo,
    policy: &LadderPolicy,
    remuxed: bool,
    reasons: &mut Vec<Choice>,
) -> Vec<AudioStep> {
    let Some(chosen) = chosen_audio(media) else { return Vec::new() };
    let (sound, why) = sound_step(media, chosen, policy, remuxed);
    reasons.push(Choice::new("audio", why));
    let first = step(chosen, "audio".to_owned(), media.video.is_none(), sound, policy);
    let further = further(media, chosen, reasons).enumerate().map(|(number, track)| AudioStep {
        default: false,
        ..step(track, format!("audio-{}", number + 2), true, sound_step(media, track, policy, false).0, policy)
    });
    std::iter::once(first).chain(further).collect()
}

/// The tracks beside the default one, each of which becomes a rendition of its own.
fn further<'a>(
    media: &'a MediaInfo,
    chosen: &AudioInfo,
    reasons: &mut Vec<Choice>,
) -> impl Iterator<Item = &'a AudioInfo> + use<'a> {
    let others = media.audio.iter().filter(|track| track.stream != chosen.stream).count();
    let why = match others {
        0 => None,
        _ if media.segment_safe => Some(("no further audio", "players choose from the source's own tracks")),
        _ => Some(("further audio", "each further track is a rendition of its own, to be chosen by language")),
    };
    reasons.extend(why.map(|(what, why)| Choice::new(what, why)));
    let most = if media.segment_safe { 0 } else { MOST_TRACKS - 1 };
    let chosen = chosen.stream;
    media.audio.iter().filter(move |track| track.stream != chosen).take(most)
}

fn sound_step(media: &MediaInfo, track: &AudioInfo, policy: &LadderPolicy, proven: bool) -> (SoundStep, String) {
    // The policy's figure is for two channels.
    let bitrate = if track.channels == 1 { policy.audio_bitrate / 2 } else { policy.audio_bitrate };
    let encode = SoundStep::Encode { bitrate };
    let indexed = media.container == "mov" && media.moov_in_front.is_some();
    match track.copyable {
        _ if policy.loudness != 0 => (encode, "encoded, for its loudness is changed".to_owned()),
        true if indexed || proven => (SoundStep::Copy, "copied, for it is AAC-LC already".to_owned()),
        true => {
            let why = format!("copied if it goes on without a gap, which {} tells only to its end", media.container);
            (SoundStep::CopyIfSteady { bitrate }, why)
        }
        false => {
            (encode, format!("encoded, for every browser plays AAC-LC of two channels, and this is {}", named(track)))
        }
    }
}

fn named(track: &AudioInfo) -> String {
    let AudioInfo { codec, profile_name, channels, .. } = track;
    let profile = profile_name.as_ref().map_or_else(String::new, |name| format!(" ({name})"));
    format!("{codec}{profile} of {channels}")
}

fn step(track: &AudioInfo, name: String, alone: bool, step: SoundStep, policy: &LadderPolicy) -> AudioStep {
    AudioStep {
        stream: track.stream,
        name,
        language: track.language.clone(),
        default: true,
        alone,
        channels: track.channels.clamp(1, 2),
        step,
        loudness: (policy.loudness != 0).then_some(policy.loudness),
    }
}

#[cfg(test)]
mod tests {
    use reelgate_common::media_info::VideoInfo;

    use super::*;

    fn media(languages: &[(&str, bool)]) -> MediaInfo {
        let track = |(stream, (language, default)): (usize, &(&str, bool))| AudioInfo {
            stream: u32::try_from(stream).unwrap() + 1,
            channels: 6,
            language: Some((*language).to_owned()),
            default: *default,
            ..AudioInfo::default()
        };
        let audio = languages.iter().enumerate().map(track).collect();
        MediaInfo { video: Some(VideoInfo::default()), audio, ..MediaInfo::default() }
    }

    fn planned(media: &MediaInfo) -> Vec<(String, String, bool, bool)> {
        let steps = steps(media, &LadderPolicy::default(), false, &mut Vec::new());
        steps.into_iter().map(|s| (s.name, s.language.unwrap_or_default(), s.default, s.alone)).collect()
    }

    #[test]
    fn the_default_track_goes_into_the_rungs_and_the_others_stand_alone() {
        let named = |name: &str, language: &str, default, alone| (name.to_owned(), language.to_owned(), default, alone);
        let expected = [
            named("audio", "deu", true, false),
            named("audio-2", "eng", false, true),
            named("audio-3", "fra", false, true),
        ];
        let mut media = media(&[("eng", false), ("deu", true), ("fra", false)]);
        assert_eq!(planned(&media), expected);
        media.segment_safe = true;
        assert_eq!(planned(&media), expected[..1], "the source offers them itself");
    }

    #[test]
    fn dozens_of_tracks_are_not_all_made() {
        assert_eq!(planned(&media(&[("eng", false); 30])).len(), MOST_TRACKS);
        assert!(planned(&media(&[])).is_empty());
    }

    #[test]
    fn loudness_is_moved_only_where_the_policy_says_where_to() {
        let of = |loudness| {
            let policy = LadderPolicy { loudness, ..LadderPolicy::default() };
            steps(&media(&[("eng", true)]), &policy, false, &mut Vec::new())[0].loudness
        };
        assert_eq!((of(0), of(-16)), (None, Some(-16)));
    }
}
