//! Whether a source can be served as it is: the words "web-safe" and "segment-safe" of the design.
//!
//! Which tracks count: the first enabled video track that is no still picture and no chapter track, and all enabled audio
//! tracks that are none either. Text, timecode, metadata and hint tracks are ignored. Where no track at all is enabled the
//! flag is taken as not filled in, and all count.

use crate::{
    avc::Sps,
    clean::{Forward, MAX_SAMPLES, clean_entries},
    extents::{Misplaced, check_extents},
    matrix::Orientation,
    movie::Movie,
    sample_entry::{AudioEntry, Codec, SampleEntry, VideoEntry},
    track::{Edit, Track},
    track_kind::TrackKind,
};

/// Highest level of H.264 that browsers are trusted with, times ten.
const MAX_LEVEL: u8 = 52;
/// Macroblocks of a frame at that level (H.264, table A-1).
const MAX_MACROBLOCKS: u64 = 36_864;
/// Longest way from one clean entry to the next.
const MAX_GAP_SECONDS: i64 = 10;
/// A longer movie is a mistake or an attack.
const MAX_DURATION_SECONDS: u64 = 7 * 24 * 3600;
/// Samples an audio edit may hide at either end: what encoders put there themselves (1,024 to 2,112 at the front, up to two
/// frames of 1,024 behind). More is film that somebody cut away.
const MAX_HIDDEN_AUDIO: u64 = 4_096;

/// A judgement with all that speaks against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Safety {
    /// Plays progressively in every browser as it is.
    pub web_safe: bool,
    /// May be cut into HLS and DASH segments as it is; implies `web_safe`.
    pub segment_safe: bool,
    /// Nothing speaks against cutting the video as it is; the audio may be of another kind.
    pub video_segment_safe: bool,
    /// The same of the audio, whatever the video is.
    pub audio_segment_safe: bool,
    /// Empty when it is both.
    pub reasons: Vec<Reason>,
}

/// A fact that keeps a source from being used as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Stable, snake_case.
    pub code: &'static str,
    /// One sentence for people.
    pub message: String,
    /// Whether it rules out serving the source progressively, too, and not only segments.
    pub against_web: bool,
}

/// The video track that is shown; see the module's rule.
#[must_use]
pub fn shown_video(movie: &Movie) -> Option<&Track> {
    counting(movie).find(|track| track.kind == TrackKind::Video && !is_still_picture(track))
}

/// The audio tracks that count; see the module's rule.
pub fn sounding_audio(movie: &Movie) -> impl Iterator<Item = &Track> {
    counting(movie).filter(|track| track.kind == TrackKind::Audio)
}

/// Audio tracks that are switched off as alternatives to one that counts: other languages, commentaries. The judgement does
/// not look at them, for nothing plays them unless asked.
pub(crate) fn alternative_audio(movie: &Movie) -> impl Iterator<Item = &Track> {
    let any_enabled = movie.tracks.iter().any(|track| track.enabled);
    let stands_for = |group: u16| group != 0 && sounding_audio(movie).any(|track| track.alternate_group == group);
    movie
        .tracks
        .iter()
        .filter(move |track| any_enabled && !track.enabled && track.kind == TrackKind::Audio)
        .filter(move |track| stands_for(track.alternate_group) && !is_chapter(movie, track))
}

fn counting(movie: &Movie) -> impl Iterator<Item = &Track> {
    let any_enabled = movie.tracks.iter().any(|track| track.enabled);
    movie.tracks.iter().filter(move |track| (track.enabled || !any_enabled) && !is_chapter(movie, track))
}

fn is_chapter(movie: &Movie, track: &Track) -> bool {
    movie.tracks.iter().any(|other| other.chapter_tracks.contains(&track.id))
}

fn is_still_picture(track: &Track) -> bool {
    let still =
        |entry: &SampleEntry| matches!(&entry.format.0, b"jpeg" | b"mjpa" | b"mjpb" | b"png " | b"tiff" | b"gif ");
    track.sample_count() <= 1 && track.entries.first().is_some_and(still)
}

/// Judges a movie that was read from a file of `file_size` bytes.
#[must_use]
pub fn judge(movie: &Movie, file_size: u64) -> Safety {
    let mut found = Findings::default();
    judge_movie(&mut found, movie);
    let mut heard = Findings(found.0.clone());
    match shown_video(movie) {
        Some(video) => {
            judge_track(&mut found, video, file_size);
            judge_video(&mut found, video);
        }
        None => found.web("no_video", "There is no video track.".to_owned()),
    }
    for audio in sounding_audio(movie) {
        judge_track(&mut heard, audio, file_size);
        judge_audio(&mut heard, audio);
    }
    found.and(heard)
}

#[derive(Default)]
struct Findings(Vec<Reason>);

impl Findings {
    /// Speaks against both.
    fn web(&mut self, code: &'static str, message: String) {
        self.push(code, message, true);
    }

    /// Speaks against segments only.
    fn segment(&mut self, code: &'static str, message: String) {
        self.push(code, message, false);
    }

    fn push(&mut self, code: &'static str, message: String, against_web: bool) {
        if !self.0.iter().any(|reason| reason.code == code && reason.against_web >= against_web) {
            self.0.push(Reason { code, message, against_web });
        }
    }

    /// What was found of the video, and of the audio.
    fn and(mut self, heard: Self) -> Safety {
        let (video_segment_safe, audio_segment_safe) = (self.0.is_empty(), heard.0.is_empty());
        heard.0.into_iter().for_each(|reason| self.push(reason.code, reason.message, reason.against_web));
        let web_safe = !self.0.iter().any(|reason| reason.against_web);
        let segment_safe = self.0.is_empty();
        Safety { web_safe, segment_safe, video_segment_safe, audio_segment_safe, reasons: self.0 }
    }
}

fn judge_movie(found: &mut Findings, movie: &Movie) {
    if movie.fragmented {
        found.web("fragmented", "The file is a fragmented MP4.".to_owned());
    }
    if movie.tracks.iter().flat_map(|track| &track.data_references).any(|reference| !reference.self_contained) {
        found.web("external_data", "The file refers to media outside itself.".to_owned());
    }
    let longest = movie.tracks.iter().map(media_seconds).max().unwrap_or(0);
    let claimed = movie.duration / u64::from(movie.timescale.max(1));
    if longest > MAX_DURATION_SECONDS || claimed > longest.saturating_mul(4).saturating_add(10) {
        found.web("implausible_duration", format!("The file claims to last {claimed} s and its media {longest} s."));
    }
}

/// Whole seconds of a track's samples and of the empty edits in front.
fn media_seconds(track: &Track) -> u64 {
    let empty = track.edits.iter().filter(|edit| edit.is_empty()).fold(0, |sum: u64, e| sum.saturating_add(e.duration));
    let media = track.tables.duration() / u64::from(track.timescale.max(1));
    media.saturating_add(empty / u64::from(track.movie_timescale.max(1)))
}

/// What holds for video and audio alike.
fn judge_track(found: &mut Findings, track: &Track, file_size: u64) {
    let id = track.id;
    if track.entries.iter().any(|entry| matches!(&entry.format.0, b"encv" | b"enca" | b"drms" | b"drmi")) {
        found.web("encrypted", format!("Track {id} is encrypted."));
    }
    let referenced =
        |entry: &SampleEntry| (1..=track.data_references.len()).contains(&usize::from(entry.data_reference));
    if !track.entries.iter().all(referenced) {
        found.web("broken_index", format!("Track {id} does not say where its media lies."));
    }
    if track.entries.len() != 1 {
        found.web("changing_codec", format!("Track {id} has {} sample descriptions.", track.entries.len()));
    }
    if track.sample_count() == 0 || track.tables.duration() == 0 {
        found.web("empty_track", format!("Track {id} has no samples or no duration."));
    }
    if track.sample_count() > MAX_SAMPLES {
        found.web("too_many_samples", format!("Track {id} has {} samples.", track.sample_count()));
    } else {
        judge_places(found, track, file_size);
    }
    if !edits_are_plain(&track.edits) {
        found.segment("several_edits", format!("The edit list of track {id} does more than delay or begin it."));
    }
}

fn judge_places(found: &mut Findings, track: &Track, file_size: u64) {
    let id = track.id;
    let places = if track.tables.is_consistent() { check_extents(track, file_size) } else { Err(Misplaced::Tables) };
    match places {
        Ok(()) => {}
        Err(Misplaced::Tables) => {
            found.web("broken_index", format!("The sample tables of track {id} contradict one another."));
        }
        Err(Misplaced::Outside) => {
            found.web("samples_outside_file", format!("Samples of track {id} lie behind the end of the file."));
        }
    }
}

/// At most one edit besides one empty one, which comes first; normal speed.
pub(crate) fn edits_are_plain(edits: &[Edit]) -> bool {
    let rest = match edits.split_first() {
        Some((first, rest)) if first.is_empty() => rest,
        _ => edits,
    };
    match rest {
        [] => edits.is_empty(),
        [edit] => edit.media_time >= 0 && edit.rate == 1 << 16,
        _ => false,
    }
}

/// The edit that is played, when the list is plain.
pub(crate) fn played_edit(track: &Track) -> Option<&Edit> {
    track.edits.iter().find(|edit| !edit.is_empty())
}

fn judge_video(found: &mut Findings, track: &Track) {
    for entry in &track.entries {
        let Codec::Video(video) = &entry.codec else { continue };
        match (&entry.format.0, &video.avc) {
            (b"avc1", Some(avc)) if !avc.sps.is_empty() => avc.sps.iter().for_each(|sps| judge_sps(found, sps)),
            (b"avc1", _) => found.web("video_codec", "The H.264 track has no parameter sets.".to_owned()),
            (_, _) => found.web("video_codec", format!("The video is {}, not H.264 as avc1.", entry.format)),
        }
        if video.avc.as_ref().is_some_and(|avc| avc.level > MAX_LEVEL) {
            found.web("video_level", "The level of H.264 is above 5.2.".to_owned());
        }
        if video.two_fields {
            found.web("interlaced", "The video is interlaced.".to_owned());
        }
        if !is_square(track, video) {
            found.segment("pixel_aspect", "The pixels are not square.".to_owned());
        }
    }
    if track.matrix.orientation() != Some(Orientation::default()) {
        found.segment("rotated", "The picture is turned or mirrored for display.".to_owned());
    }
    judge_entries(found, track);
}

fn judge_sps(found: &mut Findings, sps: &Sps) {
    if !matches!(sps.profile, 66 | 77 | 100) || sps.chroma != 1 || sps.luma_bits != 8 || sps.chroma_bits != 8 {
        let Sps { profile, chroma, luma_bits, .. } = sps;
        found.web(
            "video_profile",
            format!("H.264 profile {profile} (chroma format {chroma}, {luma_bits} bits) is beyond High 8-bit 4:2:0."),
        );
    }
    if sps.level > MAX_LEVEL {
        found.web("video_level", "The level of H.264 is above 5.2.".to_owned());
    }
    if !sps.frame_mbs_only {
        found.web("interlaced", "The video may be interlaced.".to_owned());
    }
    let (columns, rows) = (u64::from(sps.width.div_ceil(16)), u64::from(sps.height.div_ceil(16)));
    // Table A-1's limit on one side is the root of eight times the limit on the area.
    if columns == 0 || rows == 0 || columns * rows > MAX_MACROBLOCKS || columns.max(rows).pow(2) > 8 * MAX_MACROBLOCKS {
        found.web("picture_size", format!("No level up to 5.2 has pictures of {}x{}.", sps.width, sps.height));
    }
}

/// `pasp` wins over the parameter set, as in libav and browsers; the matrix may stretch as well.
fn is_square(track: &Track, video: &VideoEntry) -> bool {
    let from_sps = video.avc.iter().flat_map(|avc| &avc.sps).find_map(|sps| sps.sample_aspect);
    let aspect = video.pixel_aspect.filter(|(h, v)| *h != 0 && *v != 0);
    let square = match (aspect, from_sps) {
        (Some((h, v)), _) => h == v,
        (None, Some((h, v))) => h == v,
        (None, None) => true,
    };
    square && track.matrix.keeps_aspect()
}

/// Gaps between clean entries, and frames that the edit hides.
fn judge_entries(found: &mut Findings, track: &Track) {
    let entries = match clean_entries(track) {
        Ok(entries) => entries,
        Err(error) => return found.web("broken_index", format!("The video's index is of no use: {error}.")),
    };
    let mut first = None;
    let mut last: i64 = 0;
    let mut gap = 0;
    for entry in entries {
        gap = gap.max(entry.composition - first.map_or(entry.composition, |_| last));
        first = first.or(Some(entry));
        last = entry.composition;
    }
    let Some(first) = first else {
        return found.segment("no_clean_entry", "Playing can begin nowhere without broken frames.".to_owned());
    };
    if first.sample != 1 {
        found.segment("no_clean_start", "The first frame depends on frames that are not there.".to_owned());
    }
    let end = i64::try_from(track.tables.duration()).unwrap_or(i64::MAX).saturating_add(first.composition);
    gap = gap.max(end.saturating_sub(last));
    if gap > MAX_GAP_SECONDS * i64::from(track.timescale) {
        let seconds = gap / i64::from(track.timescale);
        found.segment("entry_gap", format!("Playing can begin only every {seconds} s in places."));
    }
    if edits_are_plain(&track.edits) && played_edit(track).is_some_and(|edit| hides_frames(track, edit)) {
        found.segment("hidden_frames", "The edit list hides frames.".to_owned());
    }
}

/// Whether a frame is displayed before the edit begins or from its end on. One tick of the movie is rounding.
pub(crate) fn hides_frames(track: &Track, edit: &Edit) -> bool {
    let times = Forward::new(track).map(|(_, composition)| composition);
    let (first, last) = times.fold((i64::MAX, i64::MIN), |(min, max), time| (min.min(time), max.max(time)));
    let tick = track.from_movie_ticks(1);
    let end = edit.media_time.saturating_add(track.from_movie_ticks(edit.duration)).saturating_add(tick);
    // A duration of zero is how some writers say "to the end".
    first < edit.media_time || (edit.duration != 0 && last >= end)
}

fn judge_audio(found: &mut Findings, track: &Track) {
    for entry in &track.entries {
        let Codec::Audio(audio) = &entry.codec else { continue };
        match sound(entry, audio) {
            Sound::AacLc => {}
            Sound::Mp3 => found.segment("audio_mp3", "The audio is MP3, which segments cannot hold.".to_owned()),
            Sound::Other => {
                found.web("audio_codec", format!("The audio ({}) is neither AAC-LC nor MP3.", entry.format));
            }
        }
        let channels = audio.aac.as_ref().map_or(audio.channels, |aac| u32::from(aac.channels));
        if !(1..=2).contains(&channels) {
            found.web("audio_channels", format!("The audio has {channels} channels."));
        }
    }
    if edits_are_plain(&track.edits) && played_edit(track).is_some_and(|edit| hides_audio(track, edit)) {
        found.segment("hidden_audio", "The edit list hides more audio than priming.".to_owned());
    }
}

enum Sound {
    AacLc,
    Mp3,
    Other,
}

fn sound(entry: &SampleEntry, audio: &AudioEntry) -> Sound {
    match (&entry.format.0, audio.object_type, &audio.aac) {
        (b".mp3", ..) | (b"mp4a", Some(0x69 | 0x6b), _) => Sound::Mp3,
        (b"mp4a", Some(0x40 | 0x67), Some(aac)) if aac.object_type == 2 && !aac.sbr => Sound::AacLc,
        _ => Sound::Other,
    }
}

pub(crate) fn hides_audio(track: &Track, edit: &Edit) -> bool {
    let rate = track.entries.first().map_or(0, |entry| match &entry.codec {
        Codec::Audio(audio) => audio.aac.as_ref().map_or(audio.sample_rate, |aac| aac.sample_rate),
        _ => 0,
    });
    let allowed = u128::from(MAX_HIDDEN_AUDIO) * u128::from(track.timescale) / u128::from(rate.max(1));
    let allowed = i64::try_from(allowed).unwrap_or(i64::MAX);
    let end = edit.media_time.saturating_add(track.from_movie_ticks(edit.duration));
    let behind = i64::try_from(track.tables.duration()).unwrap_or(i64::MAX).saturating_sub(end);
    edit.media_time > allowed || (edit.duration != 0 && behind > allowed)
}
