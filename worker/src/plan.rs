//! What to make of a source: a pure function of the probe and the policy. Each choice carries its reason; the plan is
//! stored with the job as it is.

mod audio;
mod earned;
pub(crate) mod extras;
mod ladder;
mod policy;
pub mod quality;
mod rate;
pub mod split;

use std::str::FromStr;

use reelgate_common::{
    grid::SegmentGrid,
    media_info::{AudioInfo, MediaInfo},
};
use serde::{Deserialize, Serialize};

pub use self::audio::SoundFlaw;
pub use self::earned::EarnedRung;
pub use self::policy::{FrameRate, LadderPolicy};
pub use self::quality::{Quality, QualityPolicy};

/// A longer source that cannot play at once gets one small rung first.
const LONG_MS: u64 = 120_000;
const FIRST_LINES: u32 = 480;
/// Above every rung: the source as it was uploaded.
const SOURCE_RANK: i32 = 100_000;
/// Playable, but only when nothing else is.
const LAST_RANK: i32 = 0;

/// Everything one generation of a file shall have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Serve the source progressively as it is (it is web-safe): published before anything is encoded.
    pub serve_source: bool,
    /// The source's bit rate is above what the policy lets play by default: whatever copies it yields to any rung.
    #[serde(default)]
    pub heavy: bool,
    /// Highest first. Empty for sources without video.
    pub rungs: Vec<Rung>,
    /// Held back until the file has been watched (`[earned]`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earned: Vec<EarnedRung>,
    /// The default track first. With video its packets are muxed into every rung that has `audio`; the others are `alone`,
    /// and so is every track of a source without video.
    pub audio: Vec<AudioStep>,
    /// The rung that is made alone and published before the rest.
    pub first: Option<String>,
    pub extras: Extras,
    /// Frames per second of every encoded rung, where pictures are brought to a constant rate.
    #[serde(default)]
    pub constant_rate: Option<(u32, u32)>,
    pub grid: SegmentGrid,
    /// Where the policy wants a search: what it found.
    #[serde(default)]
    pub quality: Option<Quality>,
    pub reasons: Vec<Choice>,
}

/// One planned video rendition: video and AAC-LC in an MP4 with `moov` in front.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rung {
    /// `720p`, with other codecs than H.264 `720p-av1`; its object is `720p.mp4`.
    pub name: String,
    /// Even (unless copied), square pixels, rotation applied.
    pub width: u32,
    pub height: u32,
    pub video: VideoStep,
    /// Whether the default track of `Plan::audio` is muxed into it.
    pub audio: bool,
}

/// How a rung gets its pictures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum VideoStep {
    /// The source's own packets. Made by a remux, before and beside all that is encoded.
    Copy,
    Encode {
        codec: VideoCodec,
        /// The encoder's constant rate factor.
        crf: u8,
        /// Bits per second that a second or two never exceed on average; `None`: any.
        max_bitrate: Option<u32>,
        preset: String,
    },
}

/// What a rung may be encoded with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VideoCodec {
    H264,
    Hevc,
    Av1,
    Vp9,
}

/// How one audio track of the source becomes AAC-LC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioStep {
    /// Index of the stream in the source.
    pub stream: u32,
    /// Of an audio-only rendition: `audio`, and `audio-2`… for further tracks; its object is `audio-2.m4a`.
    pub name: String,
    pub language: Option<String>,
    pub default: bool,
    /// Becomes an audio-only rendition, instead of going into every rung.
    pub alone: bool,
    /// One or two, after downmixing.
    pub channels: u16,
    pub step: SoundStep,
    /// LUFS that it is brought to in two passes (EBU R128); never with `Copy`.
    pub loudness: Option<i8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum SoundStep {
    /// The source's own packets: they are AAC-LC already.
    Copy,
    /// Its packets are AAC-LC, but only reading them all tells whether they follow one another: copied if so, else encoded.
    CopyIfSteady { bitrate: u32 },
    /// The copied rung's, which was encoded for it: it lies in the task's folder. In a request alone, never in a plan.
    Lent,
    /// Bits per second.
    Encode { bitrate: u32 },
}

/// What is made beside what plays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extras {
    pub poster: bool,
    pub storyboard: bool,
    pub preview: bool,
    pub waveform: bool,
    /// Subtitle streams of the source that become WebVTT.
    pub captions: Vec<u32>,
}

/// What was decided, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub what: String,
    pub why: String,
}

/// Makes the plan. `grid` is the source's own when it is segment-safe.
#[must_use]
pub fn plan(media: &MediaInfo, grid: SegmentGrid, policy: &LadderPolicy) -> Plan {
    let mut reasons = vec![serve_choice(media)];
    let rungs = media.video.as_ref().map_or_else(Vec::new, |video| ladder::rungs(media, video, policy, &mut reasons));
    let constant_rate = media.video.as_ref().and_then(|video| rate::constant(video, policy, &mut reasons));
    let remuxed = rungs.iter().any(|rung| rung.video == VideoStep::Copy);
    let audio = audio::steps(media, policy, remuxed, &mut reasons);
    let heavy = heavy(media, policy, &mut reasons);
    let first = if media.web_safe || remuxed { None } else { first(media, &rungs, &mut reasons) };
    let extras = extras::extras(media, policy, &mut reasons);
    Plan {
        serve_source: media.web_safe,
        heavy,
        rungs,
        earned: Vec::new(),
        audio,
        first,
        extras,
        constant_rate,
        grid,
        quality: None,
        reasons,
    }
}

/// Whether the source takes more than the policy grants what plays by default.
fn heavy(media: &MediaInfo, policy: &LadderPolicy, reasons: &mut Vec<Choice>) -> bool {
    let Some(video) = &media.video else { return false };
    let limit = policy.source_limit(video.width, video.height);
    if media.bitrate <= limit {
        return false;
    }
    let why = format!("it takes {} kbit/s, more than {} at its size", media.bitrate / 1_000, limit / 1_000);
    reasons.push(Choice::new("the source's pictures are not the default once there is a rung", why));
    true
}

/// The rung that a long source is first made playable with.
fn first(media: &MediaInfo, rungs: &[Rung], reasons: &mut Vec<Choice>) -> Option<String> {
    if media.duration_ms <= LONG_MS || rungs.len() < 2 {
        return None;
    }
    let rung = rungs.iter().find(|rung| is_small(rung))?;
    reasons.push(Choice::new(
        format!("{} first, alone", rung.name),
        format!("the source lasts {} s and cannot play at once", media.duration_ms / 1_000),
    ));
    Some(rung.name.clone())
}

fn is_small(rung: &Rung) -> bool {
    rung.is_h264() && rung.width.min(rung.height) <= FIRST_LINES
}

fn serve_choice(media: &MediaInfo) -> Choice {
    match media.reasons.first() {
        _ if media.web_safe => Choice::new("serve the source", "every browser plays it as it is"),
        Some(reason) => Choice::new("do not serve the source", &reason.message),
        None => Choice::new("do not serve the source", "it is not web-safe"),
    }
}

/// The audio track that is heard: the default one, else the first.
#[must_use]
pub fn chosen_audio(media: &MediaInfo) -> Option<&AudioInfo> {
    media.audio.iter().find(|track| track.default).or_else(|| media.audio.first())
}

impl Plan {
    /// The track that every rung is given, or the only one that a source without video is made of.
    #[must_use]
    pub fn main_audio(&self) -> Option<&AudioStep> {
        self.audio.iter().find(|step| step.default)
    }

    /// The tracks that become renditions of their own.
    pub fn audio_only(&self) -> impl Iterator<Item = &AudioStep> {
        self.audio.iter().filter(|step| step.alone)
    }

    /// A rung whose video is the source's own.
    #[must_use]
    pub fn remuxed(&self) -> Option<&Rung> {
        self.rungs.iter().find(|rung| rung.video == VideoStep::Copy)
    }
}

impl Plan {
    /// Where a rung stands when the best is asked for; the highest wins. What not every browser plays comes last.
    #[must_use]
    pub fn rank(&self, rung: &Rung) -> i32 {
        let copied = rung.video == VideoStep::Copy;
        if copied && self.heavy || !copied && !rung.is_h264() {
            return LAST_RANK;
        }
        i32::try_from(rung.height).unwrap_or(LAST_RANK)
    }

    #[must_use]
    pub fn source_rank(&self) -> i32 {
        if self.heavy { LAST_RANK } else { SOURCE_RANK }
    }

    /// Says why what was planned to be copied is encoded after all.
    pub(crate) fn explain(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.reasons.push(Choice::new(what, why));
    }
}

impl Rung {
    fn is_h264(&self) -> bool {
        matches!(self.video, VideoStep::Copy | VideoStep::Encode { codec: VideoCodec::H264, .. })
    }
}

impl VideoCodec {
    /// As in names of rungs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::Hevc => "hevc",
            Self::Av1 => "av1",
            Self::Vp9 => "vp9",
        }
    }
}

impl FromStr for VideoCodec {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let all = [Self::H264, Self::Hevc, Self::Av1, Self::Vp9];
        all.into_iter()
            .find(|codec| codec.word() == word)
            .ok_or_else(|| "is none of h264, hevc, av1 and vp9".to_owned())
    }
}

impl Choice {
    pub(crate) fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into() }
    }
}

#[cfg(test)]
mod tests {
    use reelgate_common::media_info::{SubtitleInfo, VideoInfo};

    use super::*;

    const GRID: SegmentGrid = SegmentGrid::Regular { period_ms: 2_000 };

    /// Ten seconds of 1080p with AAC-LC, in Matroska.
    fn film(change: impl FnOnce(&mut MediaInfo, &mut VideoInfo, &mut AudioInfo)) -> MediaInfo {
        let mut media = MediaInfo { container: "matroska".to_owned(), duration_ms: 10_000, ..MediaInfo::default() };
        let mut video = VideoInfo { codec: "h264".to_owned(), width: 1920, height: 1080, ..VideoInfo::default() };
        let mut audio = AudioInfo { stream: 1, codec: "aac".to_owned(), channels: 2, ..AudioInfo::default() };
        change(&mut media, &mut video, &mut audio);
        MediaInfo { video: Some(video), audio: vec![audio], ..media }
    }

    fn of(media: &MediaInfo) -> Plan {
        plan(media, GRID, &LadderPolicy::default())
    }

    fn sound(plan: &Plan) -> SoundStep {
        plan.main_audio().unwrap().step
    }

    const ENCODED: SoundStep = SoundStep::Encode { bitrate: 128_000 };

    #[test]
    fn pictures_and_sound_are_copied_each_by_itself() {
        let both = of(&film(|_, video, audio| (video.copyable, audio.copyable) = (true, true)));
        assert_eq!((both.rungs[0].video.clone(), sound(&both)), (VideoStep::Copy, SoundStep::Copy));
        let pictures = of(&film(|_, video, _| video.copyable = true));
        assert_eq!((pictures.rungs[0].video.clone(), sound(&pictures)), (VideoStep::Copy, ENCODED));
        assert!(both.rungs[1..].iter().all(|rung| rung.video != VideoStep::Copy && rung.audio));
    }

    #[test]
    fn sound_beside_encoded_pictures_is_copied_where_an_index_or_its_packets_vouch_for_its_times() {
        let loose = film(|_, _, audio| audio.copyable = true);
        assert_eq!(sound(&of(&loose)), SoundStep::CopyIfSteady { bitrate: 128_000 });
        assert_eq!(sound(&of(&film(|_, _, _| ()))), ENCODED);
        let indexed = MediaInfo { container: "mov".to_owned(), moov_in_front: Some(false), ..loose };
        assert_eq!(sound(&of(&indexed)), SoundStep::Copy);
        let louder = plan(&indexed, GRID, &LadderPolicy { loudness: -16, ..LadderPolicy::default() });
        assert_eq!(sound(&louder), ENCODED);
        assert_eq!(louder.main_audio().unwrap().loudness, Some(-16));
    }

    #[test]
    fn a_constant_rate_keeps_varying_pictures_from_being_copied() {
        let varying = film(|_, video, _| (video.copyable, video.variable_frame_rate) = (true, true));
        let policy = LadderPolicy { frame_rate: FrameRate::Constant, ..LadderPolicy::default() };
        assert_eq!(plan(&varying, GRID, &policy).remuxed(), None);
        assert!(of(&varying).remuxed().is_some());
    }

    #[test]
    fn a_heavy_source_yields_to_every_rung() {
        let heavy = of(&film(|media, video, _| (media.bitrate, video.copyable) = (12_000_001, true)));
        assert_eq!((heavy.source_rank(), heavy.rank(&heavy.rungs[0]), heavy.rank(&heavy.rungs[1])), (0, 0, 720));
        let light = of(&film(|media, video, _| (media.bitrate, video.copyable) = (12_000_000, true)));
        assert_eq!((light.source_rank(), light.rank(&light.rungs[0])), (100_000, 1080));
        let small = of(&film(|media, video, _| {
            (media.bitrate, video.width, video.height) = (6_000_000, 1280, 720);
        }));
        assert!(small.heavy, "the limit is scaled by pixels");
    }

    #[test]
    fn a_long_source_that_cannot_play_gets_a_small_rung_first() {
        let first = |change: fn(&mut MediaInfo, &mut VideoInfo)| {
            of(&film(|media, video, _| {
                media.duration_ms = 120_001;
                change(media, video);
            }))
            .first
        };
        assert_eq!(first(|_, _| ()).as_deref(), Some("480p"));
        assert_eq!(first(|_, video| (video.width, video.height) = (1080, 1920)).as_deref(), Some("480p"));
        assert_eq!(first(|media, _| media.duration_ms = 120_000), None);
        assert_eq!(first(|media, _| media.web_safe = true), None);
        assert_eq!(first(|_, video| video.copyable = true), None, "a remux plays sooner");
        assert_eq!(first(|_, video| (video.width, video.height) = (320, 180)), None, "there is only one");
    }

    #[test]
    fn extras_follow_what_there_is_and_what_is_wanted() {
        let texts = |media: &mut MediaInfo| {
            let subtitle = |stream, text| SubtitleInfo { stream, text, ..SubtitleInfo::default() };
            media.subtitles = vec![subtitle(2, true), subtitle(3, false)];
        };
        let film = film(|media, _, _| texts(media));
        let all = Extras { poster: true, storyboard: true, preview: true, waveform: false, captions: vec![2] };
        assert_eq!(of(&film).extras, all);
        let sound = MediaInfo { video: None, subtitles: Vec::new(), ..film.clone() };
        assert_eq!(of(&sound).extras, Extras { waveform: true, ..Extras::default() });
        let frugal = LadderPolicy { storyboard: false, preview: false, captions: false, ..LadderPolicy::default() };
        assert_eq!(plan(&film, GRID, &frugal).extras, Extras { poster: true, ..Extras::default() });
    }

    #[test]
    fn every_choice_has_its_reason() {
        let plan = of(&film(|_, video, _| video.copyable = true));
        for what in ["do not serve the source", "1080p", "720p", "480p", "360p", "audio", "poster"] {
            let found = plan.reasons.iter().find(|choice| choice.what == what);
            assert!(found.is_some_and(|choice| !choice.why.is_empty()), "{what}: {:?}", plan.reasons);
        }
    }
}
