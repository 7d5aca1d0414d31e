//! What becomes of the audio tracks: AAC-LC of one or two channels, made once and the same in every rung.

use reelgate_common::media_info::{AudioInfo, MediaInfo};
use serde::{Deserialize, Serialize};

use super::{AudioStep, Choice, LadderPolicy, Plan, SoundStep, chosen_audio};

/// Why packets of sound cannot be taken as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SoundFlaw {
    /// It does not begin with the film.
    Late,
    Gap,
    /// It changes, is damaged, or its times go back.
    Broken,
    Empty,
}

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

impl SoundStep {
    /// What an open question about it comes to.
    pub(crate) fn settled(self, copied: bool) -> Self {
        match self {
            Self::CopyIfSteady { .. } if copied => Self::Copy,
            Self::CopyIfSteady { bitrate } => Self::Encode { bitrate },
            settled => settled,
        }
    }
}

impl Plan {
    /// Writes down what became of sound that was to be copied if it goes on without a gap, and why.
    pub(crate) fn settle(&mut self, audio: &str, flaw: Option<SoundFlaw>) {
        let open = |step: &&mut AudioStep| step.name == audio && matches!(step.step, SoundStep::CopyIfSteady { .. });
        let Some(step) = self.audio.iter_mut().find(open) else { return };
        step.step = step.step.settled(flaw.is_none());
        let what = if flaw.is_none() { "copied" } else { "not copied but encoded" };
        self.explain(format!("{audio} is {what}"), flaw.map_or(STEADY, why_encoded));
    }

    /// Takes what `earlier`, the same file's plan of an earlier attempt, came to: what is published was made by that.
    pub(crate) fn settle_as(&mut self, earlier: &Self) {
        for step in &mut self.audio {
            let before = earlier.audio.iter().find(|before| (before.stream, &before.name) == (step.stream, &step.name));
            let settled =
                before.filter(|before| [true, false].map(|copied| step.step.settled(copied)).contains(&before.step));
            if let Some(before) = settled.filter(|before| before.step != step.step) {
                step.step = before.step;
                let name = format!("{} is ", step.name);
                self.reasons.extend(earlier.reasons.iter().filter(|choice| choice.what.starts_with(&name)).cloned());
            }
        }
    }
}

const STEADY: &str = "it begins with the film and goes on without a gap";

fn why_encoded(flaw: SoundFlaw) -> &'static str {
    match flaw {
        SoundFlaw::Late => "it does not begin with the film",
        SoundFlaw::Gap => "it has a gap",
        SoundFlaw::Broken => "it changes, is damaged, or its times go back",
        SoundFlaw::Empty => "it has no packets",
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
    use reelgate_common::{grid::SegmentGrid, media_info::VideoInfo};

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
    fn what_only_packets_could_tell_is_written_down_and_stays() {
        let policy = LadderPolicy::default();
        let mut media = media(&[("eng", true), ("deu", false)]);
        media.audio.iter_mut().for_each(|track| (track.copyable, track.channels) = (true, 2));
        let fresh = super::super::plan(&media, SegmentGrid::Regular { period_ms: 2_000 }, &policy);
        let mut settled = fresh.clone();
        settled.settle("audio", None);
        settled.settle("audio-2", Some(SoundFlaw::Gap));
        let steps = |plan: &Plan| plan.audio.iter().map(|step| step.step).collect::<Vec<_>>();
        assert_eq!(steps(&settled), [SoundStep::Copy, SoundStep::Encode { bitrate: policy.audio_bitrate }]);
        let last: Vec<_> =
            settled.reasons[fresh.reasons.len()..].iter().map(|choice| (&*choice.what, &*choice.why)).collect();
        assert_eq!(last, [("audio is copied", STEADY), ("audio-2 is not copied but encoded", "it has a gap")]);
        settled.settle("audio", Some(SoundFlaw::Late));
        assert_eq!(settled.audio[0].step, SoundStep::Copy, "it is settled");
        let mut again = fresh.clone();
        again.settle_as(&settled);
        assert_eq!(again, settled);
        again.settle_as(&fresh);
        assert_eq!(again, settled, "what was open before says nothing");
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
