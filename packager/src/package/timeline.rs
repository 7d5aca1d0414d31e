//! How a track's clock is laid out anew, so that its media and its presentation both begin at zero without an empty edit and
//! without signed offsets. Pure arithmetic on sample tables.

use crate::{
    error::Mp4Error,
    judge::{edits_are_plain, hides_audio, hides_frames, played_edit},
    sample_entry::AudioEntry,
    track::Track,
};

use super::silence::{FRAME_SAMPLES, silent_frame};

/// The new clock of a video track, in its ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct VideoClock {
    /// Added to every composition offset; none is negative then.
    pub(super) raise: i64,
    /// By how much the first sample is longer: as long as nothing was shown in the original.
    pub(super) stretch: i64,
    /// Composition time of the first sample, where the edit begins.
    pub(super) media_time: i64,
    /// End of the last frame on the presentation's clock.
    pub(super) end: i64,
}

/// The new clock of an audio track, in its ticks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AudioClock {
    /// Silence before and behind the samples.
    pub(super) front: Silence,
    pub(super) back: Silence,
    /// What lies before the presentation's zero: priming, and what of the silence is too much.
    pub(super) media_time: i64,
    /// End of the last frame, silence included, on the presentation's clock.
    pub(super) end: i64,
}

/// Frames of silence in a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Silence {
    pub(super) frames: u32,
    pub(super) frame: Vec<u8>,
    rate: u32,
    timescale: u32,
}

impl Silence {
    /// Enough frames for so many ticks.
    fn covering(ticks: i64, sound: &Sound<'_>) -> Option<Self> {
        let (rate, timescale) = (sound.rate, sound.timescale);
        let samples = i128::from(ticks) * i128::from(rate);
        let frames = samples.div_euclid(i128::from(FRAME_SAMPLES) * i128::from(timescale));
        let exact = samples.rem_euclid(i128::from(FRAME_SAMPLES) * i128::from(timescale)) == 0;
        let frames = u32::try_from(frames + i128::from(!exact)).ok()?;
        Some(Self { frames, frame: sound.silent_frame.clone()?, rate, timescale })
    }

    /// Where the nth frame begins, in ticks; frames need not be whole ticks long.
    fn at(&self, n: u32) -> i64 {
        let samples = u128::from(n) * u128::from(FRAME_SAMPLES) * u128::from(self.timescale);
        i64::try_from(samples / u128::from(self.rate.max(1))).unwrap_or(i64::MAX)
    }

    pub(super) fn ticks(&self) -> i64 {
        self.at(self.frames)
    }

    /// Of each frame.
    pub(super) fn durations(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.frames).map(|n| u32::try_from(self.at(n + 1) - self.at(n)).unwrap_or(u32::MAX))
    }
}

struct Sound<'a> {
    track: &'a Track,
    rate: u32,
    timescale: u32,
    silent_frame: Option<Vec<u8>>,
}

/// # Errors
/// `Unsupported` for edits that hide frames, which players would show.
pub(super) fn video_clock(track: &Track, first_composition: i64) -> Result<VideoClock, Mp4Error> {
    let hides = !edits_are_plain(&track.edits) || played_edit(track).is_some_and(|edit| hides_frames(track, edit));
    let stretch = first_composition.saturating_add(track.presentation_shift());
    if hides || stretch < 0 {
        return Err(Mp4Error::Unsupported("an edit list that hides frames"));
    }
    let lowest = track.tables.offsets.iter().filter(|run| run.count > 0).map(|run| i64::from(run.offset)).min();
    let raise = -lowest.unwrap_or(0).min(0);
    let ticks = i64::try_from(track.tables.duration()).unwrap_or(i64::MAX);
    Ok(VideoClock { raise, stretch, media_time: first_composition + raise, end: ticks.saturating_add(stretch) })
}

/// `cover` is a time of the presentation, in ticks, that the sound has to reach.
///
/// # Errors
/// `Unsupported` for edits that hide more than priming, and for a late beginning of a codec without silence to put there.
pub(super) fn audio_clock(track: &Track, audio: &AudioEntry, cover: i64) -> Result<AudioClock, Mp4Error> {
    if !edits_are_plain(&track.edits) || played_edit(track).is_some_and(|edit| hides_audio(track, edit)) {
        return Err(Mp4Error::Unsupported("an edit list that hides sound"));
    }
    let sound = Sound::new(track, audio);
    // When the first sample is heard; before zero with priming.
    let first = track.presentation_shift().saturating_add(constant_offset(track)?);
    let front = if first > 0 {
        let late = Mp4Error::Unsupported("sound that begins late, of a codec without known silence");
        Silence::covering(first, &sound).ok_or(late)?
    } else {
        Silence::default()
    };
    let media_time = front.ticks().saturating_sub(first);
    let ticks = i64::try_from(sound.track.tables.duration()).unwrap_or(i64::MAX);
    let end = ticks.saturating_add(first);
    let missing = cover.saturating_sub(end);
    // Other codecs end where they end.
    let back = if missing > 0 { Silence::covering(missing, &sound).unwrap_or_default() } else { Silence::default() };
    Ok(AudioClock { end: end.saturating_add(back.ticks()), front, back, media_time })
}

impl<'a> Sound<'a> {
    fn new(track: &'a Track, audio: &AudioEntry) -> Self {
        let silent_frame = audio.aac.as_ref().and_then(silent_frame);
        let rate = audio.aac.as_ref().map_or(0, |aac| aac.sample_rate);
        // Without a rate there is no telling how long a frame is.
        let silent_frame = silent_frame.filter(|_| rate > 0);
        Self { track, rate, timescale: track.timescale, silent_frame }
    }
}

/// Some writers give every audio sample one and the same composition offset.
fn constant_offset(track: &Track) -> Result<i64, Mp4Error> {
    let tables = &track.tables;
    let Some(first) = tables.offsets.iter().find(|run| run.count > 0) else { return Ok(0) };
    let moved: u64 = tables.offsets.iter().map(|run| u64::from(run.count)).sum();
    let constant = tables.offsets.iter().all(|run| run.count == 0 || run.offset == first.offset);
    if constant && (first.offset == 0 || moved == u64::from(track.sample_count())) {
        return Ok(i64::from(first.offset));
    }
    Err(Mp4Error::Unsupported("sound whose samples are reordered"))
}
