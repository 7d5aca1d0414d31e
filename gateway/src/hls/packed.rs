//! The packaged renditions of a file, and what of them is offered: every video, and one group of audio. Pure.

use std::{cmp::Reverse, sync::Arc};

use reelgate_common::rendition::{Rendition, RenditionKind};
use reelgate_packager::{
    package::{Kind, SegmentEntry, Summary, TrackSummary},
    presentation::{Caption, Offer, Presentation},
};

use super::path::{CAPTIONS_DOCUMENT, CAPTIONS_PLAYLIST, rendition_folder};
use crate::representation::SOURCE;

/// The one codec of the audio group.
const AAC_LC: &str = "mp4a.40.2";

/// A rendition that can be cut into segments.
#[derive(Debug, Clone)]
pub(super) struct Packed<'a> {
    pub rendition: &'a Rendition,
    pub summary: Arc<Summary>,
}

/// A track that is offered.
#[derive(Debug, Clone)]
pub(super) struct Chosen<'a> {
    pub packed: &'a Packed<'a>,
    pub number: usize,
    pub track: &'a TrackSummary,
    /// Filled in for DASH.
    pub segments: Vec<SegmentEntry>,
}

/// What is offered, best video and default audio first.
#[derive(Debug, Clone, Default)]
pub(super) struct Choices<'a> {
    pub videos: Vec<Chosen<'a>>,
    pub audios: Vec<Chosen<'a>>,
}

impl<'a> Choices<'a> {
    pub(super) fn of(packed: &'a [Packed<'a>]) -> Self {
        let mut videos: Vec<Chosen> = packed.iter().filter_map(|packed| tracks(packed, Kind::Video).next()).collect();
        videos.sort_by_key(|video| (Reverse(video.packed.rendition.rank), &video.packed.rendition.name));
        Self { videos, audios: audios(packed) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.videos.is_empty() && self.audios.is_empty()
    }

    pub(super) fn tracks_mut(&mut self) -> impl Iterator<Item = &mut Chosen<'a>> {
        self.videos.iter_mut().chain(&mut self.audios)
    }

    pub(super) fn present<'b>(&'b self, lease: &str, captions: Vec<Caption>) -> Presentation<'b> {
        let offer = |chosen: &'b Chosen<'a>| {
            let Rendition { generation, name, .. } = chosen.packed.rendition;
            Offer {
                name: format!("{name}-{}", chosen.number),
                track: chosen.track,
                folder: format!("{}{}/", rendition_folder(lease, *generation, name), chosen.number),
                segments: &chosen.segments,
            }
        };
        Presentation {
            videos: self.videos.iter().map(offer).collect(),
            audios: self.audios.iter().map(offer).collect(),
            captions,
        }
    }
}

/// The default track first: of the rendition that leads, and the further tracks that were made beside it, unless it has them
/// itself.
fn audios<'a>(packed: &'a [Packed<'a>]) -> Vec<Chosen<'a>> {
    let speaks = |packed: &&Packed| packed.rendition.is_playable() && audio_tracks(packed).next().is_some();
    let leading = packed.iter().filter(speaks).min_by_key(|packed| seniority(packed.rendition));
    let mut audios: Vec<Chosen> = leading.into_iter().flat_map(audio_tracks).collect();
    audios.sort_by_key(|audio| !audio.track.is_default);
    if audios.len() == 1 {
        let beside =
            |packed: &&Packed| packed.rendition.kind == RenditionKind::Audio && !packed.rendition.is_playable();
        let mut further: Vec<&Packed> = packed.iter().filter(beside).collect();
        further.sort_by_key(|packed| &packed.rendition.name);
        audios.extend(further.into_iter().flat_map(audio_tracks));
    }
    audios
}

/// The documents that are offered beside, each under a name of its own.
pub(super) fn captions(renditions: &[Rendition], lease: &str) -> Vec<Caption> {
    let mut offered: Vec<Caption> = Vec::new();
    for rendition in renditions {
        let Some(details) = rendition.captions() else { continue };
        let folder = rendition_folder(lease, rendition.generation, &rendition.name);
        let name = details.label.as_ref().unwrap_or(&details.language);
        let taken = offered.iter().any(|other| other.name == *name);
        offered.push(Caption {
            name: if taken { rendition.name.clone() } else { name.clone() },
            language: Some(details.language.clone()),
            // Of several the first counts.
            default: details.default && !offered.iter().any(|other| other.default),
            playlist: format!("{folder}{CAPTIONS_PLAYLIST}"),
            document: format!("{folder}{CAPTIONS_DOCUMENT}"),
        });
    }
    offered
}

/// The target duration of all tracks: that of the rendition which was there first, so that playlists already given out stay
/// true. The others are cut at the same places and last at most a tenth of a second longer, which the rounding takes.
pub(super) fn target_duration(packed: &[Packed]) -> u32 {
    let first = packed.iter().min_by_key(|packed| seniority(packed.rendition));
    first.map_or(1, |packed| packed.summary.target_duration.max(1))
}

/// The source leads, for it is never made again; then what was published first.
fn seniority(rendition: &Rendition) -> (bool, i64, &str) {
    (rendition.name != SOURCE, rendition.created_at.0, &rendition.name)
}

fn tracks<'a>(packed: &'a Packed<'a>, kind: Kind) -> impl Iterator<Item = Chosen<'a>> {
    let numbered = packed.summary.tracks.iter().enumerate();
    numbered.filter(move |(_, track)| track.kind == kind).map(|(number, track)| Chosen {
        packed,
        number,
        track,
        segments: Vec::new(),
    })
}

fn audio_tracks<'a>(packed: &'a Packed<'a>) -> impl Iterator<Item = Chosen<'a>> {
    tracks(packed, Kind::Audio).filter(|audio| audio.track.codecs == AAC_LC)
}

#[cfg(test)]
mod tests {
    use reelgate_common::{
        ids::FileId,
        rendition::{CaptionsDetails, Details, Packaging},
        timestamp::Timestamp,
    };
    use reelgate_packager::package::Kind;

    use super::*;

    fn track(kind: Kind, codecs: &str, is_default: bool) -> TrackSummary {
        TrackSummary { is_default, ..TrackSummary::new(kind, 1, 1_000, codecs) }
    }

    fn rendition(name: &str, kind: RenditionKind, rank: i32, created_at: i64) -> Rendition {
        Rendition {
            file_id: FileId::new(),
            generation: 3,
            attempt: 1,
            name: name.to_owned(),
            kind,
            content_type: String::new(),
            size_bytes: 1,
            width: None,
            height: None,
            bitrate: None,
            codecs: None,
            duration_ms: None,
            layout: Vec::new(),
            etag: String::new(),
            rank,
            packaging: Some(Packaging { index: String::new(), summary: serde_json::Value::Null }),
            details: None,
            earned: false,
            used_at: None,
            created_at: Timestamp(created_at),
        }
    }

    fn packed<'a>(rendition: &'a Rendition, target_duration: u32, audio: &[(&str, bool)]) -> Packed<'a> {
        let audio = audio.iter().map(|(codecs, is_default)| track(Kind::Audio, codecs, *is_default));
        let tracks = std::iter::once(track(Kind::Video, "avc1.64001f", true)).chain(audio).collect();
        Packed { rendition, summary: Arc::new(Summary { tracks, target_duration }) }
    }

    fn names(chosen: &[Chosen]) -> Vec<String> {
        chosen.iter().map(|chosen| format!("{}/{}", chosen.packed.rendition.name, chosen.number)).collect()
    }

    #[test]
    fn the_best_video_leads_and_the_source_speaks_with_its_default_first() {
        let rungs = [
            rendition("480p", RenditionKind::Video, 480, 2),
            rendition("source", RenditionKind::Video, 100_000, 9),
            rendition("720p", RenditionKind::Video, 720, 5),
        ];
        let aac = &[(AAC_LC, false), (AAC_LC, true)];
        let all = [packed(&rungs[0], 2, aac), packed(&rungs[1], 6, aac), packed(&rungs[2], 2, aac)];
        let choices = Choices::of(&all);
        assert_eq!(names(&choices.videos), ["source/0", "720p/0", "480p/0"]);
        assert_eq!(names(&choices.audios), ["source/2", "source/1"]);
        assert_eq!(target_duration(&all), 6);
    }

    #[test]
    fn without_the_source_the_rung_that_was_first_speaks_also_when_better_ones_come() {
        let rungs = [rendition("720p", RenditionKind::Video, 720, 5), rendition("480p", RenditionKind::Video, 480, 2)];
        let all = [packed(&rungs[0], 3, &[(AAC_LC, true)]), packed(&rungs[1], 2, &[(AAC_LC, true)])];
        assert_eq!(names(&Choices::of(&all).audios), ["480p/1"]);
        assert_eq!(target_duration(&all), 2);
    }

    #[test]
    fn the_audio_group_is_aac_or_there_is_none() {
        let rungs =
            [rendition("source", RenditionKind::Video, 100_000, 1), rendition("480p", RenditionKind::Video, 480, 2)];
        let all = [packed(&rungs[0], 2, &[("mp4a.6B", true)]), packed(&rungs[1], 2, &[(AAC_LC, true)])];
        assert_eq!(names(&Choices::of(&all).audios), ["480p/1"]);
        assert!(Choices::of(&all[..1]).audios.is_empty());
        assert!(Choices::of(&[]).is_empty());
    }

    #[test]
    fn further_languages_are_offered_beside_a_rung_but_not_beside_a_source_that_has_them() {
        let made = [
            rendition("audio-3", RenditionKind::Audio, -1, 1),
            rendition("audio-2", RenditionKind::Audio, -1, 2),
            rendition("720p", RenditionKind::Video, 720, 3),
            rendition("source", RenditionKind::Video, 100_000, 4),
        ];
        let alone = |rendition| Packed {
            rendition,
            summary: Arc::new(Summary { tracks: vec![track(Kind::Audio, AAC_LC, true)], target_duration: 2 }),
        };
        let (aac, both) = (&[(AAC_LC, true)], &[(AAC_LC, true), (AAC_LC, false)]);
        let mut all = vec![alone(&made[0]), alone(&made[1]), packed(&made[2], 2, aac)];
        assert_eq!(names(&Choices::of(&all).audios), ["720p/1", "audio-2/0", "audio-3/0"]);
        assert_eq!(names(&Choices::of(&all[..2]).audios), [""; 0], "nothing to play yet");
        all.push(packed(&made[3], 2, both));
        assert_eq!(names(&Choices::of(&all).audios), ["source/1", "source/2"]);
    }

    #[test]
    fn addresses_name_lease_generation_rendition_and_track() {
        let source = rendition("source", RenditionKind::Video, 100_000, 1);
        let details = CaptionsDetails { language: "en".to_owned(), label: None, default: true, added: true };
        let details = Some(Details::Captions(details));
        let words = Rendition { details, ..rendition("captions-en", RenditionKind::Captions, -1, 1) };
        let all = [packed(&source, 2, &[(AAC_LC, true)])];
        let choices = Choices::of(&all);
        let offered = choices.present("LEASE", captions(&[source.clone(), words], "LEASE"));
        assert_eq!(offered.videos[0].folder, "LEASE/3/source/0/");
        assert_eq!(offered.audios[0].folder, "LEASE/3/source/1/");
        assert_eq!(offered.captions[0].playlist, "LEASE/3/captions-en/captions.m3u8");
        assert_eq!(offered.captions[0].language.as_deref(), Some("en"));
        assert!(offered.captions[0].default);
    }
}
